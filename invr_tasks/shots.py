"""A task on a clip with cuts: each shot is a job of its own, and the answers are put end to end."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from invr_core.fitting import FitConfig
from invr_core.models.base import ModelConfig
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks.run import OnStep, Result, prepare, run
from invr_tasks.task import Source, Task

OnShot = Callable[[int, int], None]
"""Is told that a shot begins: which, from 1 on, and how many there are."""


@dataclass(frozen=True, eq=False)
class Joined:
    """The answer of a task on a clip of several shots.

    Args:
        video: the answer, over all shots.
        shots: that of each shot; None where the trivial answer (`Task.naive`) is shown, since the shot has fewer frames
            than the task needs, or the fit before it was stopped.
        cuts: the first frame of each shot but the first.
    """

    video: Video
    shots: tuple[Result | None, ...]
    cuts: tuple[int, ...]

    @property
    def seconds(self) -> float:
        """How long the fits took together."""
        return sum(shot.seconds for shot in self.shots if shot)

    @property
    def interrupted(self) -> bool:
        """Whether a fit was stopped (Ctrl-C) before its end."""
        return any(shot.interrupted for shot in self.shots if shot)


@dataclass(frozen=True, eq=False)
class _Shot:
    """One shot as a job of its own.

    Args:
        task: that plans what is asked for of this shot.
        source: the shot, and of each further input what belongs to it.
        places: (M,) for each instant that falls to this shot, which frame of its answer is shown.
        times: (M,) float64 seconds, these instants.
    """

    task: Task[Any]
    source: Source
    places: Tensor
    times: Tensor

    @property
    def fitted(self) -> bool:
        """Whether there is enough to fit, and something is asked for."""
        return len(self.source.video) >= self.task.minimum_frames and len(self.times) > 0


def run_shots(
    task: Task[Any],
    source: Source,
    cuts: Sequence[int],
    *,
    model: ModelConfig | None = None,
    fit_config: FitConfig | None = None,
    on_step: OnStep | None = None,
    on_shot: OnShot | None = None,
) -> Joined:
    """Run a task on each shot by itself: nothing of one is seen while another is fitted or rendered.

    The task plans once, on the whole clip; each shot is asked for the instants that are nearer to it than to another.
    Between the last frame of a shot and the first of the next, the nearer of the two is shown as it is answered there.
    Steps and minutes are shared out by the number of frames.

    Args:
        task: with its options; it need not know of shots.
        source: the clip, and what else the task needs; an input with as many frames as the clip is cut like it, any
            other is given to each shot whole.
        cuts: first frame of each shot but the first, increasing; see `invr_core.shots.find_cuts`.
        model: as in `invr_tasks.run.run`.
        fit_config: as in `invr_tasks.run.run`, for the whole clip.
        on_step: called during each fit.
        on_shot: called before each fit.

    Raises:
        InvrError: as `invr_tasks.run.run`; what a task or its inputs lack is refused before the first fit.
    """
    if not cuts:
        alone = run(task, source, model=model, fit_config=fit_config, on_step=on_step)
        return Joined(alone.video, (alone,), ())
    shots = list(_split(task, source, cuts, prepare(task, source).query))
    for shot in shots:
        if shot.fitted:
            prepare(shot.task, shot.source)
    results: list[Result | None] = []
    for number, (shot, share) in enumerate(zip(shots, _shares(fit_config, shots), strict=True), 1):
        stopped = any(result.interrupted for result in results if result)
        if stopped or not shot.fitted:
            results.append(None)
            continue
        if on_shot is not None:
            on_shot(number, len(shots))
        results.append(run(shot.task, shot.source, model=model, fit_config=share, on_step=on_step))
    return Joined(_joined(shots, results), tuple(results), tuple(cuts))


def _split(task: Task[Any], source: Source, cuts: Sequence[int], asked: Query) -> Iterator[_Shot]:
    """Each shot, with the instants that fall to it: up to half-way to its neighbours."""
    clip, bounds = source.video, [0, *cuts, len(source.video)]
    borders = [float(clip.times[i - 1] + clip.times[i]) / 2 for i in cuts]
    for (begin, end), (low, high) in zip(pairwise(bounds), pairwise([-torch.inf, *borders, torch.inf]), strict=True):
        video = clip[begin:end]
        times = asked.times[(asked.times >= low) & (asked.times < high)]
        inside = times.clamp(
            min=video.span[0] if begin else -torch.inf, max=video.span[1] if end < len(clip) else torch.inf
        )
        shown, places = torch.unique(inside, return_inverse=True)
        own = {name: extra[begin:end] if len(extra) == len(clip) else extra for name, extra in source.extras.items()}
        yield _Shot(_planned(task, replace(asked, times=shown)), Source(video, own), places, times)


def _planned(task: Task[Any], query: Query) -> Task[Any]:
    """The same task, whose plan is made already."""
    planned = copy.copy(task)
    vars(planned)["plan"] = lambda source: query
    return planned


def _shares(config: FitConfig | None, shots: Sequence[_Shot]) -> list[FitConfig | None]:
    """What each shot gets of the steps or the minutes, by its frames; at least one step."""
    if config is None or (config.steps is None and config.minutes is None):
        return [config] * len(shots)
    frames = [len(shot.source.video) if shot.fitted else 0 for shot in shots]
    ends = [sum(frames[: i + 1]) / max(sum(frames), 1) for i in range(len(frames))]
    shares = list(pairwise([0.0, *ends]))
    if config.steps is not None:
        whole = config.steps
        return [replace(config, steps=max(round(whole * high) - round(whole * low), 1)) for low, high in shares]
    minutes = config.minutes or 0.0
    return [replace(config, minutes=max(minutes * (high - low), 1e-6)) for low, high in shares]


def _joined(shots: Sequence[_Shot], results: Sequence[Result | None]) -> Video:
    """The answers end to end, each instant from its own shot; read as they are rendered."""
    pairs = [(shot, result) for shot, result in zip(shots, results, strict=True) if len(shot.times)]
    videos = [result.video if result else shot.task.naive(shot.source) for shot, result in pairs]
    places = [(which, int(place)) for which, (shot, _) in enumerate(pairs) for place in shot.places]
    videos = [video.remembered(1) for video in videos]

    def read(indices: Sequence[int]) -> Tensor:
        return torch.cat([videos[which].read([place]) for which, place in (places[i] for i in indices)])

    times = torch.cat([shot.times for shot, _ in pairs])
    fitted = next((video for video, (_, result) in zip(videos, pairs, strict=True) if result), videos[0])
    return replace(fitted, times=times, read=read)
