"""Masks that are made: boxes, unions, grown holes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.masks import Box, box_mask, dilate, require_known, union
from invr_core.video import Video

Make = Callable[..., Video]


@pytest.fixture
def clip(make_video: Make) -> Video:
    """Four frames of 24x16, at an uneven clock, which nobody may read."""
    video = make_video(4, 16, 24, times=[1.0, 1.5, 2.0, 4.0])

    def read(indices: Sequence[int]) -> Tensor:
        raise AssertionError("the frames of the clip were read")

    return replace(video, read=read)


def test_a_box_is_filled_and_nothing_else(clip: Video) -> None:
    mask = box_mask(clip, [Box(3, 1, 5, 2)])
    expected = torch.zeros(4, 1, 16, 24)
    expected[:, :, 1:3, 3:8] = 1
    assert torch.equal(mask.frames(), expected)
    assert mask.channels == 1 and mask.size == (16, 24) and torch.equal(mask.times, clip.times)
    assert torch.equal(mask.read([2, 0]), expected[[2, 0]])


@pytest.mark.parametrize(
    ("begin", "end", "frames"),
    [
        (None, None, [0, 1, 2, 3]),
        (1.5, None, [1, 2, 3]),
        (None, 1.5, [0, 1]),
        (1.5, 2.0, [1, 2]),
        (1.4, 1.6, [1]),
        (4.0, 4.9, [3]),
    ],
)
def test_a_box_is_there_from_its_begin_to_its_end(
    clip: Video, begin: float | None, end: float | None, frames: list[int]
) -> None:
    mask = box_mask(clip, [Box(0, 0, 2, 2, begin, end)]).frames()
    assert mask.amax((1, 2, 3)).nonzero().flatten().tolist() == frames


def test_an_instant_in_decimals_meets_the_frame_it_means(make_video: Make) -> None:
    clip = make_video(4, times=[0, 1 / 3, 2 / 3, 1])
    assert box_mask(clip, [Box(0, 0, 1, 1, 0.333333, 0.666667)]).frames().sum((1, 2, 3)).tolist() == [0, 1, 1, 0]


def test_boxes_that_overlap_are_one_hole(clip: Video) -> None:
    mask = box_mask(clip, [Box(0, 0, 4, 4), Box(2, 2, 4, 4, 1.5, 2.0)]).frames()
    assert mask.sum((1, 2, 3)).tolist() == [16, 28, 28, 16] and mask.max() == 1


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (Box(0, 0, 0, 4), r"0,0,0,4 has no size.*24x16"),
        (Box(0, 0, 4, -1), r"0,0,4,-1 has no size.*24x16"),
        (Box(20, 0, 5, 4), r"20,0,5,4 reaches beyond the frame: the clip is 24x16"),
        (Box(0, 13, 4, 4), r"reaches beyond the frame: the clip is 24x16"),
        (Box(-1, 0, 4, 4), r"reaches beyond the frame"),
        (Box(0, -1, 4, 4), r"reaches beyond the frame"),
        (Box(0, 0, 4, 4, 0.5, 2), r"0,0,4,4,0.5,2 is outside the clip: the clip goes from 1 to 4 s"),
        (Box(0, 0, 4, 4, 2, 5.5), r"is outside the clip: the clip goes from 1 to 4 s"),
        (Box(0, 0, 4, 4, 3, 2), r"ends before it begins: 3 to 2 s"),
        (Box(0, 0, 4, 4, float("nan"), 2), r"ends before it begins"),
        (Box(0, 0, 4, 4, 2.5, 3), r"is at no frame: none lies from 2.5 to 3 s"),
    ],
)
def test_a_box_that_cannot_be_is_refused_with_what_the_clip_is(clip: Video, box: Box, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        box_mask(clip, [Box(0, 0, 2, 2), box])


def test_a_union_has_the_holes_of_all(clip: Video) -> None:
    masks = [box_mask(clip, [Box(0, 0, 4, 4)]), box_mask(clip, [Box(2, 0, 4, 4)]), box_mask(clip, [Box(20, 8, 1, 1)])]
    assert torch.equal(union(*masks).frames(), box_mask(clip, [Box(0, 0, 6, 4), Box(20, 8, 1, 1)]).frames())
    assert torch.equal(union(masks[0]).frames(), masks[0].frames())


@pytest.mark.parametrize("other", [(3, 16, 24), (4, 16, 23)])
def test_masks_of_two_clips_are_not_united(clip: Video, make_video: Make, other: tuple[int, int, int]) -> None:
    mask = box_mask(make_video(*other), [Box(0, 0, 1, 1)])
    with pytest.raises(BadInput, match=rf"24x16.*{other[2]}x16 cannot be united"):
        union(box_mask(clip, [Box(0, 0, 1, 1)]), mask)


@pytest.mark.parametrize("pixels", [0, 1, 3, 1000])
def test_holes_grow_by_as_many_pixels_in_all_directions(clip: Video, pixels: int) -> None:
    mask = dilate(box_mask(clip, [Box(10, 7, 2, 1, 1.5, 2.0)]), pixels).frames()
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(24), indexing="ij")
    near = (rows - 7) ** 2 + torch.minimum((columns - 10).abs(), (columns - 11).abs()) ** 2 <= pixels**2
    assert torch.equal(mask[1, 0], near.float()) and torch.equal(mask[2], mask[1])
    assert mask[0].sum() == 0 and mask[3].sum() == 0  # nothing grows out of nothing


def test_a_negative_growth_is_refused(clip: Video) -> None:
    with pytest.raises(BadInput, match="0 pixels or more, got -1"):
        dilate(box_mask(clip, [Box(0, 0, 1, 1)]), -1)


def test_a_mask_is_drawn_as_it_is_read_and_never_as_a_whole(make_video: Make) -> None:
    seen: list[int] = []
    given = make_video(1, 16, 24, 1)

    def read(indices: Sequence[int]) -> Tensor:
        seen.extend(indices)
        return given.read([0] * len(indices)).round()

    long = Video(torch.arange(100_000, dtype=torch.float64), (16, 24), read, channels=1)
    mask = dilate(union(long, box_mask(long, [Box(0, 0, 2, 2, 10, 20)])), 2)
    assert seen == []
    mask.read([5, 70_000])
    require_known(union(box_mask(long, [Box(0, 0, 2, 2)])), "this mask")
    assert seen == [5, 70_000]


def test_a_mask_that_leaves_nothing_is_refused_and_one_that_leaves_a_pixel_is_not(clip: Video) -> None:
    with pytest.raises(BadInput, match="this mask covers everything; nothing is left to learn from"):
        require_known(box_mask(clip, [Box(0, 0, 24, 16)]), "this mask")
    require_known(box_mask(clip, [Box(0, 0, 24, 16, 1.0, 2.0)]), "this mask")
