"""One method on one setting, in a process of its own: how long it takes, and how much memory."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from invr_core.device import resolve
from invr_core.errors import InvrError
from invr_core.fitting import FitConfig
from invr_core.video import Video
from invr_tasks import registry
from invr_tasks.bench import rss
from invr_tasks.bench.cases import Case, fingerprint, given_of, make_case, setting_of
from invr_tasks.bench.classical import of_setting
from invr_tasks.bench.jobs import Budget
from invr_tasks.bench.records import Record
from invr_tasks.pixels import to_bytes
from invr_tasks.provenance import version_of
from invr_tasks.run import renewed, run
from invr_tasks.task import Task

OURS = "ours"
"""The method that is the installed task."""
EACH_FRAME, EACH_FRAME_PIXELS = 3.0, 640 * 320
"""Seconds that fit and rendering may take together for each frame of the answer, and of how many pixels."""
PROBE = 8
"""Frames whose rendering is timed before the fit, the first two for themselves, to know what it will leave."""
LEAST_SHARE = 0.1
"""Of the seconds, left to the fit however slow the rendering is."""


@dataclass(frozen=True)
class AnswerJob:
    """What one method is asked; it travels as JSON.

    Args:
        clip: path of the prepared clip, the truth.
        task, setting: what is asked.
        method: of `invr_tasks.bench.classical`, or `OURS`.
        answer: file to keep the answer in, ``.mkv``.
        masks: path of the object's masks; None if the setting needs none.
        budget: of the fit alone; None for `EACH_FRAME`, fit and rendering together.
        seed: of the input, and of the fit.
        device: where to fit.
        quiet: tell nothing on stderr.
    """

    clip: str
    task: str
    setting: str
    method: str
    answer: str
    masks: str | None = None
    budget: Budget | None = None
    seed: int = 0
    device: str = "auto"
    quiet: bool = False

    def as_dict(self) -> dict[str, Any]:
        """JSON values, for `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AnswerJob:
        """What `as_dict` gave, perhaps by way of JSON."""
        budget = values["budget"]
        return cls(**{**values, "budget": None if budget is None else Budget(**budget)})


def run_answer(job: AnswerJob) -> Record:
    """Answer, and keep the answer: the frames that are asked for, at their times, 8 bits deep.

    Returns:
        ``seconds`` from the input in memory to the answer in memory, ``fit_seconds`` and ``render_seconds`` of them
        (None for other methods than ours), ``steps`` of the fit, ``memory``, the ``version`` of what did it,
        ``options`` of the task, ``input``, the fingerprint of what was given, and ``times``, the instants of the
        answer, which its file knows to a millisecond.

    Raises:
        InvrError: if it cannot be done, or fails.
    """
    truth = Video.open(job.clip)
    masks = None if job.masks is None else Video.open(job.masks)
    case = make_case(job.task, job.setting, truth, job.seed, masks)
    given = given_of(case, truth.size)
    before = rss.resident()
    if job.method == OURS:
        answer, told = _ours(job, case, truth)
    else:
        method = next((one for one in of_setting(job.task, job.setting) if one.name == job.method), None)
        if method is None:
            raise InvrError(f"there is no method {job.method!r} for {job.task} {job.setting}")
        began = time.perf_counter()
        pictures = method.answer(given)
        told = {"seconds": round(time.perf_counter() - began, 4), "version": version_of(method.library), "options": {}}
        shown = torch.from_numpy(pictures).permute(0, 3, 1, 2)
        answer = Video.of(shown, truth.times if case.judged is None else case.judged.times)
    memory = {"before_mib": _round(before), "peak_mib": _round(rss.peak())}
    answer.save(Path(job.answer))
    return {
        "fit_seconds": None,
        "render_seconds": None,
        "steps": None,
        **told,
        "memory": memory,
        "input": fingerprint(given),
        "times": answer.times.tolist(),
    }


def _ours(job: AnswerJob, case: Case, truth: Video) -> tuple[Video, Record]:
    """The installed task, with its defaults but for what the setting says."""
    kind = registry.get(job.task)
    options = dict(setting_of(job.task, job.setting).options)
    task = kind(kind.Config(**options))
    device = resolve(job.device)
    config = _length(job, task, case, truth)
    counted: list[int] = []
    began = time.perf_counter()
    result = run(task, case.source, fit_config=config, on_step=lambda progress: counted.append(progress.step))
    fitted = time.perf_counter() - began
    answer = _kept(result.video)
    seconds = time.perf_counter() - began
    if not job.quiet:
        print(f"ours: {fitted:.1f} s of fit, {seconds - fitted:.1f} s of rendering", file=sys.stderr, flush=True)
    told: Record = {
        "seconds": round(seconds, 4),
        "fit_seconds": round(fitted, 4),
        "render_seconds": round(seconds - fitted, 4),
        "steps": max(counted, default=0),
        "version": version_of("invr"),
        "options": options,
        "gpu_mib": _round(rss.peak_on(device)),
    }
    return answer, told


def _length(job: AnswerJob, task: Task[Any], case: Case, truth: Video) -> FitConfig:
    """The fit's length: as given, or what rendering leaves of `allowed`.

    How long rendering takes is told by a rehearsal, after a fit of one step; its time is not counted.
    """
    if job.budget is not None:
        steps = int(job.budget.amount) if job.budget.unit == "steps" else None
        minutes = job.budget.amount / 60 if job.budget.unit == "seconds" else None
        return FitConfig(steps, minutes, job.seed, job.device)
    whole = allowed(truth)
    video = run(renewed(task), case.source, fit_config=FitConfig(1, None, job.seed, job.device)).video
    count = min(PROBE, len(video))
    first = (len(video) - count) // 2
    clock = [time.perf_counter()]
    for index in range(first, first + count):
        video.read([index])
        clock.append(time.perf_counter())
    once, each = clock[min(2, count)] - clock[0], (clock[-1] - clock[0]) / count
    if count > 2:  # some tasks look at the whole clip before they show the first frame that is not given
        each = (clock[-1] - clock[2]) / (count - 2)
    rendering = once + each * (len(video) - min(2, count))
    return FitConfig(None, max(whole - rendering, LEAST_SHARE * whole) / 60, job.seed, job.device)


def allowed(truth: Video) -> float:
    """Seconds that an answer may take in all.

    Example:
        >>> allowed(Video.of(torch.zeros(4, 3, 160, 320)))
        3.0
    """
    return EACH_FRAME * len(truth) * math.prod(truth.size) / EACH_FRAME_PIXELS


def _kept(video: Video) -> Video:
    """Rendered once, 8 bits deep, in memory."""
    pictures = [torch.from_numpy(to_bytes(video.read([index]))).permute(0, 3, 1, 2) for index in range(len(video))]
    return Video.of(torch.cat(pictures), video.times)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
