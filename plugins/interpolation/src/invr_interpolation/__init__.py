"""Frames between frames: the given neighbours, carried along the fitted motion to any instant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.observation import Observation
from invr_core.query import Query, at_rate, subdivide
from invr_core.representation import Representation
from invr_core.transport import SAME_INSTANT
from invr_core.video import Video
from invr_interpolation.doubt import expected
from invr_interpolation.mixing import Shares, Voice, mixed, unlearned, voices, worth
from invr_interpolation.pairs import Gap, Matches, Pair
from invr_interpolation.paths import candidates, fitted
from invr_tasks.baselines import blend
from invr_tasks.confidence import confidence_of
from invr_tasks.operators import interpolation_split
from invr_tasks.task import Source, Task, frame_by_frame

__all__ = ["Interpolate", "InterpolateConfig"]

OWN_WEIGHT = 1e-3
"""What the representation's own picture counts beside a carried one."""


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
        between, times = _Between(source.video, rep), self.plan(source).times
        return frame_by_frame(replace(source.video, times=times), lambda index: between.at(float(times[index])))

    def with_confidence(self, rep: Representation, source: Source) -> Video:
        """Less sure where the two sides of a path, or several kinds of paths, bring different things; see `doubt`."""
        between, times = _Between(source.video, rep), self.plan(source).times
        shown = replace(source.video, times=times, channels=4)
        return frame_by_frame(shown, lambda index: torch.cat(between.with_confidence(float(times[index])), 1))

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        """Every ``factor``-th frame is given."""
        return Source(interpolation_split(truth, self.config.factor)[0])

    def judged(self, source: Source, truth: Video) -> Video | None:
        """The frames strictly between two given ones."""
        shown, given = self.plan(source).times, source.video.times
        between = [i for i, time in enumerate(truth.times) if _at(time, shown) and not _at(time, given)]
        if not between:
            raise BadInput("no frame of the truth is at an instant that is shown between two given frames")
        times = truth.times[between]
        return Video(times, truth.size, lambda indices: torch.ones(len(indices), 1, *truth.size), channels=1)

    def naive(self, source: Source) -> Video:
        """The two neighbours, blended."""
        return blend(source.video, self.plan(source).times)


def _at(time: Tensor, instants: Tensor) -> bool:
    """Whether an instant is one of these."""
    return float((instants - time).abs().min()) < 1e-6


class _Between:
    """The frames between the given ones: along several kinds of paths, mixed by their worth on this clip."""

    def __init__(self, video: Video, rep: Representation) -> None:
        self.video, self.rep = video, rep
        motion = Matches(video, rep.device)
        self._pair = lru_cache(maxsize=1)(lambda before: Pair(video, before, before + 1, motion))  # asked for in a row

    @cached_property
    def shares(self) -> Shares:
        """What each kind of path and kernel counts, by `worth`."""
        return worth(self.video, self.rep)

    def at(self, time: float) -> Tensor:
        """The frame at an instant, (1, 3, H, W)."""
        given = self._given(time)
        return self._mixture(self._gap(time))[0] if given is None else given

    def with_confidence(self, time: float) -> tuple[Tensor, Tensor]:
        """The same, and how sure it is, (1, 1, H, W)."""
        given = self._given(time)
        if given is not None:
            return given, torch.ones_like(given[:, :1])
        gap = self._gap(time)
        frame, said = self._mixture(gap)
        return frame, confidence_of(expected(frame, gap, said))

    def _given(self, time: float) -> Tensor | None:
        distance, nearest = (self.video.times - time).abs().min(0)
        return self.video.read([int(nearest)]) if float(distance) <= SAME_INSTANT else None

    def _gap(self, time: float) -> Gap:
        after = int(torch.searchsorted(self.video.times, time))
        return Gap(self._pair(after - 1), time)

    def _mixture(self, gap: Gap) -> tuple[Tensor, list[Voice]]:
        """The frame within a gap, and what it is mixed of."""
        own = self.rep(Query(torch.tensor([gap.time], dtype=torch.float64)))
        path, visible = fitted(self.rep, gap)
        found = candidates(gap, path, {kind for kind, _ in self.shares} or None)
        said = voices(gap, found, self.shares or unlearned(found), visible)
        return mixed(said, own, OWN_WEIGHT), said
