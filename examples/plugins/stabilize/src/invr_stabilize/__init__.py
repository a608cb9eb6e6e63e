"""A shaking camera held still: the clip is fitted as a steady camera would show it, seen through the shake."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from invr_core import Observation, Query, Representation, Video
from invr_core.errors import BadInput
from invr_core.observation import Clip
from invr_core.sampling import pixel_grid, sample
from invr_tasks.pixels import Bytes, to_bytes
from invr_tasks.task import Source, Task, frame_by_frame

__all__ = ["Stabilize", "StabilizeConfig", "path"]

SHAKE = (0.02, 0.02, 0.005)
"""Simulated, as standard deviations: to the right and down, in frame heights, and clockwise, in radians."""
FEWEST = 8
"""Points that must agree on how the camera has moved; it counts as still if fewer do."""


@dataclass(frozen=True)
class StabilizeConfig:
    """What is shake, and what is meant."""

    seconds: float = 0.2
    """How far before and after an instant the camera's path is smoothed; faster movements are taken for shake."""

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise BadInput(f"seconds must be a positive number, got {self.seconds}")


class Stabilize(Task[StabilizeConfig]):
    """Take the camera's shake out of a clip; what its borders lack comes from the fitted clip."""

    api = 1
    Config = StabilizeConfig

    def observe(self, source: Source) -> Observation:
        """The given frames are those of a steady camera, displaced; displaced back, they are a guess at them."""
        video, shake = source.video, self._shake(source.video)

        def shaken(clip: Clip, times: Tensor) -> Tensor:
            now = [np.interp(times, video.times, column) for column in shake.T]
            return _moved(clip(times), _inverse(torch.from_numpy(np.stack(now, 1))))[0]

        guess = frame_by_frame(video, lambda index: _moved(video.read([index]), shake[index : index + 1])[0])
        return Observation(video, forward=shaken, guess=guess)

    def plan(self, source: Source) -> Query:
        """The given instants."""
        return Query(source.video.times)

    def render(self, rep: Representation, source: Source) -> Video:
        """Each given frame, put back in its place; what then lies outside it is the representation's."""
        video, shake = source.video, cache(lambda: self._shake(source.video))

        def steady(index: int) -> Tensor:
            back, inside = _moved(video.read([index]).to(rep.device), shake()[index : index + 1])
            return torch.lerp(rep(Query(video.times[index : index + 1])), back, inside)

        return frame_by_frame(video, steady)

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        """The clip shaken at random; what is slow in the shake is left out, as nobody could tell it from a movement."""
        drawn = torch.randn(len(truth), 3, generator=generator, dtype=torch.float64) * torch.tensor(SHAKE)
        drawn[:, :2] *= truth.size[0]
        away = _inverse(_fast(drawn, torch.zeros(len(truth)), truth.times, self.config.seconds))
        return Source(frame_by_frame(truth, lambda index: _moved(truth.read([index]), away[index : index + 1])[0]))

    def _shake(self, video: Video) -> Tensor:
        return _fast(*path(video), video.times, self.config.seconds)


def path(video: Video) -> tuple[Tensor, Tensor]:
    """Where the camera moves what a first frame shows, (N, 3) pixels right and down and radians; (N,) in which shot."""
    grey = [cv2.cvtColor(to_bytes(video.read([index]))[0], cv2.COLOR_RGB2GRAY) for index in range(len(video))]
    steps = [np.zeros(3), *map(_step, grey, grey[1:])]
    cuts = torch.tensor([bool(np.isnan(step).any()) for step in steps])
    return torch.from_numpy(np.nan_to_num(steps)).cumsum(0), cuts.cumsum(0)


def _step(before: Bytes, after: Bytes) -> NDArray[np.float64]:
    """The camera's movement between two frames; not a number where too little agrees on one, as at a cut."""
    unknown = np.full(3, np.nan)
    points = cv2.goodFeaturesToTrack(before, 300, 0.01, 4)
    if points is None:
        return unknown
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, np.empty_like(points), winSize=(15, 15))
    if found.sum() < FEWEST:
        return unknown
    fitted, agree = cv2.estimateAffinePartial2D(points[found == 1], moved[found == 1], ransacReprojThreshold=1.0)
    if fitted is None or agree.sum() < max(FEWEST, len(points) / 2):
        return unknown
    centre = (np.array(before.shape[::-1]) - 1) / 2
    return np.array([*(fitted @ [*centre, 1] - centre), math.atan2(fitted[1, 0], fitted[0, 0])])


def _fast(path: Tensor, shots: Tensor, times: Tensor, seconds: float) -> Tensor:
    """What a path has more, at each instant, than a line through what is around it in the same shot: (N, 3)."""
    apart = times - times[:, None]
    weight = torch.exp(-0.5 * (apart / seconds).square()).sqrt() * (shots == shots[:, None])
    lines = torch.stack([torch.ones_like(apart), apart], -1)
    slow: Tensor = torch.linalg.lstsq(lines * weight[..., None], path * weight[..., None]).solution[:, 0]
    return path - slow


def _inverse(shake: Tensor) -> Tensor:
    right, down, angle = shake.unbind(1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([-cos * right - sin * down, sin * right - cos * down, -angle], 1)


def _moved(frames: Tensor, shake: Tensor) -> tuple[Tensor, Tensor]:
    """Frames, at each pixel what they show where the shake, (n, 3), puts it; and whether that is inside."""
    height, width = frames.shape[2:]
    right, down, angle = shake.to(frames).view(-1, 3, 1, 1).unbind(1)
    x, y = (pixel_grid(height, width, frames.device)[0] - torch.tensor([[[width]], [[height]]]) / 2 + 0.5)[:, None]
    cos, sin = angle.cos(), angle.sin()
    x, y = cos * x - sin * y + right + (width - 1) / 2, sin * x + cos * y + down + (height - 1) / 2
    return sample(frames, torch.stack([x, y], 1), "bicubic")
