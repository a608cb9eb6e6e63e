"""Whether instants lie within a span, and how both are written so that what is advised can be followed."""

from __future__ import annotations

from torch import Tensor

ROUNDING, MOST_ROUNDING = 1e-6, 5e-4
"""By what an instant may lie outside through rounding: this share of the span's farther end from 0, but of at least a
second, and at most so many seconds. It is then taken as the end. Instants in float32, or copied from a message, need
it."""
DECIMALS = 6
"""Of seconds in a message: what is written is off by less than `ROUNDING`."""


def outside(times: Tensor, span: tuple[float, float]) -> Tensor:
    """Those of (M,) float64 seconds that lie outside a span by more than rounding, NaN among them: (K,)."""
    first, last = span
    slack = min(ROUNDING * max(1.0, abs(first), abs(last)), MOST_ROUNDING)
    return times[~((times >= first - slack) & (times <= last + slack))]


def written(time: float | Tensor) -> str:
    """An instant in seconds, for a message.

    Example:
        >>> written(19 / 24), written(7.0)
        ('0.791667', '7')
    """
    return f"{round(float(time), DECIMALS):.15g}"
