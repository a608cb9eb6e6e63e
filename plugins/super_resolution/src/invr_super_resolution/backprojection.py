"""Iterative back-projection: pictures that, shrunk, are the given ones."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

Resize = Callable[[Tensor, tuple[int, int]], Tensor]
"""Frames, (H, W) -> frames of that size."""

ROUNDS = 12
"""More change nothing that can be seen."""


def enlarged(given: Tensor, size: tuple[int, int], shrink: Resize) -> Tensor:
    """Bicubic enlargement that shrinks to the given frames, (n, 3, H, W)."""
    return consistent(bicubic(given, size), given, shrink)


def consistent(picture: Tensor, given: Tensor, shrink: Resize) -> Tensor:
    """A picture to which is added what it lacks, once it is shrunk, of the given one, (n, 3, H, W).

    Source:
        M. Irani, S. Peleg, Improving resolution by image registration, CVGIP 1991.
    """
    large, small = ((frames.shape[2], frames.shape[3]) for frames in (picture, given))
    for _ in range(ROUNDS):
        picture = (picture + bicubic(given - shrink(picture, small), large)).clamp(0, 1)
    return picture


def bicubic(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Frames of another size, by bicubic interpolation, (n, C, H, W)."""
    return F.interpolate(frames, size, mode="bicubic", align_corners=False)


def mean_around(difference: Tensor) -> Tensor:
    """Mean square of pictures in squares of 5x5 pixels, (n, 3, H, W) -> (n, 1, H, W)."""
    return F.avg_pool2d(difference.square().mean(1, keepdim=True), 5, 1, 2, count_include_pad=False)
