"""What makes scores worth something: no leak of the truth, the same bytes again, and nothing spoilt on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from invr_core.checking import expect, expect_close, expect_equal
from invr_core.oracle import MovingDisc, PanningTexture
from invr_core.video import Video
from invr_tasks.metrics import TOLERANCE
from invr_tasks.run import renewed
from invr_tasks.task import Source, Task
from invr_tasks.testing.cases import (
    SIZE,
    SPAN,
    WatchedRep,
    each,
    fitted,
    generator,
    global_seed,
    in_memory,
    sealed,
    simulated,
    truth_of,
    watched,
)
from invr_tasks.testing.made import can_be_imported, everything, from_the_source, in_a_new_process


def truth_never_reaches_the_fit(task: Task[Any]) -> None:
    """Once source and judged are made, nothing reads the truth, which tells of every reading."""
    stage, leaks = ["simulate"], []
    truth = watched(truth_of(MovingDisc), lambda indices: leaks.append(stage[0]))
    source = sealed(task.simulate(truth, generator(0)))
    _judge(task, source, truth)
    leaks.clear()
    stage[0] = "observe"
    rep = MovingDisc(task.observe(source).clip_size, SPAN)
    everything(task, source, rep, lambda name: stage.__setitem__(0, name))
    expect(not leaks, f"the truth is read by {', '.join(dict.fromkeys(leaks))}; only simulate and judged may")


def nothing_of_the_truth_is_remembered(task: Task[Any]) -> None:
    """A new process that gets the source, and never met a truth, makes the same of it.

    A class that a new process could not import is compared, here, with a new instance that has met another truth.
    """
    truth, other = truth_of(MovingDisc), truth_of(PanningTexture)
    source = sealed(task.simulate(truth, generator(0)))
    _judge(task, source, truth)
    made = from_the_source(task, source)
    if can_be_imported(type(task)):
        again, where = in_a_new_process(task, source), "in a new process"
    else:
        newer = renewed(task)
        _judge(newer, sealed(newer.simulate(other, generator(1))), other)
        again, where = from_the_source(newer, source), "by a new instance, after another truth"
    for name, value in made.items():
        expect_close(again[name], value, f"{name}, {where}: it remembers the truth")


def what_is_judged_was_not_given(task: Task[Any]) -> None:
    """No frame that is judged is among the inputs, bit for bit in all its judged pixels."""
    case = simulated(task)
    judged = task.judged(case.source, case.truth)
    times = case.truth.times if judged is None else judged.times
    for name, video in {"video": case.source.video, **case.source.extras}.items():
        if (video.size, video.channels) != (case.truth.size, case.truth.channels):
            continue
        for place, time in enumerate(times):
            given, true = (int((each.times - time).abs().argmin()) for each in (video, case.truth))
            if float((video.times[given] - time).abs()) > TOLERANCE:
                continue
            counts = torch.ones(1, 1, *SIZE) if judged is None else judged.read([place])
            same = (video.read([given]) == case.truth.read([true])) | (counts == 0)
            expect(
                not (bool((counts > 0).any()) and bool(same.all())),
                f"the {name} holds what is judged at {float(time):g} s; `judged` must leave out what is given",
            )


def the_same_source_gives_the_same_bytes(task: Task[Any]) -> None:
    """Observed, planned, rendered and naively answered twice: the same bytes, whatever the global seeds are."""
    case = simulated(task)
    rep = fitted(case, task.observe(case.source))
    found = []
    for seed in range(2):
        with global_seed(seed):
            found.append(everything(task, case.source, rep))
    for name, value in found[0].items():
        expect_equal(found[1][name], value, f"{name}, made twice")


def the_same_seed_gives_the_same_source(task: Task[Any]) -> None:
    """Simulated twice with one seed: the same bytes, whatever the global seeds are."""
    truth, found = truth_of(MovingDisc), []
    for seed in range(2):
        with global_seed(seed):
            source = sealed(task.simulate(truth, generator(7)))
            judged = task.judged(source, truth)
            videos = {"video": source.video, **source.extras, **({} if judged is None else {"judged": judged})}
            found.append({name: (video.times, video.frames()) for name, video in videos.items()})
    expect(found[0].keys() == found[1].keys(), f"simulated twice: {sorted(found[0])} and {sorted(found[1])}")
    for name, (times, frames) in found[0].items():
        expect_equal(found[1][name][0], times, f"the times of {name}, simulated twice")
        expect_equal(found[1][name][1], frames, f"the {name}, simulated twice with the same seed")


def inputs_are_left_alone(task: Task[Any]) -> None:
    """No tensor that is handed to the task is changed in place: frames, times, pictures, motion."""
    handed: list[tuple[str, Tensor, Tensor]] = []

    def keep(name: str) -> Callable[[Tensor], None]:
        return lambda tensor: handed.append((name, tensor, tensor.clone()))

    def kept(name: str) -> Callable[[Video], Video]:
        def keeping(video: Video) -> Video:
            keep(f"the times of {name}")(video.times)
            return watched(video, lambda indices: None, keep(name))

        return keeping

    truth = kept("the truth")(truth_of(MovingDisc))
    source = each(sealed(task.simulate(truth, generator(0))), kept("the source"))
    _judge(task, source, truth)
    rep = WatchedRep(MovingDisc(task.observe(source).clip_size, SPAN), on_answer=keep("what the representation shows"))
    everything(task, source, rep)
    changed = sorted({name for name, tensor, before in handed if not torch.equal(tensor, before)})
    expect(not changed, f"changed in place: {', '.join(changed)}; work on a copy")


def _judge(task: Task[Any], source: Source, truth: Video) -> None:
    judged = task.judged(source, truth)
    if judged is not None:
        in_memory(judged)
