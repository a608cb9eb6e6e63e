"""Operators that a fit can differentiate: shrink and blur, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor
from torch.nn import functional as F

from invr_core.errors import BadInput

Framewise = Callable[[Tensor], Tensor]
"""(n, C, H, W) -> (n, C, h, w), differentiable."""

Kernel = Literal["area", "bicubic", "gaussian"]
KERNELS: tuple[Kernel, ...] = ("area", "bicubic", "gaussian")

SIGMA = 0.4
"""Width of the "gaussian" kernel, in pixels of the small picture: 1.6 pixels of the large one at a factor of 4, as in
the blur-and-decimate setting of video super-resolution."""


def shrink(*, scale: float | None = None, size: tuple[int, int] | None = None, kernel: Kernel = "area") -> Framewise:
    """An operator that makes frames smaller, as a camera with fewer pixels would.

    Args:
        scale: how many times smaller each side becomes, at least 1; sides are rounded. Give this or ``size``.
        size: (h, w) of the small frames, in pixels.
        kernel: "area" averages the pixels that each small one covers, in part where the factor is a fraction (OpenCV's
            ``INTER_AREA``); "bicubic" is Pillow's antialiased one; "gaussian" weights by distance (see `SIGMA`).

    Returns:
        (n, C, H, W) float -> (n, C, h, w), differentiable. It raises BadInput where the frame would grow.

    Raises:
        BadInput: if not exactly one of scale and size is given, or one of them or the kernel is not allowed.

    Example:
        >>> shrink(scale=2)(torch.tensor([[[[0.0, 0.2], [0.4, 1.0]]]])).item()
        0.4000000059604645
    """
    if (scale is None) == (size is None):
        raise BadInput("shrink needs either a scale or a size (h, w), not both")
    if scale is not None and not scale >= 1:
        raise BadInput(f"shrink cannot enlarge: the scale must be at least 1, got {scale}")
    if size is not None and min(size) < 1:
        raise BadInput(f"shrink needs a size (h, w) of at least 1 pixel each, got {size}")
    if kernel not in KERNELS:
        raise BadInput(f"shrink knows no kernel {kernel!r}; choose one of {', '.join(KERNELS)}")

    factor = scale or 1.0

    def apply(frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        target = size or (max(1, round(height / factor)), max(1, round(width / factor)))
        if target[0] > height or target[1] > width:
            raise BadInput(f"shrink cannot enlarge {width}x{height} to {target[1]}x{target[0]}; ask for a smaller size")
        if kernel == "bicubic":
            return F.interpolate(frames, target, mode="bicubic", align_corners=False, antialias=True)
        if kernel == "area" and height % target[0] == 0 and width % target[1] == 0:
            return F.avg_pool2d(frames, (height // target[0], width // target[1]))
        weights = _overlaps if kernel == "area" else _gaussians
        rows, columns = (weights(long, short).to(frames) for long, short in zip((height, width), target, strict=True))
        return rows @ frames @ columns.T

    return apply


def _overlaps(long: int, short: int) -> Tensor:
    """What share of each of ``short`` cells each of ``long`` cells covers: (short, long) float64, rows sum to 1."""
    edges = torch.arange(short + 1, dtype=torch.float64) * (long / short)
    cells = torch.arange(long, dtype=torch.float64)
    covered = torch.minimum(edges[1:, None], cells + 1) - torch.maximum(edges[:-1, None], cells)
    return _normalised(covered.clamp(min=0))


def _gaussians(long: int, short: int) -> Tensor:
    """Bells about the centres of ``short`` cells, at the centres of ``long`` cells: (short, long), rows sum to 1."""
    factor = long / short
    centres = (torch.arange(short, dtype=torch.float64) + 0.5) * factor - 0.5
    distance = torch.arange(long, dtype=torch.float64) - centres[:, None]
    return _normalised(torch.exp(-0.5 * (distance / (SIGMA * factor)).square()))


def _normalised(weights: Tensor) -> Tensor:
    return weights / weights.sum(1, keepdim=True)


def blur(sigma: float) -> Framewise:
    """An operator that blurs frames by a Gaussian, the border reflected.

    Args:
        sigma: standard deviation, in pixels, above 0; the kernel reaches out to three of them.

    Returns:
        (n, C, H, W) float -> the same shape, differentiable. It raises BadInput where the kernel reaches further than
        the frame.

    Raises:
        BadInput: if sigma is not a positive number.

    Example:
        >>> blur(1.0)(torch.ones(1, 3, 8, 8)).shape
        torch.Size([1, 3, 8, 8])
    """
    if not 0 < sigma < float("inf"):
        raise BadInput(f"blur needs a sigma above 0 pixels, got {sigma}")
    reach = max(1, int(3 * sigma + 0.5))

    def apply(frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        if reach >= min(height, width):
            raise BadInput(f"a blur of sigma {sigma:g} reaches {reach} pixels, too far for a frame of {width}x{height}")
        return gaussian_blur2d(frames, (2 * reach + 1, 2 * reach + 1), (sigma, sigma), border_type="reflect")

    return apply
