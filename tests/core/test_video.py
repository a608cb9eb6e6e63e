"""`Video`: slices compose, nothing is decoded before it is asked for."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.video import Video

bounds = st.none() | st.integers(-12, 12)
slices = st.builds(slice, bounds, bounds, st.none() | st.integers(1, 4))


def numbered(count: int) -> Video:
    """A clip whose frame k holds the number k everywhere."""
    return Video.of(torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, 2, 4) / 255)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 10), slices, slices)
def test_slices_compose_like_those_of_a_list(count: int, first: slice, second: slice) -> None:
    expected = list(range(count))[first]
    if not expected:
        with pytest.raises(BadInput):
            numbered(count)[first]
        return
    once = numbered(count)[first]
    if not expected[second]:
        with pytest.raises(BadInput):
            once[second]
        return
    twice = once[second]
    numbers = (twice.frames()[:, 0, 0, 0] * 255).round().int().tolist()
    assert numbers == expected[second]
    assert twice.times.tolist() == numbered(count).times[expected[second]].tolist()


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 8), slices)
def test_map_and_slice_commute(count: int, key: slice) -> None:
    if not list(range(count))[key]:
        return
    video = numbered(count)

    def halve(frames: Tensor) -> Tensor:
        return frames[:, :1, :, ::2] / 2

    one, other = video.map(halve)[key], video[key].map(halve)
    assert one.size == other.size == (2, 2)
    assert one.channels == other.channels == 1
    assert torch.equal(one.frames(), other.frames())
    assert torch.equal(one.times, other.times)


def test_slicing_and_mapping_are_lazy() -> None:
    asked: list[list[int]] = []

    def read(indices: Sequence[int]) -> Tensor:
        asked.append(list(indices))
        return torch.zeros(len(indices), 3, 2, 2)

    video = Video(torch.arange(10, dtype=torch.float64), (2, 2), read)
    assert (video.channels, video.depth) == (3, 8)
    part = video[2:8:2]
    assert asked == []
    doubled = part.map(lambda frames: frames * 2)
    assert asked == [[2]]
    doubled.read([2, 0])
    assert asked == [[2], [6, 2]]


def test_indices_may_be_named() -> None:
    video = numbered(6)[[0, 3, 4]]
    assert (video.frames()[:, 0, 0, 0] * 255).round().tolist() == [0, 3, 4]
    assert video.times.tolist() == pytest.approx([0, 0.12, 0.16])
    with pytest.raises(BadInput, match="increase"):
        numbered(6)[[3, 0]]


def test_a_video_is_fixed_once_made_and_equal_to_itself_alone() -> None:
    video = numbered(3)
    with pytest.raises(FrozenInstanceError):
        video.times = torch.zeros(3)  # type: ignore[misc]
    assert len({video, replace(video), copy.copy(video)}) == 3 and copy.deepcopy(video) is video


def test_of_takes_bytes_and_floats_alike() -> None:
    whole = torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Video.of(whole).frames(), Video.of(whole.float() / 255).frames())
    assert Video.of(whole).frames().dtype == torch.float32


def test_clock() -> None:
    video = Video.of(torch.zeros(3, 3, 2, 2), torch.tensor([1.0, 1.5, 3.0], dtype=torch.float64))
    assert video.span == (1.0, 3.0)
    assert video.fps == 1.0
    assert video[:2].fps == 2.0
    assert video[:1].fps == 25.0
    assert video.times.dtype == torch.float64


@pytest.mark.parametrize(
    ("frames", "times"),
    [
        (torch.zeros(0, 3, 2, 2), None),
        (torch.zeros(3, 2, 2), None),
        (torch.zeros(2, 3, 2, 2), torch.tensor([0.0])),
        (torch.zeros(2, 3, 2, 2), torch.tensor([0.0, 0.0])),
        (torch.zeros(2, 3, 2, 2), torch.tensor([1.0, 0.0])),
    ],
    ids=["none", "no channels", "count", "repeated", "backwards"],
)
def test_bad_frames_and_times_are_refused(frames: Tensor, times: Tensor | None) -> None:
    with pytest.raises(BadInput):
        Video.of(frames, times)
