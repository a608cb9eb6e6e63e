"""Which instants, size, region and part: what can be asked, and what cannot."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.query import Query, Region, at_rate, subdivide

sides = st.integers(1, 2000)
fraction = st.floats(0, 1)


# ----------------------------------------------------------------------------- regions
@given(start=st.floats(0, 0.999), extent=st.floats(0.001, 1), height=sides, width=sides)
def test_a_region_is_never_empty_and_never_leaves_the_frame(
    start: float, extent: float, height: int, width: int
) -> None:
    extent = min(extent, 1 - start)
    if extent <= 0:
        return
    rows, columns = Region(start, start, extent, extent).slices((height, width))
    assert 0 <= rows.start < rows.stop <= height
    assert 0 <= columns.start < columns.stop <= width


@given(cut=st.floats(0.01, 0.99), length=sides)
def test_neighbouring_regions_meet_without_gap_or_overlap(cut: float, length: int) -> None:
    first = Region(0, 0, cut, 1).slices((length, 1))[0]
    second = Region(cut, 0, 1 - cut, 1).slices((length, 1))[0]
    assert (first.start, second.stop) == (0, length)
    if length > 100:  # below, both hold a pixel at the least
        assert first.stop == second.start


def test_all_of_the_frame() -> None:
    assert Region(0, 0, 1, 1).slices((7, 5)) == (slice(0, 7), slice(0, 5))


@pytest.mark.parametrize(
    ("region", "axis"),
    [
        ((-0.1, 0, 0.5, 1), "vertical"),
        ((0, 0, 0, 1), "vertical"),
        ((0.6, 0, 0.5, 1), "vertical"),
        ((0, 0, math.nan, 1), "vertical"),
        ((0, 1, 1, 0.5), "horizontal"),
        ((0, 0, 1, 1.5), "horizontal"),
        ((0, math.nan, 1, 1), "horizontal"),
        ((0, 0, 1, math.inf), "horizontal"),
    ],
)
def test_a_region_outside_the_frame_is_refused(region: tuple[float, float, float, float], axis: str) -> None:
    with pytest.raises(BadInput, match=f"leaves the frame in its {axis} extent"):
        Region(*region)


# ----------------------------------------------------------------------------- queries
def test_times_become_seconds_in_double_precision() -> None:
    for times in (torch.tensor([0, 1]), torch.tensor([0.0, 1.0]), [0.0, 1.0], (0, 1)):
        asked = Query(times)  # type: ignore[arg-type]
        assert asked.times.dtype == torch.float64 and asked.times.tolist() == [0.0, 1.0]
    assert len(Query(torch.zeros(0)).times) == 0


@pytest.mark.parametrize(
    "times", [torch.tensor(0.5), torch.zeros(2, 2), torch.tensor([0.0, math.nan]), torch.tensor([math.inf])]
)
def test_times_that_are_no_instants_are_refused(times: Tensor) -> None:
    with pytest.raises(BadInput, match="times must be a vector of finite seconds"):
        Query(times)


def test_what_was_checked_stays_and_is_equal_to_itself_alone() -> None:
    asked = Query(torch.zeros(1), region=Region(0, 0, 1, 1))
    for thing, name in ((asked, "times"), (asked.region, "top")):
        with pytest.raises(FrozenInstanceError):
            setattr(thing, name, math.nan)
    assert len({asked, replace(asked)}) == 2 and asked.region == Region(0, 0, 1, 1)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 3)])
def test_a_size_without_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(BadInput, match="size must be"):
        Query(torch.zeros(1), size)


# ------------------------------------------------------------------------------ clocks
times_of_clips = st.lists(st.floats(-1e3, 1e3).map(lambda t: round(t, 4)), min_size=1, max_size=12, unique=True).map(
    sorted
)


@given(times=times_of_clips, factor=st.integers(1, 9))
def test_subdividing_keeps_the_given_instants_to_the_bit(times: list[float], factor: int) -> None:
    given_times = torch.tensor(times, dtype=torch.float64)
    fine = subdivide(given_times, factor)
    assert len(fine) == (len(times) - 1) * factor + 1
    assert torch.equal(fine[::factor], given_times)
    assert bool((fine[1:] > fine[:-1]).all())


def test_subdividing_spaces_evenly() -> None:
    fine = subdivide(torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64), 4)
    assert fine.tolist() == pytest.approx([1, 1.25, 1.5, 1.75, 2, 2.75, 3.5, 4.25, 5])


@pytest.mark.parametrize("factor", [0, -2])
def test_a_factor_below_one_is_refused(factor: int) -> None:
    with pytest.raises(BadInput, match=f"factor must be a whole number of at least 1, got {factor}"):
        subdivide(torch.tensor([0.0, 1.0], dtype=torch.float64), factor)


@given(first=st.floats(-100, 100), length=st.floats(0, 50), fps=st.floats(0.1, 240))
def test_a_constant_rate_stays_within_the_span(first: float, length: float, fps: float) -> None:
    times = at_rate((first, first + length), fps)
    assert times.dtype == torch.float64 and float(times[0]) == first
    assert float(times[-1]) <= first + length
    assert float(times[-1]) > first + length - 1 / fps - 1e-6
    if len(times) > 1:
        assert torch.allclose(times.diff(), torch.tensor(1 / fps, dtype=torch.float64), atol=2e-6 / fps + 1e-9)


@pytest.mark.parametrize("fps", [23.976, 25, 29.97, 59.94, 1000 / 3])
def test_the_rate_of_a_clip_gives_its_own_instants(fps: float) -> None:
    given_times = torch.arange(301, dtype=torch.float64) / fps
    found = at_rate((0.0, float(given_times[-1])), fps)
    assert len(found) == 301 and torch.allclose(found, given_times, atol=1e-9)


@pytest.mark.parametrize("fps", [0, -25, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(BadInput, match="fps must be a positive number"):
        at_rate((0.0, 1.0), fps)


def test_more_instants_than_anyone_wants_are_refused() -> None:
    given_times = torch.tensor([0.0, 1.0], dtype=torch.float64)
    with pytest.raises(BadInput, match=r"a factor of 10+ would be 1e\+15 frames, and at most 10,000,000"):
        subdivide(given_times, 10**15)
    for span in ((0.0, 1e15), (-1e308, 1e308)):
        with pytest.raises(BadInput, match=r"25 frames per second from .* frames, and at most 10,000,000"):
            at_rate(span, 25)
    assert len(at_rate((0.0, 100.0), 1000)) == 100_001
