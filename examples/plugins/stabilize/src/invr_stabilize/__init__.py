"""A shaking camera held still: the clip is fitted as a steady camera would show it, seen through the shake."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import atan2, inf, nan

import cv2
import numpy as np
import torch
from torch import Tensor

from invr_core import Observation, Query, Representation, Video
from invr_core.errors import BadInput
from invr_tasks.operators import displace
from invr_tasks.pixels import Bytes, to_bytes
from invr_tasks.task import Source, Task, frame_by_frame

__all__ = ["Stabilize", "StabilizeConfig", "steps"]

SHAKE = (0.02, 0.02, 0.005)
"""Simulated, as standard deviations: to the right and down, in frame heights, and clockwise, in radians."""
FEWEST = 8
"""Points that must agree on how the camera has moved; where fewer do, as at a cut, its path begins anew."""


@dataclass(frozen=True)
class StabilizeConfig:
    seconds: float = 0.2
    """How far before and after an instant the camera's path is smoothed; faster movements are taken for shake."""

    def __post_init__(self) -> None:
        if not 0 < self.seconds < inf:
            raise BadInput(f"seconds must be a positive number, got {self.seconds}")


class Stabilize(Task[StabilizeConfig]):
    """Take the camera's shake out of a clip; what its borders lack comes from the fitted clip."""

    api = 1
    blends = False
    Config = StabilizeConfig

    def observe(self, source: Source) -> Observation:
        """The given frames are those of a steady camera, displaced; displaced back, they are a guess at them."""
        video, shake = source.video, self.shake(steps(source.video), source.video.times)

        def at(times: Tensor) -> Tensor:
            return torch.from_numpy(np.stack([np.interp(times, video.times, column) for column in shake.T], 1))

        guess = frame_by_frame(video, lambda i: displace(video.read([i]), shake[[i]], back=True)[0])
        return Observation(video, forward=lambda clip, times: displace(clip(times), at(times))[0], guess=guess)

    def plan(self, source: Source) -> Query:
        """The given instants."""
        return Query(source.video.times)

    def render(self, rep: Representation, source: Source) -> Video:
        """Each given frame, put back in its place; what then lies outside it is the representation's."""
        video, shake = source.video, cache(lambda: self.shake(steps(source.video), source.video.times))

        def steady(i: int) -> Tensor:
            back, inside = displace(video.read([i]).to(rep.device), shake()[[i]], back=True)
            return torch.lerp(rep(Query(video.times[[i]])), back, inside)

        return frame_by_frame(video, steady)

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        """The clip shaken at random; what is slow in the shake is left out, as nobody could tell it from a movement."""
        drawn = torch.randn(len(truth), 3, generator=generator, dtype=torch.float64) * torch.tensor(SHAKE)
        drawn[:, :2] *= truth.size[0]
        shake = self.shake(drawn.diff(dim=0, prepend=torch.zeros(1, 3)), truth.times)
        return Source(frame_by_frame(truth, lambda i: displace(truth.read([i]), shake[[i]])[0]))

    def shake(self, steps: Tensor, times: Tensor) -> Tensor:
        """What a path has more, at each instant, than a line through what is around it in the same shot: (N, 3)."""
        path, shots, apart = steps.nan_to_num().cumsum(0), steps[:, 0].isnan().cumsum(0), times - times[:, None]
        weight = torch.exp(-0.5 * (apart / self.config.seconds).square()).sqrt() * (shots == shots[:, None])
        lines = torch.stack([torch.ones_like(apart), apart], -1)
        return path - torch.linalg.lstsq(lines * weight[..., None], path * weight[..., None]).solution[:, 0]


def steps(video: Video) -> Tensor:
    """How the camera moves what it shows: (N, 3) pixels right, down, and radians; not a number where a shot begins."""
    grey = [cv2.cvtColor(to_bytes(video.read([i]))[0], cv2.COLOR_RGB2GRAY) for i in range(len(video))]
    return torch.tensor([(nan, nan, nan), *map(step, grey, grey[1:])], dtype=torch.float64)


def step(before: Bytes, after: Bytes) -> tuple[float, float, float]:
    """From one frame to the next; not a number where too little agrees on one movement."""
    points = cv2.goodFeaturesToTrack(before, 300, 0.01, 4)
    if points is None or len(points) < FEWEST:
        return nan, nan, nan
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, np.empty_like(points), winSize=(15, 15))
    fitted, agree = cv2.estimateAffinePartial2D(points, moved, ransacReprojThreshold=1.0)
    if fitted is None or (agree * found).sum() < max(FEWEST, len(points) / 2):
        return nan, nan, nan
    centre = (np.array(before.shape[::-1]) - 1) / 2
    return (*(fitted @ [*centre, 1] - centre), atan2(fitted[1, 0], fitted[0, 0]))
