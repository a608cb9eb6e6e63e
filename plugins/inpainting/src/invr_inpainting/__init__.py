"""What lies under a logo, an object or a scratch: carried in from when it was visible, else from the representation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch

from invr_core.errors import BadInput
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_inpainting.carrying import Carried
from invr_inpainting.doubt import Doubt
from invr_tasks.baselines import temporal_median
from invr_tasks.confidence import confidence_of
from invr_tasks.operators import box_holes, moving_hole, punch, static_hole
from invr_tasks.task import Source, Task, frame_by_frame

__all__ = ["Inpaint", "InpaintConfig"]


CUTS = {"static": static_hole, "boxes": box_holes, "moving": moving_hole}


@dataclass(frozen=True)
class InpaintConfig:
    """How far to look for what a hole hides."""

    reach: int = 16
    """Over how many frames a hidden pixel may be carried in, at most."""
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
        """Hole pixels carried in from when they were visible, or guessed from around; known ones as they are."""
        return frame_by_frame(source.video, self._carried(rep, source).at)

    def with_confidence(self, rep: Representation, source: Source) -> Video:
        """Sure outside the hole; within it less, the longer the way a pixel came, or the farther it was guessed."""
        carried = self._carried(rep, source)
        doubt = Doubt(carried)
        shown = replace(source.video, channels=4)
        return frame_by_frame(shown, lambda index: torch.cat([carried.at(index), confidence_of(doubt.at(index))], 1))

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

    def _carried(self, rep: Representation, source: Source) -> Carried:
        known = source["mask"].map(lambda mask: 1 - mask)
        return Carried(source.video, known, rep, self.config.reach)
