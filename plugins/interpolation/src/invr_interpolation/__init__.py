"""Frames between frames: the given neighbours, carried along the fitted motion to any instant."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.observation import Observation
from invr_core.query import Query, at_rate, subdivide
from invr_core.representation import Representation
from invr_core.transport import SAME_INSTANT, mean, neighbours, transport
from invr_core.video import Video
from invr_tasks.baselines import blend
from invr_tasks.operators import interpolation_split
from invr_tasks.task import Source, Task, frame_by_frame

__all__ = ["Interpolate", "InterpolateConfig"]


@dataclass(frozen=True)
class InterpolateConfig:
    """Which instants to show. Give one of the three; ``fps`` and ``times`` go before ``factor``."""

    factor: int = 2
    """Frames shown per given frame: 2 puts one new frame between each two."""
    fps: float | None = None
    """Frames per second of the result, instead of a factor."""
    times: tuple[float, ...] | None = None
    """Instants in seconds, strictly increasing, instead of a factor; for example 0.1,0.25."""

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise BadInput(f"factor must be a whole number of at least 1, got {self.factor}")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise BadInput(f"fps must be a positive number, got {self.fps}")
        if self.fps is not None and self.times is not None:
            raise BadInput("give fps or times, not both")


class Interpolate(Task[InterpolateConfig]):
    """Show a clip at instants between its frames. Given frames pass through untouched."""

    api = 1
    minimum_frames = 2
    Config = InterpolateConfig

    def observe(self, source: Source) -> Observation:
        """The given frames, as they are."""
        return Observation(source.video)

    def plan(self, source: Source) -> Query:
        """The instants asked for."""
        if self.config.times is not None:
            return Query(torch.tensor(self.config.times, dtype=torch.float64))
        if self.config.fps is not None:
            return Query(at_rate(source.video.span, self.config.fps))
        return Query(subdivide(source.video.times, self.config.factor))

    def render(self, rep: Representation, source: Source) -> Video:
        """Each instant from its two given neighbours, carried to it; the representation fills what neither shows."""
        video, times = source.video, self.plan(source).times
        return frame_by_frame(replace(video, times=times), lambda index: _at(float(times[index]), video, rep))

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        """Every ``factor``-th frame is given."""
        return Source(interpolation_split(truth, self.config.factor)[0])

    def judged(self, source: Source, truth: Video) -> Video | None:
        """The frames strictly between two given ones."""
        asked, shown = interpolation_split(truth, self.config.factor)[1], self.plan(source).times
        both = [i for i, time in enumerate(asked.times) if float((shown - time).abs().min()) < 1e-6]
        if not both:
            raise BadInput("no frame of the truth is at an instant that is shown; score with a factor")
        return asked[both].map(lambda frames: torch.ones_like(frames[:, :1]))

    def naive(self, source: Source) -> Video:
        """The two neighbours, blended."""
        return blend(source.video, self.plan(source).times)


def _at(time: float, video: Video, rep: Representation) -> Tensor:
    gap, nearest = (video.times - time).abs().min(0)
    if float(gap) <= SAME_INSTANT:
        return video.read([int(nearest)])
    own = rep(Query(torch.tensor([time], dtype=torch.float64)))
    brought = transport(video, rep, time, neighbours(video, time, 1))
    seconds = brought.seconds.abs()
    nearness = (1 - seconds / seconds.sum()) if len(seconds) > 1 else torch.ones(1)
    weights = brought.validity * nearness.to(own).view(-1, 1, 1, 1)
    return mean(brought.pictures, weights, own, 1e-3)[0]
