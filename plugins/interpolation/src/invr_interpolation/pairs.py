"""Two neighbouring given frames, an instant between them, and ways by which pixels may have come there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from invr_core.matching import match
from invr_core.sampling import doubled
from invr_core.video import Video

Found = TypeVar("Found")

REMEMBERED = 24
"""Motions that are kept: those of a gap, its neighbours and the next, by each size of patch, in both directions."""


@dataclass(frozen=True, eq=False)
class Path:
    """How two given frames are brought to an instant between them.

    Args:
        before: (1, 2, H, W) pixels: where each pixel of the instant is in the frame before it.
        after: the same for the frame after it.
        seen: (2, 1, H, W) in [0, 1]: how far it is known that each of the two frames shows the pixel; None where that
            is not known, and the representation has to tell.
    """

    before: Tensor
    after: Tensor
    seen: Tensor | None = None


class Matches:
    """The motion from one given frame to another by matching; that used last is remembered.

    Args:
        video: the given frames.
        device: where the motion is wanted.
    """

    def __init__(self, video: Video, device: torch.device | None = None) -> None:
        self.between = lru_cache(maxsize=REMEMBERED)(partial(_matched, video, device))  # without self: no cycle


def _matched(video: Video, device: torch.device | None, old: int, new: int, patch: int) -> Tensor:
    """(1, 2, H, W): where the pixels of a frame are in another, by patches of so many pixels."""
    return match(video.read([old]), video.read([new]), patch=patch).to(device)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two given frames with none between them that counts, and what holds for every instant between, found once.

    Args:
        video: the given frames.
        before, after: which two.
        motion: between given frames.
    """

    video: Video
    before: int
    after: int
    motion: Matches = field(repr=False)

    _found: dict[tuple[object, int], Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, video: Video, before: int, after: int) -> Pair:
        """Two frames by themselves."""
        return cls(video, before, after, Matches(video))

    @cached_property
    def frames(self) -> Tensor:
        """Both frames, (2, 3, H, W)."""
        return self.video.read([self.before, self.after])

    @cached_property
    def twice(self) -> Tensor:
        """Both frames, `doubled` for the sinc, (2, 3, 2 H, 2 W)."""
        return doubled(self.frames)

    @property
    def start(self) -> float:
        """Seconds."""
        return float(self.video.times[self.before])

    @property
    def end(self) -> float:
        """Seconds."""
        return float(self.video.times[self.after])

    @property
    def seconds(self) -> float:
        """From the first to the last."""
        return self.end - self.start

    def matched(self, patch: int) -> tuple[Tensor, Tensor]:
        """The motion from the first to the last, and back, by matching patches of so many pixels, (1, 2, H, W) each."""
        there, back = (self.before, self.after), (self.after, self.before)
        return self.motion.between(*there, patch), self.motion.between(*back, patch)

    def once(self, find: Callable[[Pair, int], Found], patch: int) -> Found:
        """What is found of these frames by patches of so many pixels; of the same function it is found but once.

        It must not refer to the pair, which keeps it.
        """
        if (find, patch) not in self._found:
            self._found[find, patch] = find(self, patch)
        found: Found = self._found[find, patch]
        return found

    @property
    def earlier(self) -> Pair | None:
        """As many frames before this, and up to it; None where there are not so many."""
        first = 2 * self.before - self.after
        return Pair(self.video, first, self.before, self.motion) if first >= 0 else None

    @property
    def later(self) -> Pair | None:
        """As many frames after this, and from it on."""
        last = 2 * self.after - self.before
        return Pair(self.video, self.after, last, self.motion) if last < len(self.video) else None


@dataclass(frozen=True, eq=False)
class Gap:
    """Two neighbouring given frames and an instant between them, in seconds."""

    pair: Pair
    time: float

    @property
    def share(self) -> float:
        """How far the instant is on the way, in [0, 1]."""
        return (self.time - self.pair.start) / self.pair.seconds
