"""The mask options of `invr run`: of any task with a mask, of no other. The fit is a stand-in that answers at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invr_core.video import Video

Refuses = Callable[..., str]
SKY = """
from fake_tasks import *

class Sky(Fill):
    inputs = ("video", "sky_mask", "mask")

    def observe(self, source):
        mask = source["mask"], source["sky_mask"]
        return Observation(source.video, weight=Video_of(*mask))

def Video_of(mask, sky):
    from dataclasses import replace
    return replace(mask, read=lambda ids: 1 - (mask.read(ids) + 2 * sky.read(ids)) / 4)

@dataclass(frozen=True)
class Mine:
    dilate: int = 3

class Growing(Fill):
    Config = Mine
"""


@pytest.fixture
def logo(clip: str) -> str:
    """A mask file, white in 4x4 pixels of 24x16, upper left."""
    mask = torch.zeros(1, 3, 16, 24)
    mask[..., :4, :4] = 1
    Video.of(mask).save("logo.mkv")
    return "logo.mkv"


@pytest.fixture
def holes(invr: Any, fits: Any, logo: str) -> Callable[..., Tensor]:
    """``holes(options) -> (4, 16, 24) bool``: the mask that the task gets from these options."""

    def run(*options: str) -> Tensor:
        assert invr("run", "fakefill", "in.mkv", "out.mkv", "--quiet", *options) == (0, "", "")
        weight = fits.calls[-1][0].weight.frames()[:, 0]
        assert set(weight.unique().tolist()) <= {0, 1}
        return torch.as_tensor(weight == 0)

    return run


def pixels(*slices: tuple[int, int, int, int]) -> Tensor:
    """(16, 24) bool: true in boxes of x, y, width, height."""
    wanted = torch.zeros(16, 24, dtype=torch.bool)
    for x, y, width, height in slices:
        wanted[y : y + height, x : x + width] = True
    return wanted


def test_a_box_is_the_mask_where_no_file_is_given(holes: Any) -> None:
    assert torch.equal(holes("--box", "5,2,8,3"), pixels((5, 2, 8, 3)).expand(4, -1, -1))


def test_several_boxes_and_a_file_are_united(holes: Any) -> None:
    found = holes("--box", "5,2,8,3", "--mask", "logo.mkv", "--box=20,0,4,16,0.04,0.08")
    always, then = [(5, 2, 8, 3), (0, 0, 4, 4)], (20, 0, 4, 16)
    assert torch.equal(found[0], pixels(*always)) and torch.equal(found[3], found[0])
    assert torch.equal(found[1], pixels(*always, then)) and torch.equal(found[2], found[1])


def test_black_is_the_hole_of_a_file_if_it_is_said_and_boxes_stay_holes(holes: Any) -> None:
    found = holes("--mask", "logo.mkv", "--mask-invert", "--box", "0,0,1,1")
    assert torch.equal(found[0], ~pixels((0, 0, 4, 4)) | pixels((0, 0, 1, 1)))


def test_all_holes_grow_after_the_colours_are_settled(holes: Any) -> None:
    grown = pixels((0, 0, 5, 4), (0, 0, 4, 5), (10, 4, 1, 3), (9, 5, 3, 1))
    assert torch.equal(holes("--mask", "logo.mkv", "--box", "10,5,1,1", "--dilate", "1")[0], grown)
    inverted = holes("--mask", "logo.mkv", "--mask-invert", "--dilate", "1")[0]
    assert torch.equal(inverted, ~pixels((0, 0, 3, 3)))


def test_each_mask_of_a_stranger_has_its_own_options(invr: Any, fits: Any, clip: str, install: Any) -> None:
    install("sky-dist", {"fakesky": "sky_tasks:Sky"}, {"sky_tasks": SKY})
    options = ["--box", "0,0,2,2", "--sky-box", "8,8,2,2", "--sky-dilate", "1", "--dilate", "2"]
    assert invr("run", "fakesky", clip, "out.mkv", "--quiet", *options) == (0, "", "")
    weight = 1 - fits.calls[0][0].weight.frames()[0, 0]
    assert torch.equal(weight == 0.5, pixels((8, 7, 2, 4), (7, 8, 4, 2)))
    assert torch.equal(weight == 0.25, pixels((0, 0, 4, 2), (0, 0, 2, 4), (0, 0, 3, 3)))
    help_text = invr("run", "fakesky", "--help")[1]
    for option in ("--mask ", "--mask-invert", "--box", "--dilate", "--sky-mask ", "--sky-mask-invert", "--sky-box"):
        assert f" {option}" in help_text


def test_a_task_without_a_mask_has_none_of_them(invr: Any) -> None:
    text = invr("run", "fakeslow", "--help")[1]
    assert not [option for option in ("--mask", "--box", "--dilate") if option in text]
    assert "Unrecognized options: --box" in invr.refuses("run", "fakeslow", "a", "b", "--box", "0,0,1,1")


def test_a_stranger_whose_option_has_our_name_is_told(invr: Any, install: Any) -> None:
    install("sky-dist", {"fakegrow": "sky_tasks:Growing"}, {"sky_tasks": SKY})
    assert "has options that `invr run` has itself: --dilate" in invr.refuses("run", "fakegrow", "a", "b")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "missing: --mask PATH, or --box X,Y,W,H for a rectangle"),
        (["--mask-invert", "--box", "0,0,1,1"], "--mask-invert is of the file that --mask names"),
        (["--box", "0,0,1,1", "--dilate", "-1"], "--dilate must be 0 pixels or more, got -1"),
        (["--box", "1,2,3"], "--box: '1,2,3' is not a box: give x,y,w,h in whole pixels"),
        (["--box", "1,2,3,4,5"], "--box: '1,2,3,4,5' is not a box"),
        (["--box", "1,2,3.5,4"], "--box: '1,2,3.5,4' is not a box"),
        (["--box", "20,0,5,4"], "the box 20,0,5,4 reaches beyond the frame: the clip is 24x16"),
        (["--box", "2,2,0,4"], "the box 2,2,0,4 has no size"),
        (["--box", "2,2,4,4,0.1,9"], "the box 2,2,4,4,0.1,9 is outside the clip: the clip goes from 0 to 0.12 s"),
        (["--box", "0,0,24,16"], "the mask box 0,0,24,16 covers everything; nothing is left to learn from"),
        (
            ["--mask", "logo.mkv", "--dilate", "30"],
            "the mask logo.mkv, grown by 30 px covers everything; nothing is left to learn from",
        ),
        (
            ["--mask", "logo.mkv", "--mask-invert", "--box", "0,0,4,4"],
            "the mask logo.mkv inverted and box 0,0,4,4 covers everything",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(
    refuses: Refuses, fits: Any, logo: str, options: list[str], message: str
) -> None:
    assert refuses("run", "fakefill", "in.mkv", "out.mkv", *options).startswith(message)
    assert fits.calls == []


def test_the_page_of_a_run_says_what_the_mask_was(invr: Any, fits: Any, logo: str) -> None:
    options = ["--mask", "logo.mkv", "--box", "5,2,8,3", "--dilate", "2", "--report", "at.html", "--quiet"]
    assert invr("run", "fakefill", "in.mkv", "out.mkv", *options) == (0, "", "")
    assert "logo.mkv and box 5,2,8,3, grown by 2 px" in Path("at.html").read_text(encoding="utf-8")
