"""Patches that look alike, cleaned together."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

PATCH, STRIDE = 8, 6
"""Pixels across a patch, and between one and the next."""
SEARCH = 2
"""Pixels around a patch, in each frame, within which others like it are looked for."""
GROUP = 64
"""Patches that are cleaned together."""
EXCESS = 1.2
"""How much stronger the noise is taken to be, since the patches were chosen for being alike."""
FIRM = 1e-4
"""Of the mean square of the patches of a group, what the noise is taken for at the least: below, rounding decides."""
AT_ONCE = 256
"""Groups that are in memory at once."""


def cleaned(noisy: Tensor, pilot: Tensor, here: int, level: float) -> Tensor:
    """A frame without its noise: each patch by the least square error among what its likes span.

    For each patch its likes are looked for in all frames, by a picture that has little noise already. From these the
    mean and the covariance are taken, and so the best linear estimate of the patches without their noise; estimates
    that overlap are averaged.

    Args:
        noisy: (n, C, H, W) frames brought to one instant.
        pilot: the same with little noise.
        here: which of them is the frame of that instant.
        level: standard deviation of the noise.

    Returns:
        (1, C, H, W); the pilot itself if it is smaller than a patch.

    Source:
        M. Lebrun, A. Buades, J.-M. Morel, A Nonlocal Bayesian Image Denoising Algorithm, SIAM Imaging 2013 (its second
        step); P. Arias, J.-M. Morel, Video Denoising via Empirical Bayesian Estimation of Space-Time Patches, JMIV
        2018.
    """
    return _both(noisy, pilot, here, level, False)[0]


def cleaned_and_kept(noisy: Tensor, pilot: Tensor, here: int, level: float) -> tuple[Tensor, Tensor]:
    """The same, and which share of the noise is still in it.

    That is the leverage of each pixel in the linear estimate of its patch, C / (C + N) with the covariances C of the
    patches and N of the noise: also the share of N that the error has, by the estimate's own reckoning.

    Returns:
        (1, C, H, W), and (1, 1, H, W) in [0, 1].
    """
    return _both(noisy, pilot, here, level, True)


def _both(noisy: Tensor, pilot: Tensor, here: int, level: float, asked: bool) -> tuple[Tensor, Tensor]:
    """The picture, and the share of the noise that is kept; 0 unless it is asked for."""
    channels, height, width = noisy.shape[1:]
    if min(height, width) < PATCH or level <= 0:
        own = pilot[here : here + 1]
        return own, torch.ones_like(own[:, :1])
    margin = (SEARCH, SEARCH + STRIDE, SEARCH, SEARCH + STRIDE)
    padded = [F.pad(one, margin, mode="replicate") for one in (noisy, pilot)]
    rows, columns = padded[0].shape[2:]
    tops, lefts = (torch.arange(0, length - PATCH + STRIDE, STRIDE, device=noisy.device) for length in (height, width))
    corners = (tops[:, None] * columns + lefts).flatten()
    likes = _alike(padded[1], here, (len(tops), len(lefts)))
    steps = torch.arange(2 * SEARCH + 1, device=noisy.device)
    moves = (steps[:, None] * columns + steps).flatten()
    pixels = torch.arange(PATCH, device=noisy.device)
    plane = (pixels[:, None] * columns + pixels).flatten()
    both = [one.permute(0, 2, 3, 1).contiguous() for one in padded]
    total, counted = noisy.new_zeros(rows * columns, channels), noisy.new_zeros(rows * columns, 1)
    kept = torch.zeros_like(counted)
    for corner, like in zip(corners.split(AT_ONCE), likes.T.split(AT_ONCE), strict=True):
        frame, place = like // len(moves), corner[:, None] + moves[like % len(moves)]
        own = frame == here
        first = own.int().argsort(dim=1, descending=True, stable=True)[:, : int(own.sum(1).max())]
        own, mine = own.take_along_dim(first, 1), place.take_along_dim(first, 1)
        all_noisy, all_pilot = (_patches(one, frame * rows * columns + place) for one in both)
        estimate, share = _estimated(all_noisy, all_pilot, first, level, asked)
        where = (mine[own][:, None] + plane).flatten()
        total.index_add_(0, where, estimate[own].view(-1, channels))
        counted.index_add_(0, where, torch.ones_like(where, dtype=counted.dtype)[:, None])
        if share is not None:
            mean_share = share.unflatten(1, (-1, channels)).mean(2)[:, None].expand(-1, own.shape[1], -1)
            kept.index_add_(0, where, mean_share[own].view(-1, 1))
    inside = (slice(SEARCH, SEARCH + height), slice(SEARCH, SEARCH + width))
    mean, mean_kept = (
        (one / counted.clamp(min=1)).view(rows, columns, -1)[inside].permute(2, 0, 1)[None] for one in (total, kept)
    )
    return mean, mean_kept


def _patches(frames: Tensor, corners: Tensor) -> Tensor:
    """Patches, (groups, n, pixels), of (n, H, W, C) frames by the flat indices of their first pixels, (groups, n).

    Each is copied line by line, which is several times faster than pixel by pixel.
    """
    width, channels = frames.shape[2:]
    line = PATCH * channels
    lines = frames.as_strided(((frames.numel() - line) // channels + 1, line), (channels, 1))
    tops = torch.arange(PATCH, device=frames.device) * width
    return lines.index_select(0, (corners[..., None] + tops).flatten()).view(*corners.shape, PATCH * line)


def _alike(pilot: Tensor, here: int, count: tuple[int, int]) -> Tensor:
    """For each patch of a frame the nearest among all frames and moves: (`GROUP` or fewer, patches), frame-major."""
    height, width = (STRIDE * (n - 1) + PATCH for n in count)
    whole = 2 * SEARCH + 1
    centre = pilot[here : here + 1, :, SEARCH : SEARCH + height, SEARCH : SEARCH + width]
    apart = torch.stack(
        [
            F.avg_pool2d((pilot[:, :, y : y + height, x : x + width] - centre).square_().mean(1), PATCH, STRIDE)
            for y in range(whole)
            for x in range(whole)
        ],
        1,
    )
    apart[here, whole * whole // 2] = -1  # a patch is always among its likes
    apart = apart.flatten(0, 1).flatten(1)
    return apart.topk(min(GROUP, len(apart)), 0, largest=False).indices


def _estimated(noisy: Tensor, pilot: Tensor, wanted: Tensor, level: float, asked: bool) -> tuple[Tensor, Tensor | None]:
    """Some of the patches of each group without their noise: the linear estimate of least square error.

    Args:
        noisy: (groups, n, pixels).
        pilot: the same with little noise.
        wanted: (groups, k) which of the n.
        level: standard deviation of the noise.
        asked: whether the second result is.

    Returns:
        (groups, k, pixels), and the share of its noise that each pixel of a group keeps, (groups, pixels). The
        covariance of a group of n patches has rank n at most, so that systems of n unknowns are solved.
    """
    count = pilot.shape[1]
    mean, noisy_mean = pilot.mean(1, keepdim=True), noisy.mean(1, keepdim=True)
    spread, own = pilot - mean, noisy.take_along_dim(wanted[..., None], 1) - noisy_mean
    inner = spread @ spread.transpose(1, 2)
    least = FIRM * inner.diagonal(dim1=1, dim2=2).mean(1) + torch.finfo(inner.dtype).tiny
    noise = least.clamp(min=count * EXCESS * level**2)
    inner = inner + noise[:, None, None] * torch.eye(count, device=inner.device)
    factor = torch.linalg.cholesky(inner)
    # By its inverse, which a batch is several times faster with than with the solver, and which is well conditioned.
    shares = own @ spread.transpose(1, 2) @ torch.cholesky_inverse(factor)
    estimate = (mean + noisy_mean) / 2 + shares @ spread
    if not asked:
        return estimate, None
    return estimate, torch.linalg.solve_triangular(factor, spread, upper=False).square().sum(1)
