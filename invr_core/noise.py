"""How noisy a clip is, from the clip alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

ROUNDING = 1e-6
"""Level below which there is no noise: half of what one step of 16 bits would show."""
GROUND = 0.25
"""Share of the pixels beside bars that have their colour, from which on they are no bars."""
SHADES, FEWEST, RANGE = 32, 200, 0.1
"""Classes of brightness by which noise is told to depend on it, at most; samples of one, at the least; and the least
difference of brightness between the darkest and the brightest class."""
CUT, CUT_LIGHT = 0.01, 0.05
"""The share of a class that may be black or white; and that which may be white where noise is that of light."""
MOST = 1 << 21
"""Samples that are sorted into these, at most."""
STEEP = 2.0
"""How much larger than in the darkest class the variance is in the brightest one, for noise to depend on brightness."""
_LAPLACIAN_DIFFERENCE = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])


def gaussian_level(frames: Tensor, known: Tensor | None = None) -> float:
    """The standard deviation of additive noise that is independent from pixel to pixel.

    A mask that is blind to constant, linear and edge-like structure is laid over the frames; the median of its
    magnitude tells the noise, whatever else a minority of pixels shows. Black or white bars beside the picture are not
    asked. Where noise was cut off at black and white, only the half of the pixels whose surroundings are nearest to
    mid-grey is.

    Args:
        frames: (n, C, H, W) in [0, 1].
        known: (n, 1, H, W), 0 at pixels that show something else, such as impulses; None for none.

    Returns:
        the level in the units of the frames; 0 for frames smaller than 3x3.

    Source:
        Immerkær, "Fast noise variance estimation", CVIU 1996, for the mask; the median is ours.

    Example:
        >>> noise = 0.1 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> round(gaussian_level(0.5 + noise), 2)
        0.1
    """
    if min(frames.shape[-2:]) < 3:
        return 0.0
    planes, response, asked = _responses(frames, known)
    level = float(response[asked].median()) if asked.any() else 0.0
    if level < ROUNDING:
        return 0.0
    if not clips(frames, level, known):
        return level
    apart = (F.avg_pool2d(planes, 3, 1) - 0.5).abs()[asked]
    return float(response[asked][apart <= apart.median()].median())


def noise_curve(frames: Tensor, known: Tensor | None = None, *, certain: bool = False) -> tuple[float, float]:
    """How the variance of noise that is independent from pixel to pixel grows with brightness: a line.

    Pixels are sorted by the brightness of their surroundings, and the level of each class is told as by
    `gaussian_level`. Classes that noise cut off at black and white tells nothing of are left out.

    Args:
        frames: (n, C, H, W) in [0, 1].
        known: (n, 1, H, W), 0 at pixels that show something else, such as impulses; None for none.
        certain: whether it is known that it is the noise of light. Then it grows, from black on unless a line that does
            not begin there is much nearer, and black pixels count: counted light leaves them without being cut off.

    Returns:
        what the variance grows by from black to white, and what it is at black. Both are 0 where nothing is seen, and,
        if it is not certain, where it grows by little, or by no line, or too few shades are seen to tell.

    Source:
        A. Foi et al., Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data, TIP 2008,
        for the model; the classes are ours.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> shades = torch.linspace(0.2, 0.6, 128).expand(1, 3, 128, 128)
        >>> growth, floor = noise_curve(torch.poisson(500 * shades, generator) / 500)
        >>> 0.8 < growth * 500 < 1.2 and floor < 1e-3
        True
    """
    classes = _classes(frames, known, certain) if min(frames.shape[-2:]) >= 3 else []
    if not classes:
        return 0.0, 0.0
    shades, variances = torch.tensor(classes, dtype=torch.float64).T
    through_black = float(shades @ variances / (shades @ shades)), 0.0
    if len(classes) < 3 or shades[-1] - shades[0] < RANGE:
        return through_black if certain else (0.0, 0.0)
    line = torch.stack([shades, torch.ones_like(shades)], 1)
    growth, floor = torch.linalg.lstsq(line, variances[:, None]).solution.flatten().tolist()
    if floor < 0:
        growth, floor = through_black
    missed, instead = (
        float((slope * shades + start - variances).square().mean()) for slope, start in ((growth, floor), through_black)
    )
    if certain:
        return (growth, floor) if growth > 0 and missed < instead / 2 else through_black
    steep = growth * shades[-1] + floor > STEEP * (growth * shades[0] + floor)
    return (growth, floor) if steep and missed < variances.var() / 2 else (0.0, 0.0)


def _classes(frames: Tensor, known: Tensor | None, certain: bool) -> list[tuple[float, float]]:
    """The brightness and the variance of the noise of classes of pixels, from dark to bright."""
    planes, response, asked = _responses(frames, known)
    around = F.avg_pool2d(planes, 5, 1, 2, count_include_pad=False)[..., 1:-1, 1:-1]
    cut = planes > 254.5 / 255 if certain else (planes < 0.5 / 255) | (planes > 254.5 / 255)
    apart = asked.numel() // MOST + 1
    chosen = asked.flatten()[::apart]
    parts = [part.flatten()[::apart][chosen] for part in (around, response, cut[..., 1:-1, 1:-1].float())]
    order = parts[0].argsort()
    count = max(min(SHADES, len(order) // FEWEST), 1)
    classes = []
    for shade, found, lost in zip(*(part[order].tensor_split(count) for part in parts), strict=True):
        if (
            len(shade) >= FEWEST
            and float(lost.mean()) < (CUT_LIGHT if certain else CUT)
            and float(found.median()) > ROUNDING
        ):
            classes.append((float(shade.mean()), float(found.median()) ** 2))
    return classes


def _responses(frames: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The planes of frames, (n C, 1, H, W), what the mask finds in them, as a level, and where it is asked.

    The latter two lack the pixels of the rim.
    """
    planes = frames.flatten(0, 1)[:, None]
    mask = _LAPLACIAN_DIFFERENCE.to(frames).view(1, 1, 3, 3)
    response = F.conv2d(planes, mask).abs() / (0.6745 * 6.0)
    asked = ~_bars(planes)[..., 1:-1, 1:-1]
    if known is not None:
        hidden = F.max_pool2d(1 - known, 3, 1) > 0
        asked &= ~hidden.repeat_interleave(frames.shape[1], 0)
    return planes, response, asked


