"""How the motion of what both of two given frames show changes over time: a pixel's path need not be straight.

It is told by the motion to the frames beyond, before and after. What most of a picture has in common is the camera's,
and known to a few hundredths of a pixel. What a pixel bends beside it is believed where both tell alike, and it
matters: motion that was matched is off by tenths of a pixel, and what a still pixel would bend by that is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from invr_core.sampling import warp
from invr_interpolation.consistency import consistent
from invr_interpolation.pairs import Pair

SLIGHT = 0.25
"""Pixels off the straight path, in the middle of the gap, by which every bend but the camera's is made less: so much
may be error."""
ALIKE = 0.7
"""Cosine of the angle between what is told before and after, from which on both are believed."""
MOST = 0.5
"""Share of the pixels that must be found beyond, for anything to be common to most of them."""


@dataclass(frozen=True, eq=False)
class Bends:
    """The change of motion over a gap.

    A pixel that moves by ``m`` over the gap is, after a share ``s`` of it, at ``s m + (s² - s) / 2`` times this.

    Args:
        before: (1, 2, H, W) pixels, of those of the frame before the gap.
        after: of those of the frame after it.
        camera: (1, 2, 1, 1) what most of the picture has in common.
    """

    before: Tensor
    after: Tensor
    camera: Tensor


def bends(pair: Pair, patch: int) -> Bends:
    """How motion changes over a gap; found once for all instants of it.

    Args:
        pair: the two frames.
        patch: pixels across the patches that are matched.

    Returns:
        0 where there is no frame beyond, or what it tells is not believed. Of what the camera does, half is believed
        where there is one on one side alone.

    Source:
        X. Xu et al., Quadratic Video Interpolation, NeurIPS 2019, whose frames are evenly spaced.
    """
    return pair.once(_bends, patch)


def _bends(pair: Pair, patch: int) -> Bends:
    ahead, back = pair.matched(patch)
    before = after = torch.zeros_like(ahead)
    seen_before = seen_after = torch.zeros_like(ahead[:, :1])
    if pair.earlier is not None:
        longer = pair.seconds / pair.earlier.seconds
        before, seen_before = _change(ahead, *reversed(pair.earlier.matched(patch)), longer)
    if pair.later is not None:
        after, seen_after = _change(back, *pair.later.matched(patch), pair.seconds / pair.later.seconds)
    camera = (_common(before, seen_before) + _common(after, seen_after)) / 2
    before, after = before * seen_before, after * seen_after
    return Bends(
        _bent(before, warp(after, ahead), camera, seen_before * warp(seen_after, ahead)),
        _bent(after, warp(before, back), camera, seen_after * warp(seen_before, back)),
        camera,
    )


def _bent(one: Tensor, other: Tensor, camera: Tensor, seen: Tensor) -> Tensor:
    """The change of the pixels of a frame that is believed: that of the camera, or none, if both are nearer to none.

    Args:
        one: (1, 2, H, W) what one side tells, 0 where it tells nothing.
        other: the same of the other side.
        camera: (1, 2, 1, 1).
        seen: (1, 1, H, W) how far both tell something.
    """
    still = seen > 0.5
    for change in (one, other):
        still = still & (change.square().sum(1, keepdim=True) < (change - camera).square().sum(1, keepdim=True))
    start = torch.where(still, 0.0, camera)
    return start + _believed((one - start) * seen, (other - start) * seen)


def _common(change: Tensor, seen: Tensor) -> Tensor:
    """What most of a picture has in common, (1, 2, 1, 1): the median; 0 if too little of it is seen."""
    chosen = change[0].flatten(1)[:, seen.flatten() > 0.5]
    if chosen.shape[1] < MOST * seen.numel():
        return change.new_zeros(1, 2, 1, 1)
    return chosen.median(1).values.view(1, 2, 1, 1)


def _change(onward: Tensor, beyond: Tensor, back: Tensor, longer: float) -> tuple[Tensor, Tensor]:
    """The change of motion of the pixels of a frame, from where they go within the gap, and beyond the frame.

    Args:
        onward: (1, 2, H, W) pixels over the gap.
        beyond: over the gap on the other side of the frame.
        back: the way back from there, by which it is checked.
        longer: how many times as long the gap is as that one.

    Returns:
        (1, 2, H, W) pixels; and (1, 1, H, W) in [0, 1] how far the pixel is found there and back.
    """
    return 2 * longer * (longer * beyond + onward) / (1 + longer), consistent(beyond, back)


def _believed(one: Tensor, other: Tensor) -> Tensor:
    """The lesser of two changes, less what is `SLIGHT`; 0 where they are not `ALIKE`."""
    lengths = [change.square().sum(1, keepdim=True).sqrt() for change in (one, other)]
    alike = (one * other).sum(1, keepdim=True) > ALIKE * lengths[0] * lengths[1]
    least = torch.minimum(*lengths)
    lesser = torch.where(lengths[0] < lengths[1], one, other)
    return lesser * alike * (1 - 8 * SLIGHT / least.clamp(min=1e-6)).clamp(min=0)
