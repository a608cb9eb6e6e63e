"""A long clip in pieces: one representation at a time, no seam, and no task that knows of it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from standins import TASKS, Own
from torch import Tensor

from invr_core.errors import BadInput, Unsupported
from invr_core.fitting import FitConfig
from invr_core.io import open_video
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks import registry
from invr_tasks import run as run_module
from invr_tasks.pieces import OVERLAP, PIECE, parts_of
from invr_tasks.shots import run_shots
from invr_tasks.task import NoOptions, Source

SMALL = HNeRV(strides=(2, 2), width=6.5, lower_width=4, embedding=4)


class Flat:
    """A representation that is one grey: how many fits there were before it, in tenths."""

    parts = frozenset({"full"})
    device = torch.device("cpu")

    def __init__(self, observation: Observation, grey: float) -> None:
        self.span, self.size, self.grey = observation.clip_span, observation.clip_size, grey
        self.info: dict[str, Any] = {}

    def __call__(self, query: Query) -> Tensor:
        assert float(query.times.min()) >= self.span[0] - 1e-9 and float(query.times.max()) <= self.span[1] + 1e-9
        return torch.full((len(query.times), 3, *self.size), self.grey)

    def motion(self, t0: Tensor, t1: Tensor) -> Any:
        raise Unsupported("no motion")


class Fits:
    """Stands in for `fit`, and counts what it made that is still alive."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[float, float]] = []
        self.made: list[weakref.ref[Flat]] = []
        self.most_alive = 0
        monkeypatch.setattr(run_module, "fit", self)

    def __call__(self, observation: Observation, model: Any, config: FitConfig, **rest: Any) -> Flat:
        gc.collect()
        self.most_alive = max(self.most_alive, sum(ref() is not None for ref in self.made))
        rep = Flat(observation, len(self.seen) / 10)
        self.seen.append(observation.video.span)
        self.made.append(weakref.ref(rep))
        return rep


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Fits:
    return Fits(monkeypatch)


def clip(frames: int) -> Video:
    """Frames of noise, 10 a second."""
    return Video.of(torch.rand(frames, 3, 8, 12, generator=torch.Generator().manual_seed(0)), fps=10)


