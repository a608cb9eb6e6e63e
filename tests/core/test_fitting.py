"""The training loop: its bytes, its budget, and what it tells of itself."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from invr_core import fitting
from invr_core.errors import BadInput, DeviceUnavailable, NotEnoughMemory
from invr_core.fitting import FitConfig, Progress, check_fit, fit
from invr_core.models.base import ModelConfig
from invr_core.models.cwrnn import CWRNN
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Observation
from invr_core.video import Video

MODELS: dict[str, ModelConfig] = {"cwrnn": CWRNN(params=24_000), "hnerv": HNeRV(strides=(2, 2), width=8.0, encoder=8)}


def test_a_video_that_is_no_observation_is_told_so(disc_clip: Video) -> None:
    with pytest.raises(BadInput, match=r"takes an Observation, got a Video; of a video give Observation\(video\)"):
        fit(disc_clip, MODELS["cwrnn"])  # type: ignore[arg-type]


# ------------------------------------------------------------------------------ bytes
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_the_same_seed_gives_the_same_file_and_another_does_not(
    model: ModelConfig, disc_clip: Video, tmp_path: Path
) -> None:
    files = {}
    for name, seed in (("one", 3), ("again", 3), ("other", 4)):
        torch.manual_seed(len(files))  # the global state is of no influence ...
        before = torch.get_rng_state()
        fit(Observation(disc_clip), model, FitConfig(steps=3, seed=seed, device="cpu")).save(tmp_path / f"{name}.invr")
        assert torch.equal(torch.get_rng_state(), before)  # ... and none is had on it
        files[name] = (tmp_path / f"{name}.invr").read_bytes()
    assert files["one"] == files["again"]
    assert files["one"] != files["other"]


def test_the_info_tells_how_it_was_made(toy: Any) -> None:
    info = fit(toy.clip(), toy.model, FitConfig(steps=4, seed=9, device="cpu")).info
    expected = {"seed": 9, "steps": 4, "parameters": 3, "interrupted": False, "device": "cpu"}
    assert {key: info[key] for key in expected} == expected
    assert info["torch"].startswith(torch.__version__.split("+")[0])


# ----------------------------------------------------------------------------- budget
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 3, "minutes": 1.0}, "steps or minutes, not both"),
        ({"steps": 0}, "steps must be a positive number, got 0"),
        ({"steps": -1}, "steps must be a positive number, got -1"),
        ({"minutes": 0.0}, "minutes must be a positive number, got 0"),
        ({"minutes": math.inf}, "minutes must be a positive number, got inf"),
        ({"minutes": math.nan}, "minutes must be a positive number, got nan"),
        ({"learning_rate": -1.0}, "learning_rate must be a positive number"),
        ({"batch": 0}, "batch must be a positive number"),
        ({"seed": 1 << 63}, "seed must be a whole number of 64 bits, got 9223372036854775808"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        FitConfig(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_steps_are_counted(toy: Any, steps: int) -> None:
    seen: list[Progress] = []
    fit(toy.clip(), toy.model, FitConfig(steps=steps, device="cpu"), on_step=seen.append)
    assert [p.step for p in seen] == list(range(1, steps + 1))
    assert {p.steps for p in seen} == {steps}


def test_without_a_budget_the_clip_and_the_recipe_decide(toy: Any) -> None:
    assert fit(toy.clip(frames=6), toy.model, FitConfig(device="cpu")).info["steps"] == 60
    assert (
        fit(toy.clip(frames=100), toy.model, FitConfig(device="cpu")).info["steps"] == 150
    )  # 3 epochs in batches of 2


class Clock:
    """Stands in for the clock of the fit; it stands still unless it is told to go on."""

    def __init__(self, toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.toy = 1000.0, toy
        monkeypatch.setattr(fitting.time, "monotonic", lambda: self.now)

    def each_step_takes(self, *seconds: float) -> None:
        durations = itertools.cycle(seconds)

        def before(network: Any) -> None:
            self.now += next(durations)

        self.toy.before(before)


@pytest.fixture
def clock(toy: Any, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(toy, monkeypatch)


@pytest.mark.parametrize(
    ("durations", "least"), [((1.0,), 59), ((7.0,), 8), ((0.5, 1.5), 58), ((25.0,), 2), ((61.0,), 1), ((500.0,), 1)]
)
def test_minutes_are_a_bound_that_is_used_well(
    toy: Any, clock: Clock, durations: tuple[float, ...], least: int
) -> None:
    clock.each_step_takes(*durations)
    seen: list[Progress] = []
    rep = fit(toy.clip(), toy.model, FitConfig(minutes=1.0, device="cpu"), on_step=seen.append)
    assert rep.info["steps"] >= least
    if least > 1:
        assert clock.now - 1000 <= 60 + max(durations) - min(durations)
    else:
        assert rep.info["steps"] == 1
    assert all(p.steps is None for p in seen)


@pytest.mark.parametrize(("begun", "whole"), [(30, 60), (58, 73), (300, 315)])
def test_a_long_start_counts_against_the_minutes_but_a_quarter_is_left_to_the_steps(
    toy: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch, begun: int, whole: int
) -> None:
    def start(network: Any, observation: Observation, generator: torch.Generator) -> None:
        clock.now += begun

    monkeypatch.setattr(toy.network, "start", start)
    clock.each_step_takes(1.0)
    fit(toy.clip(), toy.model, FitConfig(minutes=1.0, device="cpu"))
    assert whole - 5 <= clock.now - 1000 <= whole


def test_the_step_size_rises_and_falls_to_nothing_within_the_minutes(
    toy: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.each_step_takes(1.0)
    rates: list[float] = []
    adam_step = torch.optim.Adam.step

    def step(self: torch.optim.Adam, closure: None = None) -> object:
        rates.append(self.param_groups[0]["lr"])
        return adam_step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    fit(toy.clip(), toy.model, FitConfig(minutes=1.0, learning_rate=0.1, device="cpu"))
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.1, rel=0.01) and 3 <= top <= 9
    assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[0] < 0.02 and rates[-1] < 0.003


# --------------------------------------------------------------------------- progress
def test_progress_is_told_after_each_step(toy: Any, clock: Clock) -> None:
    clock.each_step_takes(2.0)
    seen: list[Progress] = []
    rep = fit(toy.clip(), toy.model, FitConfig(steps=40, device="cpu"), on_step=seen.append)
    assert [p.seconds for p in seen] == pytest.approx([2.0 * n for n in range(1, 41)])
    assert [p.remaining for p in seen] == pytest.approx([80 - 2.0 * n for n in range(1, 41)])
    assert all(p.note == "" and math.isfinite(p.loss) for p in seen)
    assert seen[-1].psnr > seen[0].psnr + 5 and seen[-1].loss < seen[0].loss
    assert rep.info["psnr"] == pytest.approx(seen[-1].psnr, abs=1e-3)


def test_the_psnr_is_that_of_the_given_frames(toy: Any, clock: Clock) -> None:
    seen: list[Progress] = []
    toy.before(lambda network: network.colour.data.fill_(0.6))
    fit(toy.clip(0.5), toy.model, FitConfig(steps=3, learning_rate=1e-9, device="cpu"), on_step=seen.append)
    assert [p.psnr for p in seen] == pytest.approx([20.0] * 3, abs=0.01)


def test_time_left_counts_down_to_the_bound(toy: Any, clock: Clock) -> None:
    clock.each_step_takes(2.0)
    seen: list[Progress] = []
    fit(toy.clip(), toy.model, FitConfig(minutes=1.0, device="cpu"), on_step=seen.append)
    assert all(p.seconds + p.remaining == pytest.approx(60) for p in seen)


def test_what_a_fit_would_refuse_can_be_refused_without_it() -> None:
    hidden = Video.of(torch.zeros(4, 1, 8, 12))
    frames = Video.of(torch.rand(4, 3, 8, 12))
    check_fit(Observation(frames), CWRNN(), FitConfig(device="cpu"))
    check_fit(Observation(frames), CWRNN())
    with pytest.raises(DeviceUnavailable):
        check_fit(Observation(frames), CWRNN(), FitConfig(device="tpu"))
    for observation, model, message in (
        (Observation(frames, weight=hidden), CWRNN(), "weight is 0 everywhere"),
        (Observation(frames), CWRNN(params=5), "too few for this clip"),
    ):
        with pytest.raises(BadInput, match=message):
            check_fit(observation, model, FitConfig(device="cpu"))


@pytest.mark.parametrize("cause", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_a_step_that_does_not_fit_in_memory_is_told_so(
    toy: Any, monkeypatch: pytest.MonkeyPatch, cause: Exception
) -> None:
    def step(*given: Any) -> None:
        raise cause

    monkeypatch.setattr(fitting.Loop, "step", step)
    with pytest.raises(NotEnoughMemory, match="fewer frames a step"):
        fit(toy.clip(), toy.model, FitConfig(steps=2, device="cpu"))
