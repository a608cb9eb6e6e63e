"""What a fit looks at: trusted pixels, through the operator, by the distance; and its priors and refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invr_core.errors import BadInput, DeviceUnavailable, NotEnoughMemory
from invr_core.fitting import FitConfig, fit
from invr_core.models.base import ModelConfig
from invr_core.models.cwrnn import CWRNN
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Clip, Observation, charbonnier, framewise, squared
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video

MODELS: dict[str, ModelConfig] = {"cwrnn": CWRNN(params=24_000), "hnerv": HNeRV(strides=(2, 2), width=8.0, encoder=8)}


# ------------------------------------------------------------------- what is looked at
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("garbage", ["noise", "flat"])
def test_pixels_of_no_weight_do_not_reach_the_fit(
    model: ModelConfig, garbage: str, disc_clip: Video, tmp_path: Path
) -> None:
    """Whatever lies under the mask, the fitted bytes are the same."""
    hidden = torch.zeros(6, 1, 16, 24)
    hidden[:, :, 3:11, 4:18] = 1
    hidden[2] = 1
    files = []
    for seed in range(2):
        other = torch.rand(6, 3, 16, 24, generator=torch.Generator().manual_seed(seed))
        frames = torch.where(
            hidden > 0, other if garbage == "noise" else torch.full_like(other, seed / 2), disc_clip.frames()
        )
        observation = Observation(Video.of(frames, disc_clip.times), weight=Video.of(1 - hidden, disc_clip.times))
        fit(observation, model, FitConfig(steps=3, device="cpu")).save(tmp_path / f"{seed}.invr")
        files.append((tmp_path / f"{seed}.invr").read_bytes())
    assert files[0] == files[1]


def test_weight_is_how_much_a_pixel_counts(toy: Any) -> None:
    frames = torch.zeros(4, 3, 4, 4)
    frames[..., :2] = 1
    weight = torch.full((4, 1, 4, 4), 0.25)
    weight[..., :2] = 0.75
    observation = Observation(Video.of(frames), weight=Video.of(weight), distance=squared)
    rep = fit(observation, toy.model, FitConfig(steps=150, device="cpu"))
    assert toy.colour(rep).tolist() == pytest.approx([0.75] * 3, abs=0.01)


def test_the_distance_of_the_observation_is_the_one_that_is_fitted(toy: Any) -> None:
    frames = torch.zeros(4, 3, 4, 4)
    frames[..., 0] = 1  # a quarter of the pixels
    video = Video.of(frames)
    mean = fit(Observation(video, distance=squared), toy.model, FitConfig(steps=150, device="cpu"))
    robust = fit(Observation(video, distance=charbonnier), toy.model, FitConfig(steps=150, device="cpu"))
    assert toy.colour(mean).tolist() == pytest.approx([0.25] * 3, abs=0.01)
    assert toy.colour(robust).tolist() == pytest.approx([0.0] * 3, abs=0.02)


def test_every_frame_is_looked_at_once_an_epoch(toy: Any) -> None:
    asked: list[float] = []

    def forward(x: Clip, times: Tensor) -> Tensor:
        asked.extend(times.tolist())
        return x(times)

    video = Video.of(torch.rand(6, 3, 4, 4))
    fit(Observation(video, forward=forward), toy.model, FitConfig(steps=6, device="cpu"))
    assert sorted(asked[:6]) == sorted(asked[6:]) == video.times.tolist()
    assert asked[:6] != asked[6:]


def test_nothing_trusted_is_refused(toy: Any) -> None:
    video = Video.of(torch.rand(3, 3, 4, 4))
    observation = Observation(video, weight=Video.of(torch.zeros(3, 1, 4, 4)))
    with pytest.raises(BadInput, match="weight"):
        fit(observation, toy.model, FitConfig(steps=2, device="cpu"))


def test_a_frame_of_which_nothing_is_trusted_does_not_flatter_the_psnr(toy: Any) -> None:
    weight = torch.ones(4, 1, 4, 4)
    weight[1:] = 0
    toy.before(lambda network: network.colour.data.fill_(0.6))
    observation = Observation(Video.of(torch.full((4, 3, 4, 4), 0.5)), weight=Video.of(weight))
    rep = fit(observation, toy.model, FitConfig(steps=20, batch=1, learning_rate=1e-9, device="cpu"))
    assert rep.info["psnr"] == pytest.approx(20.0, abs=0.01)


# ------------------------------------------------------------------------ the operator
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_a_larger_clip_is_fitted_to_what_it_shrinks_to(model: ModelConfig, disc_clip: Video) -> None:
    shrink = framewise(lambda frames: torch.nn.functional.avg_pool2d(frames, 2))
    rep = fit(Observation(disc_clip, forward=shrink, size=(32, 48)), model, FitConfig(steps=2, device="cpu"))
    assert rep.size == (32, 48)
    assert tuple(rep(Query(disc_clip.times[:1])).shape) == (1, 3, 32, 48)


def test_a_forward_operator_is_seen_through(toy: Any) -> None:
    """What is observed is half as bright as the clip, averaged over its neighbourhood in time."""

    def forward(x: Clip, times: Tensor) -> Tensor:
        return 0.5 * (x(times - 0.01) + x(times + 0.01)) / 2

    video = Video.of(torch.full((4, 3, 4, 4), 0.2), torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64))
    observation = Observation(video, forward=forward, distance=squared, span=(0.0, 0.5))
    rep = fit(observation, toy.model, FitConfig(steps=150, device="cpu"))
    assert toy.colour(rep).tolist() == pytest.approx([0.4] * 3, abs=0.01)
    assert rep.span == (0.0, 0.5)


# --------------------------------------------------------------------------- the prior
def test_a_prior_sees_the_clip_as_it_is_and_pulls_on_it(toy: Any) -> None:
    seen: list[tuple[float, Tensor]] = []

    def prior(rep: Representation, times: Tensor) -> Tensor:
        picture = rep(Query(times))
        assert picture.requires_grad
        seen.append((float(picture.detach().mean()), times))
        return 3 * (picture[:, 0] - 0.9).square().mean()

    rep = fit(toy.clip(0.1), toy.model, FitConfig(steps=200, device="cpu"), prior=prior)
    red, green, blue = toy.colour(rep).tolist()
    assert (green, blue) == pytest.approx((0.1, 0.1), abs=0.01)
    assert red == pytest.approx((0.1 / 3 + 3 * 0.9) / (1 / 3 + 3), abs=0.02)
    assert len(seen) == 200 and all(len(times) == 2 for _, times in seen)
    assert abs(seen[0][0] - seen[-1][0]) > 0.05


def test_a_prior_may_ask_a_real_model_for_motion_and_parts(disc_clip: Video, tmp_path: Path) -> None:
    def prior(rep: Representation, times: Tensor) -> Tensor:
        flow = rep.motion(times[:-1], times[1:]).flow
        return 0.1 * flow.square().mean() + 0.1 * rep(Query(times, part="residual")).abs().mean()

    model, config = MODELS["cwrnn"], FitConfig(steps=3, device="cpu")
    fit(Observation(disc_clip), model, config, prior=prior).save(tmp_path / "with.invr")
    fit(Observation(disc_clip), model, config).save(tmp_path / "without.invr")
    assert (tmp_path / "with.invr").read_bytes() != (tmp_path / "without.invr").read_bytes()


# ---------------------------------------------------------------------------- refusals
def test_memory_and_device_are_checked_before_the_fit(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(network: Any, observation: Observation, generator: torch.Generator) -> None:
        raise AssertionError("the fit has begun")

    monkeypatch.setattr(toy.network, "start", start)
    monkeypatch.setattr("invr_core.memory.available", lambda device: 100)
    with pytest.raises(NotEnoughMemory):
        fit(toy.clip(), toy.model, FitConfig(steps=1, device="cpu"))
    with pytest.raises(DeviceUnavailable):
        fit(toy.clip(), toy.model, FitConfig(steps=1, device="tpu"))


@pytest.mark.parametrize(
    ("forward", "shape"),
    [(lambda frames: frames.mean(1, keepdim=True), r"\(4, 1, 16, 24\)"), (lambda frames: frames[..., :8], r"16, 8\)")],
)
def test_an_operator_that_does_not_make_what_was_given_is_told_so(disc_clip: Video, forward: Any, shape: str) -> None:
    observed = Observation(disc_clip, forward=framewise(forward))
    with pytest.raises(BadInput, match=f"makes frames of shape .*{shape}, and those that are given are"):
        fit(observed, CWRNN(), FitConfig(steps=1, device="cpu"))


def test_the_error_of_a_grey_clip_is_that_of_its_pixels_however_they_are_weighed(disc_clip: Video) -> None:
    grey = disc_clip.map(lambda frames: frames.mean(1, keepdim=True))
    ones = replace(grey, read=lambda indices: torch.ones(len(indices), 1, *grey.size))
    found: list[float] = []
    for weight in (None, ones):
        observed = Observation(grey, weight=weight)
        fit(observed, CWRNN(), FitConfig(steps=1, device="cpu"), on_step=lambda progress: found.append(progress.psnr))
    assert found[0] == pytest.approx(found[1], abs=1e-3)
