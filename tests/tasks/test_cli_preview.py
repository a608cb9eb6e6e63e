"""`invr run --preview`: the middle of a clip, small; the whole is only estimated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sounding import kinds, sounding

from invr_core.io import open_video
from invr_core.video import Video

Make = Callable[..., Video]
Refuses = Callable[..., str]


@pytest.fixture
def wide(invr: Any, make_video: Make) -> None:
    """``wide.mkv``: 20 frames of 400x20 from 0 to 0.76 s, and a mask for it whose hole moves."""
    make_video(20, 20, 400, smooth=True).save("wide.mkv")
    mask = torch.zeros(20, 3, 20, 400)
    for index in range(20):
        mask[index, :, :, 10 * index : 10 * index + 10] = 1
    Video.of(mask).save("hole.mkv")


def test_the_middle_is_run_small_and_the_whole_is_foretold(invr: Any, fits: Any, wide: None) -> None:
    fits.info = {"steps": 5}
    code, out, err = invr("run", "fakeslow", "wide.mkv", "out.mkv", "--preview", "0.2", "--steps", "100")
    assert code == 0
    ((observation, _, config),) = fits.calls
    assert (len(observation.video), observation.video.size, config.steps) == (6, (16, 320), 60)
    shown = open_video("out.mkv")
    assert (len(shown), shown.size, shown.span[0]) == (11, (16, 320), 0.0)
    assert "invr: preview: 0.28 to 0.48 s, 6 of 20 frames, at 320x16" in err
    wrote, foretold = out.splitlines()
    assert wrote.startswith("wrote out.mkv: 11 frames of 320x16, in ")
    assert foretold.startswith("this was 0.28 to 0.48 s; all 20 frames of 400x20 would take about ")
    assert "(fit " in foretold and ", rendering " in foretold and "MiB of memory, with " in foretold


def test_it_runs_with_a_fit_that_is_real(invr: Any, wide: None) -> None:
    options = ["--preview", "0.1", "--steps", "2", "--params", "20k", "--device", "cpu"]
    code, out, err = invr("run", "interpolate", "wide.mkv", "out.mkv", *options)
    assert code == 0, err
    assert len(out.splitlines()) == 2 and open_video("out.mkv").size == (16, 320)


def test_minutes_are_the_estimate_of_the_whole(invr: Any, fits: Any, wide: None) -> None:
    out = invr("run", "fakeslow", "wide.mkv", "out.mkv", "--preview", "0.2", "--minutes", "42")[1]
    assert "(fit 42 min, rendering " in out
    assert fits.calls[0][2].minutes == pytest.approx(42 * 6 / 20)


@pytest.mark.parametrize("options", [["--mask", "hole.mkv"], ["--box", "70,0,10,20,0.28,0.28", "--mask", "hole.mkv"]])
def test_masks_follow(invr: Any, fits: Any, wide: None, options: list[str]) -> None:
    assert invr("run", "fakefill", "wide.mkv", "out.mkv", "--preview", "0.2", "--quiet", *options) == (0, "", "")
    hole = 1 - fits.calls[0][0].weight.frames()[:, 0, 0]
    first = [int(row.argmax()) for row in hole]
    assert first == [8 * index for index in range(7, 13)]
    assert hole.sum(1).tolist() == [8.0] * 6


def test_boxes_are_in_pixels_and_seconds_of_the_whole(invr: Any, fits: Any, wide: None) -> None:
    options = ["--preview", "0.2", "--quiet", "--box", "200,0,100,10,0.32,0.4"]
    assert invr("run", "fakefill", "wide.mkv", "out.mkv", *options) == (0, "", "")
    hole = 1 - fits.calls[0][0].weight.frames()[:, 0]
    assert hole.sum((1, 2)).tolist() == [0, 640, 640, 640, 0, 0] and hole[1, :8, 160:240].min() == 1


def test_cuts_outside_the_excerpt_are_no_matter(invr: Any, fits: Any, wide: None) -> None:
    options = ["--preview", "0.2", "--quiet", "--cuts", "0.12,0.4,0.6"]
    assert invr("run", "fakeslow", "wide.mkv", "out.mkv", *options) == (0, "", "")
    assert [len(call[0].video) for call in fits.calls] == [3, 3]


def test_a_cut_in_milliseconds_is_met_at_the_border_as_anywhere(invr: Any, fits: Any, make_video: Make) -> None:
    """Two thirds of a second are told as 0.667: no cut where the excerpt begins; one frame by itself is not fitted."""
    video = replace(make_video(80, 16, 24), times=torch.arange(80, dtype=torch.float64) / 30)
    video.save("thirds.mkv")
    options = ["--preview", "1.3", "--quiet", "--cuts"]
    for cuts, lengths in (("0.667", [40]), ("0.7", [39]), ("1.967", [39]), ("2.0", [40])):
        fits.calls.clear()
        assert invr("run", "fakeslow", "thirds.mkv", "out.mkv", *options, cuts) == (0, "", ""), cuts
        assert [len(call[0].video) for call in fits.calls] == lengths, cuts


def test_it_has_no_sound_and_says_nothing_if_it_is_to_be_quiet(invr: Any, fits: Any) -> None:
    sounding(Path("in.mp4"))
    assert invr("run", "fakeslow", "in.mp4", "out.mp4", "--preview", "0.1", "--quiet") == (0, "", "")
    assert kinds(Path("out.mp4")) == ["video"]


def test_its_page_says_that_it_is_one(invr: Any, fits: Any, wide: None) -> None:
    options = ["--preview", "0.2", "--quiet", "--report", "at.html"]
    assert invr("run", "fakeslow", "wide.mkv", "out.mkv", *options) == (0, "", "")
    assert "0.2 s from the middle" in Path("at.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preview", "0"], "--preview must be a positive number of seconds, got 0"),
        (["--preview", "-1"], "--preview must be a positive number of seconds, got -1"),
        (["--preview", "nan"], "--preview must be a positive number of seconds, got nan"),
        (["--preview", "1", "--rep", "clip.invr"], "--preview fits a small excerpt, which --rep is not of"),
        (["--preview", "1", "--save-rep", "new.invr"], "--preview fits a small excerpt, which --save-rep is not of"),
        (
            ["--preview", "0.1", "--times", "0.08,0.1"],
            "which spans 0.04 to 0.08 s; --preview is of 0.04 to",
        ),
        (["--preview", "0.1", "--times", "0.08,9"], "9 s lies outside the clip, which spans 0 to 0.12 s"),
        (["--preview", "0.1", "--cuts", "9"], "a cut at 9 s is not between the clip's frames"),
        (["--preview", "0.1", "--params", "5"], "5"),
    ],
)
def test_what_the_whole_or_the_excerpt_cannot_be_is_refused(
    refuses: Refuses, fits: Any, stored: str, options: list[str], message: str
) -> None:
    assert message in refuses("run", "fakeslow", "in.mkv", "out.mkv", "--quiet", *options)
    assert fits.calls == []


def test_a_batch_has_none(invr: Any, clip: str) -> None:
    said = invr.refuses("batch", "fakeslow", clip, "--into", "out", "--preview", "1")
    assert "Unrecognized options: --preview" in said
