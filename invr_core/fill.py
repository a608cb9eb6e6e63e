"""A smooth continuation of a field into the places where it is not known."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SWEEPS = 12
"""Relaxations at each size."""


def fill(field: Tensor, weight: Tensor) -> Tensor:
    """Continue a field smoothly to where its weight is 0; where the weight is 1 it is unchanged.

    A membrane over the gap, held at its rim (Laplace's equation): weighted means on ever coarser pixels, brought back
    up where the finer ones know nothing, and relaxed at each size.

    Args:
        field: (M, C, H, W).
        weight: (M, 1, H, W) in [0, 1].

    Returns:
        (M, C, H, W); all zeros if nothing is known at all.

    Source:
        Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.6 (pull-push), for the way down; nested multigrid
        for the way up.

    Example:
        >>> known = torch.tensor([1.0, 0.0, 0.0, 1.0]).view(1, 1, 1, 4)
        >>> fill(torch.tensor([2.0, 9.0, 9.0, 2.0]).view(1, 1, 1, 4), known).flatten().tolist()
        [2.0, 2.0, 2.0, 2.0]
    """
    if bool((weight >= 1).all()):
        return field  # to the bit what the rest comes to
    height, width = field.shape[-2:]
    if height == 1 and width == 1:
        return field * (weight > 0)
    padded = F.pad(torch.cat([field * weight, weight], 1), (0, width % 2, 0, height % 2))
    pooled = F.avg_pool2d(padded, 2)
    share = pooled[:, -1:]
    coarse = fill(pooled[:, :-1] / share.clamp(min=1e-8), (4 * share).clamp(max=1.0))
    smooth = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)[:, :, :height, :width]
    filled = torch.lerp(smooth, field, weight)
    for _ in range(SWEEPS):
        filled = torch.lerp(_neighbours_mean(filled), field, weight)
    return filled


def _neighbours_mean(field: Tensor) -> Tensor:
    """The mean of the four neighbours of each pixel, the border repeated."""
    p = F.pad(field, (1, 1, 1, 1), mode="replicate")
    return (p[:, :, :-2, 1:-1] + p[:, :, 2:, 1:-1] + p[:, :, 1:-1, :-2] + p[:, :, 1:-1, 2:]) / 4
