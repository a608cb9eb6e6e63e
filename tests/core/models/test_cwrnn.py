"""The Coupled WarpRNN: its pictures, its clock, and what its parts are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from moving import (
    IRREGULAR,
    LONG,
    LONG_CONFIG,
    REGULAR,
    SIZE,
    VELOCITY,
    picture,
    seconds,
    spoilt,
    started,
    translating,
    whole,
)
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.fitting import FitConfig, fit
from invr_core.models.base import Geometry
from invr_core.models.cwrnn import CWRNN
from invr_core.models.cwrnn import network as cwrnn_network
from invr_core.models.cwrnn.compensation import to_ycc
from invr_core.models.cwrnn.config import PARTS
from invr_core.models.cwrnn.network import CWRNNNetwork
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.video import Video

MakeVideo = Callable[..., Video]


# -------------------------------------------------------------------------- rendering
@pytest.mark.parametrize("size", [(16, 24), (17, 23), (1, 1), (2, 3), (5, 40)])
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_any_frame_size_and_count_is_rendered(make_video: MakeVideo, size: tuple[int, int], frames: int) -> None:
    video = make_video(frames, *size)
    rep = fit(Observation(video), CWRNN(), FitConfig(steps=1, device="cpu"))
    for part in sorted(rep.parts):
        shown = rep(Query(video.times, part=part))
        assert tuple(shown.shape) == (frames, 3, *size) and bool(torch.isfinite(shown).all())
    flow = rep.motion(video.times, video.times.flip(0)).flow
    assert tuple(flow.shape) == (frames, 2, *size) and bool(torch.isfinite(flow).all())


def test_the_start_already_shows_the_clip() -> None:
    video = translating(size=(49, 65))
    network = started(video)
    error = (network(video.times) - video.frames()).square().mean()
    constant = (video.frames().mean((0, 2, 3), keepdim=True) - video.frames()).square().mean()
    assert float(error) < 0.25 * float(constant)


@pytest.mark.parametrize("part", ["full", "structured"])
@pytest.mark.parametrize(
    ("times", "size", "params", "segments"),
    [
        (REGULAR, SIZE, 60_000, 2),
        (IRREGULAR, SIZE, 60_000, 2),
        (LONG, SIZE, 28_000, 1),
        (range(26), (24, 32), 16_000, 2),
    ],
    ids=["regular", "irregular", "one segment", "two of several steps"],
)
def test_time_goes_on_without_a_jump(
    times: Sequence[float], size: tuple[int, int], params: int, segments: int, part: str
) -> None:
    """At the borders of intervals and of segments between anchors, and at the given frames."""
    network = spoilt(started(translating(list(map(float, times)), size), CWRNN(params=params)))
    assert network.config.segments == segments
    last = float(times[-1])
    borders = [network.first + network.interval * i for i in range(1, network.intervals)]
    jumps = {}
    for instant in sorted(t for t in {*borders, *times} if 1e-3 < t < last - 1e-3):
        before, after = network(seconds(instant - 1e-6, instant + 1e-6), part)
        early, late = network(seconds(instant - 0.2, instant + 0.2), part)
        assert float((early - late).abs().max()) > 0.03
        jumps[instant] = float((before - after).abs().max())
    assert len(jumps) >= 7
    assert {t: jump for t, jump in jumps.items() if jump > 1e-3} == {}


@pytest.mark.filterwarnings("error")
def test_a_picture_has_a_gradient_by_time_at_every_instant() -> None:
    network = spoilt(started(translating()))
    assert network.config.segments == 2
    times = seconds(0.0, 0.5, 3.0, 4.0, 4.25, 8.0).requires_grad_()
    network(times).square().sum().backward()
    assert times.grad is not None and bool(torch.isfinite(times.grad).all()) and bool((times.grad != 0).all())


def test_an_anchor_is_met_from_either_side() -> None:
    network = started(translating())
    steps = network.config.steps
    at = network.first + steps * network.interval
    luma = to_ycc(network(seconds(at)))[:, :1]
    small = torch.nn.functional.interpolate(
        luma, network.luma.shape[-2:], mode="bilinear", antialias=True, align_corners=False
    )
    assert float((small[0] - network.luma[1]).abs().mean()) < 0.02


# ------------------------------------------------------------------------------ parts
def changed(network: CWRNNNetwork, geometry: Geometry, name: str, by: float = 0.5) -> CWRNNNetwork:
    """The same network but for some noise on the parameters of a name."""
    other = network.config.build(geometry)
    assert isinstance(other, CWRNNNetwork)
    other.load_state_dict(network.state_dict())
    other.eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    found = [value for key, value in other.named_parameters() if key.startswith(name)]
    assert found
    for value in found:
        value.add_(by * torch.randn(value.shape, generator=generator))
    return other


def test_the_structured_part_owes_nothing_to_the_residual_s_appearance() -> None:
    network = spoilt(started(translating()))
    times = seconds(0.0, 0.7, 4.0, 5.25)
    other = changed(network, whole(REGULAR), "grid.appearance")
    assert torch.equal(other(times, "structured"), network(times, "structured"))
    assert float((other(times) - network(times)).abs().mean()) > 1e-3


def test_the_irregular_motion_carries_the_structured_part_too() -> None:
    network = started(translating())
    other = changed(network, whole(REGULAR), "grid.motion", by=1.0)
    assert float((other(seconds(1.5), "structured") - network(seconds(1.5), "structured")).abs().mean()) > 1e-2
    assert float((other.flow(seconds(0.0), seconds(2.0)) - network.flow(seconds(0.0), seconds(2.0))).abs().max()) > 0.5


def test_coupling_is_what_lets_appearance_reach_motion() -> None:
    """Only in the coupled model the flow depends on what the anchors look like."""
    changes = {}
    for without in ("", "coupling"):
        network = spoilt(started(translating(LONG), replace(LONG_CONFIG, without=without)))
        ways = [each.flow(seconds(0.0), seconds(8.0)) for each in (network, changed(network, whole(LONG), "luma"))]
        changes[without] = float((ways[0] - ways[1]).abs().max())
    assert changes["coupling"] == 0 < 1e-3 < changes[""]


@pytest.mark.parametrize("config", [CWRNN(warm_start=False), *(CWRNN(without=part) for part in PARTS)], ids=str)
def test_each_ablation_can_be_fitted_and_differs(config: CWRNN) -> None:
    video = translating(LONG)
    pictures = []
    for each in (replace(config, params=34_000), CWRNN(params=34_000)):
        rep = fit(Observation(video), each, FitConfig(steps=3, device="cpu"))
        pictures.append(rep(Query(seconds(0.5, 3.3))))
        assert bool(torch.isfinite(pictures[-1]).all())
        assert rep.config == each.solve(rep.geometry)
        assert abs(rep.network.counted() - 34_000) <= 680
    assert float((pictures[0] - pictures[1]).abs().max()) > 1e-4


def test_an_ablation_that_there_is_not_is_refused() -> None:
    with pytest.raises(BadInput, match=r"without must be one of warp, .*got 'everything'"):
        CWRNN(without="everything").solve(whole(REGULAR))


def test_without_warp_nothing_moves_and_without_the_anchor_after_it_is_not_looked_at() -> None:
    still = spoilt(started(translating(), CWRNN(params=60_000, without="warp")))
    assert float(still.flow(seconds(0.0), seconds(4.0)).abs().max()) == 0
    ahead = spoilt(started(translating(LONG), replace(LONG_CONFIG, without="backward")))
    assert ahead.config.segments == 1
    shown, moved = ahead(seconds(3.0)), ahead.flow(seconds(0.0), seconds(8.0))
    ahead.luma[1] += 0.5
    ahead._remembered.clear()
    assert torch.equal(ahead(seconds(3.0)), shown)
    assert torch.equal(ahead.flow(seconds(0.0), seconds(8.0)), moved) and float(moved.abs().max()) > 1


# ------------------------------------------------------------------- what is remembered
class Forgetful(dict[Any, Any]):
    """What another thread leaves of it."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Gone as soon as it is there."""


