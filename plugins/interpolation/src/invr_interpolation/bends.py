"""How the motion of what both of two given frames show changes over time: a pixel's path need not be straight.

It is told by the motion to the frames beyond, before and after. Where both tell alike, and it matters, it is believed:
motion that was matched is off by tenths of a pixel, and what a still pixel would bend by that is not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from invr_core.sampling import warp
from invr_interpolation.consistency import consistent
from invr_interpolation.pairs import Pair

SLIGHT = 0.25
"""Pixels off the straight path, in the middle of the gap, by which every bend is made less: so much may be error."""
ALIKE = 0.7
"""Cosine of the angle between what is told before and after, from which on both are believed."""


def bends(pair: Pair, patch: int) -> tuple[Tensor, Tensor]:
    """The change of motion over a gap, of the pixels of the frame before it, and of those of the frame after it.

    A pixel that moves by ``m`` over the gap is, after a share ``s`` of it, at ``s m + (s² - s) / 2`` times this.

    Args:
        pair: the two frames.
        patch: pixels across the patches that are matched.

    Returns:
        (1, 2, H, W) pixels each; 0 where there is no frame beyond, or what it tells is not believed.

    Source:
        X. Xu et al., Quadratic Video Interpolation, NeurIPS 2019, whose frames are evenly spaced.
    """
    ahead, back = pair.matched(patch)
    if pair.earlier is None or pair.later is None:
        return torch.zeros_like(ahead), torch.zeros_like(back)
    before = _change(ahead, *reversed(pair.earlier.matched(patch)), pair.seconds / pair.earlier.seconds)
    after = _change(back, *pair.later.matched(patch), pair.seconds / pair.later.seconds)
    return _believed(before, warp(after, ahead)), _believed(after, warp(before, back))


def _change(onward: Tensor, beyond: Tensor, back: Tensor, longer: float) -> Tensor:
    """The change of motion of the pixels of a frame, from where they go within the gap, and beyond the frame.

    Args:
        onward: (1, 2, H, W) pixels over the gap.
        beyond: over the gap on the other side of the frame.
        back: the way back from there, by which it is checked.
        longer: how many times as long the gap is as that one.
    """
    return 2 * longer * (longer * beyond + onward) / (1 + longer) * consistent(beyond, back)


def _believed(one: Tensor, other: Tensor) -> Tensor:
    """The lesser of two changes, less what is `SLIGHT`; 0 where they are not `ALIKE`."""
    lengths = [change.square().sum(1, keepdim=True).sqrt() for change in (one, other)]
    alike = (one * other).sum(1, keepdim=True) > ALIKE * lengths[0] * lengths[1]
    least = torch.minimum(*lengths)
    lesser = torch.where(lengths[0] < lengths[1], one, other)
    return lesser * alike * (1 - 8 * SLIGHT / least.clamp(min=1e-6)).clamp(min=0)