# ------------------------------------------------------------------- where they are
@pytest.mark.parametrize("frames", [1, 7, PIECE, PIECE + 1, 303, 304, 305, 1000, 15_000])
@pytest.mark.parametrize("piece", [8, 33, PIECE])
def test_pieces_are_alike_and_overlap_and_none_is_too_long(frames: int, piece: int) -> None:
    parts = parts_of(frames, (), piece)
    lengths = [len(part) for part in parts]
    assert max(lengths) <= piece and max(lengths) - min(lengths) <= 1
    assert parts[0].begin == 0 and parts[-1].end == frames
    shared = {one.end - two.begin for one, two in pairwise(parts)}
    assert shared <= {min(OVERLAP, piece // 4)}
    assert [part.overlaps for part in parts] == [False] + [True] * (len(parts) - 1)
    assert all(two.end <= three.begin + 1 for two, three in zip(parts, parts[2:], strict=False))  # never three at once


def test_pieces_end_at_cuts() -> None:
    parts = parts_of(60, (10, 50), 20)
    assert [(part.begin, part.end, part.overlaps) for part in parts] == [
        (0, 10, False),
        (10, 27, False),
        (22, 38, True),
        (33, 50, True),
        (50, 60, False),
    ]
    assert parts[2].title == "shot 2/3, piece 2/3" and parts_of(5)[0].title == ""
    with pytest.raises(BadInput, match="at least 8 frames, got 7"):
        parts_of(60, (), 7)


# ------------------------------------------------------------------- one after another
def test_each_piece_is_fitted_when_its_first_frame_is_read_and_one_other_is_held(fits: Fits) -> None:
    video = run_shots(Own(NoOptions()), Source(clip(60)), piece=20).video
    assert len(fits.seen) == 1  # the first
    read = []
    for index in range(60):
        video.read([index])
        read.append(len(fits.seen))
    parts = parts_of(60, (), 20)
    assert len(fits.seen) == len(parts) == 4 and fits.most_alive == 1
    for number, part in enumerate(parts[1:], 1):
        assert read[part.begin] == number and read[part.begin + 1] == number + 1


def test_in_an_overlap_one_answer_gives_way_to_the_other_evenly(fits: Fits) -> None:
    shown = run_shots(Own(NoOptions()), Source(clip(60)), piece=20).video.frames()[:, 0, 0, 0]
    parts = parts_of(60, (), 20)
    for index, grey in enumerate(shown.tolist()):
        inside = [number for number, part in enumerate(parts) if part.begin <= index < part.end]
        first = inside[0]
        share = (index - parts[first + 1].begin) / 4 if len(inside) == 2 else 0.0  # five frames overlap
        assert grey == pytest.approx((first + share) / 10, abs=1e-6), index
    assert float((shown[1:] - shown[:-1]).max()) < 0.03  # no step of a whole tenth anywhere


def test_answers_that_must_not_be_mixed_follow_each_other_in_the_middle_of_an_overlap(fits: Fits) -> None:
    class Apart(Own):
        blends = False

    shown = run_shots(Apart(NoOptions()), Source(clip(60)), piece=20).video.frames()[:, 0, 0, 0]
    begins = [part.begin + 2 for part in parts_of(60, (), 20)[1:]]  # five frames overlap
    expected = [sum(index >= begin for begin in begins) / 10 for index in range(60)]
    assert shown.tolist() == pytest.approx(expected, abs=1e-6)


def test_what_is_gone_back_to_is_fitted_again_and_is_the_same(make_video: Callable[..., Video]) -> None:
    source, config = Source(make_video(frames=30)), FitConfig(steps=12, device="cpu")
    one = run_shots(Own(NoOptions()), source, piece=10, model=SMALL, fit_config=config).video
    two = run_shots(Own(NoOptions()), source, piece=10, model=SMALL, fit_config=config).video
    order = [29, 0, 8, 17, 3, 28]
    assert torch.equal(torch.cat([one.read([i]) for i in order]), two.frames()[order])
    assert torch.equal(one.read([-1]), two.read([29]))


@pytest.mark.parametrize("name", ["interpolate", "inpaint"])
def test_given_frames_stay_as_they_are_to_the_bit_in_an_overlap_too(
    name: str, make_video: Callable[..., Video]
) -> None:
    task, video = registry.get(name)(), make_video(frames=26)
    first, second = parts_of(26, (), 16)
    assert first.end - second.begin == 4  # two given frames lie strictly within the overlap
    mask = torch.zeros(26, 1, *video.size)
    mask[..., 3:6, 3:6] = 1
    extras = {"mask": Video.of(mask, video.times)} if name == "inpaint" else {}
    source = Source(video, extras)
    answer = run_shots(task, source, piece=16, model=SMALL, fit_config=FitConfig(steps=9, device="cpu")).video
    given = answer[::2] if name == "interpolate" else answer
    hidden = mask.bool() if extras else torch.zeros(26, 1, *video.size, dtype=torch.bool)
    assert torch.equal(given.times, video.times)
    assert torch.equal(given.frames().masked_fill(hidden, 0), video.frames().masked_fill(hidden, 0))


@pytest.mark.parametrize("name", TASKS)
def test_every_task_takes_pieces(name: str, make_video: Callable[..., Video]) -> None:
    task, video = registry.get(name)(), make_video(frames=20)
    mask = torch.zeros(20, 1, *video.size)
    mask[..., 3:6, 3:6] = 1
    source = Source(video, {"mask": Video.of(mask, video.times)} if "mask" in task.inputs else {})
    joined = run_shots(task, source, piece=9, model=SMALL, fit_config=FitConfig(steps=9, device="cpu"))
    asked = task.plan(source)
    assert len(joined.parts) > 2 and torch.equal(joined.video.times, asked.times)
    assert torch.isfinite(joined.video.frames()).all() and joined.video.size == (asked.size or video.size)


def test_only_the_pieces_that_are_asked_for_are_fitted(fits: Fits) -> None:
    task = registry.get("interpolate")
    run_shots(task(task.Config(times=(4.02, 4.03))), Source(clip(60)), piece=20).video.frames()
    assert len(fits.seen) == 1 and fits.seen[0][0] < 4.0 < fits.seen[0][1]


def test_a_piece_has_more_frames_than_the_task_needs(fits: Fits) -> None:
    class Many(Own):
        api = 1
        minimum_frames = 12

    parts = run_shots(Many(NoOptions()), Source(clip(60)), piece=8).parts
    assert min(map(len, parts)) >= 12


# ------------------------------------------------------------------- the command line
def test_the_command_tells_of_pieces_and_writes_one_clip(invr: Any, fits: Fits) -> None:
    clip(60).save("in.mkv")
    code, out, err = invr("run", "interpolate", "in.mkv", "out.mkv", "--no-shots", "--piece", "20")
    assert code == 0 and out.startswith("wrote out.mkv: 119 frames of 12x8")
    assert "in.mkv has 60 frames, and is fitted in 4 parts of at most 19, which overlap within a shot (--piece " in err
    assert torch.equal(open_video("out.mkv").frames()[::2], open_video("in.mkv").frames())
    assert len(fits.seen) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--piece", "7"], "--piece must be at least 8 frames, got 7"),
        (["--piece", "x"], "--piece: 'x' is not a whole number"),
        (["--rep", "a.invr", "--piece", "20"], "--rep leaves out the fit, so --piece would have no effect"),
    ],
)
def test_pieces_that_cannot_be(invr: Any, fits: Fits, options: list[str], message: str) -> None:
    clip(60).save("in.mkv")
    assert message in invr.refuses("run", "denoise", "in.mkv", "out.mkv", "--no-shots", *options)
    assert fits.seen == [] and not Path("out.mkv").exists()