def test_what_another_thread_drops_is_no_fault() -> None:
    network = started(translating())
    shown = network(seconds(1.0))
    network._remembered = Forgetful()
    assert torch.equal(network(seconds(1.0)), shown)


def test_the_segments_used_last_are_remembered_and_only_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cwrnn_network, "REMEMBERED", 2)
    network = started(translating(LONG), CWRNN(params=60_000))
    steps, segments = network.config.steps, network.config.segments
    assert segments >= 3
    network._remembered[0, 1.0, "cuda:0"] = network._paths(torch.tensor([0]), 1.0)
    for segment in (0, 1, 0, 2):
        network(seconds((segment + 0.5) * steps))
    assert list(network._remembered) == [(0, 1.0, "cpu"), (2, 1.0, "cpu")]


# -------------------------------------------------------------------------------- fit
def psnr(shown: Tensor, truth: Tensor) -> float:
    return -10 * math.log10(float((shown - truth).square().mean()))


@pytest.mark.parametrize("times", [REGULAR, IRREGULAR], ids=["regular", "irregular"])
def test_a_short_fit_improves_on_its_start_at_given_and_at_other_instants(times: list[float]) -> None:
    video, config = translating(times), CWRNN(params=60_000)
    between = seconds(0.5, 3.75, 6.2)
    truth = torch.stack([picture(t, SIZE, VELOCITY) for t in between.tolist()])
    rep = fit(Observation(video), config, FitConfig(steps=40, device="cpu"))
    first = started(video, config)
    start, end = psnr(first(video.times).clamp(0, 1), video.frames()), psnr(rep(Query(video.times)), video.frames())
    constant = psnr(video.frames().mean((0, 2, 3), keepdim=True).expand(len(video), -1, *SIZE), video.frames())
    assert end > start + 1 and end > constant + 12
    start, end = psnr(first(between).clamp(0, 1), truth), psnr(rep(Query(between)), truth)
    assert end > start + 0.5 and end > constant + 10


def test_the_fitted_motion_stays_that_of_the_texture() -> None:
    rep = fit(Observation(translating()), CWRNN(params=60_000), FitConfig(steps=20, device="cpu"))
    motion = rep.motion(seconds(2.0, 5.0), seconds(3.5, 4.0))
    inner = (slice(None), slice(None), slice(10, -10), slice(10, -10))
    assert motion.flow[inner].mean((2, 3)).flatten().tolist() == pytest.approx([2.25, -1.125, -1.5, 0.75], abs=0.4)
    assert float(motion.confidence[inner].mean()) > 0.8
