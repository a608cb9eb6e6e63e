"""An excerpt, and what the whole would take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from standins import Own
from torch import Tensor

from invr_core.fitting import LEAST_STEPS, FitConfig, default_steps, solved_for
from invr_core.masks import Box, box_mask
from invr_core.memory import estimate
from invr_core.models.base import Geometry, ModelConfig
from invr_core.models.cwrnn import CWRNN
from invr_core.observation import Observation
from invr_core.query import Query, subdivide
from invr_core.video import Video
from invr_tasks.part_fits import Orders
from invr_tasks.pieces import parts_of
from invr_tasks.preview import Planned, Took, excerpt, forecast, planned, shortened
from invr_tasks.run import Job
from invr_tasks.task import NoOptions, Source

Make = Callable[..., Video]
SMALL, DEFAULT = CWRNN(params=20_000), FitConfig(device="cpu")


def indices(part: Video, clip: Video) -> list[int]:
    """Which frames of a clip are in an excerpt of it, by their instants."""
    return [clip.times.tolist().index(time) for time in part.times.tolist()]


# ------------------------------------------------------------------ the excerpt
@pytest.mark.parametrize(
    ("seconds", "least", "frames"),
    [
        (0.2, 1, [4, 5, 6]),
        (0.01, 1, [5]),
        (0.01, 2, [5, 6]),
        (0.01, 3, [4, 5, 6]),
        (0.01, 99, list(range(11))),
        (5.0, 1, list(range(11))),
    ],
)
def test_it_is_the_middle_on_the_clock_of_the_clip(
    make_video: Make, seconds: float, least: int, frames: list[int]
) -> None:
    clip = make_video(11, times=[7 + i / 10 for i in range(11)])
    part = excerpt(Source(clip), seconds, least).video
    assert indices(part, clip) == frames
    assert torch.equal(part.frames(), clip.frames()[frames])  # small enough as it is


def test_an_uneven_clock_is_cut_by_seconds(make_video: Make) -> None:
    clip = make_video(5, times=[0, 0.1, 0.2, 3, 6])
    assert indices(excerpt(Source(clip), 1.0).video, clip) == [3]
    assert indices(excerpt(Source(clip), 1.0, 3).video, clip) == [2, 3, 4]


def test_it_is_shrunk_by_area_and_never_enlarged(make_video: Make) -> None:
    clip = make_video(3, 24, 40)
    small = excerpt(Source(clip), 9, width=20).video
    assert small.size == (12, 20)
    wanted = torch.nn.functional.avg_pool2d(clip.frames(), 2)
    assert float((small.frames() - wanted).abs().max()) < 1 / 255
    assert excerpt(Source(clip), 9, width=41).video.size == (24, 40)
    assert excerpt(Source(make_video(3, 1, 40)), 9, width=10).video.size == (1, 10)


def test_a_mask_follows_and_keeps_its_smallest_hole(make_video: Make) -> None:
    clip = make_video(9, 32, 48, times=[i / 10 for i in range(9)])
    mask = box_mask(clip, [Box(5, 5, 1, 1), Box(40, 16, 8, 16, 0.4, 0.4)])
    part = excerpt(Source(clip, {"mask": mask}), 0.2, width=12)
    assert part["mask"].times.tolist() == part.video.times.tolist() and part["mask"].size == part.video.size == (8, 12)
    wanted = torch.zeros(3, 1, 8, 12)
    wanted[:, :, 1, 1] = 1
    wanted[1, :, 4:, 10:] = 1
    assert torch.equal(part["mask"].frames(), wanted)


def test_other_inputs_follow_in_time_only_if_they_have_the_clips_frames(make_video: Make) -> None:
    clip, along, apart = make_video(10, 8, 16), make_video(10, 16, 32), make_video(3, 8, 16)
    part = excerpt(Source(clip, {"along": along, "apart": apart}), 0.1, width=8)
    assert (part.video.size, part["along"].size, part["apart"].size) == ((4, 8), (8, 16), (4, 8))
    assert part["along"].times.tolist() == part.video.times.tolist() and len(part["apart"]) == 3


def test_only_the_excerpt_is_read_and_shrunk_once(make_video: Make) -> None:
    clip = make_video(40, 8, 16)
    seen: list[int] = []

    def read(ids: Sequence[int]) -> Tensor:
        seen.extend(ids)
        return clip.read(ids)

    part = excerpt(Source(replace(clip, read=read)), 0.2, width=8).video
    assert seen == []
    part.frames(), part.frames()
    assert sorted(seen) == indices(part, clip)


# ------------------------------------------------------------------ its fit
@pytest.mark.parametrize(
    ("whole", "part"),
    [
        (FitConfig(steps=1000, seed=3), FitConfig(steps=250, seed=3)),
        (FitConfig(steps=200), FitConfig(steps=LEAST_STEPS)),
        (FitConfig(steps=20), FitConfig(steps=20)),
        (FitConfig(minutes=8), FitConfig(minutes=2)),
        (FitConfig(minutes=0.5), FitConfig(minutes=0.25)),
        (FitConfig(minutes=0.1), FitConfig(minutes=0.1)),
        (FitConfig(), FitConfig()),
    ],
)
def test_each_frame_is_looked_at_as_often_but_for_a_least_length(whole: FitConfig, part: FitConfig) -> None:
    assert shortened(whole, 100, 25) == part


# ------------------------------------------------------------------ what the whole would take
def plan(
    config: FitConfig, frames: int, height: int, width: int, model: ModelConfig = SMALL, factor: int = 1
) -> Planned:
    """A fit to a clip that nobody reads."""
    asked = Observation(clip(frames, height, width))
    query = Query(subdivide(asked.video.times, factor))
    return Planned(Job(asked, query), solved_for(asked, model, config), config)


def clip(frames: int, height: int, width: int) -> Video:
    """That cannot be read."""

    def read(indices: Sequence[int]) -> Tensor:
        raise AssertionError("a frame was read")

    return Video(torch.arange(frames) / 25, (height, width), read)


@pytest.mark.parametrize(
    ("config", "fitting"),
    [(FitConfig(steps=300), 300 * 0.5 * 4), (FitConfig(minutes=7), 420.0)],
)
def test_the_time_of_the_whole_is_that_of_its_pixels(config: FitConfig, fitting: float) -> None:
    whole, part = plan(config, 101, 64, 96, factor=2), plan(config, 11, 32, 48, factor=2)
    found = forecast([whole], part, Took(fitting=10, steps=20, rendering=3))
    assert found.fitting == pytest.approx(fitting)
    assert found.rendering == pytest.approx(3 * 201 / 21 * 4)


def test_a_fit_of_no_given_length_is_as_long_as_the_fit_would_make_it() -> None:
    whole, part = plan(DEFAULT, 200, 64, 96), plan(DEFAULT, 3, 64, 96)
    found = forecast([whole], part, Took(fitting=6, steps=60, rendering=1))
    steps = default_steps(whole.model, Geometry.of(whole.job.observation), whole.batch, torch.device("cpu"))
    assert steps > LEAST_STEPS
    assert found.fitting == pytest.approx(steps * 0.1 * whole.batch / min(whole.batch, 3))


def test_the_memory_is_that_of_the_whole_fit() -> None:
    config = FitConfig(minutes=1)
    whole = plan(config, 101, 64, 96, CWRNN())
    found = forecast([whole], plan(config, 11, 32, 48, CWRNN()), Took(1, 1, 1))
    assert found.memory == estimate(whole.model, Geometry.of(whole.job.observation), whole.batch)


def test_a_long_clip_takes_the_time_of_all_its_parts_and_the_memory_of_one() -> None:
    task, orders = Own(NoOptions()), Orders(model=CWRNN(), fit_config=DEFAULT)
    source = Source(clip(15_000, 360, 640))
    fits = planned(task, source, (400,), orders)
    parts = parts_of(15_000, (400,), orders.piece)
    assert len(fits) == len(parts) > 100
    assert [len(fit.job.observation.video) for fit in fits] == list(map(len, parts))
    took, excerpt = Took(fitting=6, steps=60, rendering=1), plan(DEFAULT, 25, 180, 320, CWRNN())
    found, alone = forecast(fits, excerpt, took), [forecast([fit], excerpt, took) for fit in fits]
    assert found.fitting == pytest.approx(sum(one.fitting for one in alone))
    assert found.memory == max(one.memory for one in alone) < 4 << 30
    short = forecast(planned(task, Source(clip(160, 360, 640)), (), orders), excerpt, took)
    assert found.fitting == pytest.approx(short.fitting * sum(map(len, parts)) / 160, rel=0.1)


def test_minutes_are_for_all_parts_together() -> None:
    config = FitConfig(minutes=7, device="cpu")
    fits = planned(Own(NoOptions()), Source(clip(500, 64, 96)), (), Orders(model=SMALL, fit_config=config))
    assert len(fits) > 3
    assert forecast(fits, plan(config, 11, 32, 48), Took(10, 20, 3)).fitting == pytest.approx(420)
