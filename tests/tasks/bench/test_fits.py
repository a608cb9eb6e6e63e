"""One fit, measured: every number of its record is what it says it is."""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from invr_core.errors import BadInput
from invr_core.fitting import Progress
from invr_core.io import open_video
from invr_core.observation import squared
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.storage import load
from invr_core.video import Video
from invr_tasks.bench import fits, rss
from invr_tasks.bench.fits import Watch, frame_psnrs, moments, run_fit, spread_out
from invr_tasks.bench.jobs import Budget, Job

Make = Callable[..., Job]
models = pytest.mark.parametrize("model", ["cwrnn", "hnerv"])


def by_hand(rep: Representation, clip: Video, indices: list[int]) -> list[float]:
    """PSNR of 8-bit frames in plain numpy."""
    found = []
    for i in indices:
        shown, true = (
            np.rint(255 * x.clamp(0, 1).double().numpy()) for x in (rep(Query(clip.times[i : i + 1])), clip.read([i]))
        )
        found.append(10 * float(np.log10(255**2 / np.mean((shown - true) ** 2))))
    return found


# ------------------------------------------------------------------------------ quality
@models
def test_the_psnr_is_that_of_the_stored_clip_on_all_frames(fit_once: Any, model: str) -> None:
    job, record = fit_once(model)
    rep, clip = load(str(job.rep)), open_video(job.clip)
    scores = by_hand(rep, clip, list(range(9)))
    assert record["psnr"] == pytest.approx(np.mean(scores), abs=1e-3)
    assert record["psnr_worst_frame"] == pytest.approx(min(scores), abs=1e-3)
    assert record["curve_frames"] == {"psnr": [1, 4, 7]}
    assert record["curve"][-1]["psnr"] == pytest.approx(np.mean([scores[i] for i in (1, 4, 7)]), abs=1e-3)
    assert (record["psnr_unseen"], record["psnr_unseen_worst_frame"]) == (None, None)
    assert json.loads(json.dumps(record)) is not None


@models
def test_unseen_frames_are_scored_and_never_given(fit_once: Any, model: str) -> None:
    job, record = fit_once(model, "even")
    rep, clip = load(str(job.rep)), open_video(job.clip)
    assert list(rep.geometry.times) == clip.times[::2].tolist()
    assert record["psnr"] == pytest.approx(np.mean(by_hand(rep, clip, [0, 2, 4, 6, 8])), abs=1e-3)
    unseen = by_hand(rep, clip, [1, 3, 5, 7])
    assert record["psnr_unseen"] == pytest.approx(np.mean(unseen), abs=1e-3)
    assert record["psnr_unseen_worst_frame"] == pytest.approx(min(unseen), abs=1e-3)
    assert all("psnr_unseen" in point for point in record["curve"])


def test_a_network_that_shows_no_numbers_gets_a_low_psnr(disc_file: Path) -> None:
    clip = open_video(disc_file)

    class Broken:
        def __call__(self, query: Query) -> torch.Tensor:
            return torch.full((1, 3, 16, 24), float("nan"))

    assert all(0 < score < 20 for score in frame_psnrs(Broken(), clip, [0, 1]))  # type: ignore[arg-type]


# ---------------------------------------------------------------------- against time
@models
def test_the_curve_goes_on_in_steps_epochs_and_seconds_to_the_end(fit_once: Any, model: str) -> None:
    _, record = fit_once(model)
    curve, per_epoch = record["curve"], 9 / record["batch"]
    steps = [point["step"] for point in curve]
    assert steps == [1, 2, 4, 6] and record["steps"] == 6
    assert [point["epoch"] for point in curve] == pytest.approx([step / per_epoch for step in steps], abs=1e-3)
    seconds = [point["seconds"] for point in curve]
    assert seconds == sorted(seconds) and seconds[-1] == record["seconds"] > record["setup_seconds"] > 0
    assert record["epochs"] == curve[-1]["epoch"]
    assert record["cpu_seconds"] > 0


def test_the_start_counts_and_the_looks_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(fits.time, "monotonic", lambda: now[0])
    watch = Watch({}, [5.0, 5.5, 9.0], True, 3.0, "", True)
    looked: list[float] = []
    monkeypatch.setattr(watch, "look", lambda rep: looked.append(watch.seconds))
    for real, told in ((105.0, 2.0), (150.0, 4.0), (200.0, 6.5)):
        now[0] = real
        watch(Progress(1, None, told, 0.0, 0.0, 0.0, "", live=lambda: None))  # type: ignore[arg-type, return-value]
    assert watch.setup == 3.0
    assert watch.seconds == 9.5
    assert looked == [5.0, 7.0, 9.5]


def test_moments_are_even_by_their_logarithm() -> None:
    steps = moments(Budget("epochs", 300), 10_000, 9)
    assert steps[0] == 1 and steps == sorted(set(steps)) and steps[-1] < 10_000
    assert all(b / a == pytest.approx(10 ** (4 / 9), rel=0.3) for a, b in pairwise(steps))
    seconds = moments(Budget("seconds", 180), None, 24)
    assert len(seconds) == 24 and seconds[0] == pytest.approx(0.9) and seconds[-1] < 180
    assert moments(Budget("steps", 1), 1, 24) == [] and moments(Budget("steps", 9), 9, 0) == []


