"""Looking at a fit while it runs: what is seen, and that nothing comes of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invr_core import fitting
from invr_core.errors import Unsupported
from invr_core.fitted import Fitted
from invr_core.fitting import FitConfig, Progress, fit
from invr_core.io.scratch import Scratch
from invr_core.models.base import ModelConfig
from invr_core.models.cwrnn import CWRNN
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.storage import load
from invr_core.video import Video

MODELS: dict[str, ModelConfig] = {"cwrnn": CWRNN(params=24_000), "hnerv": HNeRV(strides=(2, 2), width=8.0, encoder=8)}
models = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())


# ------------------------------------------------------------------ nothing comes of it
@models
def test_looking_changes_no_byte(model: ModelConfig, disc_clip: Video, tmp_path: Path) -> None:
    def look(progress: Progress) -> None:
        live = progress.live()
        torch.manual_seed(progress.step)
        live(Query(disc_clip.times))
        live(Query(disc_clip.times[:1] + 0.01))

    files = []
    for name, on_step in (("alone", None), ("watched", look)):
        rep = fit(Observation(disc_clip), model, FitConfig(steps=6, device="cpu"), on_step=on_step)
        rep.save(tmp_path / f"{name}.invr")
        files.append((tmp_path / f"{name}.invr").read_bytes())
    assert files[0] == files[1]


def test_the_network_in_training_never_leaves_training(toy: Any) -> None:
    modes: list[tuple[bool, bool]] = []
    looking = [False]

    def on_step(progress: Progress) -> None:
        looking[0] = True
        progress.live()(Query(torch.zeros(1)))
        looking[0] = False

    toy.before(lambda network: modes.append((looking[0], network.training)))
    fit(toy.clip(), toy.model, FitConfig(steps=3, device="cpu"), on_step=on_step)
    assert modes == [(False, True), (True, False)] * 3


# --------------------------------------------------------------------------- what is seen
@models
def test_a_look_shows_the_parameters_of_its_moment(model: ModelConfig, disc_clip: Video) -> None:
    lives: list[Fitted] = []
    seen: list[Tensor] = []

    def look(progress: Progress) -> None:
        lives.append(progress.live())
        seen.append(lives[-1](Query(disc_clip.times)))

    rep = fit(Observation(disc_clip), model, FitConfig(steps=4, device="cpu"), on_step=look)
    torch.testing.assert_close(seen[-1], rep(Query(disc_clip.times)))
    for before, after in pairwise(seen):
        assert not torch.allclose(before, after, atol=1e-4)
    assert torch.equal(lives[0](Query(disc_clip.times)), seen[0])  # a copy: later steps do not reach it
    assert not any(parameter.requires_grad for parameter in lives[0].network.parameters())


@models
def test_a_look_can_be_saved_and_is_then_what_the_fit_would_leave(
    model: ModelConfig, disc_clip: Video, tmp_path: Path
) -> None:
    def look(progress: Progress) -> None:
        live = progress.live()
        for name in ("once", "twice"):
            live.save(tmp_path / f"{name}.invr")

    rep = fit(Observation(disc_clip), model, FitConfig(steps=2, device="cpu"), on_step=look)
    kept = load(tmp_path / "once.invr")
    torch.testing.assert_close(kept(Query(disc_clip.times)), rep(Query(disc_clip.times)))
    assert (tmp_path / "once.invr").read_bytes() == (tmp_path / "twice.invr").read_bytes()


def test_a_clip_in_an_open_file_can_be_looked_at(disc_clip: Video) -> None:
    scratch = Scratch("clip", cap=0)
    for frame in (disc_clip.frames() * 255).byte().permute(0, 2, 3, 1).numpy():
        scratch.append(frame)
    scratch.seal()
    clip = Video(disc_clip.times, disc_clip.size, scratch.read)
    seen: list[Tensor] = []
    fit(
        Observation(clip),
        MODELS["hnerv"],
        FitConfig(steps=1, device="cpu"),
        on_step=lambda progress: seen.append(progress.live()(Query(clip.times[:1]))),
    )
    assert seen[0].shape == (1, 3, *clip.size)


def test_a_progress_without_a_fit_has_nothing_to_show() -> None:
    with pytest.raises(Unsupported, match="no running fit"):
        Progress(1, 1, 0.0, 0.0, 0.0, 0.0).live()


# --------------------------------------------------------------------------- its time
@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(fitting.time, "monotonic", lambda: now[0])
    return now


def taking(clock: list[float], seconds: float) -> Callable[[Any], None]:
    def pass_time(_: Any) -> None:
        clock[0] += seconds

    return pass_time


def test_the_time_of_on_step_is_not_told_as_seconds(toy: Any, clock: list[float]) -> None:
    toy.before(taking(clock, 2.0))
    seen: list[Progress] = []

    def on_step(progress: Progress) -> None:
        seen.append(progress)
        clock[0] += 50

    fit(toy.clip(), toy.model, FitConfig(steps=5, device="cpu"), on_step=on_step)
    assert [p.seconds for p in seen] == pytest.approx([2, 4, 6, 8, 10])
    assert [p.remaining for p in seen] == pytest.approx([8, 6, 4, 2, 0])


def test_the_time_of_on_step_does_not_count_towards_the_minutes(toy: Any, clock: list[float]) -> None:
    toy.before(taking(clock, 1.0))
    config = FitConfig(minutes=1.0, device="cpu")
    alone = fit(toy.clip(), toy.model, config)
    watched = fit(toy.clip(), toy.model, config, on_step=taking(clock, 100.0))
    assert watched.info["steps"] == alone.info["steps"] >= 59
    assert torch.equal(toy.colour(watched), toy.colour(alone))  # the same step sizes, too
