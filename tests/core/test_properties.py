"""Laws of clips and questions for whatever is drawn: batches are their singles, crops are regions, times stay.

Each test draws the same cases every time.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from strange_invr import GEOMETRY, small
from torch import Tensor

from invr_core.errors import BadInput, BadOutput
from invr_core.io import open_video, save_video
from invr_core.io.clock import FINEST, ticks
from invr_core.observation import Observation, framewise
from invr_core.query import Query, Region
from invr_core.video import Video

F = TypeVar("F", bound=Callable[..., Any])


def always(examples: int) -> Callable[[F], F]:
    """The same cases in each run, and no files of examples."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


instants = st.floats(*GEOMETRY.span)
fractions = st.tuples(st.floats(0, 0.95), st.floats(0.05, 1)).map(lambda pair: (pair[0], min(pair[1], 1 - pair[0])))
regions = st.builds(lambda down, across: Region(down[0], across[0], down[1], across[1]), fractions, fractions)
sizes = st.tuples(st.integers(1, 31), st.integers(1, 31))
steps = st.lists(st.integers(1, 400), min_size=1, max_size=6)


def noise(frames: int, size: tuple[int, int], times: Tensor | None = None) -> Video:
    values = torch.randint(
        0, 256, (frames, 3, *size), generator=torch.Generator().manual_seed(frames), dtype=torch.uint8
    )
    return Video.of(values, times)


# -------------------------------------------------------------------- representations
@pytest.mark.parametrize("model", ["hnerv", "cwrnn"])
@always(12)
@given(times=st.lists(instants, min_size=1, max_size=5), size=st.none() | sizes)
def test_a_batch_is_its_singles_in_any_order(model: str, times: list[float], size: tuple[int, int] | None) -> None:
    rep = small(model)
    whole = rep(Query(torch.tensor(times, dtype=torch.float64), size))
    singles = [rep(Query(torch.tensor([time], dtype=torch.float64), size)) for time in times]
    assert torch.equal(whole, torch.cat(singles))


@pytest.mark.parametrize("model", ["hnerv", "cwrnn"])
@always(12)
@given(time=instants, region=regions, size=st.none() | sizes)
def test_a_region_is_the_crop_of_the_whole(
    model: str, time: float, region: Region, size: tuple[int, int] | None
) -> None:
    rep, times = small(model), torch.tensor([time], dtype=torch.float64)
    rows, columns = region.slices(size or rep.size)
    assert torch.equal(rep(Query(times, size, region)), rep(Query(times, size))[:, :, rows, columns])


@always(60)
@given(cuts=st.lists(st.floats(0.01, 0.99), min_size=1, max_size=4, unique=True), size=sizes)
def test_regions_side_by_side_cover_the_frame_once(cuts: list[float], size: tuple[int, int]) -> None:
    ends = [0.0, *sorted(cuts), 1.0]
    seen = np.zeros(size, int)
    for left, right in pairwise(ends):
        if round(left * size[1]) < round(right * size[1]):  # one that is too narrow still shows one pixel
            rows, columns = Region(0, left, 1, right - left).slices(size)
            seen[rows, columns] += 1
    assert (seen == 1).all()


# ------------------------------------------------------------------------------ clips
@always(40)
@given(indices=st.lists(st.integers(0, 5), min_size=1, max_size=8), count=st.integers(1, 4))
def test_frames_read_together_are_those_read_alone(indices: list[int], count: int) -> None:
    clip = noise(6, (3, 5))
    together = torch.cat([clip.read([index]) for index in indices])
    assert torch.equal(clip.read(indices), together)
    assert torch.equal(clip.remembered(count).read(indices), together)


