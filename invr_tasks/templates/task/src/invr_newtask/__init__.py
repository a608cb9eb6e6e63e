"""Undo the blur of a soft lens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.observation import Observation, framewise
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.operators import blur
from invr_tasks.task import Source, Task, as_video

__all__ = ["NewTask", "NewTaskConfig"]


@dataclass(frozen=True)
class NewTaskConfig:
    """How soft the lens is."""

    sigma: float = 1.0
    """Standard deviation of the lens's blur, in pixels, from 0.3 to 5."""

    def __post_init__(self) -> None:
        if not 0.3 <= self.sigma <= 5:
            raise BadInput(f"sigma must be from 0.3 to 5 pixels, got {self.sigma:g}")


class NewTask(Task[NewTaskConfig]):
    """Show a clip as a sharper lens would have."""

    api = 1
    Config = NewTaskConfig

    def observe(self, source: Source) -> Observation:
        """The given frames are those of a sharp clip, blurred; the sharp one is fitted."""
        soft = blur(self.config.sigma)
        soft(source.video.read([0]))  # refuses frames that are smaller than the blur, before the fit
        return Observation(source.video, forward=framewise(soft))

    def plan(self, source: Source) -> Query:
        """The given instants."""
        return Query(source.video.times)

    def render(self, rep: Representation, source: Source) -> Video:
        """The given frames, and the detail by which the fitted clip is sharper than its own blurred picture."""
        given, sharp, soft = source.video, as_video(rep, self.plan(source)), blur(self.config.sigma)

        def read(indices: Sequence[int]) -> Tensor:
            own = sharp.read(indices)
            return (given.read(indices) + own - soft(own)).clamp(0, 1)

        return replace(given, read=read)

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        """A clip whose answer is known, seen through the lens. The blurred clip itself is the answer to beat."""
        soft = blur(self.config.sigma)
        return Source(truth.map(lambda frames: soft(frames).clamp(0, 1)))
