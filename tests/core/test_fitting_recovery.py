"""How a fit ends when something goes wrong: numbers that are not finite, and Ctrl-C."""

from __future__ import annotations

import itertools
import math
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invr_core.errors import InvrError, NotEnoughMemory
from invr_core.fitted import Fitted
from invr_core.fitting import FitConfig, Progress, fit
from invr_core.loop import RECOVERIES, SNAPSHOT_EVERY
from invr_core.models.cwrnn import CWRNN
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.video import Video


# --------------------------------------------------------------------------- recovery
def wrong_at(*calls: int) -> Callable[[Any], None]:
    """The network is spoilt when it is rendered for the n-th time."""
    counter = itertools.count(1)

    def before(network: Any) -> None:
        if next(counter) in calls:
            network.colour.data.fill_(math.nan)

    return before


def test_a_loss_that_is_not_finite_goes_back_to_the_last_good_state_and_says_so(toy: Any) -> None:
    toy.before(wrong_at(SNAPSHOT_EVERY + 10, SNAPSHOT_EVERY + 20))
    seen: list[Progress] = []
    rep = fit(toy.clip(0.3), toy.model, FitConfig(steps=80, device="cpu"), on_step=seen.append)
    notes = {p.step: p.note for p in seen if p.note}
    assert list(notes) == [SNAPSHOT_EVERY + 10, SNAPSHOT_EVERY + 20]
    assert "1 of 5" in notes[SNAPSHOT_EVERY + 10] and "2 of 5" in notes[SNAPSHOT_EVERY + 20]
    assert [math.isfinite(p.loss) for p in seen].count(False) == 2
    assert len(seen) == 80 and all(math.isfinite(p.psnr) for p in seen)
    assert toy.colour(rep).tolist() == pytest.approx([0.3] * 3, abs=0.02)


def test_it_goes_back_and_not_to_the_beginning(toy: Any) -> None:
    toy.before(wrong_at(2 * SNAPSHOT_EVERY + 5))
    seen: list[Progress] = []
    fit(toy.clip(0.1), toy.model, FitConfig(steps=3 * SNAPSHOT_EVERY, device="cpu"), on_step=seen.append)
    after = seen[2 * SNAPSHOT_EVERY + 5].loss
    assert after == pytest.approx(seen[2 * SNAPSHOT_EVERY].loss, rel=0.5)
    assert after < 0.1 * seen[0].loss


def test_a_state_counts_as_good_only_once_it_has_rendered_something_finite(
    toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step that spoils the parameters falls on one at which a state is kept."""
    adam_step, counter = torch.optim.Adam.step, itertools.count()

    def step(self: torch.optim.Adam, closure: None = None) -> object:
        result = adam_step(self, closure)
        if next(counter) == SNAPSHOT_EVERY:
            self.param_groups[0]["params"][0].data.fill_(math.inf)
        return result

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    seen: list[Progress] = []
    rep = fit(toy.clip(0.3), toy.model, FitConfig(steps=60, device="cpu"), on_step=seen.append)
    assert [p.step for p in seen if p.note] == [SNAPSHOT_EVERY + 2]
    assert toy.colour(rep).tolist() == pytest.approx([0.3] * 3, abs=0.02)


def test_what_is_returned_is_finite_even_if_the_last_step_was_wrong(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    adam_step, counter = torch.optim.Adam.step, itertools.count(1)

    def step(self: torch.optim.Adam, closure: None = None) -> object:
        result = adam_step(self, closure)
        if next(counter) == 10:
            self.param_groups[0]["params"][0].data.fill_(math.nan)
        return result

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    assert bool(torch.isfinite(toy.colour(fit(toy.clip(), toy.model, FitConfig(steps=10, device="cpu")))).all())


def test_it_gives_up_after_several_recoveries(toy: Any) -> None:
    toy.before(wrong_at(*range(5, 100)))
    seen: list[Progress] = []
    with pytest.raises(InvrError, match=f"not finite after {RECOVERIES} recoveries; give a smaller"):
        fit(toy.clip(), toy.model, FitConfig(steps=80, device="cpu"), on_step=seen.append)
    assert len([p for p in seen if p.note]) == RECOVERIES


def test_a_gradient_that_is_not_finite_is_recovered_from_too(toy: Any) -> None:
    def distance(prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - prediction.detach()).sqrt() + 0.1  # finite, with an infinite slope

    seen: list[Progress] = []
    observation = Observation(toy.clip().video, distance=distance)
    with pytest.raises(InvrError, match="slope is not finite"):
        fit(observation, toy.model, FitConfig(steps=9, device="cpu"), on_step=seen.append)
    assert all(math.isfinite(p.loss) for p in seen) and seen[0].note


# ----------------------------------------------------------------------------- Ctrl-C
def test_ctrl_c_ends_the_fit_after_its_step_with_what_there_is(disc_clip: Video, tmp_path: Path) -> None:
    def on_step(progress: Progress) -> None:
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    rep = fit(Observation(disc_clip), CWRNN(params=24_000), FitConfig(steps=500, device="cpu"), on_step=on_step)
    assert signal.getsignal(signal.SIGINT) is before
    assert rep.info["interrupted"] is True and rep.info["steps"] == 2
    assert not rep.network.training and not any(p.requires_grad for p in rep.network.parameters())
    assert bool(torch.isfinite(rep(Query(disc_clip.times))).all())
    rep.save(tmp_path / "stopped.invr")


def test_ctrl_c_before_the_first_step_ends_the_fit_with_what_it_begins_with(
    toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy.network, "start", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    rep = fit(toy.clip(), toy.model, FitConfig(steps=500, device="cpu"))
    assert rep.info["interrupted"] is True and rep.info["steps"] == 0


def test_no_memory_before_the_first_step_says_so(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(toy.network, "start", start)
    with pytest.raises(NotEnoughMemory, match="does not fit in memory"):
        fit(toy.clip(), toy.model, FitConfig(steps=1, device="cpu"))


def test_a_second_ctrl_c_interrupts_as_ever(toy: Any) -> None:
    def on_step(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(toy.clip(), toy.model, FitConfig(steps=500, device="cpu"), on_step=on_step)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_handler_is_put_back_after_an_error(toy: Any) -> None:
    def on_step(progress: Progress) -> None:
        raise RuntimeError("no more")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="no more"):
        fit(toy.clip(), toy.model, FitConfig(steps=5, device="cpu"), on_step=on_step)
    assert signal.getsignal(signal.SIGINT) is before


def test_whoever_ignores_ctrl_c_goes_on_doing_so(toy: Any) -> None:
    """As a job does that a shell has put into the background."""

    def on_step(progress: Progress) -> None:
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        info = fit(toy.clip(), toy.model, FitConfig(steps=5, device="cpu"), on_step=on_step).info
    finally:
        signal.signal(signal.SIGINT, before)
    assert info["steps"] == 5 and info["interrupted"] is False


def test_a_fit_in_another_thread_leaves_signals_alone(toy: Any) -> None:
    reps: list[Fitted] = []
    thread = threading.Thread(target=lambda: reps.append(fit(toy.clip(), toy.model, FitConfig(steps=3, device="cpu"))))
    thread.start()
    thread.join()
    assert reps[0].info["steps"] == 3 and reps[0].info["interrupted"] is False
