"""How noisy a clip is, from the clip alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_LAPLACIAN_DIFFERENCE = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])


def gaussian_level(frames: Tensor) -> float:
    """The standard deviation of additive noise that is independent from pixel to pixel.

    A mask that is blind to constant, linear and edge-like structure is laid over the frames; the median of its
    magnitude tells the noise, whatever else a minority of pixels shows.

    Args:
        frames: (n, C, H, W) in [0, 1].

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
    n, channels, height, width = frames.shape
    mask = _LAPLACIAN_DIFFERENCE.to(frames).view(1, 1, 3, 3)
    response = F.conv2d(frames.reshape(n * channels, 1, height, width), mask).abs()
    return float(response.median()) / (0.6745 * 6.0)


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
