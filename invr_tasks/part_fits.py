"""The fits of the parts of a clip, each begun when its answer is first read, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from invr_core.errors import BadInput, NotEnoughMemory
from invr_core.fitting import FitConfig, check_fit
from invr_core.io.notes import silent
from invr_core.models.base import ModelConfig
from invr_core.video import Video
from invr_tasks.keeping import Kept
from invr_tasks.part_jobs import Job, shares, split
from invr_tasks.pieces import PIECE, Part, parts_of
from invr_tasks.run import Job as Prepared
from invr_tasks.run import OnStep, Result, check_parts, default_model, prepare, run
from invr_tasks.task import Source, Task

OnPart = Callable[[Part], None]
"""Is told that the fit of a part begins."""
OnDone = Callable[["Done"], None]
"""Is told that the fit of a part has ended, while what was fitted is in memory."""
Tell = Callable[[str], None]
"""Is told, in a line, what the user should know."""
BOTH = 4
"""Channels of an answer with its confidence."""


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
class Orders:
    """How parts are to be fitted, and who is told of it; each is an argument of `invr_tasks.shots.run_shots`."""

    piece: int = PIECE
    model: ModelConfig | None = None
    fit_config: FitConfig | None = None
    on_step: OnStep | None = None
    on_part: OnPart | None = None
    on_done: OnDone | None = None
    tell: Tell = silent
    keep: Kept | None = None
    unfinished: bool = True
    confidence: bool = False


class Fits:
    """The answer of each part, fitted when it is first asked for; the last two are held.

    Args:
        task: as in `invr_tasks.shots.run_shots`.
        source: as there.
        cuts: as there.
        orders: all else.
    """

    def __init__(self, task: Task[Any], source: Source, cuts: Sequence[int], orders: Orders) -> None:
        whole = prepare(task, source)
        asked = whole.query
        self.times, self.size, self.orders = asked.times, asked.size or whole.observation.clip_size, orders
        self.parts = parts_of(len(source.video), cuts, orders.piece, task.minimum_frames)
        self.jobs = list(split(task, source, self.parts, asked))
        self.shares = shares(orders.fit_config, self.jobs)
        self.model = default_model() if orders.model is None else orders.model
        self.results: dict[int, Result] = {}
        self.stopped = False
        self._done, self._answers = set[int](), dict[int, Video]()
        self._tells: bool | None = None

    def prepared(self) -> Iterator[tuple[Prepared, FitConfig]]:
        """Each part that is to be fitted, with all that can be refused of it refused, and how long it is fitted."""
        for job, share in zip(self.jobs, self.shares, strict=True):
            if job.fitted:
                prepared = prepare(job.task, job.source)
                check_parts(job.task, prepared, self.model)
                yield prepared, share

    def check(self, elsewhere: bool = False) -> None:
        """Refuse what can be refused before the first fit, and tell what will not be fitted.

        Args:
            elsewhere: whether the fits are done by others, whose memory is not this machine's.
        """
        titles = [job.part.title for job in self.jobs if job.fitted]
        for title, (prepared, share) in zip(titles, self.prepared(), strict=True):
            try:
                check_fit(prepared.observation, self.model, share)
            except BadInput as error:
                raise BadInput(f"{title}: {error}" if title else str(error)) from error
            except NotEnoughMemory:
                if not elsewhere:
                    raise
        short = [job.part.title for job in self.jobs if not job.enough and len(job.places)]
        if short:
            self.orders.tell(f"too short for this task, and shown by the trivial answer: {'; '.join(short)}")

    def known(self) -> Video | None:
        """What the answer of several parts is like, where frames of it are kept; itself it cannot be read."""
        form = self.orders.keep.rendered.form if self.orders.keep and len(self.jobs) > 1 else None
        if form is None or form.size != self.size or bool(form.sure) > self.orders.confidence:
            return None
        self._tells = bool(form.sure)
        return Video(self.times, form.size, _unread, BOTH if form.sure else 3, form.depth)

    def finish(self) -> None:
        """Tell of the parts of which no frame was asked for."""
        for which, job in enumerate(self.jobs):
            if self.orders.on_done is not None and job.fitted and which not in self._done and not self.stopped:
                self._made(which)
                self.results.pop(which)

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
        if self.orders.keep is not None:
            self.orders.keep.begin()
        result = self._kept(which) or self.fit(which)
        self.results[which] = result
        if self.orders.on_done is not None and which not in self._done:
            self._done.add(which)
            self.orders.on_done(Done(which, job.part, job.task, job.source, result))
        if result.interrupted:
            self._stop(which)
        if self._tells is None:
            self._tells = result.confidence is not None  # the first part decides: all have as many channels
        if not self._tells:
            return result.video
        return _unsure(result.video) if result.confidence is None else _with(result.video, result.confidence.read)

    def _trivial(self, job: Job) -> Video:
        """The answer of a part that is not fitted: if the others say how sure they are, it is not sure at all."""
        video = job.task.naive(job.source)
        return _unsure(video) if self._tells else video

    def _kept(self, which: int) -> Result | None:
        """What comes of a part that was fitted before."""
        keep, job = self.orders.keep, self.jobs[which]
        rep = keep.fitted(which, self.shares[which].device) if keep else None
        return run(job.task, job.source, rep=rep, confidence=self.orders.confidence) if rep else None

    def fit(self, which: int) -> Result:
        """Fit a part, and keep it where the run is kept."""
        job, share, keep = self.jobs[which], self.shares[which], self.orders.keep
        if self.orders.on_part is not None:
            self.orders.on_part(job.part)
        states = keep.checkpoints(which) if keep is not None else None
        result = run(
            job.task,
            job.source,
            model=self.model,
            fit_config=share,
            on_step=self.orders.on_step,
            keep=states,
            confidence=self.orders.confidence,
        )
        if result.interrupted and (keep is not None or not self.orders.unfinished):
            raise KeyboardInterrupt
        if keep is not None:
            keep.keep(which, result.representation)
        return result

    def _stop(self, which: int) -> None:
        self.stopped = True
        left = [job.part.title for job in self.jobs[which + 1 :] if job.fitted]
        rest = f"; not fitted any more, and shown by the trivial answer: {'; '.join(left)}" if left else ""
        self.orders.tell(f"stopped; going on with what is fitted so far{rest}")


def _unread(indices: Sequence[int]) -> Tensor:
    raise AssertionError("stands for an answer that is still to be made")


def _with(video: Video, sure: Callable[[Sequence[int]], Tensor]) -> Video:
    """An answer with its confidence as a fourth channel."""
    return replace(video, channels=BOTH, read=lambda indices: torch.cat([video.read(indices), sure(indices)], 1))


def _unsure(video: Video) -> Video:
    """An answer of which nothing is known, as one that is not sure at all."""
    return _with(video, lambda indices: torch.zeros(len(indices), 1, *video.size))
