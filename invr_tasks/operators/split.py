"""Which frames of a clip are given, and which are asked for."""

from __future__ import annotations

from invr_core.errors import BadInput
from invr_core.video import Video


def interpolation_split(video: Video, step: int) -> tuple[Video, Video]:
    """Every ``step``-th frame is given; those strictly between two given ones are asked for.

    Frames after the last given one belong to neither.

    Args:
        video: the whole clip.
        step: at least 2.

    Returns:
        The given frames and the ones asked for, both lazy.

    Raises:
        BadInput: if the clip is too short to hold a frame between two given ones.

    Example:
        >>> import torch
        >>> given, asked = interpolation_split(Video.of(torch.zeros(6, 3, 4, 4), fps=1), 2)
        >>> given.times.tolist(), asked.times.tolist()
        ([0.0, 2.0, 4.0], [1.0, 3.0])
    """
    if step < 2:
        raise BadInput(f"step must be at least 2, so that there are frames between the given ones; got {step}")
    if len(video) <= step:
        raise BadInput(f"a step of {step} needs at least {step + 1} frames, this clip has {len(video)}")
    last = (len(video) - 1) // step * step
    return video[::step], video[[index for index in range(last) if index % step]]
