"""Run a task on a source: check, fit, render; and score it where the answer is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from invr_core.checkpoint import Checkpoints
from invr_core.errors import BadInput, OutOfSpan, Unsupported
from invr_core.fitting import FitConfig, Progress, fit
from invr_core.models import registry as models
from invr_core.models.base import Geometry, ModelConfig
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.span import outside, written
from invr_core.video import Video
from invr_tasks.confidence import parted
from invr_tasks.task import Source, Task

if TYPE_CHECKING:
    from invr_tasks.metrics import Perceptual, Scores

DEFAULT_MODEL = "cwrnn"

OnStep = Callable[[Progress], None]
T = TypeVar("T", bound=Task[Any])


@dataclass(frozen=True, eq=False)
class Result:
    """The answer of a task.

    Args:
        video: the answer; rendered as it is read.
        representation: what it is rendered from; it can be asked for other things, or saved.
        seconds: how long the fit took; 0 if a representation was given.
        interrupted: whether the fit was stopped (Ctrl-C) before its end.
        confidence: how sure the answer is, one channel in [0, 1] on its clock, see `invr_tasks.confidence`; None where
            it was not asked for, or the task cannot tell. Frames that are read of both in turn are made once.
    """

    video: Video
    representation: Representation
    seconds: float
    interrupted: bool = False
    confidence: Video | None = None


@dataclass(frozen=True, eq=False)
class Score:
    """How good an answer is, where the truth is known.

    Args:
        source: what was given, simulated from the truth.
        result: the answer.
        scores: of the answer.
        naive: of the trivial answer, `Task.naive`.
    """

    source: Source
    result: Result
    scores: Scores
    naive: Scores


@dataclass(frozen=True, eq=False)
class Job:
    """What a task asks for on one source: what to fit and what to show.

    Args:
        observation: used while fitting.
        query: used while rendering.
    """

    observation: Observation
    query: Query


def prepare(task: Task[Any], source: Source) -> Job:
    """Everything about a task and its source that can be refused before the fit.

    Raises:
        BadInput: if an input is missing, the clip has too few frames or another number of channels, or the instants
            asked for do not increase.
        OutOfSpan: if an instant asked for lies outside the clip that is fitted.
    """
    missing = [name for name in task.inputs if name != "video" and name not in source.extras]
    if missing:
        raise BadInput(f"{_title(task)} needs the input {', '.join(map(repr, missing))} beside the video")
    if len(source.video) < task.minimum_frames:
        raise BadInput(
            f"{_title(task)} needs a clip of at least {task.minimum_frames} frames, this one has {len(source.video)}"
        )
    if task.channels not in (None, source.video.channels):
        raise BadInput(
            f"{_title(task)} needs a clip of {task.channels} channels, this one has {source.video.channels}; "
            "for a grey one: video.map(lambda frames: frames.expand(-1, 3, -1, -1))"
        )
    job = Job(task.observe(source), task.plan(source))
    times = job.query.times
    if len(times) == 0:
        raise BadInput(f"{_title(task)} is asked for no instant at all; give at least one")
    if not bool((times[1:] > times[:-1]).all()):
        raise BadInput("the instants asked for must strictly increase")
    within(times, job.observation.clip_span, "the clip")
    return job


def accept(task: Task[Any], job: Job, rep: Representation) -> None:
    """Refuse a representation that was fitted to something else than this task needs on this source.

    Raises:
        Unsupported: if it lacks a part that the task needs.
        BadInput: if it has another size, or does not cover the clip or the instants asked for.
    """
    _offers(task, rep.parts)
    (height, width), (h, w) = rep.size, job.observation.clip_size
    if rep.size != job.observation.clip_size:
        raise BadInput(
            f"the representation is of {width}x{height}, {_title(task)} needs {w}x{h} here; "
            "give the one fitted for this task and clip, or fit anew"
        )
    within(torch.tensor(job.observation.clip_span, dtype=torch.float64), rep.span, "the representation")
    within(job.query.times, rep.span, "the representation")


def check_parts(task: Task[Any], job: Job, model: ModelConfig) -> None:
    """Refuse, before the fit, a model that lacks a part that the task needs.

    Raises:
        Unsupported: naming the part.
    """
    if task.needs <= {"full"}:  # every model has it
        return
    geometry = Geometry.of(job.observation)
    with torch.device("meta"):
        network = model.solve(geometry).build(geometry)
    _offers(task, network.parts)


def run(
    task: Task[Any],
    source: Source,
    *,
    model: ModelConfig | None = None,
    fit_config: FitConfig | None = None,
    rep: Representation | None = None,
    on_step: OnStep | None = None,
    keep: Checkpoints | None = None,
    confidence: bool = False,
) -> Result:
    """Fit the source as the task observes it, and render what it plans.

    Args:
        task: with its options.
        source: the clip, and what else the task needs.
        model: the architecture and its size; None for the default one.
        fit_config: how long to fit, on which device; None for the defaults.
        rep: a representation fitted before; the fit is then left out.
        on_step: called during the fit.
        keep: as in `invr_core.fitting.fit`.
        confidence: whether the result should say how sure it is, where the task can tell.

    Raises:
        InvrError: if something cannot be done; all that can be known before the fit is refused before it.
    """
    job = prepare(task, source)
    if rep is not None:
        accept(task, job, rep)
        return _answered(task, source, Result(task.render(rep, source), rep, 0.0), confidence)
    model = default_model() if model is None else model
    check_parts(task, job, model)
    prior = task.prior if type(task).prior is not Task.prior else None
    started = time.perf_counter()
    rep = fit(job.observation, model, fit_config or FitConfig(), prior=prior, on_step=on_step, keep=keep)
    seconds = time.perf_counter() - started
    interrupted = bool(getattr(rep, "info", {}).get("interrupted", False))
    return _answered(task, source, Result(task.render(rep, source), rep, seconds, interrupted), confidence)


def score(
    task: Task[Any],
    truth: Video,
    *,
    seed: int = 0,
    model: ModelConfig | None = None,
    fit_config: FitConfig | None = None,
    rep: Representation | None = None,
    on_step: OnStep | None = None,
    perceptual: Perceptual | None = None,
) -> Score:
    """Simulate a source from a clip whose answer is known, run the task on it, and compare.

    The truth reaches `Task.simulate`, `Task.judged` and the comparison, never the fit: what is fitted and answered is
    done by a `renewed` task, which has met the source alone.

    Args:
        task: with its options.
        truth: the clip that the task should find.
        seed: of the simulation; the fit has its own, in ``fit_config``.
        model: as in `run`.
        fit_config: as in `run`.
        rep: as in `run`.
        on_step: as in `run`.
        perceptual: a further distance, such as `invr_tasks.perceptual.Lpips`; None to leave it out.
    """
    from invr_tasks.metrics import compare

    source = task.simulate(truth, torch.Generator().manual_seed(seed))
    asked = renewed(task)
    result = run(asked, source, model=model, fit_config=fit_config, rep=rep, on_step=on_step)
    judged = task.judged(source, truth)
    ours, naive = (compare(video, truth, judged, perceptual) for video in (result.video, asked.naive(source)))
    return Score(source, result, ours, naive)


def renewed(task: T) -> T:
    """A task of the same options that has met nothing yet: what the other one keeps in itself, it does not know."""
    return type(task)(task.config)


def default_model(name: str = DEFAULT_MODEL, params: int | None = None) -> ModelConfig:
    """A model with its defaults, of a given parameter count if one is asked for.

    Raises:
        BadInput: if no model has this name, or its size cannot be asked for in parameters.
    """
    model = models.get(name)()
    if params is None:
        return model
    if not hasattr(model, "params"):
        raise BadInput(f"the model {name!r} has no parameter count to choose; leave it out")
    return replace(model, params=params)  # type: ignore[call-arg]  # a field of this model


def within(times: torch.Tensor, span: tuple[float, float], what: str) -> None:
    """Refuse instants outside a span.

    Args:
        times: (M,) float64 seconds.
        span: first and last instant allowed, in seconds.
        what: has this span; for the message.

    Raises:
        OutOfSpan: naming the first instant outside.
    """
    beyond = outside(times, span)
    if len(beyond):
        first, last = map(written, span)
        raise OutOfSpan(f"{written(beyond[0])} s lies outside {what}, which spans {first} to {last} s")


def _answered(task: Task[Any], source: Source, plain: Result, confidence: bool) -> Result:
    """A result, with its confidence if that is asked for and the task can tell."""
    both = task.with_confidence(plain.representation, source) if confidence else None
    if both is None:
        return plain
    video, sure = parted(both)
    return replace(plain, video=video, confidence=sure)


def _title(task: Task[Any]) -> str:
    return f"the task {type(task).__name__}"


def _offers(task: Task[Any], parts: frozenset[str]) -> None:
    missing = sorted(task.needs - parts)
    if missing:
        raise Unsupported(
            f"{_title(task)} needs the part {', '.join(missing)}; this model has {', '.join(sorted(parts))}; "
            "choose another model"
        )
