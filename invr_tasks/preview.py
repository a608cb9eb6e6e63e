"""A short and small excerpt of a source, to see what a task makes of it; and what the whole would take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from invr_core.device import resolve
from invr_core.fitting import LEAST_STEPS, FitConfig, default_steps, solved_for
from invr_core.memory import available, estimate, frames_a_step
from invr_core.models.base import Geometry, ModelConfig
from invr_core.video import Video
from invr_tasks.operators.resize import crop_to
from invr_tasks.part_fits import Fits, Orders
from invr_tasks.run import Job
from invr_tasks.task import Source, Task

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


@dataclass(frozen=True, eq=False)
class Planned:
    """One fit of the whole clip: of all of it, or of a part.

    Args:
        job: what it is fitted to, and what is shown of it.
        model: by `invr_core.fitting.solved_for`.
        config: of the fit.
    """

    job: Job
    model: ModelConfig
    config: FitConfig

    @property
    def batch(self) -> int:
        """Frames of a step."""
        observation = self.job.observation
        return frames_a_step(self.model, observation.clip_size, len(observation.video), self.config.batch)


def planned(task: Task[Any], source: Source, cuts: Sequence[int], orders: Orders) -> list[Planned]:
    """The fits that `invr_tasks.shots.run_shots` would make; no frame is read but by the task's own ``observe``.

    Raises:
        InvrError: if the task or the model cannot be run on one of them.
    """
    fits = Fits(task, source, cuts, orders)
    return [Planned(job, solved_for(job.observation, fits.model, share), share) for job, share in fits.prepared()]


def forecast(fits: Sequence[Planned], excerpt: Planned, took: Took) -> Forecast:
    """What the whole would take, from what an excerpt has taken: as much for each pixel of each frame.

    Args:
        fits: of the whole clip; they are made one after the other.
        excerpt: the fit of the excerpt.
        took: by the excerpt.
    """
    device = resolve(excerpt.config.device)
    step = took.fitting / max(took.steps, 1) / _pixels(excerpt)  # seconds for each pixel
    fitting = sum(_seconds(fit, step, device) for fit in fits)
    rendering = took.rendering * sum(map(_shown, fits)) / _shown(excerpt)
    memory = max((estimate(fit.model, Geometry.of(fit.job.observation), fit.batch) for fit in fits), default=0)
    return Forecast(fitting, rendering, memory, available(device))


def _seconds(fit: Planned, step: float, device: torch.device) -> float:
    if fit.config.minutes is not None:
        return 60 * fit.config.minutes
    geometry = Geometry.of(fit.job.observation)
    return step * _pixels(fit) * (fit.config.steps or default_steps(fit.model, geometry, fit.batch, device))


def _pixels(fit: Planned) -> int:
    """Of a step."""
    return fit.batch * math.prod(fit.job.observation.clip_size)


def _shown(fit: Planned) -> int:
    """Pixels of all frames of its answer."""
    job = fit.job
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
