"""More pixels: samples of neighbouring frames, aligned along the fitted motion, that shrink to the given frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.errors import BadInput
from invr_core.observation import Observation, framewise
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.transport import mean, neighbours, transport
from invr_core.video import Video
from invr_super_resolution.doubt import expected
from invr_super_resolution.learning import learned
from invr_tasks.baselines import enlarge
from invr_tasks.confidence import confidence_of
from invr_tasks.operators import downscale, shrink
from invr_tasks.task import Source, Task, frame_by_frame

__all__ = ["Upscale", "UpscaleConfig"]


Kernel = Literal["area", "bicubic", "gaussian"]

ROUNDS = 12
"""Rounds of back-projection; more change nothing that can be seen."""
TOLERANCE = 0.04
"""How far, in a 5x5 neighbourhood, a carried picture may differ from the frame itself and still count much."""
OWN_WEIGHT = 0.02
"""What the representation's own picture counts beside a carried one, where frames are merged."""
MISSED = 2 / 255
"""How far the representation's picture, shrunk, may be from the given one to be believed half."""


@dataclass(frozen=True)
class UpscaleConfig:
    """How much larger, and how the small frames came about."""

    scale: float = 2
    """Factor by which height and width grow, such as 2 or 1.5; sides are rounded."""
    kernel: Kernel = "area"
    """How the small frames came from the large ones: a box (camera pixels), Pillow's bicubic, or a Gaussian."""
    reach: int = 4
    """How many frames before and after each one add their samples, at most."""

    def __post_init__(self) -> None:
        if not 1 <= self.scale < float("inf"):
            raise BadInput(f"scale must be a number of at least 1, got {self.scale}")
        if self.reach < 0:
            raise BadInput(f"reach must be at least 0 frames, got {self.reach}")
        if self.kernel not in (kernels := get_args(Kernel)):
            raise BadInput(f"kernel must be one of {', '.join(kernels)}, got {self.kernel!r}")


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
        """Each frame from its neighbours, enlarged, sharpened and carried to it; it agrees with the given frame."""
        video, size = source.video, self._size(source.video)
        sharpener = cache(lambda: learned(video, self.config.scale, self._enlarged, self._shrunk, rep.device))

        def enlarged(given: Tensor) -> Tensor:
            sharp = sharpener()(self._enlarged(given, size).to(rep.device))
            return self._consistent(sharp.cpu(), given)

        large = replace(video, size=size, read=lambda indices: enlarged(video.read(indices)))
        large = large.remembered(2 * self.config.reach + 1)
        return frame_by_frame(replace(video, size=size), lambda index: self._gathered(index, video, large, rep))

    def with_confidence(self, rep: Representation, source: Source) -> Video:
        """Less sure where there was much detail to lose."""
        video, answer = source.video, self.render(rep, source)
        again = tuple(max(1, round(side / self.config.scale)) for side in video.size)
        small = shrink(size=(again[0], again[1]), kernel=self.config.kernel)

        def draw(index: int) -> Tensor:
            picture = answer.read([index])
            return torch.cat([picture, confidence_of(expected(picture, video.read([index]), small))], 1)

        return frame_by_frame(replace(answer, channels=4), draw)

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        """The clip shrunk; by bicubic where the options say gaussian, which has no reference in the protocol."""
        return Source(downscale(truth, self.config.scale, "area" if self.config.kernel == "area" else "bicubic"))

    def naive(self, source: Source) -> Video:
        """Bicubic enlargement."""
        return enlarge(source.video, self._size(source.video))

    def _size(self, video: Video) -> tuple[int, int]:
        return round(video.size[0] * self.config.scale), round(video.size[1] * self.config.scale)

    def _gathered(self, index: int, video: Video, large: Video, rep: Representation) -> Tensor:
        time = float(video.times[index])
        own = rep(Query(video.times[index : index + 1]))
        brought = transport(large, rep, time, neighbours(large, time, self.config.reach))
        here = (brought.seconds == 0).view(-1, 1, 1, 1).to(own.device)
        apart = (brought.pictures - brought.pictures[here.flatten()]).square().mean(1, keepdim=True)
        agreement = torch.exp(-F.avg_pool2d(apart, 5, 1, 2, count_include_pad=False) / TOLERANCE**2)
        weights = torch.where(here, 1.0, brought.validity * agreement)
        merged, _ = mean(brought.pictures, weights, own, OWN_WEIGHT)
        given = video.read([index])
        believed = torch.lerp(merged, own, self._sure(own, given.to(own.device)))
        return self._consistent(believed.cpu(), given)

    def _shrunk(self, frames: Tensor, size: tuple[int, int]) -> Tensor:
        return shrink(size=size, kernel=self.config.kernel)(frames)

    def _enlarged(self, given: Tensor, size: tuple[int, int]) -> Tensor:
        """Bicubic enlargement that shrinks to the given frames, (n, 3, H, W)."""
        return self._consistent(_enlarge(given, size), given)

    def _sure(self, own: Tensor, given: Tensor) -> Tensor:
        """How much the representation's picture is believed, (1, 1, H, W): more, the better it explains the input."""
        small = self._shrunk(own, (given.shape[2], given.shape[3]))
        missed = (small - given).square().mean(1, keepdim=True)
        around = F.avg_pool2d(missed, 5, 1, 2, count_include_pad=False)
        return 1 / (1 + F.interpolate(around, own.shape[2:], mode="bilinear") / MISSED**2)

    def _consistent(self, picture: Tensor, given: Tensor) -> Tensor:
        """Iterative back-projection (Irani & Peleg, 1991): what the shrunk picture lacks of the given one is added."""
        large, small = ((frames.shape[2], frames.shape[3]) for frames in (picture, given))
        for _ in range(ROUNDS):
            picture = (picture + _enlarge(given - self._shrunk(picture, small), large)).clamp(0, 1)
        return picture


def _enlarge(frames: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(frames, size, mode="bicubic", align_corners=False)
