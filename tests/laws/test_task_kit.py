"""The conformance kit of tasks: good ones pass every check, and each wrong one is caught by its own check alone."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from good_tasks import GOOD, Between, Fill
from torch import Tensor
from wrong_tasks import WRONG, FirstOnly, Keyed, Remembering, Wordy

from invr_core.observation import Observation
from invr_core.oracle import MovingDisc, PanningTexture
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.run import score
from invr_tasks.task import Source, Task
from invr_tasks.testing import TASK_CHECKS, TaskCheck, check_task, excused
from invr_tasks.testing.cases import SPAN, truth_of
from invr_tasks.testing.fair import nothing_of_the_truth_is_remembered, truth_never_reaches_the_fit

ROOT = Path(__file__).resolve().parents[2]


def failing(task: Task[Any], checks: tuple[TaskCheck, ...] = TASK_CHECKS) -> Iterator[str]:
    for check in checks:
        try:
            check(task)
        except AssertionError:
            yield check.__name__


@pytest.mark.parametrize("task", GOOD, ids=lambda task: f"{type(task).__name__} {task.config}")
def test_a_good_task_passes_every_check(task: Task[Any]) -> None:
    check_task(task)


@pytest.mark.parametrize(
    ("wrong", "check"), WRONG, ids=lambda value: value if isinstance(value, str) else value.__name__
)
def test_each_wrong_task_is_caught_by_its_own_check_alone(wrong: type[Task[Any]], check: str) -> None:
    """The check that begins a new process, which takes seconds, is left out for those that are wrong otherwise."""
    slow = nothing_of_the_truth_is_remembered
    checks = TASK_CHECKS if check == slow.__name__ else tuple(each for each in TASK_CHECKS if each is not slow)
    assert list(failing(wrong(), checks)) == [check]


@pytest.mark.parametrize("wrong", [FirstOnly, Keyed])
def test_what_a_task_keeps_in_itself_does_not_reach_what_is_scored(wrong: type[Fill]) -> None:
    """Where it is kept in the instance; what a class keeps, only the kit's new process does not know."""
    truth = truth_of(MovingDisc)
    found = score(wrong(), truth, rep=PanningTexture(truth.size, SPAN)).scores.psnr
    honest = score(Fill(), truth, rep=PanningTexture(truth.size, SPAN)).scores.psnr
    assert (found == honest) == (wrong is FirstOnly)


def test_a_class_within_a_function_is_compared_with_a_new_instance() -> None:
    class Within(Remembering):
        """Cannot be imported."""

    with pytest.raises(AssertionError, match="render: frames, by a new instance, after another truth: it remembers"):
        nothing_of_the_truth_is_remembered(Within())


def test_every_check_has_a_wrong_task() -> None:
    assert {check for _, check in WRONG} == {check.__name__ for check in TASK_CHECKS}


@pytest.mark.parametrize("hook", ["observe", "prior", "plan", "naive", "render", "forward"])
def test_a_look_at_the_truth_is_noticed_and_said_where(hook: str) -> None:
    class Curious(Between):
        truth: Video

        def simulate(self, truth: Video, generator: torch.Generator) -> Source:
            self.truth = truth
            return super().simulate(truth, generator)

        def look(self, name: str) -> None:
            if name == hook:
                self.truth.read([0])

        def observe(self, source: Source) -> Observation:
            self.look("observe")
            return Observation(source.video, forward=lambda clip, times: (self.look("forward"), clip(times))[1])

        def prior(self, rep: Representation, times: Tensor) -> Tensor:
            self.look("prior")
            return super().prior(rep, times)

        def plan(self, source: Source) -> Query:
            self.look("plan")
            return super().plan(source)

        def naive(self, source: Source) -> Video:
            return super().naive(source).map(lambda frames: (self.look("naive"), frames)[1])

        def render(self, rep: Representation, source: Source) -> Video:
            return super().render(rep, source).map(lambda frames: (self.look("render"), frames)[1])

    with pytest.raises(AssertionError, match=rf"the truth is read by [^;]*{hook}.*; only simulate and judged may"):
        truth_never_reaches_the_fit(Curious())


def test_an_exemption_leaves_its_check_out_and_must_be_needed() -> None:
    check_task(Wordy(), {"the_prior_is_one_number": "it is to be wrong here"})
    with pytest.raises(AssertionError, match=r"^Between fails 1 check.*\nthe_prior_is_one_number: exempt .*it passes"):
        check_task(Between(), {"the_prior_is_one_number": "a whim"})


def test_an_exemption_of_one_check_of_many_is_of_that_one() -> None:
    checks = excused(TASK_CHECKS, {"the_prior_is_one_number": "it is to be wrong here"})
    assert [check.__name__ for check in checks] == [check.__name__ for check in TASK_CHECKS]
    assert not list(failing(Wordy(), tuple(c for c in checks if c.__name__ == "the_prior_is_one_number")))
    assert list(failing(Between(), tuple(c for c in checks if "prior" in c.__name__))) == ["the_prior_is_one_number"]
    for wrong in ({"no_such_check": "a whim"}, {"the_prior_is_one_number": " "}):
        with pytest.raises(AssertionError, match=next(iter(wrong))):
            excused(TASK_CHECKS, wrong)


def test_the_page_lists_the_wrong_tasks_and_models() -> None:
    """If it does not: ``python docs/conformance.py``."""
    page = runpy.run_path(str(ROOT / "docs" / "conformance.py"))["page"]()
    assert (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8") == page


def test_a_source_that_is_none_says_so() -> None:
    class Empty(Fill):
        def simulate(self, truth: Video, generator: torch.Generator) -> Source:
            return truth  # type: ignore[return-value]

    check: TaskCheck = TASK_CHECKS[-1]
    with pytest.raises(AssertionError, match="simulate returns Video, expected a Source"):
        check(Empty())
