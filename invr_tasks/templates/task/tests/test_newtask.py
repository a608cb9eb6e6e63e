"""The contract of every task, and what is special to this one: on clips that need no fit."""

from __future__ import annotations

import pytest
import torch
from invr_newtask import NewTask, NewTaskConfig

from invr_core import Query, Video
from invr_core.errors import BadInput
from invr_core.testing import MovingDisc
from invr_tasks import registry
from invr_tasks.run import score
from invr_tasks.testing import TASK_CHECKS, TaskCheck

torch.set_num_threads(1)  # small clips: threads would wait for each other


@pytest.mark.parametrize("sigma", [1.0, 2.5])
@pytest.mark.parametrize("check", TASK_CHECKS, ids=lambda check: check.__name__)
def test_the_contract_of_a_task_is_kept(check: TaskCheck, sigma: float) -> None:
    check(NewTask(NewTaskConfig(sigma)))


def test_invr_finds_it_by_its_name() -> None:
    assert registry.get("newtask") is NewTask


def test_a_perfect_fit_gives_the_sharp_clip_back() -> None:
    times = torch.linspace(0, 1, 5, dtype=torch.float64)
    disc = MovingDisc((36, 48))
    scored = score(NewTask(), Video.of(disc(Query(times)), times), rep=disc)
    assert scored.scores.psnr > scored.naive.psnr + 20


@pytest.mark.parametrize("sigma", [0.0, -1.0, 5.5, float("nan"), float("inf")])
def test_a_lens_that_cannot_be_is_refused(sigma: float) -> None:
    with pytest.raises(BadInput, match=r"sigma must be from 0\.3 to 5 pixels"):
        NewTaskConfig(sigma)
