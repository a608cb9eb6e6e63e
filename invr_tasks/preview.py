"""A short and small excerpt of a source, to see what a task makes of it; and what the whole would take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from invr_core.device import resolve
from invr_core.fitting import LEAST_STEPS, FitConfig, default_steps
from invr_core.memory import available, estimate
from invr_core.models.base import Geometry, ModelConfig
from invr_core.video import Video
from invr_tasks.operators.resize import crop_to
from invr_tasks.run import Job
from invr_tasks.task import Source

WIDTH = 320
"""Pixels across, at the most."""
LEAST_MINUTES = 0.25
"""A fit that is bounded in minutes gets these for an excerpt, unless it has fewer for the whole clip."""
_KEPT = 128
"""Frames of an excerpt that are kept, so that they are shrunk once."""


@dataclass(frozen=True)
class Took:
    """What an excerpt has taken.

    Args:
        fitting: seconds.
        steps: of the fit.
        rendering: seconds, with the writing.
    """

    fitting: float
    steps: int
    rendering: float


@dataclass(frozen=True)
class Forecast:
    """What the whole clip would take, roughly.

    Args:
        fitting: seconds.
        rendering: seconds, with the writing.
        memory: bytes, at the peak of the fit.
        free: bytes that there are for it; None where that cannot be told.
    """

    fitting: float
    rendering: float
    memory: int
    free: int | None


def excerpt(source: Source, seconds: float, least: int = 1, width: int = WIDTH) -> Source:
    """The middle of a source, shrunk; its clock is kept.

    Args:
        source: the clip and its further inputs. Those with as many frames as the clip are cut like it, others are
            whole. Those of one channel are masks: a pixel is in the hole if any that it is made of is.
        seconds: how long the excerpt is.
        least: frames that it has at the least, if there are as many.
        width: pixels across that it has at the most.

    Example:
        >>> source = excerpt(Source(Video.of(torch.zeros(9, 3, 40, 80), fps=8)), 0.25, width=20)
        >>> source.video.times.tolist(), source.video.size
        ([0.375, 0.5, 0.625], (10, 20))
    """
    clip = source.video
    part, factor = _middle(clip, seconds, least), min(width / clip.size[1], 1.0)

    def own(video: Video) -> Video:
        return _shrunk(video[part] if len(video) == len(clip) else video, factor)

    return Source(own(clip), {name: own(video) for name, video in source.extras.items()})


def shortened(config: FitConfig, whole: int, part: int) -> FitConfig:
    """The same fit for a part of a clip: each frame is looked at as often, but for a least length.

    Args:
        config: for the whole clip.
        whole: its frames.
        part: frames of the part.

    Example:
        >>> shortened(FitConfig(steps=1000), 100, 10).steps, shortened(FitConfig(steps=40), 100, 10).steps
        (100, 40)
    """
    if config.steps is not None:
        return replace(config, steps=max(math.ceil(config.steps * part / whole), min(config.steps, LEAST_STEPS)))
    if config.minutes is not None:
        return replace(config, minutes=max(config.minutes * part / whole, min(config.minutes, LEAST_MINUTES)))
    return config


def forecast(whole: Job, part: Job, model: ModelConfig, config: FitConfig, took: Took) -> Forecast:
    """What the whole would take, from what a part of it has taken: as much for each pixel of each frame.

    Args:
        whole: the task on the whole clip.
        part: the task on the excerpt.
        model: of the whole, by `invr_core.fitting.solved_for`.
        config: of the fit of the whole clip.
        took: by the excerpt.
    """
    device, geometry = resolve(config.device), Geometry.of(whole.observation)
    batch = min(config.batch or model.recipe.batch, len(geometry.times))
    if config.minutes is not None:
        fitting = 60 * config.minutes
    else:
        steps = config.steps or default_steps(model, geometry, batch, device)
        small = Geometry.of(part.observation)
        before = min(config.batch or model.recipe.batch, len(small.times)) * math.prod(small.size)
        fitting = steps * took.fitting / max(took.steps, 1) * batch * math.prod(geometry.size) / before
    rendering = took.rendering * _shown(whole) / _shown(part)
    return Forecast(fitting, rendering, estimate(model, geometry, batch), available(device))


def _shown(job: Job) -> int:
    """Pixels of all frames of an answer."""
    return len(job.query.times) * math.prod(job.query.size or job.observation.clip_size)


def _middle(video: Video, seconds: float, least: int) -> slice:
    """The frames within half of these seconds of the middle; the nearest ones to it if that is too few."""
    distance = (video.times - sum(video.span) / 2).abs()
    inside = (distance <= seconds / 2 + 1e-9).nonzero().flatten().tolist() or [int(distance.argmin())]
    count = min(max(len(inside), least), len(video))
    begin = max(min(inside[0] - (count - len(inside)) // 2, len(video) - count), 0)
    return slice(begin, begin + count)


def _shrunk(video: Video, factor: float) -> Video:
    if factor == 1:
        return video
    height, width = (max(round(side * factor), 1) for side in video.size)
    small = crop_to(video, (height, width)).remembered(_KEPT)
    if video.channels > 1:
        return small

    def read(indices: Sequence[int]) -> Tensor:
        return (small.read(indices) > 0).to(torch.float32)

    return replace(small, read=read)
