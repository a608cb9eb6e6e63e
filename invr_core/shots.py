"""Hard cuts of a clip: where one shot ends and another begins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from invr_core.errors import BadInput
from invr_core.video import Video

WIDTH = 32
"""Pixels across the small frames that are compared."""
LEAST = 0.08
"""Mean difference of two frames, in [0, 1], from which they may belong to different shots."""
ALONE = 2.0
"""How many times larger the step of a cut is than any other step within `NEAR`; a pan has many alike."""
NEAR = 2
"""Steps before and after a cut that it must stand out from."""
FLASH = 3
"""Frames after which a shot may go on as before: a flash, a lost frame, someone passing close by."""
SLACK = 0.0005
"""Seconds by which a cut that is given may come after its frame: it was read in milliseconds."""


def find_cuts(video: Video) -> tuple[int, ...]:
    """The first frame of each shot but the first.

    A cut is a step from frame to frame that is large, stands alone (a fast pan does not), and after which the clip does
    not go on as before it (after a flash it does). Dissolves and fades are not found; nor are cuts less than three
    frames apart.

    Args:
        video: any clip. All its frames are read, a few at a time.

    Source:
        the measure is that of FFmpeg's filter ``scdet``, the mean absolute difference; what a pan and a flash need
        is our own (decision 0009).

    Example:
        >>> import torch
        >>> dark, light = torch.zeros(4, 3, 8, 8), torch.ones(4, 3, 8, 8)
        >>> find_cuts(Video.of(torch.cat([dark, light])))
        (4,)
    """
    steps = _steps(video)

    def cuts(index: int) -> bool:
        step = steps[index - 1]
        around = steps[max(index - 1 - NEAR, 0) : index - 1] + steps[index : index + NEAR]
        return step >= LEAST and step >= ALONE * max(around, default=0.0) and not _goes_on(video, index, step)

    return tuple(index for index in range(1, len(video)) if cuts(index))


def cuts_at(video: Video, seconds: Sequence[float]) -> tuple[int, ...]:
    """The first frame at or after each instant.

    Args:
        video: the clip.
        seconds: increasing, each after the first frame and not after the last.

    Raises:
        BadInput: naming the instant that is none of these.
    """
    first, last = video.span
    times = video.times.numpy()
    indices = [int(np.searchsorted(times, second - SLACK)) for second in seconds]
    for second, index, before in zip(seconds, indices, [0, *indices], strict=False):
        if not 0 < index < len(video):
            raise BadInput(
                f"a cut at {second:g} s is not between the clip's frames, which go from {first:g} to {last:g} s"
            )
        if index <= before:
            raise BadInput(f"cuts must increase, by a frame or more each: {second:g} s comes too early")
    return tuple(indices)


def _small(video: Video, index: int) -> NDArray[np.float32]:
    """(h, w, 3) in [0, 1], averaged down, so that noise and the fine motion of detail hardly count."""
    height, width = video.size
    frame = np.ascontiguousarray(video.read([index])[0].permute(1, 2, 0).numpy())
    scale = min(1.0, WIDTH / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.float32)


def _apart(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    return float(np.abs(one - two).mean())


def _steps(video: Video) -> list[float]:
    """How far each frame is from the one before it."""
    return [_apart(one, two) for one, two in pairwise(_small(video, index) for index in range(len(video)))]


def _goes_on(video: Video, index: int, step: float) -> bool:
    """Whether some frame shortly before is like one shortly after, though the two at the step are not."""
    near = range(max(index - 1 - FLASH, 0), min(index + 1 + FLASH, len(video)))
    frames = {i: _small(video, i) for i in near}
    return min(_apart(frames[i], frames[j]) for i in near for j in near if i < index <= j) < step / ALONE
