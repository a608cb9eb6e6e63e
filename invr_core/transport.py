"""The source's own pixels, brought along the fitted motion to any instant, with validity.

The representation explains, the source supplies the detail: a network's picture has passed a bottleneck of some
hundred thousand to ten million numbers, the given frames have not. A task that wants their detail can gather it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from invr_core.errors import Unsupported
from invr_core.fill import fill
from invr_core.memory import require_carried
from invr_core.representation import Motion, Representation
from invr_core.sampling import doubled, sample, sample_doubled, target_grid
from invr_core.video import Video

SAME_INSTANT = 1e-9
"""Seconds within which an instant is that of a given frame."""


@dataclass(frozen=True, eq=False)
class Transported:
    """Given frames, each brought to one instant.

    Args:
        pictures: (n, C, H, W) float32, one per frame.
        validity: (n, 1, H, W) float32 in [0, 1]: whether the pixel is there (inside its frame, trusted, and seen at
            both instants).
        seconds: (n,) float64: how far each frame is from the instant, signed.
    """

    pictures: Tensor
    validity: Tensor
    seconds: Tensor


def neighbours(video: Video, time: float, each_side: int, *, itself: bool = True) -> list[int]:
    """The given frames around an instant: up to ``each_side`` before and after, and the one at it.

    Args:
        video: the given frames.
        time: seconds.
        each_side: how many frames before, and how many after.
        itself: whether a frame at the instant itself counts (it is then one more).

    Example:
        >>> clip = Video.of(torch.zeros(9, 3, 4, 4), fps=1)
        >>> neighbours(clip, 3.5, 2), neighbours(clip, 4.0, 1), neighbours(clip, 4.0, 1, itself=False)
        ([2, 3, 4, 5], [3, 4, 5], [3, 5])
    """
    gaps = [float(gap) for gap in video.times - time]
    before = [i for i, gap in enumerate(gaps) if gap < -SAME_INSTANT]
    here = [i for i, gap in enumerate(gaps) if abs(gap) <= SAME_INSTANT]
    after = [i for i, gap in enumerate(gaps) if gap > SAME_INSTANT]
    return before[max(len(before) - each_side, 0) :] + (here if itself else []) + after[:each_side]


def patched(video: Video, weight: Video) -> Video:
    """The clip with its untrusted pixels continued smoothly from around them, frame by frame.

    Args:
        video: any clip.
        weight: one channel in [0, 1], as many frames and the same size; 0 where a pixel is not trusted.
    """
    return replace(video, read=lambda indices: fill(video.read(indices), weight.read(indices)))


def twice_as_fine(video: Video, count: int) -> Video:
    """The clip with each frame `doubled`, remembered so that it is done once a frame: what `transport` takes.

    Args:
        video: any clip.
        count: how many such frames are kept, at most.
    """
    height, width = video.size
    fine = replace(video, size=(2 * height, 2 * width), read=lambda indices: doubled(video.read(indices)))
    return fine.remembered(count)


def transport(
    video: Video,
    rep: Representation,
    time: float,
    frames: Sequence[int],
    *,
    weight: Video | None = None,
    twice: Video | None = None,
) -> Transported:
    """Bring given frames to an instant along the fitted motion.

    A representation that models no motion carries nothing: validity is then 0 but for a frame at the instant itself,
    so that what is fused from it is the representation's own picture.

    Args:
        video: the given frames; their size may differ from the representation's.
        rep: whose `motion` carries them; pictures come back at its size and on its device.
        time: seconds, within the representation's span.
        frames: indices into ``video``, at least one.
        weight: one channel in [0, 1], as many frames as ``video``: 0 where a pixel must not be used. What it hides
            still colours what is sampled close beside it; give a `patched` video against that.
        twice: the clip `twice_as_fine`, whose pixels are then looked up by a sinc: it keeps a fine texture.

    Raises:
        OutOfSpan: if an instant lies outside its span.
        NotEnoughMemory: if so many frames of that size do not fit in memory.
    """
    indices = list(frames)
    carried = video if twice is None else twice
    require_carried(len(indices), rep.size, carried.channels, rep.device, doubled=twice is not None)
    there = video.times[indices]
    try:
        motion = rep.motion(torch.full_like(there, time), there)
    except Unsupported:
        motion = _none(len(indices), rep)
    landing = target_grid(motion.flow)
    scale = landing.new_tensor([video.size[1] / rep.size[1], video.size[0] / rep.size[0]]).view(1, 2, 1, 1)
    landing = (landing + 0.5) * scale - 0.5
    source = carried.read(indices).to(landing.device)
    pictures, inside = sample(source, landing, "bicubic") if twice is None else sample_doubled(source, landing)
    still = ((there - time).abs() <= SAME_INSTANT).view(-1, 1, 1, 1).to(landing.device)
    validity = torch.where(still, torch.ones_like(inside), motion.confidence * inside)
    if weight is not None:
        trusted, _ = sample(weight.read(indices).to(landing.device), landing)
        validity = validity * (trusted - 0.5).clamp(min=0) * 2
    return Transported(pictures.clamp(0, 1), validity, there - time)


def _none(count: int, rep: Representation) -> Motion:
    zero = torch.zeros(count, 2, *rep.size, device=rep.device)
    return Motion(zero, zero[:, :1])


def mean(pictures: Tensor, weights: Tensor, own: Tensor, own_weight: float) -> tuple[Tensor, Tensor]:
    """The weighted mean of pictures, with the representation's own filling in where little weight arrives.

    Args:
        pictures: (n, C, H, W).
        weights: (n, 1, H, W), not negative.
        own: (1, C, H, W) the representation's picture.
        own_weight: its weight, positive.

    Returns:
        the picture, (1, C, H, W), and the share of it that was brought, (1, 1, H, W) in [0, 1].
    """
    total = weights.sum(0, keepdim=True)
    brought = (weights * pictures).sum(0, keepdim=True)
    return (brought + own_weight * own) / (total + own_weight), total / (total + own_weight)