def test_the_watched_frames_are_spread_out() -> None:
    assert spread_out(8, 64) == [4, 12, 20, 28, 36, 44, 52, 60]
    assert spread_out(8, 5) == [0, 1, 2, 3, 4]


# --------------------------------------------------------------------------- budgets
def test_equal_seconds_are_the_same_limit_for_every_model(make_job: Make) -> None:
    budget = Budget("seconds", 180)
    configs = [make_job(model, budget=budget).fit_config(9) for model in ("cwrnn", "hnerv")]
    assert [(config.minutes, config.steps) for config in configs] == [(3.0, None)] * 2


def test_equal_epochs_are_as_many_passes_for_every_batch(make_job: Make) -> None:
    for batch, steps in ((2, 225), (4, 113), (100, 50)):
        job = make_job("hnerv", budget=Budget("epochs", 50), options={"batch": batch})
        assert job.fit_config(9).steps == steps


@pytest.mark.parametrize(("unit", "amount"), [("seconds", 0), ("epochs", -1), ("steps", 1.5), ("steps", float("nan"))])
def test_a_budget_that_cannot_be_is_refused(unit: str, amount: float) -> None:
    with pytest.raises(BadInput, match=f"--{unit} must be a positive"):
        Budget(unit, amount)


# ---------------------------------------------------------------- what was asked for
def test_options_reach_model_and_fit(make_job: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    fit = fits.fit
    monkeypatch.setattr(fits, "fit", lambda *given, **named: calls.append(given) or fit(*given, **named))
    options = {"channels": 8, "learning_rate": 3e-3, "batch": 3, "loss": "squared"}
    record = run_fit(make_job(options=options, seed=5))
    observation, _, config = calls[0]
    assert observation.distance is squared
    assert (config.learning_rate, config.batch, config.seed, config.steps) == (3e-3, 3, 5, 6)
    assert record["config"]["channels"] == 8 and record["options"] == options
    assert (record["batch"], record["loss"], record["seed"]) == (3, "squared", 5)


@models
def test_the_parameters_are_counted(fit_once: Any, model: str) -> None:
    job, record = fit_once(model)
    stored = sum(value.numel() for value in load(str(job.rep)).network.state_dict().values())
    assert record["parameters"] == stored == pytest.approx(record["params"], rel=0.02)


def test_all_have_the_published_loss_of_the_peer(make_job: Make) -> None:
    assert {make_job(model).loss() for model in ("hnerv", "cwrnn")} == {"squared"}


def test_a_job_travels_as_json(make_job: Make) -> None:
    job = make_job("hnerv", variant="x", given="even")
    again = Job.from_dict(json.loads(json.dumps(job.as_dict())))
    assert again.config() == job.config() and again.config().strides == (2, 2)  # type: ignore[attr-defined]
    assert again.budget == job.budget and again.title() == job.title()


STRANGER = """
from dataclasses import dataclass
from typing import ClassVar
import torch
from invr_core.models.base import ModelConfig, Network, Recipe

class Flat(Network):
    def __init__(self, size):
        super().__init__()
        self.size, self.colour = size, torch.nn.Parameter(torch.full((3,), 0.5))
    def forward(self, times, part="full"):
        return self.colour.view(1, 3, 1, 1).expand(len(times), 3, *self.size)

@dataclass(frozen=True)
class FlatConfig(ModelConfig):
    name: ClassVar[str] = "strangers-flat"
    recipe: ClassVar[Recipe] = Recipe(0.05, 2, 0.1, (3, 30))
    params: int = 3
    def solve(self, geometry):
        return self
    def build(self, geometry):
        return Flat(geometry.size)
"""


def test_a_strangers_model_is_measured_in_the_same_way(make_job: Make, install: Callable[..., Path]) -> None:
    entries = {"strangers-flat": "strangers_flat:FlatConfig"}
    install("stranger", entries, {"strangers_flat": STRANGER}, group="invr.models")
    job = make_job("cwrnn")
    record = run_fit(Job(**{**job.as_dict(), "budget": job.budget, "model": "strangers-flat", "params": 3}))
    assert record["parameters"] == 3
    assert record["psnr"] > record["curve"][0]["psnr"] - 1 and record["config"] == {"params": 3}


# ---------------------------------------------------------------------------- memory
def test_memory_is_told_before_and_at_its_peak(fit_once: Any) -> None:
    memory = fit_once("cwrnn")[1]["memory"]
    assert memory["peak_mib"] >= memory["before_mib"] > 50
    assert memory["peak_mib"] >= memory["anonymous_mib"] > 0
    assert memory["gpu_mib"] is None


def test_the_peak_rises_with_what_is_taken_and_stays() -> None:
    now = rss.resident()
    if now is None:
        pytest.skip("no /proc here")
    mib = round(rss.peak() - now) + 64
    held = np.frombuffer(
        mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8
    )  # fresh pages, not what was freed before
    held[:] = 1
    risen = rss.peak()
    assert risen >= now + mib - 8
    del held
    assert rss.peak() >= risen - 8  # the kernel counts in batches
