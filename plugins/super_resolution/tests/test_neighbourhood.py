"""The frames around one: which picture of it explains them better, and what they add to it."""

from __future__ import annotations

import pytest
import torch
from invr_super_resolution.backprojection import bicubic
from invr_super_resolution.neighbourhood import Neighbourhood, _seen
from torch import Tensor

from invr_core.query import Query
from invr_core.representation import Motion, Representation
from invr_core.testing import PanningTexture
from invr_core.video import Video
from invr_tasks.operators import shrink


def by_area(frames: Tensor, size: tuple[int, int]) -> Tensor:
    return shrink(size=size, kernel="area")(frames)


def neighbourhood(video: Video, rep: Representation, reach: int = 4) -> Neighbourhood:
    found = Neighbourhood.of(video, rep, len(video) // 2, reach, by_area)
    assert found is not None
    return found


def panning() -> tuple[PanningTexture, Video]:
    """A texture that moves by fractions of a given pixel, and its frames shrunk by four."""
    size, texture = (64, 96), PanningTexture((64, 96))
    times = torch.linspace(0, 0.25, 9, dtype=torch.float64)
    return texture, Video.of(by_area(texture(Query(times, size)), (16, 24)), times)


def test_the_picture_that_explains_the_neighbours_better_is_preferred() -> None:
    texture, given = panning()
    among, time = neighbourhood(given, texture), given.times[4:5]
    truth, blurred = texture(Query(time)), bicubic(given.read([4]), texture.size)
    assert float(among.prefers(truth, blurred).mean()) > 0.7
    assert float(among.prefers(blurred, truth).mean()) < 0.3
    assert float((among.prefers(blurred, blurred) - 0.5).abs().max()) < 1e-6
    half = blurred.clone()
    half[..., :48] = truth[..., :48]
    left, right = among.prefers(half, blurred).split(48, 3)
    assert float(left.mean()) > 0.7 and float(right[..., 8:].mean()) == pytest.approx(0.5, abs=0.01)


def test_a_frame_is_made_to_agree_with_its_neighbours() -> None:
    texture, given = panning()
    start, truth = bicubic(given.read([4]), texture.size), texture(Query(given.times[4:5]))
    agreed = neighbourhood(given, texture).agreed(start, given.read([4]))
    assert float((agreed - truth).square().mean()) < 0.5 * float((start - truth).square().mean())


@pytest.mark.parametrize(("size", "small"), [((48, 72), (32, 48)), ((45, 69), (30, 46)), ((63, 93), (21, 31))])
def test_neighbours_are_brought_to_where_they_belong(size: tuple[int, int], small: tuple[int, int]) -> None:
    """What is given of a ramp is the ramp: half a pixel beside it would be seen."""
    across = torch.linspace(0, 1, size[1]).expand(1, 3, *size)
    ramp = across * 0.5 + torch.linspace(0, 0.5, size[0]).view(1, 1, -1, 1)
    there = Neighbourhood(by_area(ramp, small), *still(size), *still(size), by_area)
    brought = there._brought(there.given)
    step = 1 / max(size)
    assert float((brought - ramp)[..., 3:-3, 3:-3].abs().max()) < 0.1 * step
    lacks, shown = there._lacks(ramp)
    assert float(lacks.abs().max()) < 1e-5 and float(shown.min()) == 1


def still(size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """No motion, and all is seen."""
    return torch.zeros(1, 2, *size), torch.ones(1, 1, *size)


def test_what_comes_from_outside_the_frame_is_not_brought() -> None:
    size = (8, 12)
    gone = Motion(torch.full((1, 2, *size), 20.0), torch.ones(1, 1, *size))
    assert float(_seen(gone).max()) == 0


def test_what_no_frame_contradicts_stays_as_it_is() -> None:
    texture, given = panning()
    truth = texture(Query(given.times[4:5]))
    agreed = neighbourhood(given, texture).agreed(truth, given.read([4]))
    assert float((agreed - truth).square().mean()) < (1 / 255) ** 2


def test_neighbours_that_show_something_else_count_for_nothing() -> None:
    texture, given = panning()
    frames = given.frames()
    frames[[0, 1, 2, 6, 7, 8]] = 1 - frames[[0, 1, 2, 6, 7, 8]]
    start, mine = bicubic(given.read([4]), texture.size), given.read([4])
    among_strangers = neighbourhood(Video.of(frames, given.times), texture).agreed(start, mine)
    between_two = neighbourhood(given, texture, reach=1).agreed(start, mine)
    assert float((among_strangers - between_two).square().mean()) < (1 / 255) ** 2
    assert not torch.allclose(between_two, start, atol=1 / 255)