@always(40)
@given(chosen=st.lists(st.integers(-6, 5), min_size=1, max_size=6, unique_by=lambda i: i % 6), reverse=st.booleans())
def test_indices_are_taken_in_their_order_or_refused(chosen: list[int], reverse: bool) -> None:
    clip = noise(6, (2, 2))
    wanted = sorted((index % 6 for index in chosen), reverse=reverse and len(chosen) > 1)
    if reverse and len(chosen) > 1:
        with pytest.raises(BadInput, match="increase"):
            clip[wanted]
        return
    assert torch.equal(clip[wanted].frames(), clip.frames()[wanted])
    assert clip[wanted].times.tolist() == clip.times[wanted].tolist()


@always(12)
@given(gaps=steps, size=sizes, start=st.integers(0, 5000))
def test_milliseconds_of_any_rhythm_and_any_size_come_back_from_mkv(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[int], size: tuple[int, int], start: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "rhythm.mkv"
    stamps = np.cumsum([start, *gaps])
    clip = noise(len(stamps), size, torch.from_numpy(stamps / 1000))
    save_video(clip, path)
    back = open_video(path)
    assert back.size == size and torch.equal(back.frames(), clip.frames())
    assert np.rint(back.times.numpy() * 1000).astype(int).tolist() == stamps.tolist()


@always(8)
@given(gaps=st.lists(st.integers(90, 90_000), min_size=1, max_size=6), size=sizes)
def test_ticks_of_any_rhythm_come_back_from_mp4(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[int], size: tuple[int, int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "rhythm.mp4"
    times = torch.from_numpy(np.cumsum([0, *gaps]) / 90_000)
    save_video(noise(len(times), size, times), path)
    back = open_video(path)
    assert back.size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert torch.allclose(back.times, times, rtol=0, atol=2e-6)


@always(100)
@given(gaps=st.lists(st.floats(2e-6, 50), min_size=1, max_size=8), start=st.floats(0, 1e5))
def test_ticks_are_off_by_less_than_a_tick_and_increase(gaps: list[float], start: float) -> None:
    times = torch.from_numpy(np.cumsum([start, *gaps]))
    counts, tick, rate = ticks(times)
    assert (np.diff(counts) > 0).all() and rate > 0
    assert np.abs(counts * float(tick) - times.numpy()).max() <= float(FINEST) / 2 + 1e-9


@always(6)
@given(gap=st.floats(1e-12, 4e-7), count=st.integers(2, 4))
def test_frames_too_close_for_any_clock_are_refused(
    tmp_path_factory: pytest.TempPathFactory, gap: float, count: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "close.mp4"
    clip = noise(count, (4, 4), torch.arange(count, dtype=torch.float64) * gap)
    with pytest.raises(BadOutput, match="apart"):
        save_video(clip, path)
    assert not path.exists()


# ----------------------------------------------------------------------- observations
@always(25)
@given(count=st.integers(1, 6), size=sizes, first=st.integers(0, 5), length=st.integers(1, 6))
def test_what_was_seen_of_some_instants_is_part_of_what_was_seen(
    count: int, size: tuple[int, int], first: int, length: int
) -> None:
    clip = noise(count, size)

    def shown(times: Tensor) -> Tensor:
        return clip.read(torch.searchsorted(clip.times, times).tolist())

    seen = Observation(clip, framewise(lambda frames: frames[..., ::2].square())).forward
    some = slice(first % count, first % count + length)
    assert torch.equal(seen(shown, clip.times[some]), seen(shown, clip.times)[some])


@always(40)
@given(frames=st.integers(1, 3), size=st.tuples(st.integers(1, 3), st.integers(1, 3)), channels=st.integers(1, 3))
def test_a_weight_fits_exactly_or_is_refused(frames: int, size: tuple[int, int], channels: int) -> None:
    video = noise(2, (2, 3))
    weight = Video.of(torch.ones(frames, channels, *size))
    if (frames, size, channels) == (2, (2, 3), 1):
        assert Observation(video, weight=weight).weight is weight
        return
    with pytest.raises(BadInput, match="the weight has"):
        Observation(video, weight=weight)
