"""More pixels: sharpened and as fitted, in agreement with the frames around, that shrink to the given frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.observation import Observation, framewise
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_super_resolution.backprojection import consistent, enlarged
from invr_super_resolution.doubt import expected
from invr_super_resolution.larger import Larger
from invr_super_resolution.learning import Sharpener, learned, sharpened
from invr_tasks.baselines import enlarge
from invr_tasks.confidence import confidence_of
from invr_tasks.operators import downscale, shrink
from invr_tasks.task import Source, Task, frame_by_frame

__all__ = ["Upscale", "UpscaleConfig"]


Kernel = Literal["area", "bicubic", "gaussian"]


@dataclass(frozen=True)
class UpscaleConfig:
    """How much larger, and how the small frames came about."""

    scale: float = 2
    """Factor by which height and width grow, such as 2 or 1.5; sides are rounded."""
    kernel: Kernel = "area"
    """How the small frames came from the large ones: a box (camera pixels), Pillow's bicubic, or a Gaussian."""
    reach: int = 4
    """How many frames before and after each one add what they hold, at most."""

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
        """The given frames are the clip's, shrunk; the fit starts from them as they are enlarged and sharpened."""
        video = source.video
        small = framewise(shrink(size=video.size, kernel=self.config.kernel))
        return Observation(video, small, size=self._size(video), guess=self._single(video), moving=video)

    def plan(self, source: Source) -> Query:
        """The given instants, enlarged."""
        return Query(source.video.times, self._size(source.video))

    def render(self, rep: Representation, source: Source) -> Video:
        """Each frame, sharpened and as fitted, made to agree with its neighbours and with the given frame."""
        video = source.video
        larger = Larger(video, self._single(video, rep.device), rep, self.config.reach, self._shrunk)
        return frame_by_frame(replace(video, size=self._size(video)), larger.at)

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

    @cached_property
    def _networks(self) -> WeakKeyDictionary[Video, Sharpener]:
        """What was learned, as long as its clip is there: the fit starts from it, and the answer is made of it."""
        return WeakKeyDictionary()

    def _network(self, video: Video) -> Sharpener:
        if video not in self._networks:
            self._networks[video] = learned(video, self.config.scale, self._enlarged, self._shrunk)
        return self._networks[video]

    def _single(self, video: Video, device: torch.device | str = "cpu") -> Video:
        """Each frame enlarged by itself, and sharpened."""
        size = self._size(video)

        @torch.no_grad()
        def sharp(indices: Sequence[int]) -> Tensor:
            given, network = video.read(indices).to(device), self._network(video).to(device)
            return consistent(sharpened(network, self._enlarged(given, size)), given, self._shrunk).cpu()

        return replace(video, size=size, read=sharp)

    def _enlarged(self, frames: Tensor, size: tuple[int, int]) -> Tensor:
        return enlarged(frames, size, self._shrunk)

    def _size(self, video: Video) -> tuple[int, int]:
        return round(video.size[0] * self.config.scale), round(video.size[1] * self.config.scale)

    def _shrunk(self, frames: Tensor, size: tuple[int, int]) -> Tensor:
        return shrink(size=size, kernel=self.config.kernel)(frames)
