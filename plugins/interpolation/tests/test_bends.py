"""Paths that are bent: what speeds up or turns is not half-way in the middle of a gap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import invr_interpolation.bends
import pytest
import torch
from invr_interpolation.bends import SLIGHT, bends
from invr_interpolation.occlusion import meeting
from invr_interpolation.pairs import Gap, Pair
from invr_interpolation.paths import candidates
from torch import Tensor

from invr_core.sampling import sample, target_grid
from invr_core.video import Video

HEIGHT, WIDTH, MARGIN = 96, 160, 48
"""Of the picture, and the pixels at its rim that are not looked at: they come from outside."""
INSIDE = (slice(None), slice(None), slice(24, -24), slice(MARGIN, -MARGIN))


def panned(places: Sequence[float], times: Sequence[float] | None = None) -> Video:
    """A texture that is so many pixels to the right in each frame."""
    noise = torch.rand(1, 3, HEIGHT // 9, WIDTH // 5, generator=torch.Generator().manual_seed(0))
    wide = torch.nn.functional.interpolate(noise, size=(HEIGHT, 2 * WIDTH), mode="bicubic").clamp(0, 1)

    def frame(place: float) -> Tensor:
        still = torch.tensor([WIDTH / 2 - place, 0.0]).view(1, 2, 1, 1).expand(1, 2, HEIGHT, WIDTH)
        return sample(wide, target_grid(still), "bicubic")[0][0].clamp(0, 1)

    at = torch.arange(len(places)) if times is None else torch.tensor(times)
    return Video.of(torch.stack([frame(place) for place in places]), at.double())


def middle(clip: Video, before: int = 1) -> tuple[float, float]:
    """By how much the frames before and after the middle of a gap are off it, in pixels to the right."""
    pair = Pair.of(clip, before, before + 1)
    path = meeting(Gap(pair, (pair.start + pair.end) / 2), 16)
    found = [float(way[INSIDE][:, 0].median()) for way in (path.before, path.after)]
    return found[0], found[1]


@pytest.mark.parametrize(
    "times", [(0.0, 0.8, 1.6, 2.4), (0.0, 0.5, 1.5, 2.0), (0.0, 1.0, 1.5, 2.0)], ids=["even", "long gap", "short gap"]
)
def test_what_speeds_up_is_shown_where_it_was(times: tuple[float, ...]) -> None:
    change = 10.0  # pixels a second, each second
    clip = panned([change / 2 * time**2 for time in times], times)
    seconds = times[2] - times[1]
    half, whole = seconds * change * (times[1] + seconds / 4) / 2, seconds * change * (times[1] + seconds / 2)
    assert whole / 2 - half > 0.25  # off the straight path, in the middle
    assert middle(clip) == pytest.approx((-half, whole - half), abs=0.1)


@pytest.mark.parametrize("before", [0, 2], ids=["first", "last"])
def test_where_one_frame_beyond_is_missing_half_of_it_is_believed(before: int) -> None:
    places = (0, 4, 12, 24)
    moved = places[before + 1] - places[before]
    half = moved / 2 - 4 / 8 / 2  # the gap's motion changes by 4 pixels, which is 4 / 8 off in its middle
    assert middle(panned(places), before) == pytest.approx((-half, moved - half), abs=0.1)


def test_a_thing_bends_less_than_it_is_told_and_what_is_around_it_stays() -> None:
    """A square of the texture speeds up on a still ground."""
    frames, places = panned([0] * 4).frames(), (0, 2, 8, 18)
    square = frames[0, :, 24:72, 40:88].flip(1)
    for frame, place in zip(frames, places, strict=True):
        frame[:, 24:72, 40 + place : 88 + place] = square
    bend = bends(Pair.of(Video.of(frames, torch.arange(4).double()), 1, 2), 16).before
    thing, ground = bend[0, 0, 40:56, 58:74], bend[0, :, :, 120:]
    assert float(ground.abs().max()) < 0.1
    assert float(thing.median()) == pytest.approx(4 - 8 * SLIGHT, abs=0.5)


def test_what_stays_where_it_is_does_not_bend_with_the_camera() -> None:
    """A title, while the camera that shows what is behind it speeds up."""
    frames = panned((0, 2, 8, 18)).frames()
    frames[:, :, 24:72, 56:104] = panned([0]).frames()[0, :, 24:72, 56:104].flip(1)
    bend = bends(Pair.of(Video.of(frames, torch.arange(4).double()), 1, 2), 16).before
    title, ground = bend[0, :, 40:56, 72:88], bend[0, 0, :, 120:140]
    assert float(title.abs().max()) < 0.1
    assert float(ground.median()) == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize(
    ("places", "before"),
    [
        ((0, 6, 12, 18), 1),
        ((0, 0, 0, 0), 1),
        ((0, 2, 12, 14), 1),  # faster, then slower
    ],
    ids=["even", "still", "unlike"],
)
def test_other_paths_are_straight(places: tuple[float, ...], before: int) -> None:
    pair = Pair.of(panned(places), before, before + 1)
    found = bends(pair, 16)
    for bend in (found.before, found.after):
        assert bend.shape == (1, 2, HEIGHT, WIDTH) and float(bend[INSIDE].abs().median()) < 0.1
    moved = places[before + 1] - places[before]
    assert middle(panned(places), before) == pytest.approx((-moved / 2, moved / 2), abs=0.15)


def test_bends_are_found_once_for_all_instants_of_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, change = list[float](), invr_interpolation.bends._change

    def counted(*told: Any) -> Any:
        asked.append(told[-1])
        return change(*told)

    monkeypatch.setattr(invr_interpolation.bends, "_change", counted)
    pair = Pair.of(panned((0, 2, 8, 18)), 1, 2)
    for time in (1.25, 1.5, 1.75):
        candidates(Gap(pair, time), None)
    assert len(asked) == 2 * 3  # from before and after, by 8, 16 and 24 pixels