def _bars(planes: Tensor) -> Tensor:
    """The rows and columns at the rim that are black throughout, or white, of (n, 1, H, W): a bool of the same shape.

    They are the ground of what is shown, and not beside it, where that is to a good part of the same colour: a page.
    """
    found = torch.zeros_like(planes, dtype=torch.bool)
    for plain in (planes < 2.5 / 255, planes > 252.5 / 255):
        beside = torch.zeros_like(found)
        for across, along in ((3, 2), (2, 3)):
            lines = plain.all(across, keepdim=True).int()
            beside |= (lines.cumprod(along) | lines.flip(along).cumprod(along).flip(along)) > 0
        shown = plain[~beside]
        if not len(shown) or float(shown.float().mean()) < GROUND:
            found |= beside
    return found


def clips(frames: Tensor, level: float | Tensor, known: Tensor | None = None) -> bool:
    """Whether noise was cut off at black and white, as it is when it is added to a picture of whole numbers.

    Then there are more black and white pixels than noise of that level would push beyond the range from the means
    around them, which clipping has drawn inwards; noise that was not cut off leaves none.

    Args:
        frames: (n, C, H, W) in [0, 1], noisy.
        level: the standard deviation of the noise; or that of each pixel, (n, C, H, W), not all of them 0.
        known: (n, 1, H, W), 0 at pixels that show something else, such as impulses; None for none.
    """
    level = torch.as_tensor(level)
    if not bool((level > 0).any()) or min(frames.shape[-2:]) < 5:
        return False
    around = F.avg_pool2d(frames, 5, 1, 2, count_include_pad=False)
    level = level.to(around).clamp(min=ROUNDING)
    expected = torch.special.ndtr(-around / level) + torch.special.ndtr((around - 1) / level)
    found = ((frames < 0.5 / 255) | (frames > 254.5 / 255)).to(frames.dtype)
    noisy = ~_bars(frames.flatten(0, 1)[:, None]).view_as(frames)
    if known is not None:
        noisy &= known > 0
    return bool(noisy.any()) and float(found[noisy].mean()) > float(expected[noisy].mean()) > 0


def unclipped(mean: Tensor, level: float) -> Tensor:
    """The value that noise was added to, from the mean of what was left after it was cut off at 0 and 1.

    What is averaged out of clipped noise is too bright near black and too dark near white; this undoes it.

    Args:
        mean: any shape, in [0, 1].
        level: the standard deviation of the noise, before it was cut off.

    Source:
        A. Foi, Clipped noisy images: heteroskedastic modeling and practical denoising, Signal Processing 2009.

    Example:
        >>> noise = 0.2 * torch.randn(100_000, generator=torch.Generator().manual_seed(0))
        >>> mean = (0.05 + noise).clamp(0, 1).mean()
        >>> round(float(mean), 2), round(float(unclipped(mean, 0.2)), 2)
        (0.11, 0.05)
    """
    if level <= 0:
        return mean
    values = torch.linspace(0, 1, 1025, dtype=torch.float64, device=mean.device)
    low, high = -values / level, (1 - values) / level
    inside = values * (torch.special.ndtr(high) - torch.special.ndtr(low)) + level * (_bell(low) - _bell(high))
    means = (inside + torch.special.ndtr(-high)).to(mean.dtype)
    above = torch.searchsorted(means, mean.contiguous()).clamp(1, len(means) - 1)
    share = ((mean - means[above - 1]) / (means[above] - means[above - 1])).clamp(0, 1)
    return torch.lerp(values[above - 1].to(mean.dtype), values[above].to(mean.dtype), share)


def _bell(z: Tensor) -> Tensor:
    return torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)


def impulses(frames: Tensor, threshold: float = 0.2) -> Tensor:
    """Where a pixel is black or white in all channels and stands out from the median of its neighbourhood.

    Args:
        frames: (n, C, H, W) in [0, 1].
        threshold: least difference from the median of the 5x5 pixels around it.

    Returns:
        (n, 1, H, W) float32: 1 at an impulse, 0 elsewhere; 0 for frames smaller than 3x3.
    """
    from kornia.filters import median_blur

    if min(frames.shape[-2:]) < 3:
        return torch.zeros_like(frames[:, :1])
    extreme = ((frames <= 1 / 255).all(1, keepdim=True)) | ((frames >= 254 / 255).all(1, keepdim=True))
    apart = (frames - median_blur(frames, 5)).abs().mean(1, keepdim=True) > threshold
    return (extreme & apart).to(frames.dtype)
