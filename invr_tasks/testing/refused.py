"""Clips and options out of the ordinary: served or refused, and nothing between."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from invr_core.checking import expect, expect_refused
from invr_core.errors import InvrError
from invr_core.oracle import MovingDisc
from invr_core.video import Video
from invr_tasks.cli.masks import is_mask
from invr_tasks.run import prepare
from invr_tasks.task import Source, Task
from invr_tasks.testing.cases import SPAN, each, simulated, some
from invr_tasks.testing.values import choices, hostile


def other_clips_are_served(task: Task[Any]) -> None:
    """As few frames as `minimum_frames` says, odd and tiny sizes, an uneven clock, any choice of an option.

    Each is answered, or refused before the fit by an `InvrError`.
    """
    source, least = simulated(task).source, task.minimum_frames
    others = {
        f"a clip of {least} frame(s), as `minimum_frames` allows": each(source, lambda video: video[:least]),
        "a clip of an odd size": each(source, lambda video: _corner(video, (11, 7))),
        "a clip of one pixel": each(source, lambda video: _corner(video, (1, 1))),
        "a clip of uneven times": each(source, lambda video: dataclasses.replace(video, times=video.times**1.5)),
    }
    for what, other in others.items():
        _serve(task, other, what)
    for name, value in choices(task.config):
        _serve(task, source, f"the option {name} = {value!r}", {name: value})


def bad_input_is_refused(task: Task[Any]) -> None:
    """A missing input or a mask that does not fit is refused before the fit, by an `InvrError`.

    So are options that make no sense, by their names; what is not refused must be answered.
    """
    source = simulated(task).source
    for name in task.inputs[1:]:
        others = {key: video for key, video in source.extras.items() if key != name}
        expect_refused(partial(prepare, task, Source(source.video, others)), InvrError, f"a source without {name!r}")
        for what, video in _misfits(source[name]):
            wrong, title = Source(source.video, {**others, name: video}), f"a {name} with {what}"
            if is_mask(name):
                expect_refused(partial(prepare, task, wrong), InvrError, title)
            else:
                _serve(task, wrong, title)
    for name, value in hostile(task.config):
        _serve(task, source, f"the option {name} = {value!r}", {name: value})


def _misfits(video: Video) -> Iterator[tuple[str, Video]]:
    height, width = video.size
    yield "a row too few", _corner(video, (height - 1, width))
    if len(video) > 1:
        yield "a frame too few", video[:-1]
    yield "two channels too many", video.map(lambda frames: frames.repeat(1, 3, 1, 1))


def _corner(video: Video, size: tuple[int, int]) -> Video:
    return video.map(lambda frames: frames[..., : size[0], : size[1]].clone())


def _serve(task: Task[Any], source: Source, what: str, options: dict[str, Any] | None = None) -> None:
    """Refused before the fit by an InvrError, or answered with finite pictures."""
    try:
        try:
            changed = type(task)(dataclasses.replace(task.config, **(options or {})))
        except InvrError as refusal:
            unnamed = [name for name in options or {} if name not in str(refusal).replace("-", "_")]
            expect(not unnamed, f"{what} is refused without its name: {refusal}")
            return
        try:
            job = prepare(changed, source)
        except InvrError:
            return
        rep = MovingDisc(job.observation.clip_size, SPAN)
        for video in (changed.naive(source), changed.render(rep, source)):
            frames = video.read(some(video))
            expect(tuple(frames.shape[2:]) == video.size, f"{what}: frames of {tuple(frames.shape)}, not {video.size}")
            expect(bool(torch.isfinite(frames).all()), f"{what}: the answer is not finite; refuse it")
    except AssertionError:
        raise
    except Exception as cause:
        raise AssertionError(f"{what}: {cause!r}; answer it, or refuse it before the fit by an InvrError") from cause
