"""How a fit went: PSNR of recent batches against seconds, in a few hundred points whatever its length.

Or how several went, one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from invr_core.fitting import Progress

MOST_POINTS = 400
"""How many points are kept at the most; beyond that every second one goes, and so on."""
LATE = 0.75
"""The part of a fit, from its beginning, after which it should have come to rest."""

Point = tuple[float, float]


class Curve:
    """Notes a fit while it runs; to be given as ``on_step``.

    Args:
        then: also called with each step; None for nobody.

    Example:
        >>> curve = Curve()
        >>> curve(Progress(1, 2, 0.5, 0.5, 20.0, 0.1))
        >>> curve.points
        ((0.5, 20.0),)
    """

    def __init__(self, then: Callable[[Progress], None] | None = None) -> None:
        self._then = then
        self._kept: list[Point] = []
        self._last: Point | None = None
        self._every, self._waited = 1, 0

    def __call__(self, step: Progress) -> None:
        """Note one step, and pass it on."""
        if math.isfinite(step.psnr):
            self._last = (step.seconds, step.psnr)
            if self._waited % self._every == 0:
                self._kept.append(self._last)
            self._waited += 1
            if len(self._kept) >= MOST_POINTS:
                self._kept, self._every = self._kept[::2], 2 * self._every
        if self._then is not None:
            self._then(step)

    @property
    def points(self) -> tuple[Point, ...]:
        """Seconds and dB, in order of time; the last step is always among them."""
        end = [self._last] if self._last is not None and self._last not in self._kept[-1:] else []
        return (*self._kept, *end)

    @property
    def late_gain(self) -> float | None:
        """dB that the last quarter of the fit brought; None where there are too few points to tell."""
        points = self.points
        if len(points) < 8:
            return None
        begin = next(psnr for seconds, psnr in points if seconds >= LATE * points[-1][0])
        return points[-1][1] - begin


class Chain:
    """The curves of several fits, one after the other, in a few hundred points in all; at least the ends of each.

    Example:
        >>> chain = Chain()
        >>> chain.add(((1.0, 20.0), (2.0, 30.0)))
        >>> chain.add(((0.5, 25.0), (1.0, 31.0)))
        >>> chain.lines
        (((1.0, 20.0), (2.0, 30.0)), ((2.5, 25.0), (3.0, 31.0)))
    """

    def __init__(self) -> None:
        self._lines: list[tuple[Point, ...]] = []
        self._end = 0.0

    def add(self, points: Sequence[Point]) -> None:
        """The curve of the next fit, on a clock of its own; none if it was not watched."""
        if not points:
            return
        self._lines.append(tuple((self._end + seconds, psnr) for seconds, psnr in points))
        self._end += points[-1][0]
        while sum(map(len, self._lines)) > max(MOST_POINTS, 2 * len(self._lines)):
            longest = max(map(len, self._lines))
            self._lines = [(*line[:-1:2], line[-1]) if len(line) == longest else line for line in self._lines]

    @property
    def lines(self) -> tuple[tuple[Point, ...], ...]:
        """Seconds of all fits so far and dB, of each fit."""
        return tuple(self._lines)
