"""Cuts are found, and what looks like one is not taken for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.io import open_video
from invr_core.oracle import Cut, MovingDisc, PanningTexture
from invr_core.query import Query
from invr_core.shots import cuts_at, find_cuts
from invr_core.video import Video


def world(seed: int, height: int = 48, width: int = 2000) -> Tensor:
    """(3, H, W) a wide picture: coarse blobs with detail."""
    generator = torch.Generator().manual_seed(seed)
    parts = [
        torch.nn.functional.interpolate(
            torch.rand(1, 3, height // cell, width // cell, generator=generator), (height, width), mode="bilinear"
        )
        for cell in (24, 8)
    ]
    return 0.7 * parts[0][0] + 0.3 * parts[1][0]


def pan(seed: int, frames: int, speed: int, start: int = 0) -> Tensor:
    """(N, 3, 48, 64) a camera that turns, so many pixels a frame."""
    picture = world(seed)
    return torch.stack([picture[..., start + speed * i : start + speed * i + 64] for i in range(frames)])


def test_two_scenes() -> None:
    assert find_cuts(Video.of(torch.cat([pan(1, 9, 2), pan(2, 7, 3)]))) == (9,)
    assert find_cuts(Video.of(torch.cat([pan(1, 9, 0), pan(2, 4, 1), pan(3, 12, 2)]))) == (9, 13)


def test_the_oracle_with_a_cut_and_those_without() -> None:
    times = torch.linspace(0, 1, 20, dtype=torch.float64)
    assert find_cuts(Video.of(Cut()(Query(times)), times)) == (10,)
    for oracle in (MovingDisc(), PanningTexture()):
        assert find_cuts(Video.of(oracle(Query(times)), times)) == ()


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("light", [0.5, 1.0])
def test_a_flash_is_no_cut(frames: int, light: float) -> None:
    clip = pan(1, 20, 1)
    clip[9 : 9 + frames] = clip[9 : 9 + frames].lerp(torch.ones(()), light)
    assert find_cuts(Video.of(clip)) == ()


def test_a_frame_of_another_scene_is_no_cut() -> None:
    clip = pan(1, 20, 1)
    clip[7] = pan(2, 1, 0)[0]
    assert find_cuts(Video.of(clip)) == ()


@pytest.mark.parametrize("speed", [10, 20, 40])
def test_a_fast_pan_is_no_cut_not_even_where_it_starts_and_stops(speed: int) -> None:
    turn = pan(1, 16, speed)
    clip = torch.cat([turn[:1].expand(8, -1, -1, -1), turn, turn[-1:].expand(8, -1, -1, -1)])
    assert find_cuts(Video.of(clip)) == ()


def test_a_cut_into_a_fast_pan_is_found() -> None:
    assert find_cuts(Video.of(torch.cat([pan(1, 10, 1), 1 - pan(2, 10, 4)]))) == (10,)


def test_noise_alone_and_a_slow_fade_are_no_cuts(make_video: Callable[..., Video]) -> None:
    assert find_cuts(make_video(frames=12)) == ()
    fade = pan(1, 20, 1) * torch.linspace(1, 0, 20).view(-1, 1, 1, 1)
    assert find_cuts(Video.of(fade)) == ()


def test_noise_does_not_hide_a_cut() -> None:
    clip = torch.cat([pan(1, 9, 2), pan(2, 7, 3)])
    noise = 0.1 * torch.randn(clip.shape, generator=torch.Generator().manual_seed(0))
    assert find_cuts(Video.of((clip + noise).clamp(0, 1))) == (9,)


def test_the_first_and_the_last_frame_may_be_shots(make_video: Callable[..., Video]) -> None:
    assert find_cuts(Video.of(torch.cat([pan(1, 1, 0), pan(2, 9, 1)]))) == (1,)
    assert find_cuts(Video.of(torch.cat([pan(1, 9, 1), pan(2, 1, 0)]))) == (9,)
    assert find_cuts(make_video(frames=1)) == ()


def test_a_clip_one_pixel_wide() -> None:
    assert find_cuts(Video.of(torch.cat([torch.zeros(4, 3, 9, 1), torch.ones(4, 3, 9, 1)]))) == (4,)


def test_the_shipped_clip_is_one_shot(bunny_path: Path) -> None:
    assert find_cuts(open_video(bunny_path)) == ()


def test_frames_are_read_one_at_a_time() -> None:
    clip = torch.cat([pan(1, 9, 2), pan(2, 7, 3)])
    most = 0

    def read(indices: object) -> Tensor:
        nonlocal most
        chosen = list(indices)  # type: ignore[call-overload]
        most = max(most, len(chosen))
        return clip[chosen]

    assert find_cuts(Video(torch.arange(16, dtype=torch.float64), (48, 64), read)) == (9,)
    assert most == 1


def test_cuts_by_hand_are_frames_at_or_after_their_instants(make_video: Callable[..., Video]) -> None:
    clip = make_video(frames=10, times=[k / 29.97 for k in range(10)])
    assert cuts_at(clip, [0.033, 0.067, 0.1]) == (1, 2, 3)  # 0.03337, 0.06673 and 0.10010, read in milliseconds
    assert cuts_at(clip, [0.05]) == (2,)
    assert cuts_at(clip, []) == ()


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        ([0.0], "a cut at 0 s is not between the clip.s frames, which go from 0 to 0.36 s"),
        ([-1.0], "a cut at -1 s is not between"),
        ([0.37], "a cut at 0.37 s is not between"),
        ([float("nan")], "a cut at nan s is not between"),
        ([0.2, 0.1], "cuts must increase, by a frame or more each: 0.1 s comes too early"),
        ([0.2, 0.2], "0.2 s comes too early"),
    ],
)
def test_cuts_by_hand_that_cannot_be(make_video: Callable[..., Video], seconds: list[float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        cuts_at(make_video(frames=10), seconds)
