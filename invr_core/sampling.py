"""Look a picture up at real-valued positions: the one place where pixel coordinates are turned into grid ones.

Pixel (0, 0) has its centre at position (0, 0); positions are x then y, in pixels.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

LOBES = 8
"""Of the sinc, on either side: the more, the finer a texture it keeps."""


def pixel_grid(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """The position of each pixel: (1, 2, height, width) float32, x then y."""
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float32, device=device),
        torch.arange(width, dtype=torch.float32, device=device),
        indexing="ij",
    )
    return torch.stack([x, y])[None]


def target_grid(flow: Tensor) -> Tensor:
    """Where each pixel lands along a flow: (M, 2, H, W) positions from (M, 2, H, W) pixels of displacement."""
    return pixel_grid(flow.shape[2], flow.shape[3], flow.device) + flow


def sample(picture: Tensor, positions: Tensor, mode: str = "bilinear") -> tuple[Tensor, Tensor]:
    """A picture at real-valued positions, its border repeated outside.

    Args:
        picture: (M, C, H, W).
        positions: (M, 2, h, w) pixels of ``picture``, x then y.
        mode: "bilinear" or "bicubic".

    Returns:
        the values, (M, C, h, w), and where the position lies inside the frame, (M, 1, h, w) of 0 and 1.

    Example:
        >>> picture = torch.arange(4.0).view(1, 1, 1, 4)
        >>> value, inside = sample(picture, torch.tensor([0.5, 0.0]).view(1, 2, 1, 1))
        >>> float(value), float(inside)
        (0.5, 1.0)
    """
    height, width = picture.shape[-2:]
    return _values(picture, positions, mode), _inside(positions, height, width, picture.dtype)


def sample_doubled(twice: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """As `sample` from a picture that was `doubled` before: a fine texture is blurred the least, a hard edge rings.

    Args:
        twice: (M, C, 2 H, 2 W), by `doubled`. That is most of the work: do it once for a picture, not for each lookup.
        positions: (M, 2, h, w) pixels of the picture as it was, x then y.

    Returns:
        the values, (M, C, h, w), and where the position lies inside the frame, (M, 1, h, w) of 0 and 1.
    """
    height, width = twice.shape[-2] // 2, twice.shape[-1] // 2
    return _values(twice, 2 * positions, "bicubic"), _inside(positions, height, width, twice.dtype)


def _values(picture: Tensor, positions: Tensor, mode: str) -> Tensor:
    scale = positions.new_tensor([2 / picture.shape[-1], 2 / picture.shape[-2]]).view(1, 2, 1, 1)
    grid = ((positions + 0.5) * scale - 1).permute(0, 2, 3, 1)
    return F.grid_sample(picture, grid, mode=mode, padding_mode="border", align_corners=False)


def _inside(positions: Tensor, height: int, width: int, dtype: torch.dtype) -> Tensor:
    edge = positions.new_tensor([width - 0.5, height - 0.5]).view(1, 2, 1, 1)
    return ((positions >= -0.5) & (positions <= edge)).all(1, keepdim=True).to(dtype)


def doubled(picture: Tensor) -> Tensor:
    """A picture with new pixels halfway between its own, (M, C, H, W) -> (M, C, 2 H, 2 W); its own stay as they are.

    A windowed sinc, for `sample_doubled`. Pixel (x, y) is at (2 x, 2 y) of the result.

    Source:
        C. Duchon, Lanczos Filtering in One and Two Dimensions, Journal of Applied Meteorology 1979.
    """
    for dim in (3, 2):
        picture = torch.stack([picture, _halfway(picture, dim)], dim + 1).flatten(dim, dim + 1)
    return picture


def _halfway(picture: Tensor, dim: int) -> Tensor:
    """What is half a pixel further along a dimension, by a sinc under a window of `LOBES` lobes on either side.

    By whole shifted pictures: on a CPU that is several times faster than a convolution of single channels.
    """
    places = torch.arange(LOBES, dtype=torch.float64) + 0.5
    taps = torch.sinc(places) * torch.sinc(places / LOBES)
    border = (LOBES - 1, LOBES, 0, 0) if dim == 3 else (0, 0, LOBES - 1, LOBES)
    wide, length = F.pad(picture, border, mode="replicate"), picture.shape[dim]
    between = torch.zeros_like(picture)
    for lobe, tap in enumerate((taps / (2 * taps.sum())).tolist()):
        for begin in (LOBES - 1 - lobe, LOBES + lobe):
            between.add_(wide.narrow(dim, begin, length), alpha=tap)
    return between


def warp(picture: Tensor, flow: Tensor, mode: str = "bilinear") -> Tensor:
    """A picture of any resolution, fetched along a flow, its border repeated outside; as `sample`, in fewer steps.

    Args:
        picture: (M, C, H, W).
        flow: (M, 2, h, w) pixels of the flow's own grid, x then y: where each pixel of the result is fetched from.
        mode: "bilinear" or "bicubic".

    Returns:
        (M, C, h, w).

    Example:
        >>> warp(torch.arange(4.0).view(1, 1, 1, 4), torch.ones(1, 2, 1, 4)).flatten().tolist()
        [1.0, 2.0, 3.0, 3.0]
    """
    height, width = flow.shape[-2:]
    centres, scale = _normalised(height, width, flow.device)
    grid = torch.addcmul(centres, flow.permute(0, 2, 3, 1), scale)
    return F.grid_sample(picture, grid, mode=mode, padding_mode="border", align_corners=False)


@lru_cache(maxsize=16)
def _normalised(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The centre of each pixel, (1, height, width, 2) in [-1, 1] of the frame, and a pixel's size in that unit."""
    with torch.inference_mode(False), torch.no_grad():
        scale = torch.tensor([2 / width, 2 / height], device=device)
        return (pixel_grid(height, width, device).permute(0, 2, 3, 1) + 0.5) * scale - 1, scale
