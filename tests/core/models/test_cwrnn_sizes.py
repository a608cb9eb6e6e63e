"""The sizes of the Coupled WarpRNN: the parameter count is met, and nothing is built of sizes that are none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invr_core.errors import BadInput
from invr_core.models.base import Geometry
from invr_core.models.cwrnn import CWRNN
from invr_core.models.cwrnn.config import LEAST, MOST
from invr_core.observation import Observation
from invr_core.video import Video


def clip(size: tuple[int, int], frames: int = 16) -> Geometry:
    times = tuple(i / 25 for i in range(frames))
    return Geometry(times, (times[0], times[-1]), size)


# ------------------------------------------------------------------------------ sizes
def solved_or_refused(params: int, geometry: Geometry) -> None:
    try:
        config = CWRNN(params=params).solve(geometry)
    except BadInput as refusal:
        assert f"{params:,} parameters" in str(refusal) and "--params" in str(refusal)
        return
    counted = config.build(geometry).counted()
    assert abs(counted - params) <= 0.02 * params, f"{counted:,} instead of {params:,}"
    assert config.solve(geometry) == config


@pytest.mark.parametrize("params", [20_000, 50_000, 350_000, 3_000_000])
@pytest.mark.parametrize("frames", [2, 25, 64, 300])
@pytest.mark.parametrize("size", [(160, 320), (161, 319)])
def test_the_parameter_count_is_met_or_refused(size: tuple[int, int], frames: int, params: int) -> None:
    solved_or_refused(params, clip(size, frames))


def test_the_counts_that_users_ask_for_are_met() -> None:
    """Not merely refused."""
    for size, frames, params in (
        ((160, 320), 64, 300_000),
        ((160, 320), 64, 3_000_000),
        ((640, 1280), 132, 350_000),
        ((640, 1280), 132, 3_000_000),
        ((1080, 1920), 600, 3_000_000),
    ):
        geometry = clip(size, frames)
        counted = CWRNN(params=params).solve(geometry).count(geometry)
        assert abs(counted - params) <= 0.02 * params


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 400),
    width=st.integers(1, 700),
    frames=st.integers(1, 300),
    params=st.integers(10_000, 3_000_000),
)
def test_any_clip_meets_a_count_or_refuses_it(height: int, width: int, frames: int, params: int) -> None:
    geometry = clip((height, width), frames)
    try:
        config = CWRNN(params=params).solve(geometry)
    except BadInput as refusal:
        assert "--params" in str(refusal)
        return
    counted = config.count(geometry)
    assert abs(counted - params) <= 0.02 * params, f"{counted:,} instead of {params:,}"


def test_a_count_that_cannot_be_met_says_which_can() -> None:
    geometry = clip((160, 320), 100)
    with pytest.raises(BadInput, match=r"5,000 parameters are too few .* give at least ([\d,]+)") as caught:
        CWRNN(params=5_000).solve(geometry)
    possible = int(str(caught.value).split("at least ")[1].split(" ")[0].replace(",", ""))
    counted = CWRNN(params=possible).solve(geometry).count(geometry)
    assert abs(counted - possible) <= 0.02 * possible


@pytest.mark.parametrize(
    ("size", "frames", "params"),
    [
        ((29, 45), 18, 388_294),
        ((3, 17), 17, 388_294),
        ((47, 5), 29, 100_000),
        ((16, 52), 5, 3_000_000),
        ((60, 44), 1, 3_000_000),
        ((20, 30), 4, 100),
        ((1, 1), 1, 10_000),
    ],
)
def test_the_count_that_is_advised_is_met(size: tuple[int, int], frames: int, params: int) -> None:
    geometry = clip(size, frames)
    with pytest.raises(BadInput, match=r"give at (most|least) [\d,]+ \(--params\)$") as caught:
        CWRNN(params=params).solve(geometry)
    way, number = str(caught.value).split(" give at ")[1].split(" ")[:2]
    advised = int(number.replace(",", ""))
    assert (advised < params) is (way == "most")
    counted = CWRNN(params=advised).solve(geometry).count(geometry)
    assert abs(counted - advised) <= 0.01 * advised


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 2200), width=st.integers(1, 4000), frames=st.integers(1, 1000))
def test_the_default_always_solves(height: int, width: int, frames: int) -> None:
    geometry = clip((height, width), frames)
    config = CWRNN().solve(geometry)
    samples = 3 * height * width * frames
    assert config.count(geometry) <= 1.02 * max(samples / 20, 60_000)
    assert config.segments * config.steps >= frames - 1
    assert (config.segments - 1) * config.steps < max(frames - 1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": 0},
        {"channels": 10**9},
        {"without": "anything"},
        {"width": -1},
        {"depth": 10**7},
        {"segments": 0},
        {"rounds": -3},
        {"stride": 0},
        {"anchor_size": ()},
        {"anchor_size": (4,)},
        {"anchor_size": (0, 4)},
        {"anchor_size": (-4, -4)},
        {"motion_size": (4, 4, 4)},
        {"motion_size": (0, 0)},
        {"coarse_size": ()},
        {"coarse_size": (0, 3)},
        {"coarse_size": (10**5, 10**5)},
        {"levels": ()},
        {"levels": ((2, 2, 2),)},
        {"levels": ((0, 4, 2, 2),)},
        {"levels": ((1, 4, -2, -2),)},
        {"levels": ((1, 1, 1, 1),) * 10_000},
    ],
    ids=str,
)
def test_a_hostile_config_builds_nothing(wrong: dict[str, object]) -> None:
    """Sizes that no tensor of a file would have to stand for, or that rendering would stumble over."""
    geometry = clip((16, 24))
    config = replace(CWRNN().solve(geometry), **wrong)  # type: ignore[arg-type]
    with pytest.raises(BadInput), torch.device("meta"):
        config.build(geometry)


def given_frames(size: tuple[int, int], frames: int, noisy: bool = False) -> Observation:
    return Observation(Video.of(torch.zeros(1, 3, 1, 1, dtype=torch.uint8).expand(frames, 3, *size)), noisy=noisy)


def test_more_minutes_mean_more_parameters_of_a_noisy_clip_unless_they_were_given() -> None:
    noisy, geometry = given_frames((160, 320), 64, noisy=True), clip((160, 320), 64)
    sizes = [CWRNN().suited(noisy, minutes, False).solve(geometry).params for minutes in (0.1, 0.5, 3, 30, 300)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2] < sizes[3] == sizes[4]
    for seen in (noisy, given_frames((160, 320), 64)):
        assert CWRNN(params=123_456).suited(seen, 30, False) == CWRNN(params=123_456)
    assert CWRNN().suited(noisy, None, False).solve(geometry) == CWRNN().solve(geometry)


def test_few_minutes_mean_no_fewer_parameters_than_the_least() -> None:
    small = given_frames((100, 160), 30, noisy=True)
    assert [CWRNN().suited(small, minutes, False).params for minutes in (0.001, 30)] == [LEAST, 216_000]


@pytest.mark.parametrize("minutes", [None, 0.1, 30.0])
def test_a_plain_clip_is_given_a_fifth_of_its_samples(minutes: float | None) -> None:
    samples = 3 * 160 * 320 * 64
    suited = CWRNN().suited(given_frames((160, 320), 64), minutes, False)
    assert suited.params == samples // 5
    assert suited.solve(clip((160, 320), 64)).params == samples // 5


def test_a_large_clip_is_given_no_more_than_most_and_no_less_than_its_share() -> None:
    sizes = {frames: CWRNN().suited(given_frames((400, 800), frames), None, False).params for frames in (10, 100, 300)}
    assert sizes == {10: 1_920_000, 100: MOST, 300: 14_400_000}


@pytest.mark.parametrize("minutes", [None, 0.5])
@pytest.mark.parametrize("noisy", [False, True])
def test_a_clip_too_small_for_many_parameters_leaves_them_open(noisy: bool, minutes: float | None) -> None:
    for size, frames in (((1, 1), 1), ((8, 8), 2), ((16, 24), 4)):
        assert CWRNN().suited(given_frames(size, frames, noisy), minutes, False) == CWRNN()
