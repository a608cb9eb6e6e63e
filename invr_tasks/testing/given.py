"""What a task gives to the fit: the source it simulates, and how it observes it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from invr_core.checking import expect, expect_close
from invr_core.observation import Observation
from invr_core.oracle import MovingDisc, Oracle, PanningTexture
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks.cli.masks import is_mask
from invr_tasks.task import Task
from invr_tasks.testing.cases import FPS, SPAN, expect_frames, fitted, simulated, some

TOLERANCE = 1e-9
"""Seconds by which a span may differ from another through rounding."""
MUCH_CLOSER = 0.5
"""Of the distance at which another clip is: no further away may the right one be."""


def the_source_is_sound(task: Task[Any]) -> None:
    """`simulate` gives frames in [0, 1], within the truth's time, enough of them, and exactly the declared inputs."""
    case = simulated(task)
    video, extras = case.source.video, case.source.extras
    declared = set(task.inputs) - {"video"}
    expect(set(extras) == declared, f"the extras are {sorted(extras)}, `inputs` declares {sorted(declared)}")
    least = task.minimum_frames
    expect(len(video) >= least, f"the source has {len(video)} frames, `minimum_frames` is {least}")
    expect(
        task.channels in (None, video.channels),
        f"the source has {video.channels} channels, `channels` is {task.channels}; None allows any",
    )
    for name, each in {"video": video, **extras}.items():
        _expect_video(each, name)
        expect(
            each.span[0] >= case.truth.span[0] - TOLERANCE and each.span[1] <= case.truth.span[1] + TOLERANCE,
            f"{name} spans {each.span} s, which leaves the truth's {case.truth.span} s",
        )
        if is_mask(name):
            found, expected = (len(each), each.size, each.channels), (len(video), video.size, 1)
            expect(found == expected, f"{name}: (frames, size, channels) are {found}, expected {expected}")


def the_observation_is_sound(task: Task[Any]) -> None:
    """Frames and weights are in [0, 1], something is trusted, and the distance is least between equals."""
    observation = task.observe(simulated(task).source)
    video, weight = observation.video, observation.weight
    _expect_video(video, "the observed video")
    if weight is not None:
        _expect_video(weight, "the weight")
        expect(bool((weight.frames() > 0).any()), "the weight is 0 everywhere: nothing is trusted")
    frames = video.frames()
    distances = [observation.distance(prediction, frames) for prediction in (frames, 1 - frames)]
    for distance in distances:
        expect(distance.shape == frames.shape, f"distance: shape {tuple(distance.shape)}, expected elementwise")
        expect(bool(torch.isfinite(distance).all()), "distance: not finite everywhere")
    equal, apart = (float(distance.mean()) for distance in distances)
    expect(equal < apart, f"the distance of the video to itself is {equal:g}, to its negative {apart:g}")
    first, last = observation.clip_span
    expect(first <= last, f"span runs from {first:g} to {last:g} s")


def the_forward_fits_the_video(task: Task[Any]) -> None:
    """`forward` gives the video's shape, looks only within the span, batches as singles, and passes slopes on."""
    case = simulated(task)
    observation = task.observe(case.source)
    video, rep = observation.video, fitted(case, observation)
    brightness = torch.ones(1, 3, 1, 1, requires_grad=True)

    def clip(times: Tensor) -> Tensor:
        first, last = observation.clip_span
        low, high = float(times.min()), float(times.max())
        expect(
            low >= first - TOLERANCE and high <= last + TOLERANCE,
            f"forward asks for {low:g} to {high:g} s of a clip from {first:g} to {last:g} s; "
            "give the Observation a `span` that covers it",
        )
        return rep(Query(times)) * brightness

    indices = some(video)
    times = video.times[indices]
    seen = observation.forward(clip, times)
    expected = (len(indices), video.channels, *video.size)
    expect(tuple(seen.shape) == expected, f"forward: shape {tuple(seen.shape)}, expected the video's, {expected}")
    expect(seen.dtype == torch.float32, f"forward: {seen.dtype}, expected float32")
    singles = torch.cat([observation.forward(clip, time[None]) for time in times])
    expect_close(seen, singles, "forward, of a batch and of its instants alone")
    expect(seen.requires_grad, "forward passes no slope on, so that nothing can be fitted through it; do not detach")
    observation.distance(seen, 1 - video.read(indices)).mean().backward()
    slope = brightness.grad
    expect(slope is not None and bool(torch.isfinite(slope).all()), "the slope through forward is not finite")
    expect(slope is not None and bool((slope != 0).any()), "the slope through forward is 0; do not round or threshold")


def the_observation_explains_the_source(task: Task[Any]) -> None:
    """Where trusted, what is given is close to `forward` of the truth; closer than to that of any clip beside it."""
    for kind, other in ((MovingDisc, PanningTexture), (PanningTexture, MovingDisc)):
        name, observation = kind.__name__, task.observe(simulated(task, kind).source)
        right, wrong = (_misfit(observation, each) for each in (kind, other))
        expect(
            right < MUCH_CLOSER * wrong,
            f"{name}: what is given is {right:.3g} from forward of the truth, {wrong:.3g} from that of another clip",
        )
        for seconds in (-1 / FPS, 1 / FPS):
            late = _misfit(observation, kind, seconds=seconds)
            expect(right < late, f"{name}: the truth moved by {seconds:g} s explains better what is given")
        for pixels in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            aside = _misfit(observation, kind, pixels=pixels)
            expect(right < aside, f"{name}: the truth moved by {pixels} (y, x) pixels explains better what is given")


def the_prior_is_one_number(task: Task[Any]) -> None:
    """`prior` is finite, and one number for all instants of a step."""
    case = simulated(task)
    observation = task.observe(case.source)
    term = task.prior(fitted(case, observation), observation.video.times[:3])
    expect(term.shape == (), f"prior: shape {tuple(term.shape)}, expected a single number")
    expect(bool(torch.isfinite(term)), f"prior is {float(term.detach())}, expected a finite number")


def _expect_video(video: Video, what: str) -> None:
    indices = some(video)
    expect_frames(video.read(indices), (len(indices), video.channels, *video.size), what)


@torch.no_grad()
def _misfit(
    observation: Observation, kind: type[Oracle], seconds: float = 0.0, pixels: tuple[int, int] = (0, 0)
) -> float:
    """How far what would be seen of an oracle, moved a little, is from what is given.

    By the task's own distance and weights; 0 if it were the same.
    """
    video, rep = observation.video, kind(observation.clip_size, SPAN)
    given = video.frames()
    seen = observation.forward(lambda times: rep(Query(times + seconds)).roll(pixels, (2, 3)), video.times)
    distance = observation.distance(seen, given) - observation.distance(given, given)
    if observation.weight is None:
        return float(distance.mean())
    weight = observation.weight.frames().expand_as(distance)
    return float((weight * distance).sum() / weight.sum())
