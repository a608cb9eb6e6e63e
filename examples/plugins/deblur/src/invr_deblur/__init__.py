"""Shutter blur undone: the clip is fitted through its exposures, and shows what they have blurred."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from invr_core import Observation, Query, Representation, Video
from invr_core.errors import BadInput
from invr_core.observation import Clip
from invr_core.transport import transport
from invr_tasks.task import Source, Task, frame_by_frame

__all__ = ["Deblur", "DeblurConfig"]

OPEN = 5
"""True frames that a simulated exposure lasts."""


@dataclass(frozen=True)
class DeblurConfig:
    """How long the shutter was open."""

    shutter: float = 1.0
    """Share of the time from frame to frame that the shutter is open, in (0, 1]; 0.5 is a film camera's 180 degrees."""
    taps: int = 5
    """Instants at which an exposure is looked at, evenly over it; a fit takes as many times longer."""

    def __post_init__(self) -> None:
        if not 0 < self.shutter <= 1:
            raise BadInput(f"shutter must be above 0 and at most 1, got {self.shutter}")
        if not 2 <= self.taps <= 100:
            raise BadInput(f"taps must be a whole number from 2 to 100, got {self.taps}")


class Deblur(Task[DeblurConfig]):
    """Undo shutter blur: show each frame as it was in the middle of its exposure."""

    api = 1
    Config = DeblurConfig
    minimum_frames = 2

    def observe(self, source: Source) -> Observation:
        """Each given frame is the mean of the clip over its exposure, which begins before its instant."""
        (first, last), seconds = source.video.span, self._exposure(source.video)
        span = (first - seconds / 2, last + seconds / 2)
        return Observation(source.video, forward=lambda clip, times: self._expose(clip, times, seconds), span=span)

    def plan(self, source: Source) -> Query:
        """The given instants."""
        return Query(source.video.times)

    def render(self, rep: Representation, source: Source) -> Video:
        """Each given frame, and what the shutter takes from it."""
        return frame_by_frame(source.video, lambda index: self._sharpened(index, source.video, rep))

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        """Every few frames, as the shutter has it, the mean of `OPEN` true ones, as bytes."""
        middles = range(OPEN // 2, len(truth) - OPEN // 2, round(OPEN / self.config.shutter))
        if len(middles) < self.minimum_frames:
            raise BadInput(f"a truth of {len(truth)} frames makes {len(middles)} exposures; give a longer one")
        blurred = torch.cat([truth.read(range(m - OPEN // 2, m + OPEN // 2 + 1)).mean(0, True) for m in middles])
        return Source(Video.of((blurred * 255).round().to(torch.uint8), truth.times[list(middles)]))

    def judged(self, source: Source, truth: Video) -> Video:
        """All of each frame that is given."""
        return source.video.map(lambda frames: torch.ones_like(frames[:, :1]))

    def _exposure(self, video: Video) -> float:
        return self.config.shutter / video.fps

    def _expose(self, clip: Clip, times: Tensor, seconds: float) -> Tensor:
        middles = (torch.arange(self.config.taps, dtype=torch.float64) + 0.5) / self.config.taps - 0.5
        return torch.stack([clip(times + middle * seconds) for middle in middles]).mean(0)

    def _sharpened(self, index: int, video: Video, rep: Representation) -> Tensor:
        """The given frame stands in for the clip: what exposing it takes away is what its own exposure took away.

        It is carried along the fitted motion; where that does not hold, it changes as the representation does.
        """
        time, given = video.times[index : index + 1], video.read([index]).to(rep.device)
        own = rep(Query(time))

        def clip(times: Tensor) -> Tensor:
            brought = transport(video, rep, float(times), [index])
            return torch.lerp(given + rep(Query(times)) - own, brought.pictures, brought.validity)

        return given + (given - self._expose(clip, time, self._exposure(video)))
