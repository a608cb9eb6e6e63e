"""How far an enlarged frame may be off."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

WINDOW = 3
"""Pixels across the square over which signs of error are averaged."""
FACTOR = 0.3
"""What the mean of both signs is multiplied by, for the square error to be of the right size on most clips."""


def expected(picture: Tensor, given: Tensor, small: Callable[[Tensor], Tensor]) -> Tensor:
    """The square error that is expected of an enlarged frame: it is the detail that was lost which may be wrong.

    How much there was is told by two signs: what the given frame itself loses, if it is shrunk once more, and how much
    the enlarged one changes from pixel to pixel. Their geometric mean is taken; the second counts twice.

    Args:
        picture: (1, 3, H, W) the enlarged frame.
        given: (1, 3, h, w).
        small: shrinks the given one as it was shrunk itself.

    Returns:
        (1, 1, H, W).
    """
    size = (picture.shape[2], picture.shape[3])
    again = F.interpolate(small(given), given.shape[2:], mode="bicubic", align_corners=False)
    lost = F.interpolate(_averaged((given - again).square().mean(1, keepdim=True)), size, mode="bilinear")
    across, down = (picture.diff(dim=axis).square().mean(1, keepdim=True) for axis in (3, 2))
    change = _averaged(F.pad(across, (0, 1, 0, 0)) + F.pad(down, (0, 0, 0, 1)))
    return FACTOR * lost.clamp(min=0) ** (1 / 3) * change ** (2 / 3)


def _averaged(picture: Tensor) -> Tensor:
    return F.avg_pool2d(picture, WINDOW, 1, WINDOW // 2, count_include_pad=False)
