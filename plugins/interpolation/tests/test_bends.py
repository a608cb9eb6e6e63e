"""Paths that are bent: what speeds up or turns is not half-way in the middle of a gap."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from invr_interpolation.bends import SLIGHT, bends
from invr_interpolation.occlusion import meeting
from invr_interpolation.pairs import Gap, Pair
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
    bent = whole / 2 - half  # of the straight path, in the middle
    left = min(SLIGHT, bent)
    assert bent > 0.25
    before, after = middle(clip)
    assert before == pytest.approx(-half - left, abs=0.1) and after == pytest.approx(whole - half - left, abs=0.1)


@pytest.mark.parametrize(
    ("places", "before"),
    [
        ((0, 6, 12, 18), 1),
        ((0, 0, 0, 0), 1),
        ((0, 6, 13, 20.5), 1),  # hardly bent
        ((0, 2, 12, 14), 1),  # faster, then slower
        ((0, 4, 12, 24), 0),  # no frame before
        ((0, 4, 12, 24), 2),  # none after
    ],
    ids=["even", "still", "slight", "unlike", "first", "last"],
)
def test_other_paths_are_straight(places: tuple[float, ...], before: int) -> None:
    pair = Pair.of(panned(places), before, before + 1)
    for bend in bends(pair, 16):
        assert bend.shape == (1, 2, HEIGHT, WIDTH) and float(bend[INSIDE].abs().median()) == 0
    moved = places[before + 1] - places[before]
    assert middle(panned(places), before) == pytest.approx((-moved / 2, moved / 2), abs=0.15)
