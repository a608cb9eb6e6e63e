"""A task on a clip with cuts, or a long one: each part is a job of its own, and the answers are joined."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from invr_core.fitting import FitConfig, check_fit
from invr_core.io.notes import silent
from invr_core.models.base import ModelConfig
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks.confidence import parted
from invr_tasks.keeping import Kept
from invr_tasks.pieces import PIECE, Part, parts_of
from invr_tasks.run import OnStep, Result, check_parts, default_model, prepare, run
from invr_tasks.task import Source, Task

OnPart = Callable[[Part], None]
"""Is told that the fit of a part begins."""
OnDone = Callable[["Done"], None]
"""Is told that the fit of a part has ended, while what was fitted is in memory."""
Ahead = Callable[[Sequence[tuple[int, str]]], None]
"""Is told which parts are to be fitted, each with its title."""
BOTH = 4
"""Channels of an answer with its confidence."""
Tell = Callable[[str], None]
"""Is told, in a line, what the user should know."""


@dataclass(frozen=True, eq=False)
class Joined:
    """The answer of a task on a clip of one part or several.

    Args:
        video: the answer. Where there are several parts, reading a frame fits the part that it lies in, unless that has
            been done; the last two are held in memory, and one that is gone back to later is fitted again.
        parts: of the clip.
        alone: of the only part that there is; None where there are several, or where it is too short to fit.
        confidence: as that of a `Result`; it is 0 where a part shows the trivial answer,
            or cannot tell though the first one can.
    """

    video: Video
    parts: tuple[Part, ...]
    alone: Result | None
    confidence: Video | None = None


@dataclass(frozen=True, eq=False)
class Done:
    """A part that has been fitted.

    Args:
        number: of the part, from 0 on.
        part: which.
        task: that was run on it.
        source: it was run on.
        result: its answer, and what was fitted.
    """

    number: int
    part: Part
    task: Task[Any]
    source: Source
    result: Result


@dataclass(frozen=True, eq=False)
class _Job:
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


def run_shots(
    task: Task[Any],
    source: Source,
    cuts: Sequence[int] = (),
    *,
    piece: int = PIECE,
    model: ModelConfig | None = None,
    fit_config: FitConfig | None = None,
    on_step: OnStep | None = None,
    on_part: OnPart | None = None,
    on_done: OnDone | None = None,
    tell: Tell | None = None,
    keep: Kept | None = None,
    unfinished: bool = True,
    ahead: Ahead | None = None,
    confidence: bool = False,
) -> Joined:
    """Run a task on each shot by itself, and on a long one in pieces.

    The task plans once, on the whole clip; each shot is asked for the instants that are nearer to it than to another.
    Between the last frame of a shot and the first of the next, the nearer of the two is shown as it is answered there.
    Neighbouring pieces of a shot overlap; within the overlap the answer goes over evenly from the one to the other, and
    where they agree, such as at a given frame that passes through untouched, it is that to the bit. Steps and minutes
    are shared out by the number of frames.

    The first part is fitted here, the others when they are first read, so that there is one representation in memory
    at a time, and a neighbour's. A part of fewer frames than the task needs shows the trivial answer (`Task.naive`); so
    do those that follow when Ctrl-C has stopped a fit, unless the run is kept: it then ends there, to be gone on with.

    Args:
        task: with its options; it need not know of shots or pieces.
        source: the clip, and what else the task needs; an input with as many frames as the clip is cut like it, any
            other is given to each part whole.
        cuts: first frame of each shot but the first, increasing; see `invr_core.shots.find_cuts`.
        piece: frames that are fitted together at the most; see `invr_tasks.pieces.parts_of`.
        model: as in `invr_tasks.run.run`.
        fit_config: as in `invr_tasks.run.run`, for the whole clip.
        on_step: called during each fit.
        on_part: called before each fit.
        on_done: called once for each part, when it is fitted; or found fitted, where a run is gone on with.
        tell: called where a part shows the trivial answer, and when a fit was stopped.
        keep: where each part is kept once it is fitted, and the state of the fit that is running; what it holds already
            is not fitted again.
        unfinished: whether what a fit has found until Ctrl-C stopped it is good enough to be shown.
        ahead: of a run that is kept: is told, before the first fit, which parts are not fitted yet, and may have that
            done elsewhere, by `fit_part`. What it leaves is fitted here.
        confidence: as in `invr_tasks.run.run`.

    Raises:
        KeyboardInterrupt: if Ctrl-C stops a run that is kept, or whose fits are no good unless they are finished.
        InvrError: as `invr_tasks.run.run`; what can be known before the first fit is refused before it.
    """
    said = tell or silent
    fits, parts, asked = _fits(
        task, source, cuts, piece, model, fit_config, on_step, on_part, on_done, said, keep, unfinished, confidence
    )
    fits.check()
    if ahead is not None and keep is not None:
        keep.begin()
        ahead([(which, job.part.title) for which, job in enumerate(fits.jobs) if job.fitted and not keep.holds(which)])
    video, sure = _joined(fits.jobs, fits, asked.times), None
    if video.channels == BOTH:
        video, sure = parted(video)
    return Joined(video, tuple(parts), fits.results.get(0) if len(parts) == 1 else None, sure)


def fit_part(
    which: int,
    task: Task[Any],
    source: Source,
    cuts: Sequence[int] = (),
    *,
    keep: Kept,
    piece: int = PIECE,
    model: ModelConfig | None = None,
    fit_config: FitConfig | None = None,
    on_step: OnStep | None = None,
    on_part: OnPart | None = None,
) -> None:
    """Fit one part of a run that is kept, and keep it: what `run_shots` would do for that part, perhaps elsewhere.

    Args:
        which: part, from 0 on.
        task: as in `run_shots`, and the same as there.
        source: as in `run_shots`, and the same as there.
        cuts: as in `run_shots`, and the same as there.
        keep: see `invr_tasks.keeping.Kept.shared`.
        piece: as in `run_shots`, and the same as there.
        model: as in `run_shots`, and the same as there.
        fit_config: as in `run_shots`, and the same as there.
        on_step: as in `run_shots`.
        on_part: as in `run_shots`.

    Raises:
        KeyboardInterrupt: if Ctrl-C stops it.
        InvrError: as `run_shots`.
    """
    fits, _, _ = _fits(
        task, source, cuts, piece, model, fit_config, on_step, on_part, None, keep.tell, keep, False, False
    )
    fits.fit(which)


def _fits(
    task: Task[Any],
    source: Source,
    cuts: Sequence[int],
    piece: int,
    model: ModelConfig | None,
    fit_config: FitConfig | None,
    on_step: OnStep | None,
    on_part: OnPart | None,
    on_done: OnDone | None,
    tell: Tell,
    keep: Kept | None,
    unfinished: bool,
    confidence: bool,
) -> tuple[_Fits, list[Part], Query]:
    """The fits of a run, none of them begun; the parts, and what is asked for of the whole."""
    asked = prepare(task, source).query
    parts = parts_of(len(source.video), cuts, piece, task.minimum_frames)
    jobs = list(_split(task, source, parts, asked))
    model = default_model() if model is None else model
    shares = _shares(fit_config, jobs)
    return _Fits(jobs, shares, model, on_step, on_part, on_done, tell, keep, unfinished, confidence), parts, asked


class _Fits:
    """The answer of each part, fitted when it is first asked for; the last two are held.

    Args:
        jobs: the parts.
        shares: how long each may be fitted.
        model: the architecture.
        on_step: called during each fit.
        on_part: called before each fit.
        on_done: see `run_shots`.
        tell: see `run_shots`.
        keep: see `run_shots`.
        unfinished: see `run_shots`.
        confidence: see `run_shots`.
    """

    def __init__(
        self,
        jobs: Sequence[_Job],
        shares: Sequence[FitConfig],
        model: ModelConfig,
        on_step: OnStep | None,
        on_part: OnPart | None,
        on_done: OnDone | None,
        tell: Tell,
        keep: Kept | None,
        unfinished: bool,
        confidence: bool,
    ) -> None:
        self.jobs, self.shares, self.model = jobs, shares, model
        self.on_step, self.on_part, self.tell, self.keep = on_step, on_part, tell, keep
        self.on_done, self._done = on_done, set[int]()
        self.results: dict[int, Result] = {}
        self.unfinished, self.stopped, self.confidence = unfinished, False, confidence
        self._answers: dict[int, Video] = {}
        self._tells: bool | None = None

    def check(self) -> None:
        """Refuse what can be refused before the first fit, and tell what will not be fitted."""
        for job, share in zip(self.jobs, self.shares, strict=True):
            if job.fitted:
                prepared = prepare(job.task, job.source)
                check_parts(job.task, prepared, self.model)
                check_fit(prepared.observation, self.model, share)
        short = [job.part.title for job in self.jobs if not job.enough and len(job.places)]
        if short:
            self.tell(f"too short for this task, and shown by the trivial answer: {'; '.join(short)}")

    def answer(self, which: int) -> Video:
        """What a part shows; of those held, the one not used for longest goes before another is made."""
        if which in self._answers:
            self._answers[which] = self._answers.pop(which)
            return self._answers[which]
        while len(self._answers) > 1:
            oldest = next(iter(self._answers))
            del self._answers[oldest]
            self.results.pop(oldest, None)
        self._answers[which] = self._made(which).remembered(1)
        return self._answers[which]

    def _made(self, which: int) -> Video:
        job = self.jobs[which]
        if self.stopped or not job.fitted:
            return self._trivial(job)
        if self.keep is not None:
            self.keep.begin()
        result = self._kept(which) or self.fit(which)
        self.results[which] = result
        if self.on_done is not None and which not in self._done:
            self._done.add(which)
            self.on_done(Done(which, job.part, job.task, job.source, result))
        if result.interrupted:
            self._stop(which)
        if self._tells is None:
            self._tells = result.confidence is not None  # the first part decides: all have as many channels
        if not self._tells:
            return result.video
        return _unsure(result.video) if result.confidence is None else _with(result.video, result.confidence.read)

    def _trivial(self, job: _Job) -> Video:
        """The answer of a part that is not fitted: if the others say how sure they are, it is not sure at all."""
        video = job.task.naive(job.source)
        return _unsure(video) if self._tells else video

    def _kept(self, which: int) -> Result | None:
        """What comes of a part that was fitted before."""
        rep = self.keep.fitted(which, self.shares[which].device) if self.keep else None
        return run(self.jobs[which].task, self.jobs[which].source, rep=rep, confidence=self.confidence) if rep else None

    def fit(self, which: int) -> Result:
        """Fit a part, and keep it where the run is kept."""
        job, share, keep = self.jobs[which], self.shares[which], self.keep
        if self.on_part is not None:
            self.on_part(job.part)
        states = keep.checkpoints(which) if keep is not None else None
        result = run(
            job.task,
            job.source,
            model=self.model,
            fit_config=share,
            on_step=self.on_step,
            keep=states,
            confidence=self.confidence,
        )
        if result.interrupted and (keep is not None or not self.unfinished):
            raise KeyboardInterrupt
        if keep is not None:
            keep.keep(which, result.representation)
        return result

    def _stop(self, which: int) -> None:
        self.stopped = True
        left = [job.part.title for job in self.jobs[which + 1 :] if job.fitted]
        rest = f"; not fitted any more, and shown by the trivial answer: {'; '.join(left)}" if left else ""
        self.tell(f"stopped; going on with what is fitted so far{rest}")


def _with(video: Video, sure: Callable[[Sequence[int]], Tensor]) -> Video:
    """An answer with its confidence as a fourth channel."""
    return replace(video, channels=BOTH, read=lambda indices: torch.cat([video.read(indices), sure(indices)], 1))


def _unsure(video: Video) -> Video:
    """An answer of which nothing is known, as one that is not sure at all."""
    return _with(video, lambda indices: torch.zeros(len(indices), 1, *video.size))


def _split(task: Task[Any], source: Source, parts: Sequence[Part], asked: Query) -> Iterator[_Job]:
    """Each part, with the instants that fall to it: up to half-way to the next shot, or all that lie within a piece."""
    clip, times = source.video, asked.times
    if len(parts) == 1:
        yield _Job(parts[0], task, source, 0, torch.arange(len(times)), None)
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
        yield _Job(part, _planned(task, replace(asked, times=shown)), Source(video, own), first, places, fade)


def _middle(clip: Video, index: int) -> float:
    """Seconds half-way between a frame and the one before it."""
    return float(clip.times[index - 1] + clip.times[index]) / 2


def _planned(task: Task[Any], query: Query) -> Task[Any]:
    """The same task, whose plan is made already."""
    planned = copy.copy(task)
    vars(planned)["plan"] = lambda source: query
    return planned


def _shares(config: FitConfig | None, jobs: Sequence[_Job]) -> list[FitConfig]:
    """What each part gets of the steps or the minutes, by its frames; at least one step."""
    config = config or FitConfig()
    frames = [len(job.part) if job.fitted else 0 for job in jobs]
    ends = [sum(frames[: i + 1]) / max(sum(frames), 1) for i in range(len(frames))]
    shares = list(pairwise([0.0, *ends]))
    if config.steps is not None:
        whole = config.steps
        return [replace(config, steps=max(round(whole * high) - round(whole * low), 1)) for low, high in shares]
    if config.minutes is not None:
        minutes = config.minutes
        return [replace(config, minutes=max(minutes * (high - low), 1e-6)) for low, high in shares]
    return [config] * len(jobs)


def _joined(jobs: Sequence[_Job], fits: _Fits, times: Tensor) -> Video:
    """The answers as one, each instant from its own part or from both that overlap there; the first is made now."""
    shown = [which for which, job in enumerate(jobs) if len(job.places)]
    firsts = [jobs[which].first for which in shown]

    def own(which: int, index: int) -> Tensor:
        return fits.answer(which).read([int(jobs[which].places[index - jobs[which].first])])

    def frame(index: int) -> Tensor:
        place = bisect_right(firsts, index) - 1
        which, before = shown[place], shown[max(place - 1, 0)]
        fade = jobs[which].fade
        if fade is None or index >= jobs[before].first + len(jobs[before].places):
            return own(which, index)
        share = (float(times[index]) - fade[0]) / (fade[1] - fade[0])
        if share <= 0 or share >= 1:
            return own(before if share <= 0 else which, index)
        return torch.lerp(own(before, index), own(which, index), share)  # of two equal numbers it is that number

    def read(indices: Sequence[int]) -> Tensor:
        return torch.cat([frame(range(len(times))[i]) for i in indices])

    like = fits.answer(next((which for which in shown if jobs[which].fitted), shown[0]))
    return replace(like, times=times, read=read)
