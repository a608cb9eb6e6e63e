"""A shaking camera held still: by the conformance kit, and on the shipped clip after a fit of moments."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from invr_stabilize import Stabilize, StabilizeConfig, steps
from torch import Tensor

from invr_core import FitConfig, Query, Video
from invr_core.errors import BadInput
from invr_core.oracle import Cut, PanningTexture
from invr_tasks.demo_clip import demo_clip_path
from invr_tasks.metrics import compare
from invr_tasks.run import run, score
from invr_tasks.task import Source
from invr_tasks.testing import TASK_CHECKS, TaskCheck

TIMES = torch.arange(13, dtype=torch.float64) / 25
SPAN = (-0.5, 1.0)
PAN = PanningTexture((72, 96), SPAN)


def truth() -> Video:
    return Video.of(PAN(Query(TIMES)), TIMES)


def off(video: Video, true: Video) -> float:
    """By how many pixels, in the root mean square of steps from frame to frame, the camera moves otherwise."""
    found, expected = (steps(each)[1:, :2] for each in (video, true))
    return float((found - expected).square().sum(1).mean().sqrt())


@pytest.mark.parametrize("check", TASK_CHECKS, ids=lambda check: check.__name__)
def test_it_is_a_good_task(check: TaskCheck) -> None:
    check(Stabilize())


def test_the_path_of_a_camera_is_found() -> None:
    at = torch.stack([torch.tensor(PAN.ground((t + 0.5) / 1.5)) for t in TIMES.tolist()]) * 72
    found = steps(truth())[1:].cumsum(0)
    assert float((found[:, :2] - (at - at[0])[1:]).abs().max()) < 0.5  # of some 45 pixels
    assert float(found[:, 2].abs().max()) < 0.01


def test_a_cut_begins_a_shot() -> None:
    begins = steps(Video.of(Cut((72, 96), SPAN)(Query(TIMES)), TIMES)).isnan().any(1)
    assert begins.nonzero().flatten().tolist() == [0, 7]


def test_the_shake_is_gone_and_the_pan_is_not() -> None:
    found = score(Stabilize(), truth(), rep=PAN)
    assert off(found.result.video, truth()) < 0.15 * off(found.source.video, truth())
    assert off(found.source.video, truth()) > 1.5
    assert found.scores.psnr > found.naive.psnr + 6


def test_what_lies_outside_the_frame_is_the_representations() -> None:
    """A black clip of something that is white: white comes in at the border alone."""

    class White(PanningTexture):
        def picture(self, progress: float, size: tuple[int, int], part: str) -> Tensor:
            return torch.ones(3, *size, dtype=torch.float64)

    task = Stabilize()
    source = task.simulate(truth(), torch.Generator().manual_seed(0))
    dark = replace(source.video, read=lambda ids: source.video.read(ids) * 0.5)
    shown = run(task, Source(dark), rep=White((72, 96), SPAN)).video.frames()
    border = shown[..., :2].amax((1, 2, 3))
    assert float(border.max()) == pytest.approx(1, abs=1e-3)
    assert float(shown[..., 20:-20, 20:-20].max()) < 0.6


def test_after_a_short_fit_the_shipped_clip_is_steady_and_its_border_known() -> None:
    clip = Video.open(demo_clip_path())[20:28].map(lambda frames: frames[..., 20:140, 60:260])
    task = Stabilize()
    found = score(task, clip, fit_config=FitConfig(steps=6, batch=2, device="cpu"))
    assert found.scores.psnr > found.naive.psnr + 6
    assert off(found.result.video, clip) < 0.25 * off(found.source.video, clip)
    guess = task.observe(found.source).guess  # the same frames, in the same places, their borders repeated
    assert guess is not None
    assert found.scores.psnr > compare(guess, clip).psnr


def test_a_clip_in_which_nothing_can_be_followed_is_left_as_it_is() -> None:
    grey = Video.of(torch.full((4, 3, 32, 32), 0.5), TIMES[:4])
    assert steps(grey).isnan().all() and float(Stabilize().shake(steps(grey), grey.times).abs().max()) < 1e-9


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_options_that_cannot_be_are_refused_by_name(seconds: float) -> None:
    with pytest.raises(BadInput, match="seconds"):
        StabilizeConfig(seconds)
