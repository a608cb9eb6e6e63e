"""Tasks that keep the contract: what the wrong ones in ``wrong_tasks.py`` are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.observation import Observation
from invr_core.query import Query, subdivide
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.baselines import temporal_median
from invr_tasks.operators import interpolation_split, punch
from invr_tasks.task import NoOptions, Source, Task


@dataclass(frozen=True)
class FillConfig:
    side: int = 6
    """Pixels across the hole that a benchmark cuts."""
    shape: Literal["box", "bar"] = "box"
    """Of that hole."""
    strength: float = 1.0
    """How much of what is fitted goes into the hole, above 0 and at most 1."""

    def __post_init__(self) -> None:
        if self.side < 1 or self.shape not in ("box", "bar"):
            raise BadInput(f"side must be at least 1, got {self.side}; shape box or bar, got {self.shape!r}")
        if not 0 < self.strength <= 1:
            raise BadInput(f"strength must be above 0 and at most 1, got {self.strength}")


class Fill(Task[Any]):
    """Fill a hole with what is fitted."""

    api = 1
    inputs = ("video", "mask")
    Config = FillConfig

    def observe(self, source: Source) -> Observation:
        return Observation(source.video, weight=source["mask"].map(lambda mask: 1 - mask))

    def plan(self, source: Source) -> Query:
        return Query(source.video.times)

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        at = int(torch.randint(8, 20, (), generator=generator))
        mask = torch.zeros(len(truth), 1, *truth.size)
        mask[:, :, at : at + self.config.side, at : at + self.config.side * (1 + (self.config.shape == "bar"))] = 1
        hole = Video.of(mask, truth.times)
        return Source(punch(truth, hole), {"mask": hole})

    def render(self, rep: Representation, source: Source) -> Video:
        def read(indices: Any) -> Tensor:
            given, hole = source.video.read(indices), source["mask"].read(indices)
            return given.lerp(rep(Query(source.video.times[list(indices)])).clamp(0, 1), hole * self.config.strength)

        return replace(source.video, read=read)

    def judged(self, source: Source, truth: Video) -> Video | None:
        return source["mask"]

    def naive(self, source: Source) -> Video:
        return temporal_median(source.video, source["mask"])


class Between(Task[NoOptions]):
    """Show what is fitted between the frames, as it is."""

    api = 1
    minimum_frames = 2
    Config = NoOptions

    def observe(self, source: Source) -> Observation:
        return Observation(source.video)

    def plan(self, source: Source) -> Query:
        return Query(subdivide(source.video.times, 2))

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        return Source(interpolation_split(truth, 2)[0])

    def judged(self, source: Source, truth: Video) -> Video | None:
        return interpolation_split(truth, 2)[1].map(lambda frames: torch.ones_like(frames[:, :1]))


GOOD: tuple[Task[Any], ...] = (Fill(), Fill(FillConfig(4, "bar")), Between())
