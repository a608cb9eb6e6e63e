"""What makes scores worth something: no leak of the truth, the same bytes again, and nothing spoilt on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from invr_core.checking import expect, expect_equal
from invr_core.oracle import MovingDisc, PanningTexture
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.metrics import TOLERANCE
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
    some,
    truth_of,
    watched,
)

Stage = Callable[[str], None]


def truth_never_reaches_the_fit(task: Task[Any]) -> None:
    """Once source and judged are made, nothing reads the truth, and nothing remembers it.

    The truth tells of every reading. What a task kept of it shows when it has met another truth since: what it makes of
    the first source must be the same as before.
    """
    stage, leaks = ["simulate"], []
    truth = watched(truth_of(MovingDisc), lambda indices: leaks.append(stage[0]))
    source = sealed(task.simulate(truth, generator(0)))
    _judge(task, source, truth)
    leaks.clear()
    stage[0] = "observe"
    rep = MovingDisc(task.observe(source).clip_size, SPAN)
    with global_seed(0):
        before = _everything(task, source, rep, lambda name: stage.__setitem__(0, name))
    expect(not leaks, f"the truth is read by {', '.join(dict.fromkeys(leaks))}; only simulate and judged may")
    other = truth_of(PanningTexture)
    _judge(task, sealed(task.simulate(other, generator(1))), other)
    with global_seed(0):
        after = _everything(task, source, rep)
    for name, value in before.items():
        expect_equal(after[name], value, f"{name}, before and after another truth was simulated from: it remembers")


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
            found.append(_everything(task, case.source, rep))
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
    _everything(task, source, rep)
    changed = sorted({name for name, tensor, before in handed if not torch.equal(tensor, before)})
    expect(not changed, f"changed in place: {', '.join(changed)}; work on a copy")


def _judge(task: Task[Any], source: Source, truth: Video) -> None:
    judged = task.judged(source, truth)
    if judged is not None:
        in_memory(judged)


def _everything(
    task: Task[Any], source: Source, rep: Representation, enter: Stage = lambda name: None
) -> dict[str, Tensor]:
    """All that a task makes of a source, by name; ``enter`` is told which hook comes next."""
    found: dict[str, Tensor] = {}
    enter("observe")
    observation = task.observe(source)
    indices = some(observation.video)
    times = observation.video.times[indices]
    given = observation.video.read(indices)
    found["observe: the video"] = given
    if observation.weight is not None:
        found["observe: the weight"] = observation.weight.read(indices)
    enter("the observation's forward or distance")
    seen = observation.forward(lambda instants: rep(Query(instants)), times)
    found["observe: forward"] = seen
    found["observe: distance"] = observation.distance(seen, given)
    enter("prior")
    found["prior"] = task.prior(rep, times).detach()
    enter("plan")
    found["plan: times"] = task.plan(source).times
    for name, make in (("naive", task.naive), ("render", lambda source: task.render(rep, source))):
        enter(name)
        video = make(source)
        found[f"{name}: times"], found[f"{name}: frames"] = video.times, video.read(some(video))
    return found
