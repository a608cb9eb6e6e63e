"""Shutter blur undone: by the conformance kit, and on the shipped clip after a fit of moments."""

from __future__ import annotations

import pytest
import torch
from invr_deblur import Deblur, DeblurConfig

from invr_core import FitConfig, Query, Video
from invr_core.errors import BadInput
from invr_core.oracle import MovingDisc
from invr_tasks.demo_clip import demo_clip_path
from invr_tasks.run import default_model, run, score
from invr_tasks.task import Source
from invr_tasks.testing import TASK_CHECKS, TaskCheck

TIMES = torch.arange(45, dtype=torch.float64) / 44
DISC = MovingDisc((48, 64), (-0.5, 1.5))


def truth() -> Video:
    return Video.of(DISC(Query(TIMES)), TIMES)


@pytest.mark.parametrize("check", TASK_CHECKS, ids=lambda check: check.__name__)
def test_it_is_a_good_task(check: TaskCheck) -> None:
    check(Deblur())


@pytest.mark.parametrize("shutter", [1.0, 0.5])
def test_an_exposure_is_the_mean_of_as_many_true_frames_as_the_shutter_says(shutter: float) -> None:
    task = Deblur(DeblurConfig(shutter=shutter))
    source = task.simulate(truth(), torch.Generator())
    step = round(5 / shutter)
    assert source.video.times.tolist() == TIMES[2:43:step].tolist()
    assert float((source.video.read([1]) - truth().read(range(step, step + 5)).mean(0)).abs().max()) < 0.51 / 255
    observation = task.observe(source)
    seen = observation.forward(lambda times: DISC(Query(times)), source.video.times)
    assert float((seen - source.video.frames()).abs().max()) < 0.51 / 255  # the taps are those true frames
    half = 2.5 / 44
    assert observation.clip_span == pytest.approx((source.video.span[0] - half, source.video.span[1] + half))


def test_with_motion_that_is_known_it_is_far_sharper() -> None:
    found = score(Deblur(), truth(), rep=DISC)
    assert found.scores.psnr > found.naive.psnr + 6


def test_what_stands_still_is_left_as_it_is() -> None:
    still = Video.of(torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0)).expand(3, -1, -1, -1))
    shown = run(Deblur(), Source(still), model=default_model("hnerv"), fit_config=FitConfig(steps=1)).video
    assert float((shown.frames() - still.frames()).abs().mean()) < 0.5 / 255


def test_after_a_short_fit_the_shipped_clip_is_sharper() -> None:
    clip = Video.open(demo_clip_path()).map(lambda frames: frames[..., 48:112, 96:192])
    found = score(Deblur(), clip, fit_config=FitConfig(steps=4, batch=2, device="cpu"))
    assert found.scores.psnr > found.naive.psnr + 0.05, (found.scores.psnr, found.naive.psnr)


def test_a_truth_too_short_for_two_exposures_is_refused() -> None:
    with pytest.raises(BadInput, match="a truth of 9 frames makes 1 exposures"):
        Deblur().simulate(truth()[:9], torch.Generator())


@pytest.mark.parametrize(
    ("options", "name"), [({"shutter": 0.0}, "shutter"), ({"shutter": 1.1}, "shutter"), ({"taps": 1}, "taps")]
)
def test_options_that_cannot_be_are_refused_by_name(options: dict[str, float], name: str) -> None:
    with pytest.raises(BadInput, match=name):
        DeblurConfig(**options)
