"""The Coupled WarpRNN: its clock, the motion it starts from, and what its parts are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.fitting import FitConfig, fit
from invr_core.models.base import Geometry
from invr_core.models.cwrnn import CWRNN
from invr_core.models.cwrnn.compensation import to_ycc
from invr_core.models.cwrnn.config import PARTS
from invr_core.models.cwrnn.network import CWRNNNetwork
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.video import Video

MakeVideo = Callable[..., Video]
SIZE = (48, 64)
VELOCITY = (1.5, -0.75)
"""Pixels a second, x then y."""
REGULAR = [float(i) for i in range(9)]
IRREGULAR = [0.0, 1.0, 2.5, 3.0, 4.5, 5.0, 7.0, 8.0]
LONG = [float(i) for i in range(17)]
LONG_CONFIG = CWRNN(params=28_000)
"""One segment of several steps of the recurrence."""


def picture(time: float, size: tuple[int, int], velocity: tuple[float, float]) -> Tensor:
    """A texture at an instant of its way: (3, H, W)."""
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    x, y = x - velocity[0] * time, y - velocity[1] * time
    waves = [
        0.12 * torch.sin(0.31 * x + 0.17 * y + phase)
        + 0.12 * torch.sin(0.12 * x - 0.41 * y + 2 * phase)
        + 0.1 * torch.sin(0.53 * x + 0.29 * y - phase) * torch.sin(0.23 * y - 0.09 * x)
        for phase in range(3)
    ]
    return 0.5 + torch.stack(waves)


def translating(
    times: Sequence[float] = REGULAR, size: tuple[int, int] = SIZE, velocity: tuple[float, float] = VELOCITY
) -> Video:
    frames = torch.stack([picture(t, size, velocity) for t in times])
    return Video.of(frames, torch.tensor(times, dtype=torch.float64))


def whole(times: Sequence[float], size: tuple[int, int] = SIZE) -> Geometry:
    return Geometry(tuple(times), (times[0], times[-1]), size)


def started(video: Video, config: CWRNN | None = None, seed: int = 0) -> CWRNNNetwork:
    """A network before the first step, as it answers."""
    observation = Observation(video)
    geometry = Geometry.of(observation)
    network = (config or CWRNN(params=60_000)).solve(geometry).build(geometry)
    assert isinstance(network, CWRNNNetwork)
    network.start(observation, torch.Generator().manual_seed(seed))
    return network.eval().requires_grad_(False)


def seconds(*times: float) -> Tensor:
    return torch.tensor(times, dtype=torch.float64)


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


def spoilt(network: CWRNNNetwork, seed: int = 5) -> CWRNNNetwork:
    """Every weight away from where it starts, so that each is of influence."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name not in ("luma", "chroma"):
                value += 0.05 * torch.randn(value.shape, generator=generator)
    return network


def test_an_anchor_is_met_from_either_side() -> None:
    network = started(translating())
    steps = network.config.steps
    at = network.first + steps * network.interval
    luma = to_ycc(network(seconds(at)))[:, :1]
    small = torch.nn.functional.interpolate(
        luma, network.luma.shape[-2:], mode="bilinear", antialias=True, align_corners=False
    )
    assert float((small[0] - network.luma[1]).abs().mean()) < 0.02


# ----------------------------------------------------------------------------- motion
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


def test_noise_does_not_mislead_the_warm_start() -> None:
    video = translating()
    noise = 0.1 * torch.randn(video.frames().shape, generator=torch.Generator().manual_seed(0))
    network = started(Video.of((video.frames() + noise).clamp(0, 1), video.times))
    flow = network.flow(seconds(3.0), seconds(4.0))[0, :, 10:-10, 10:-10]
    assert flow.mean((1, 2)).tolist() == pytest.approx(VELOCITY, abs=0.3)


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
    shown = ahead(seconds(3.0))
    ahead.luma[1] += 0.5
    ahead._remembered.clear()
    assert torch.equal(ahead(seconds(3.0)), shown)


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
