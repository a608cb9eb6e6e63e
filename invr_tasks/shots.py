"""A task on a clip with cuts, or a long one: each part is a job of its own, and the answers are joined."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from invr_core.fitting import FitConfig
from invr_core.io.notes import silent
from invr_core.models.base import ModelConfig
from invr_core.video import Video
from invr_tasks.confidence import parted
from invr_tasks.keeping import Kept
from invr_tasks.part_fits import BOTH, Done, Fits, OnDone, OnPart, Orders, Tell
from invr_tasks.part_jobs import seen_cuts
from invr_tasks.pieces import PIECE, Part
from invr_tasks.run import OnStep, Result
from invr_tasks.task import Source, Task

__all__ = ["Ahead", "Done", "Joined", "OnDone", "OnPart", "Tell", "fit_part", "run_shots"]

Ahead = Callable[[Sequence[tuple[int, str]]], None]
"""Is told which parts are to be fitted, each with its title."""


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
        finish: tells ``on_done`` of the parts of which no frame was read, since `keep` had them rendered.
    """

    video: Video
    parts: tuple[Part, ...]
    alone: Result | None
    confidence: Video | None = None
    finish: Callable[[], None] = lambda: None


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
        cuts: first frame of each shot but the first, increasing; see `invr_core.shots.find_cuts`. Unless the run is
            kept, those around a shot that is hidden altogether do not count; see `invr_tasks.part_jobs.seen_cuts`.
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
            done elsewhere, by `fit_part`; what does not fit in memory is refused there. What it leaves is fitted here.
        confidence: as in `invr_tasks.run.run`.

    Raises:
        KeyboardInterrupt: if Ctrl-C stops a run that is kept, or whose fits are no good unless they are finished.
        InvrError: as `invr_tasks.run.run`; what can be known before the first fit is refused before it.
    """
    fits = Fits(
        task,
        source,
        seen_cuts(task, source, cuts) if keep is None else cuts,
        Orders(piece, model, fit_config, on_step, on_part, on_done, tell or silent, keep, unfinished, confidence),
    )
    fits.check(elsewhere=ahead is not None)
    if ahead is not None and keep is not None:
        keep.begin()
        ahead([(which, job.part.title) for which, job in enumerate(fits.jobs) if job.fitted and not keep.holds(which)])
    video, sure = _joined(fits), None
    if video.channels == BOTH:
        video, sure = parted(video)
    return Joined(video, tuple(fits.parts), fits.results.get(0) if len(fits.parts) == 1 else None, sure, fits.finish)


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

    A part that is kept already, by a worker that was lost before it could say so, is not fitted again.

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
    if keep.holds(which):
        return
    orders = Orders(piece, model, fit_config, on_step, on_part, tell=keep.tell, keep=keep, unfinished=False)
    Fits(task, source, cuts, orders).fit(which)


def _joined(fits: Fits) -> Video:
    """The answers as one, each instant from its own part or from both that overlap there, if these may be mixed.

    The first is made now, unless it is known from frames that are kept what the answer is like.
    """
    jobs, times = fits.jobs, fits.times
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
        if not jobs[which].task.blends:
            share = float(share >= 0.5)
        if share <= 0 or share >= 1:
            return own(before if share <= 0 else which, index)
        return torch.lerp(own(before, index), own(which, index), share)  # of two equal numbers it is that number

    def read(indices: Sequence[int]) -> Tensor:
        return torch.cat([frame(range(len(times))[i]) for i in indices])

    like = fits.known() or fits.answer(next((which for which in shown if jobs[which].fitted), shown[0]))
    return replace(like, times=times, read=read)
