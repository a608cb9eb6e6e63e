"""The Coupled WarpRNN: the motion it starts from, and where that leads."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest
import torch
from moving import (
    IRREGULAR,
    REGULAR,
    SIZE,
    VELOCITY,
    picture,
    seconds,
    spoilt,
    started,
    translating,
)

from invr_core.models.base import Geometry
from invr_core.models.cwrnn import CWRNN, start
from invr_core.models.cwrnn.network import CWRNNNetwork
from invr_core.observation import Observation
from invr_core.video import Video

WAYS = [(0.0, 1.0), (1.0, 0.0), (3.0, 3.5), (2.25, 2.75), (3.9, 4.1), (4.1, 3.9), (1.0, 4.0), (6.5, 3.25), (7.9, 8.0)]


@pytest.mark.parametrize("size", [SIZE, (49, 65)])
@pytest.mark.parametrize("velocity", [VELOCITY, (-3.0, 2.0)])
@pytest.mark.parametrize("times", [REGULAR, IRREGULAR], ids=["regular", "irregular"])
def test_the_warm_start_knows_where_things_go(
    times: list[float], velocity: tuple[float, float], size: tuple[int, int]
) -> None:
    network = started(translating(times, size, velocity))
    begin, end = seconds(*(a for a, _ in WAYS)), seconds(*(b for _, b in WAYS))
    truth = ((end - begin)[:, None] * seconds(*velocity)).float().view(-1, 2, 1, 1)
    flow = network.flow(begin, end)
    assert tuple(flow.shape) == (len(WAYS), 2, *size)
    wrong = (flow - truth)[:, :, 14:-14, 14:-14].norm(dim=1)
    assert float(wrong.mean((1, 2)).max()) < 0.3
    assert float(wrong[(end - begin).abs() <= 1].max()) < 0.15


def test_over_the_whole_clip_the_error_of_the_way_stays_small() -> None:
    network = started(translating())
    flow = network.flow(seconds(0.0, 8.0), seconds(8.0, 0.0))[:, :, 14:-14, 14:-14]
    assert flow.mean((2, 3)).flatten().tolist() == pytest.approx([12, -6, -12, 6], abs=0.6)


@pytest.mark.parametrize("size", [(21, 17), (16, 21), (21, 16), (16, 24)], ids=str)
def test_what_moves_evenly_is_shown_and_told_alike(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    """Odd frames are rendered a row and a column larger: anchors and motion lie on that."""
    there = np.full((*size, 2), VELOCITY, np.float32)
    ways = cycle([there, -there])
    monkeypatch.setattr(start, "dense_flow", lambda dis, old, new: next(ways))
    ramp = torch.linspace(0.1, 0.9, size[0])[:, None] * torch.linspace(0.1, 0.9, size[1])
    video = Video.of(ramp.expand(9, 3, *size).contiguous(), torch.tensor(REGULAR, dtype=torch.float64))
    network = started(video, CWRNN(params=30_000))
    assert network.config.anchor_size == size
    assert torch.allclose(network(seconds(0.0, 8.0)), video.frames()[:2], atol=0.03)
    told = network.flow(seconds(3.0), seconds(4.0))
    assert torch.allclose(told, torch.tensor(VELOCITY).view(1, 2, 1, 1).expand_as(told), atol=1e-5)
    pixel = [shown / coarse for shown, coarse in zip(network.padded, network.config.motion_size, strict=True)]
    velocity = network.grid.motion.nodes[3, :, 0, 0].tolist()
    assert [velocity[0] * pixel[1], velocity[1] * pixel[0]] == pytest.approx(VELOCITY, abs=1e-5)


def test_in_no_time_nothing_moves() -> None:
    network = spoilt(started(translating(IRREGULAR)))
    instants = seconds(0.0, 0.3, 1.0, 2.5, 4.0, 7.999, 8.0)
    assert float(network.flow(instants, instants).abs().max()) == 0
    assert float(network.flow(instants[:-1], instants[:-1] + 1e-6).abs().max()) < 1e-4


def test_the_way_back_undoes_the_way_there() -> None:
    rep_flow = spoilt(started(translating())).flow
    there, back = rep_flow(seconds(2.3), seconds(5.1)), rep_flow(seconds(5.1), seconds(2.3))
    inner = (slice(None), slice(None), slice(12, -12), slice(12, -12))
    assert float(there[inner].abs().mean()) > 1
    assert float((there + back)[inner].abs().mean()) < 0.25


def test_what_begins_to_move_does_not_move_before() -> None:
    frames = torch.stack([picture(max(time - 4.0, 0.0), SIZE, VELOCITY) for time in REGULAR])
    network = started(Video.of(frames, torch.tensor(REGULAR, dtype=torch.float64)))
    before, after = (network.flow(seconds(a), seconds(a + 1))[0, :, 14:-14, 14:-14] for a in (3.0, 4.0))
    assert float(before.abs().max()) < 0.1
    assert after.mean((1, 2)).tolist() == pytest.approx(VELOCITY, abs=0.3)


def test_without_the_warm_start_nothing_moves_at_first() -> None:
    network = started(translating(), CWRNN(params=60_000, warm_start=False))
    assert float(network.flow(seconds(0.0), seconds(4.0)).abs().max()) == 0


def test_a_hidden_place_moves_as_its_surroundings() -> None:
    """Something under the mask that goes the other way is of no influence."""
    video = translating()
    weight = torch.ones(9, 1, *SIZE)
    weight[:, :, 16:32, 24:44] = 0
    other = translating(velocity=(-4.0, 4.0)).frames()
    seen = Video.of(torch.where(weight > 0, video.frames(), other), video.times)
    observation = Observation(seen, weight=Video.of(weight, video.times))
    geometry = Geometry.of(observation)
    network = CWRNN(params=60_000).solve(geometry).build(geometry)
    network.start(observation, torch.Generator().manual_seed(0))
    flow = network.flow(seconds(3.0), seconds(4.0)).detach()[0, :, 16:32, 24:44]
    assert flow.mean((1, 2)).tolist() == pytest.approx(VELOCITY, abs=0.3)


def test_a_frame_that_is_hidden_altogether_is_passed_over() -> None:
    video = translating()
    weight = torch.ones(9, 1, *SIZE)
    weight[4] = 0
    observation = Observation(video, weight=Video.of(weight, video.times))
    geometry = Geometry.of(observation)
    network = CWRNN(params=60_000).solve(geometry).build(geometry)
    assert isinstance(network, CWRNNNetwork)
    network.start(observation, torch.Generator().manual_seed(0))
    network.eval().requires_grad_(False)
    flow = network.flow(seconds(3.0), seconds(5.0))[0, :, 12:-12, 12:-12]
    assert flow.mean((1, 2)).tolist() == pytest.approx([3.0, -1.5], abs=0.3)
    assert float(network(seconds(4.0)).mean()) == pytest.approx(0.5, abs=0.1)


def test_the_motion_starts_from_the_moving_clip_and_the_pictures_from_the_guess() -> None:
    moving = translating()
    still = Video.of(torch.full((9, 3, 2 * SIZE[0], 2 * SIZE[1]), 0.25), moving.times)
    observation = Observation(moving, size=still.size, guess=still, moving=moving)
    geometry = Geometry.of(observation)
    network = CWRNN(params=60_000).solve(geometry).build(geometry)
    network.start(observation.beginning, torch.Generator().manual_seed(0))
    network.eval().requires_grad_(False)
    flow = network.flow(seconds(3.0), seconds(4.0))[0, :, 20:-20, 20:-20]
    assert flow.mean((1, 2)).tolist() == pytest.approx([2 * one for one in VELOCITY], abs=0.6)
    assert float((network(seconds(4.0)) - 0.25).abs().mean()) < 0.05


def test_noise_does_not_mislead_the_warm_start() -> None:
    video = translating()
    noise = 0.1 * torch.randn(video.frames().shape, generator=torch.Generator().manual_seed(0))
    network = started(Video.of((video.frames() + noise).clamp(0, 1), video.times))
    flow = network.flow(seconds(3.0), seconds(4.0))[0, :, 10:-10, 10:-10]
    assert flow.mean((1, 2)).tolist() == pytest.approx(VELOCITY, abs=0.3)
