"""What tasks are checked on: a truth that is known everywhere, the source simulated from it, and who touches what."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from invr_core.checking import expect
from invr_core.observation import Observation
from invr_core.oracle import MovingDisc, Oracle
from invr_core.query import Query
from invr_core.representation import Motion, Representation
from invr_core.video import Video
from invr_tasks.pixels import from_bytes, to_bytes
from invr_tasks.task import Source, Task

SIZE = (36, 48)
"""(H, W) of the truth: multiples of 2, 3, 4, 6 and 12."""
FPS = 25.0
TIMES = torch.arange(13, dtype=torch.float64) / FPS
"""Of the truth, in seconds; 12 steps can be divided by 2, 3, 4 and 6."""
SPAN = (-0.5, 1.0)
"""Of the oracles, in seconds: more than the truth, so that a shutter may open before and close after it."""

OnRead = Callable[[Sequence[int]], None]
OnTensor = Callable[[Tensor], None]


@dataclass(frozen=True, eq=False)
class Case:
    """A truth and what a task makes of it.

    Args:
        oracle: the continuous clip that the truth shows.
        truth: its frames, 8 bits deep.
        source: simulated from the truth, and then copied, so that it no longer leads back to it.
    """

    oracle: Oracle
    truth: Video
    source: Source


def simulated(task: Task[Any], kind: type[Oracle] = MovingDisc, seed: int = 0) -> Case:
    """The source that a task simulates from an oracle."""
    truth = truth_of(kind)
    return Case(kind(SIZE, SPAN), truth, sealed(task.simulate(truth, generator(seed))))


@cache
def truth_of(kind: type[Oracle]) -> Video:
    """The frames of an oracle, 8 bits deep."""
    return Video.of(from_bytes(to_bytes(kind(SIZE, SPAN)(Query(TIMES)))), TIMES)


def generator(seed: int) -> torch.Generator:
    """Of random numbers, seeded."""
    return torch.Generator().manual_seed(seed)


@contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """The global generators of Python, NumPy and torch, seeded within and restored after."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # tasks may use what they should not
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def sealed(source: Source) -> Source:
    """The same source, read once, in memory."""
    expect(isinstance(source, Source), f"simulate returns {type(source).__name__}, expected a Source")
    return each(source, in_memory)


def in_memory(video: Video) -> Video:
    """The same video, read once."""
    frames = video.frames().clone()
    return replace(video, read=lambda indices: frames[list(indices)])


def each(source: Source, fn: Callable[[Video], Video]) -> Source:
    """The source with all its videos changed alike."""
    return Source(fn(source.video), {name: fn(video) for name, video in source.extras.items()})


def fitted(case: Case, observation: Observation) -> Oracle:
    """What a perfect fit of the observation would give: the oracle at the size that is observed."""
    return type(case.oracle)(observation.clip_size, SPAN)


def some(video: Video) -> list[int]:
    """The indices of the first, the middle and the last frame."""
    return sorted({0, len(video) // 2, len(video) - 1})


def expect_frames(frames: Tensor, shape: tuple[int, ...], what: str) -> None:
    """Frames as a `Video` gives them: of this shape, float32, finite, in [0, 1]."""
    expect(tuple(frames.shape) == shape, f"{what}: shape {tuple(frames.shape)}, expected {shape}")
    expect(frames.dtype == torch.float32, f"{what}: {frames.dtype}, expected float32")
    expect(bool(torch.isfinite(frames).all()), f"{what}: not finite everywhere")
    low, high = float(frames.min()), float(frames.max())
    expect(low >= 0 and high <= 1, f"{what}: from {low:g} to {high:g}, expected [0, 1]")


def watched(video: Video, on_read: OnRead, on_answer: OnTensor | None = None) -> Video:
    """The same video, telling of every reading.

    Args:
        video: any.
        on_read: called with the indices, before they are read.
        on_answer: called with the frames.
    """

    def read(indices: Sequence[int]) -> Tensor:
        on_read(indices)
        frames = video.read(indices)
        if on_answer is not None:
            on_answer(frames)
        return frames

    return replace(video, read=read)


class WatchedRep:
    """The same representation, telling of every question and answer.

    Args:
        rep: any.
        on_ask: called with the instants at which a picture is asked for, or from which motion is.
        on_answer: called with each picture, flow and confidence.
    """

    def __init__(self, rep: Representation, on_ask: OnTensor | None = None, on_answer: OnTensor | None = None) -> None:
        self.span, self.size, self.parts = rep.span, rep.size, rep.parts
        self._rep, self._on_ask, self._on_answer = rep, on_ask or _ignore, on_answer or _ignore

    @property
    def device(self) -> torch.device:
        """Where the answer is computed."""
        return self._rep.device

    def __call__(self, query: Query) -> Tensor:
        """Render; see `invr_core.representation.Representation`."""
        self._on_ask(query.times)
        picture = self._rep(query)
        self._on_answer(picture)
        return picture

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        """See `invr_core.representation.Representation`."""
        self._on_ask(t0)
        motion = self._rep.motion(t0, t1)
        self._on_answer(motion.flow)
        self._on_answer(motion.confidence)
        return motion

    def to(self, device: torch.device | str) -> Self:
        """The same, answering on another device."""
        return type(self)(self._rep.to(device), self._on_ask, self._on_answer)

    def save(self, path: str | Path, bits: int = 32) -> None:
        """See `invr_core.representation.Representation`."""
        self._rep.save(path, bits)


def _ignore(tensor: Tensor) -> None:
    pass
