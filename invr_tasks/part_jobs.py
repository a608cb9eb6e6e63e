"""The parts of a clip as jobs of their own: what each is given, which instants it shows, and how long it is fitted."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from invr_core.fitting import FitConfig
from invr_core.query import Query
from invr_core.shots import find_cuts
from invr_core.video import Video
from invr_tasks.pieces import Part
from invr_tasks.task import Source, Task


@dataclass(frozen=True, eq=False)
class Job:
    """One part as a job of its own.

    Args:
        part: which.
        task: that plans what is asked for of this part.
        source: the part, and of each further input what belongs to it.
        first: of the instants of the whole answer, the first that this part shows.
        places: (M,) for each instant from there on, which frame of its own answer is shown.
        fade: seconds from which, and to which, the part before gives way to this one; None at a cut.
    """

    part: Part
    task: Task[Any]
    source: Source
    first: int
    places: Tensor
    fade: tuple[float, float] | None

    @property
    def enough(self) -> bool:
        """Whether it has as many frames as the task needs."""
        return len(self.source.video) >= self.task.minimum_frames

    @property
    def fitted(self) -> bool:
        """Whether there is enough to fit, and something is asked for."""
        return self.enough and len(self.places) > 0


def seen_cuts(task: Task[Any], source: Source, cuts: Sequence[int]) -> tuple[int, ...]:
    """The cuts of a clip without those around a shot of which its further inputs hide every pixel.

    Nothing could be fitted to such a shot: it belongs to the one before it; and to the one after it, if these two are
    alike, or it is the first.

    Args:
        task: says what is trusted.
        source: the clip, and what hides it.
        cuts: first frame of each shot but the first, increasing.
    """
    weight = task.observe(source).weight if cuts and source.extras else None
    if weight is None:
        return tuple(cuts)
    clip = source.video
    shots = list(pairwise([0, *cuts, len(clip)]))
    hidden = [shot for shot in shots if not any(bool((weight.read([i]) > 0).any()) for i in range(*shot))]
    if not hidden:
        return tuple(cuts)
    seen = sorted(set(range(len(clip))).difference(*(range(*shot) for shot in hidden)))
    lasting = {seen[cut] for cut in find_cuts(clip[seen])} if seen else set()
    ends = {end for _, end in hidden} - lasting
    return tuple(cut for cut in cuts if cut not in ends | {begin for begin, _ in hidden})


def split(task: Task[Any], source: Source, parts: Sequence[Part], asked: Query) -> Iterator[Job]:
    """Each part, with the instants that fall to it: up to half-way to the next shot, or all that lie within a piece."""
    clip, times = source.video, asked.times
    if len(parts) == 1:
        yield Job(parts[0], task, source, 0, torch.arange(len(times)), None)
        return
    for before, part, after in zip([None, *parts], parts, [*parts[1:], None], strict=False):
        video = clip[part.begin : part.end]
        low, high = -torch.inf if before is None else video.span[0], torch.inf if after is None else video.span[1]
        first, last = 0, len(times)
        if before is not None:
            first = int(torch.searchsorted(times, low if part.overlaps else _middle(clip, part.begin)))
        if after is not None:
            last = int(
                torch.searchsorted(times, high if after.overlaps else _middle(clip, part.end), right=after.overlaps)
            )
        fade = (low, float(clip.times[before.end - 1])) if before is not None and part.overlaps else None
        shown, places = torch.unique(times[first:last].clamp(low, high), return_inverse=True)
        own = {
            name: extra[part.begin : part.end] if len(extra) == len(clip) else extra
            for name, extra in source.extras.items()
        }
        yield Job(part, _planned(task, replace(asked, times=shown)), Source(video, own), first, places, fade)


def _middle(clip: Video, index: int) -> float:
    """Seconds half-way between a frame and the one before it."""
    return float(clip.times[index - 1] + clip.times[index]) / 2


def _planned(task: Task[Any], query: Query) -> Task[Any]:
    """The same task, whose plan is made already."""
    planned = copy.copy(task)
    vars(planned)["plan"] = lambda source: query
    return planned


def shares(config: FitConfig | None, jobs: Sequence[Job]) -> list[FitConfig]:
    """What each part gets of the steps or the minutes, by its frames; at least one step."""
    config = config or FitConfig()
    frames = [len(job.part) if job.fitted else 0 for job in jobs]
    ends = [sum(frames[: i + 1]) / max(sum(frames), 1) for i in range(len(frames))]
    bounds = list(pairwise([0.0, *ends]))
    if config.steps is not None:
        whole = config.steps
        return [replace(config, steps=max(round(whole * high) - round(whole * low), 1)) for low, high in bounds]
    if config.minutes is not None:
        minutes = config.minutes
        return [replace(config, minutes=max(minutes * (high - low), 1e-6)) for low, high in bounds]
    return [config] * len(jobs)
