"""The plugin contract: a task is an observation, used while fitting, and a query, used while rendering."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.confidence import parted


@dataclass(frozen=True)
class NoOptions:
    """The options of a task that has none."""


@dataclass(frozen=True, eq=False)
class Source:
    """What the user gives: the clip, and whatever else the task names in ``inputs``.

    Args:
        video: the given clip.
        extras: further videos by name, for example ``{"mask": …}``.

    Example:
        >>> source = Source(Video.of(torch.zeros(2, 3, 4, 4)), {"mask": Video.of(torch.ones(2, 1, 4, 4))})
        >>> source["mask"].channels
        1
    """

    video: Video
    extras: Mapping[str, Video] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Video:
        if name == "video":
            return self.video
        if name not in self.extras:
            raise BadInput(f"this task needs the input {name!r}; given: {', '.join(['video', *self.extras])}")
        return self.extras[name]


C = TypeVar("C")


class Task(ABC, Generic[C]):
    """One thing to ask of a fitted clip. Subclass it, name the class in the entry-point group ``invr.tasks``.

    `truth` reaches only `simulate` and `judged`: by signature it cannot reach the fit, and what is scored is done by an
    instance that has met the source alone. So an instance must be what its options say: ``type(task)(task.config)``.

    Args:
        config: the options of this task; None for the defaults of ``Config``.
    """

    api: ClassVar[int]
    """The version of this contract that the task was written for; stated by each task, not inherited."""
    inputs: ClassVar[tuple[str, ...]] = ("video",)
    """What the source must hold; each but "video" becomes an option of the command line that takes a path."""
    needs: ClassVar[frozenset[str]] = frozenset({"full"})
    """Parts that the representation must offer."""
    minimum_frames: ClassVar[int] = 1
    """How many frames the clip must have at the least."""
    channels: ClassVar[int | None] = 3
    """How many channels the clip must have; None for any. Files always have 3: fewer come from Python alone."""
    blends: ClassVar[bool] = True
    """Whether the answers of two pieces of a long clip are mixed where these overlap. If not, one follows the other in
    the middle: right where each piece displaces what it shows in its own way, and both at once are a double image."""
    Config: type[C]
    """A frozen dataclass with a docstring under every field."""

    def __init__(self, config: C | None = None) -> None:
        self.config: C = self.Config() if config is None else config

    @abstractmethod
    def observe(self, source: Source) -> Observation:
        """How the given frames came from the clip that is asked for."""

    @abstractmethod
    def plan(self, source: Source) -> Query:
        """Which instants, and of which size, the answer shows."""

    @abstractmethod
    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        """A source made from a clip whose answer is known, for benchmarks and conformance."""

    def prior(self, rep: Representation, times: Tensor) -> Tensor:
        """A further term of the loss, evaluated at the instants of a step; 0 by default."""
        return torch.zeros(())

    def render(self, rep: Representation, source: Source) -> Video:
        """The answer: by default the representation's own picture of the plan."""
        return replace(as_video(rep, self.plan(source)), depth=source.video.depth)

    def with_confidence(self, rep: Representation, source: Source) -> Video | None:
        """The answer of `render`, to the bit, and as a fourth channel how sure each of its pixels is.

        Both are made in one pass, and only where someone asks. `invr_tasks.confidence.confidence_of` says what the
        numbers mean. None, the default, where the task cannot tell.
        """
        return None

    def confidence(self, rep: Representation, source: Source) -> Video | None:
        """How sure the answer is, one channel in [0, 1], of its times and size: that of `with_confidence` by itself."""
        both = self.with_confidence(rep, source)
        return None if both is None else parted(both)[1]

    def judged(self, source: Source, truth: Video) -> Video | None:
        """Where scores count: a one-channel video of weights at the instants that are judged.

        None: everywhere. Its times choose the frames; its weights choose the pixels.
        """
        return None

    def naive(self, source: Source) -> Video:
        """The trivial answer to beat, without any representation; the nearest given frame by default."""
        video, times = source.video, self.plan(source).times
        nearest = [int((video.times - t).abs().argmin()) for t in times]
        return Video(times, video.size, lambda indices: video.read([nearest[i] for i in indices]), video.channels)


def as_video(rep: Representation, query: Query) -> Video:
    """A lazy video of what a representation answers to a query, rendered as it is read.

    The residual, which has either sign, is shown around mid-grey at half contrast.

    Args:
        rep: any fitted clip.
        query: ``times`` strictly increasing.
    """
    height, width = query.size or rep.size
    if query.region is not None:
        rows, columns = query.region.slices((height, width))
        height, width = rows.stop - rows.start, columns.stop - columns.start

    def read(indices: Sequence[int]) -> Tensor:
        times = query.times[list(indices)]
        with torch.no_grad():
            picture = rep(Query(times, query.size, query.region, query.part))
        return (0.5 + picture / 2 if query.part == "residual" else picture).clamp(0, 1).cpu()

    return Video(query.times, (height, width), read)


def frame_by_frame(video: Video, draw: Callable[[int], Tensor]) -> Video:
    """A lazy video on the clock of another, of its size and depth, whose frames are drawn one by one as they are read.

    For `Task.render`: what is drawn carries no gradient, is clipped to [0, 1], and may come from any device.

    Args:
        video: the other one.
        draw: the index of a frame -> (1, C, H, W), with as many channels as the video has.

    Example:
        >>> video = Video.of(torch.zeros(3, 3, 4, 4))
        >>> float(frame_by_frame(video, lambda index: video.read([index]) + index / 2).read([2]).mean())
        1.0
    """

    @torch.no_grad()
    def read(indices: Sequence[int]) -> Tensor:
        return torch.cat([draw(int(index)).clamp(0, 1).cpu() for index in indices])

    return replace(video, read=read)
