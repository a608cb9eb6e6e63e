"""Broken timestamps are mended, rounded ones restored, good ones left alone."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invr_core.io.clock import FINEST, mend, ticks, undo_rounding

stamps = st.lists(st.none() | st.floats(-100, 100, width=32), min_size=1, max_size=20)


@settings(deadline=None)
@given(stamps)
def test_mended_times_increase_and_keep_what_they_can(given_stamps: list[float | None]) -> None:
    times, mended = mend(given_stamps, 0.04)
    assert len(times) == len(given_stamps)
    assert all(a < b for a, b in itertools.pairwise(times))
    kept = sum(a == b for a, b in zip(times, given_stamps, strict=True))
    assert kept >= len(times) - mended


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=20, unique=True))
def test_good_stamps_are_kept_to_the_bit(good: list[float]) -> None:
    assert mend(sorted(good), 0.04) == (sorted(good), 0)


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ([0.0, None, 2.0], [0.0, 1.0, 2.0]),
        ([None, 1.0, 2.0, None], [0.0, 1.0, 2.0, 3.0]),
        ([0.0, 1.0, 99.0, 3.0, 4.0], [0.0, 1.0, 2.0, 3.0, 4.0]),
        ([None, None, None], [0.0, 0.5, 1.0]),
    ],
    ids=["hole", "ends", "outlier", "nothing"],
)
def test_mended_examples(broken: list[float | None], whole: list[float]) -> None:
    assert mend(broken, 0.5)[0] == pytest.approx(whole)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(60), Fraction(75)])
def test_milliseconds_of_a_constant_rate_are_undone(rate: Fraction) -> None:
    exact = [float(2 + k / rate) for k in (0, 1, 2, 5, 6, 100)]
    rounded = [round(t * 1000) / 1000 for t in exact]
    assert rounded != exact
    assert undo_rounding(rounded, rate, Fraction(1, 1000)) == pytest.approx(exact, abs=1e-12)


def test_variable_and_finer_stamps_are_left_alone() -> None:
    variable = [0.0, 0.033, 0.05, 0.12]
    assert undo_rounding(variable, Fraction(30), Fraction(1, 1000)) == variable
    fine = [0.0, 0.0333, 0.0667]
    assert undo_rounding(fine, Fraction(30), Fraction(1, 90000)) == fine


@pytest.mark.parametrize(
    "rate", [Fraction(25), Fraction(50), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(75), Fraction(1, 3)]
)
def test_ticks_hold_a_rate_exactly(rate: Fraction) -> None:
    times = torch.tensor([float(k / rate) for k in (0, 1, 2, 7, 8)], dtype=torch.float64)
    counts, tick, found = ticks(times)
    assert found == rate
    assert np.abs(counts * float(tick) - times.numpy()).max() < 1e-12


def test_ticks_of_arbitrary_times_are_microseconds() -> None:
    times = torch.tensor([0.1234567, 0.2, 0.35], dtype=torch.float64)
    counts, tick, _ = ticks(times)
    assert tick == FINEST
    assert counts.tolist() == [123457, 200000, 350000]


def test_frames_an_hour_apart_have_ticks_too() -> None:
    count, tick, rate = ticks(torch.tensor([0.0, 3600.0], dtype=torch.float64))
    assert (count * float(tick)).tolist() == [0, 3600] and rate == 1


def test_the_ticks_of_the_file_are_tried_as_they_are() -> None:
    base = Fraction(1001, 30_000)
    count, tick, _ = ticks(torch.tensor([0, 13, 27], dtype=torch.float64) * float(base), base)
    assert (count.tolist(), tick) == ([0, 13, 27], base)


@pytest.mark.parametrize(("rate", "end"), [(24, 0.4), (60, 0.4), (25, 0.3601), (30000 / 1001, 0.3987)])
def test_ticks_hold_the_end_beside_the_times(rate: float, end: float) -> None:
    times = torch.arange(9, dtype=torch.float64) / rate
    counts, tick, found = ticks(times, end=end)
    assert float(found) == pytest.approx(rate)
    assert np.abs(counts * float(tick) - times.numpy()).max() < 1e-9
    assert abs(round(end / tick) * float(tick) - end) < 2e-5
