"""How far a frame between two given ones may be off."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from invr_interpolation.mixing import Voice
from invr_interpolation.pairs import Gap

WINDOW = 7
"""Pixels across the square over which the change from one given frame to the other is averaged."""
SIDES, KINDS, CHANGE = 0.15, 0.45, 0.4
"""Exponents of the three signs of error, adding up to 1."""
FACTOR = 2.0
"""What their geometric mean is multiplied by, for the square error to be of the right size on most clips."""
ALONE = 0.05
"""How far kinds of paths are apart, as a share of how far the sides of one are, where there is but one kind."""
LEAST = (0.5 / 255) ** 2
"""Square of the rounding that each of them has at the least."""


def expected(frame: Tensor, gap: Gap, voices: Sequence[Voice]) -> Tensor:
    """The square error that is expected of a frame: the geometric mean of three signs of it.

    They are how far the two sides of each path are apart, how far the kinds of paths are apart from what was mixed of
    them, and how much changes from the one given frame to the other.

    Args:
        frame: (1, 3, H, W) what was mixed.
        gap: that it lies in.
        voices: that it was mixed of.

    Returns:
        (1, 1, H, W).
    """
    change = (gap.pair.frames[:1] - gap.pair.frames[1:]).square().mean(1, keepdim=True).to(frame.device)
    change = F.avg_pool2d(change, WINDOW, 1, WINDOW // 2, count_include_pad=False)
    if not voices:
        return change
    weights = torch.cat([voice.weight for voice in voices]).clamp(min=1e-8)
    weights = weights / weights.sum(0, keepdim=True)
    sides = (weights * torch.cat([voice.apart for voice in voices])).sum(0, keepdim=True)
    if len(voices) > 1:
        others = torch.cat([(voice.picture - frame).square().mean(1, keepdim=True) for voice in voices])
        kinds = (weights * others).sum(0, keepdim=True)
    else:
        kinds = ALONE * sides
    signs = ((sides, SIDES), (kinds, KINDS), (change, CHANGE))
    return FACTOR * torch.stack([(sign + LEAST) ** power for sign, power in signs]).prod(0)
