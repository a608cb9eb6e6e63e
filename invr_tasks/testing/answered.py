"""What a task answers: planned, rendered and judged, by a representation that knows the truth."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from invr_core.checking import expect, expect_equal
from invr_core.errors import InvrError
from invr_core.oracle import ORACLES
from invr_core.video import Video
from invr_tasks.metrics import TOLERANCE, compare
from invr_tasks.run import accept, prepare
from invr_tasks.task import Source, Task
from invr_tasks.testing.cases import Case, WatchedRep, expect_frames, fitted, global_seed, simulated, some, watched


def the_plan_is_sound(task: Task[Any]) -> None:
    """The plan increases in time, lies within the clip that is fitted, and asks for a part that `needs` names."""
    case = simulated(task)
    try:
        job = prepare(task, case.source)
        accept(task, job, fitted(case, job.observation))
    except InvrError as cause:
        raise AssertionError(f"what is simulated is refused: {cause}") from cause
    expect(job.query.part in task.needs, f"the plan shows the part {job.query.part!r}, `needs` is {sorted(task.needs)}")


def the_answer_is_sound(task: Task[Any]) -> None:
    """The answer, and the naive one, have the plan's times and size, three channels, and values in [0, 1]."""
    case = simulated(task)
    plan = task.plan(case.source)
    size = plan.size or task.observe(case.source).clip_size
    if plan.region is not None:
        rows, columns = plan.region.slices(size)
        size = (rows.stop - rows.start, columns.stop - columns.start)
    for name, video in _answers(task, case).items():
        expect_equal(video.times, plan.times, f"the times of {name} and of the plan")
        expect(video.size == size, f"{name} is of size {video.size}, the plan of {size}")
        expect(video.channels == 3, f"{name} has {video.channels} channels, expected 3")
        expect_frames(video.frames(), (len(video), 3, *size), name)


def the_answer_is_lazy(task: Task[Any]) -> None:
    """`render` returns at once: until the answer is read, few of its frames are made, and not all given ones read."""
    case = simulated(task)
    asked: set[float] = set()
    seen: set[int] = set()
    source = Source(watched(case.source.video, seen.update), case.source.extras)
    rep = WatchedRep(fitted(case, task.observe(case.source)), on_ask=lambda times: asked.update(times.tolist()))
    shown, given = len(task.render(rep, source)), len(source.video)
    expect(
        2 * len(asked) < shown or shown == 1,
        f"render asks the representation for {len(asked)} instants, of {shown} that it shows, before the answer is "
        "read; do so in the video's `read`",
    )
    expect(len(seen) < given or given == 1, f"render reads all {given} given frames before the answer is read")


def any_order_gives_the_same_frames(task: Task[Any]) -> None:
    """Frames of the answer, and of the naive one, are the same to the bit in any order, together and alone."""
    case = simulated(task)
    with global_seed(0):
        first = _answers(task, case)
    with global_seed(0):
        again = _answers(task, case)
    for name, video in first.items():
        order = [*reversed(some(video)), 0]
        singles = torch.cat([again[name].read([index]) for index in order])
        expect_equal(video.read(order), singles, f"{name}, in any order")


def the_confidence_is_sound(task: Task[Any]) -> None:
    """Where `with_confidence` gives one: the answer to the bit and a fourth channel in [0, 1], the same each time."""
    case = simulated(task)
    rep = fitted(case, task.observe(case.source))
    found = []
    for seed in range(2):
        with global_seed(seed):
            both = task.with_confidence(rep, case.source)
            if both is None:
                return
            found.append((both, both.read(some(both))))
    both, frames = found[0]
    answer = task.render(rep, case.source)
    expect_equal(both.times, answer.times, "the times of the answer with its confidence and of the answer")
    expect(
        (both.size, both.channels) == (answer.size, 4),
        f"with_confidence gives {both.channels} channels of {both.size}, expected 4 of {answer.size}",
    )
    expect_frames(frames, (len(frames), 4, *answer.size), "the answer with its confidence")
    expect_equal(frames[:, :3], answer.read(some(answer)), "the first three channels of with_confidence and the answer")
    expect_equal(found[1][1], frames, "the answer with its confidence, made twice")


def what_is_judged_is_sound(task: Task[Any]) -> None:
    """Scores count at instants that are both true and shown, with weights in [0, 1] for each pixel of the truth."""
    case = simulated(task)
    judged = task.judged(case.source, case.truth)
    shown = task.plan(case.source).times
    if judged is None:
        expect(_among(case.truth.times, shown), "judged is None, but the plan does not show all instants of the truth")
        return
    expect(_among(judged.times, case.truth.times), "an instant is judged at which there is no true frame")
    expect(_among(judged.times, shown), "an instant is judged that the plan does not show")
    frames = judged.frames()
    expect_frames(frames, (len(judged), 1, *case.truth.size), "judged")
    expect(bool((frames > 0).any()), "judged is 0 everywhere: nothing is judged")


def the_answer_beats_the_naive_one(task: Task[Any]) -> None:
    """With a representation that knows the truth, the answer is closer to it than the naive one, on every oracle."""
    for kind in ORACLES:
        case = simulated(task, kind)
        judged = task.judged(case.source, case.truth)
        ours, naive = (compare(video, case.truth, judged).psnr for video in _answers(task, case).values())
        expect(ours > naive, f"{kind.__name__}: the answer reaches {ours:.2f} dB, the naive one {naive:.2f} dB")


def _answers(task: Task[Any], case: Case) -> dict[str, Video]:
    """The task's own, then the naive one."""
    answer = task.render(fitted(case, task.observe(case.source)), case.source)
    return {"the answer": answer, "the naive answer": task.naive(case.source)}


def _among(times: Tensor, others: Tensor) -> bool:
    return bool(((times[:, None] - others).abs().min(1).values < TOLERANCE).all())
