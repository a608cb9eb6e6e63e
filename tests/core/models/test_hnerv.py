"""HNeRV: its sizes, what reaches its encoder, and what is left when the fit is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from invr_core.errors import BadInput, Unsupported
from invr_core.fitting import FitConfig, fit
from invr_core.models.base import Geometry
from invr_core.models.hnerv import HNeRV
from invr_core.models.hnerv.config import choose_strides
from invr_core.models.hnerv.network import HNeRVNetwork
from invr_core.observation import Observation, framewise, squared
from invr_core.query import Query
from invr_core.testing import MovingDisc
from invr_core.video import Video

MakeVideo = Callable[..., Video]
TINY = HNeRV(strides=(2, 2), width=8.0, lower_width=4, embedding=4, encoder=8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def started(observation: Observation, config: HNeRV = TINY, seed: int = 0) -> HNeRVNetwork:
    geometry = Geometry.of(observation)
    network = config.solve(geometry).build(geometry)
    assert isinstance(network, HNeRVNetwork)
    network.start(observation, generator(seed))
    return network


def clip(size: tuple[int, int], frames: int = 16) -> Geometry:
    times = tuple(i / 25 for i in range(frames))
    return Geometry(times, (times[0], times[-1]), size)


# --------------------------------------------------------------------------- sizes
@pytest.mark.parametrize(
    ("size", "strides", "grid"),
    [
        ((640, 1280), (5, 4, 4, 2, 2), (2, 4)),
        ((960, 1920), (5, 4, 4, 3, 2), (2, 4)),
        ((160, 320), (5, 4, 2, 2), (2, 4)),
        ((144, 176), (4, 3, 2, 2), (3, 4)),
        ((1, 1), (2,), (1, 1)),
    ],
)
def test_strides_follow_the_frame(size: tuple[int, int], strides: tuple[int, ...], grid: tuple[int, int]) -> None:
    assert choose_strides(size) == strides
    assert HNeRV(strides=strides).grid(clip(size)) == grid


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 4400), width=st.integers(1, 8000))
def test_any_frame_size_has_a_small_embedding_and_little_padding(height: int, width: int) -> None:
    config = HNeRV(strides=choose_strides((height, width)))
    cells = config.grid(clip((height, width)))
    assert min(cells) <= 3
    if min(height, width) >= 100:
        factor = torch.tensor(config.strides).prod().item()
        assert cells[0] * cells[1] * factor**2 <= 1.35 * height * width


@pytest.mark.parametrize("params", [125_000, 350_000, 750_000, 3_000_000])
@pytest.mark.parametrize("size", [(640, 1280), (160, 320), (161, 319)])
def test_the_parameter_count_is_met(size: tuple[int, int], params: int) -> None:
    geometry = clip(size)
    network = HNeRV(params=params).solve(geometry).build(geometry)
    decoder = sum(value.numel() for name, value in network.state_dict().items() if name.startswith("decoder"))
    embeddings = network.state_dict()["embeddings"].numel()
    assert network.counted() == decoder + embeddings
    assert abs(network.counted() - params) <= 0.02 * params


def test_the_published_shape_is_built() -> None:
    geometry = clip((640, 1280), frames=2)
    network = HNeRV(params=1_500_000).solve(geometry).build(geometry)
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [module.kernel_size[0] for module in convolutions] == [1, 1, 3, 5, 5, 5, 3]
    widths = [module.in_channels for module in convolutions]
    assert widths[0] == 16 and all(abs(a / b - 1.2) < 0.03 for a, b in pairwise(widths[1:]))
    assert network.state_dict()["embeddings"].shape == (2, 16, 2, 4)


def test_no_stage_falls_below_the_lower_width() -> None:
    assert HNeRV(strides=(5, 4, 4, 2, 2), width=20.0).channels() == (20, 17, 14, 12, 12, 12)


def test_a_count_that_cannot_be_met_says_which_can() -> None:
    geometry = clip((160, 320), frames=100)
    with pytest.raises(BadInput, match=r"20,000 .* nearest .* ([\d,]+)") as caught:
        HNeRV(params=20_000).solve(geometry)
    possible = int(str(caught.value).split("have: ")[1].split(" ")[0].replace(",", ""))
    assert HNeRV(params=possible).solve(geometry).build(geometry).counted() == possible


def test_the_default_count_always_solves() -> None:
    for size, frames in (((160, 320), 2), ((160, 320), 64), ((8, 8), 500), ((3, 5), 1)):
        geometry = clip(size, frames)
        solved = HNeRV().solve(geometry)
        assert abs(solved.build(geometry).counted() - solved.params) <= 0.02 * solved.params
        assert solved.solve(geometry) == solved


@pytest.mark.parametrize(
    "wrong",
    [
        {"strides": ()},
        {"strides": (2,) * 9},
        {"strides": (0, 2)},
        {"width": 0.0},
        {"embedding": -1},
        {"reduction": 0.0},
    ],
)
def test_sizes_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="out of range"):
        replace(TINY, **wrong).build(clip((8, 8)))  # type: ignore[arg-type]


# ------------------------------------------------------------------------ rendering
@pytest.mark.parametrize("size", [(16, 24), (17, 23), (1, 1), (5, 3)])
def test_any_frame_size_is_rendered(make_video: MakeVideo, size: tuple[int, int]) -> None:
    video = make_video(3, *size)
    network = started(Observation(video))
    for _ in range(2):
        picture = network(video.times[:2])
        assert tuple(picture.shape) == (2, 3, *size)
        assert bool(((picture >= 0) & (picture <= 1)).all())
        network.finish()


def test_finishing_keeps_the_picture_and_drops_the_rest(make_video: MakeVideo) -> None:
    video = make_video(4)
    network = started(Observation(video))
    times = torch.cat([video.times, (video.times[1:] + video.times[:-1]) / 2])
    before = network(times)
    counted = network.counted()
    network.finish()
    assert torch.allclose(network(times), before, atol=1e-6)
    assert network.counted() == counted
    assert network.encoder is None and network.observation is None
    fresh = TINY.build(Geometry.of(Observation(video)))
    assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v in fresh.state_dict().items()}


def test_between_frames_the_embedding_is_linear_in_time(make_video: MakeVideo) -> None:
    video = make_video(3, times=[0.0, 1.0, 5.0])
    network = started(Observation(video, span=(-1.0, 7.0)))
    network.finish()
    e = network.embeddings
    expected = network.decoder(
        torch.stack([e[0], e[0], 0.75 * e[0] + 0.25 * e[1], 0.5 * e[1] + 0.5 * e[2], e[2], e[2]])
    )
    found = network(torch.tensor([-1.0, 0.0, 0.25, 3.0, 5.0, 7.0], dtype=torch.float64))
    assert torch.allclose(found, expected[..., : video.size[0], : video.size[1]], atol=1e-6)
    assert not torch.allclose(found[0], found[2], atol=1e-4)


def test_there_is_no_motion_and_no_further_part(make_video: MakeVideo) -> None:
    network = started(Observation(make_video()))
    with pytest.raises(Unsupported):
        network.flow(torch.zeros(1), torch.zeros(1))
    with pytest.raises(Unsupported, match="structured"):
        network(torch.zeros(1, dtype=torch.float64), "structured")


# -------------------------------------------------------------------------- fitting
def test_all_weights_come_from_the_generator(make_video: MakeVideo) -> None:
    observation = Observation(make_video())
    state = torch.get_rng_state()
    first = started(observation, seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    second, third = started(observation, seed=1).state_dict(), started(observation, seed=2).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["decoder.layers.0.weight"], third["decoder.layers.0.weight"])
    assert not torch.equal(first["encoder.0.weight"], third["encoder.0.weight"])


def test_only_given_frames_are_read(make_video: MakeVideo) -> None:
    video = make_video(5)
    asked: list[int] = []

    def read(indices: object) -> Tensor:
        asked.extend(indices)  # type: ignore[call-overload]
        return video.read(indices)  # type: ignore[arg-type]

    network = started(Observation(replace(video, read=read)))
    network(video.times[[3, 1, 3]])
    assert sorted(asked) == [1, 3]


def test_hidden_pixels_do_not_reach_the_encoder(make_video: MakeVideo) -> None:
    clean = make_video(3)
    weight = Video.of((torch.rand(3, 1, 16, 24, generator=generator()) > 0.5).float(), clean.times)
    spoilt = Video.of(torch.where(weight.frames() > 0, clean.frames(), 1 - clean.frames()), clean.times)
    pictures = [started(Observation(video, weight=weight))(clean.times) for video in (clean, spoilt)]
    assert torch.equal(*pictures)
    assert not torch.equal(started(Observation(spoilt))(clean.times), pictures[0])


@pytest.mark.parametrize(("channels", "size"), [(3, (32, 48)), (3, (7, 9)), (1, (16, 24))])
def test_given_frames_may_have_another_size_or_channel_count(
    make_video: MakeVideo, channels: int, size: tuple[int, int]
) -> None:
    video = make_video(3, 16, 24, channels=channels)
    network = started(Observation(video, forward=framewise(lambda x: x), size=size))
    assert tuple(network(video.times).shape) == (3, 3, *size)


def disc_clip() -> Video:
    times = torch.linspace(0, 1, 6, dtype=torch.float64)
    return Video.of(MovingDisc((24, 32))(Query(times)), times)


def test_a_fit_learns_the_clip() -> None:
    video = disc_clip()
    config = FitConfig(steps=60, learning_rate=5e-3, device="cpu")
    rep = fit(Observation(video, distance=squared), HNeRV(params=30_000), config)
    error = (rep(Query(video.times)) - video.frames()).square().mean()
    spread = (video.frames() - video.frames().mean((0, 2, 3), keepdim=True)).square().mean()
    assert float(error) < 0.8 * float(spread)


def test_the_same_seed_gives_the_same_clip() -> None:
    observation = Observation(disc_clip(), distance=squared)
    pictures = []
    for seed in (5, 5, 6):
        torch.manual_seed(len(pictures))
        rep = fit(observation, TINY, FitConfig(steps=3, seed=seed, device="cpu"))
        pictures.append(rep(Query(observation.video.times)))
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.equal(pictures[0], pictures[2])
