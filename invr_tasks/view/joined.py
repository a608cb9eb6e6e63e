"""The parts of a clip as one fitted clip to look at; each is loaded when it is asked for, and two are held at most."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from invr_core.errors import BadFile, Unsupported
from invr_core.fitted import Fitted
from invr_core.models.base import Geometry
from invr_core.query import Query
from invr_core.representation import Motion
from invr_core.storage import geometry_of, load

HELD = 2
"""Parts in memory: within an overlap both are needed."""


class Joined:
    """Several fits as one: each instant is answered by the part that was given it, or by the nearest.

    Within the overlap of two parts the answer goes over evenly from the one to the other, as in
    `invr_tasks.shots.run_shots`; between two that do not overlap the nearer one is shown, at its own end.

    Args:
        files: of the parts, at least one.
        device: where to compute.
        span: first and last instant of the whole clip, if that is known; the parts may lie within it.

    Raises:
        BadFile: if one is missing, or damaged as far as its header tells.
    """

    def __init__(
        self, files: Sequence[Path], device: str | torch.device = "auto", span: tuple[float, float] | None = None
    ) -> None:
        found = sorted(((geometry_of(file), file) for file in files), key=lambda each: each[0].times[0])
        self.geometries, self.files = [geometry for geometry, _ in found], [file for _, file in found]
        ends = [end for geometry in self.geometries for end in geometry.span] + list(span or ())
        self.span, self.size = (min(ends), max(ends)), self.geometries[0].size
        times = sorted({time for geometry in self.geometries for time in geometry.times})
        self.geometry = Geometry(tuple(times), self.span, self.size)
        self._fades = [_fade(before, after) for before, after in pairwise(self.geometries)]
        self._device, self._held = device, dict[int, Fitted]()
        self.parts = self._part(0).parts

    @property
    def device(self) -> torch.device:
        """Where the answer is computed."""
        return next(iter(self._held.values())).device

    def __call__(self, query: Query) -> Tensor:
        """See `invr_core.representation.Representation`."""
        return torch.cat([self._render(time, query) for time in query.times.tolist()])

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        """Where pixels are later; what leads out of a part is shown over as long a step at its end, as of a clip."""
        moved = [self._moved(begin, end) for begin, end in zip(t0.tolist(), t1.tolist(), strict=True)]
        return Motion(torch.cat([one.flow for one in moved]), torch.cat([one.confidence for one in moved]))

    def to(self, device: torch.device | str) -> Self:
        """The same parts on another device."""
        return type(self)(self.files, device, self.span)

    def save(self, path: str | Path, bits: int = 32) -> None:
        """Each part is a file already.

        Raises:
            Unsupported: always.
        """
        raise Unsupported("parts cannot be saved as one .invr file; each is one already")

    def _render(self, time: float, query: Query) -> Tensor:
        which, share = self._place(time)

        def own(part: int) -> Tensor:
            rep = self._part(part)
            return rep(Query(_inside(time, rep.span), query.size, query.region, query.part))

        return own(which) if share == 1 else torch.lerp(own(which - 1), own(which), share)

    def _moved(self, begin: float, end: float) -> Motion:
        which, share = self._place((begin + end) / 2)
        rep = self._part(which if share >= 0.5 else which - 1)
        start = _inside(min(begin, rep.span[1] - (end - begin)), rep.span)
        return rep.motion(start, _inside(float(start) + end - begin, rep.span))

    def _place(self, time: float) -> tuple[int, float]:
        """The part that an instant lies in, and its share of the answer; the part before it has the rest."""
        which = bisect_right(self._fades, time, key=lambda fade: fade[0])
        if which == 0 or time >= self._fades[which - 1][1]:
            return which, 1.0
        begin, end = self._fades[which - 1]
        return which, (time - begin) / (end - begin)

    def _part(self, which: int) -> Fitted:
        rep = self._held.pop(which, None)
        if rep is None:
            while len(self._held) >= HELD:
                del self._held[next(iter(self._held))]  # the one not used for longest
            rep = load(self.files[which], self._device)
            if rep.size != self.size:
                raise BadFile(f"{self.files[which]}: its frames are not as large as those of {self.files[0].name}")
        self._held[which] = rep
        return rep


def _fade(before: Geometry, after: Geometry) -> tuple[float, float]:
    """Seconds from which, and to which, a part gives way to the next: where they overlap, or at once in the middle."""
    begin, end = after.times[0], before.times[-1]
    return (begin, end) if begin <= end else ((begin + end) / 2,) * 2


def _inside(time: float, span: tuple[float, float]) -> Tensor:
    """An instant of a span, (1,) float64."""
    return torch.tensor([min(max(time, span[0]), span[1])], dtype=torch.float64)
