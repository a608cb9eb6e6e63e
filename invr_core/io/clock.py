"""Timestamps: mended where a file's are broken, and put on ticks where a file is written."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

FINEST = Fraction(1, 1_000_000)
"""Seconds per tick for times that lie on no common grid."""
MILLISECOND = Fraction(1, 1000)
"""Seconds per tick of the containers that round (Matroska, WebM, FLV)."""


def mend(stamps: Sequence[float | None], step: float) -> tuple[list[float], int]:
    """Strictly increasing times from stamps that may be missing, repeated or out of order.

    The largest set of stamps that increase is kept as it is; each other frame is put evenly between its kept
    neighbours, and beyond the ends at the usual distance.

    Args:
        stamps: seconds in the order of the frames, None where the file gives none.
        step: usual distance of two frames, in seconds.

    Returns:
        the times, and how many were mended.

    Example:
        >>> mend([0.0, 1.0, None, 3.0, 2.5, 5.0], 1.0)
        ([0.0, 1.0, 1.5, 2.0, 2.5, 5.0], 2)
    """
    kept = _increasing(stamps)
    if not kept:
        return [i * step for i in range(len(stamps))], len(stamps)
    values = np.array([stamps[i] for i in kept], dtype=np.float64)
    if len(kept) > 1:
        step = float(np.median(np.diff(values) / np.diff(kept)))
    times = np.interp(np.arange(len(stamps)), kept, values)
    for i in range(kept[0]):
        times[i] = values[0] - (kept[0] - i) * step
    for i in range(kept[-1] + 1, len(stamps)):
        times[i] = values[-1] + (i - kept[-1]) * step
    times[kept] = values
    if bool((np.diff(times) <= 0).any()):  # stamps too close together to leave room for others
        return [float(values[0]) + i * max(step, 1e-6) for i in range(len(stamps))], len(stamps)
    return times.tolist(), len(stamps) - len(kept)


def _increasing(stamps: Sequence[float | None]) -> list[int]:
    """Indices of a longest strictly increasing run of stamps, by patience sorting."""
    tails: list[float] = []
    ends: list[int] = []
    before: dict[int, int] = {}
    for i, stamp in enumerate(stamps):
        if stamp is None:
            continue
        pile = bisect_left(tails, stamp)
        if pile:
            before[i] = ends[pile - 1]
        tails[pile : pile + 1] = [stamp]
        ends[pile : pile + 1] = [i]
    chain = ends[-1:]
    while chain and chain[-1] in before:
        chain.append(before[chain[-1]])
    return chain[::-1]


def undo_rounding(times: Sequence[float], rate: Fraction | None, tick: Fraction) -> list[float]:
    """The exact times behind stamps that a container rounded to milliseconds (Matroska, WebM, FLV).

    Where every stamp lies within one tick of the grid of the declared rate, gaps included, the grid is what was
    meant. All other times are returned as they are.

    Example:
        >>> undo_rounding([0.0, 0.033, 0.067, 0.133], Fraction(30), Fraction(1, 1000))
        [0.0, 0.03333333333333333, 0.06666666666666667, 0.13333333333333333]
    """
    if tick != MILLISECOND or not rate or rate > 250:
        return list(times)
    ranks = np.rint((np.asarray(times) - times[0]) * float(rate)).astype(int).tolist()
    ideal = [times[0] + float(rank / rate) for rank in ranks]
    fits = all(abs(a - b) <= float(tick) + 1e-9 for a, b in zip(ideal, times, strict=True))
    return ideal if fits and all(a < b for a, b in pairwise(ranks)) else list(times)


def ticks(
    times: Tensor, base: Fraction | None = None, end: float | None = None
) -> tuple[NDArray[np.int64], Fraction, Fraction]:
    """Times as whole ticks of a common grid where there is one, else of a microsecond.

    Args:
        times: (N,) float64 seconds, strictly increasing.
        base: seconds per tick of the file that the times come from, if there is one: it, and whole parts of it, are
            tried as well.
        end: when the last frame ends, in seconds: of several grids that on which it lies, or nearly so.

    Returns:
        (N,) ticks, seconds per tick, and the frame rate of the shortest step.

    Example:
        >>> import torch
        >>> ticks(torch.tensor([0.0, 0.04, 0.12], dtype=torch.float64))
        (array([0, 1, 3]), Fraction(1, 25), Fraction(25, 1))
        >>> ticks(torch.tensor([0.0, 0.04, 0.12], dtype=torch.float64), end=0.15)[1]
        Fraction(1, 100)
    """
    seconds = times.numpy()
    shortest = float(np.diff(seconds).min()) if len(seconds) > 1 else 0.04
    rate = Fraction(1 / shortest).limit_denominator(1001)
    if rate <= 0:
        rate = Fraction(1)
    grids = [1 / (rate * parts) for parts in range(1, 13)]
    grids += [base / parts for parts in range(1, 13) if base]
    grids += [Fraction(1, 90_000), 1 / (rate * 1000), FINEST]
    fitting = [tick for tick in grids if _on_grid(seconds, tick)]
    rounded = 0.5e-3 if base == MILLISECOND else 1e-9

    def missed(tick: Fraction) -> float:
        """Seconds between the end and the nearest tick, beyond what the file has rounded."""
        return 0.0 if end is None else max(abs(round(end / tick) * float(tick) - end) - rounded, 0.0)

    tick = min(fitting, key=missed, default=FINEST)  # the first of those as good
    return np.rint(seconds / float(tick)).astype(np.int64), tick, rate


def _on_grid(seconds: NDArray[np.float64], tick: Fraction) -> bool:
    """Whether all times are whole ticks, and no two the same."""
    count = np.rint(seconds / float(tick))
    exact = bool(np.abs(count * float(tick) - seconds).max() < 1e-9)
    return exact and (len(count) < 2 or bool((np.diff(count) > 0).all()))
