"""What lies under a logo, an object or a scratch: carried in from when it was visible, else from the representation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.fill import fill
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.transport import mean, neighbours, patched, transport
from invr_core.video import Video
from invr_tasks.baselines import temporal_median
from invr_tasks.operators import box_holes, moving_hole, punch, static_hole
from invr_tasks.task import Source, Task, frame_by_frame

__all__ = ["Inpaint", "InpaintConfig"]


CUTS = {"static": static_hole, "boxes": box_holes, "moving": moving_hole}
DRIFT = 4
"""A pixel carried over n frames counts n to the power of minus this: the error of a path grows with its length."""
OWN_WEIGHT = 1e-5
"""What the representation's own picture counts beside a pixel carried over one frame."""


@dataclass(frozen=True)
class InpaintConfig:
    """How far to look for what a hole hides."""

    reach: int = 16
    """How many frames before and after each one are searched, at most."""
    holes: Literal["static", "boxes", "moving"] = "static"
    """Which holes a benchmark cuts; of no effect on a clip of your own."""

    def __post_init__(self) -> None:
        if self.reach < 0:
            raise BadInput(f"reach must be at least 0 frames, got {self.reach}")
        if self.holes not in CUTS:
            raise BadInput(f"holes must be one of {', '.join(CUTS)}, got {self.holes!r}")


class Inpaint(Task[InpaintConfig]):
    """Fill the masked pixels of a clip. All other pixels pass through untouched."""

    api = 1
    inputs = ("video", "mask")
    Config = InpaintConfig

    def observe(self, source: Source) -> Observation:
        """The pixels outside the mask."""
        return Observation(source.video, weight=source["mask"].map(lambda mask: 1 - mask))

    def plan(self, source: Source) -> Query:
        """The given instants."""
        return Query(source.video.times)

    def render(self, rep: Representation, source: Source) -> Video:
        """Hole pixels carried in along the motion, the nearest in time first; known ones as they are."""
        video, window = source.video, 2 * self.config.reach + 1
        known = source["mask"].map(lambda mask: 1 - mask).remembered(window)
        whole = patched(video, known).remembered(window)
        return frame_by_frame(video, lambda index: self._filled(index, whole, known, rep))

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        """Holes of the kind named in the options, black."""
        mask = CUTS[self.config.holes](truth)
        return Source(punch(truth, mask), {"mask": mask})

    def judged(self, source: Source, truth: Video) -> Video | None:
        """The holes."""
        return source["mask"]

    def naive(self, source: Source) -> Video:
        """The median over time of what is visible at the same place."""
        return temporal_median(source.video, source["mask"])

    def _filled(self, index: int, video: Video, known: Video, rep: Representation) -> Tensor:
        given, trusted = video.read([index]), known.read([index])
        if bool(trusted.all()):
            return given
        time = float(video.times[index])
        picture = rep(Query(video.times[index : index + 1]))
        frames = neighbours(video, time, self.config.reach, itself=False)
        if frames:
            brought = transport(video, rep, time, frames, weight=known)
            steps = (brought.seconds.abs() * video.fps).clamp(min=1).to(picture).view(-1, 1, 1, 1)
            picture, _ = mean(brought.pictures, brought.validity * steps**-DRIFT, picture, OWN_WEIGHT)
        picture = picture.cpu()
        matched = (picture + fill(given - picture, trusted)).clamp(0, 1)
        return torch.where(trusted > 0.5, given, matched)
