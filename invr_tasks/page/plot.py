"""Curves as SVG that takes the colours of the page around it, by light and by dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 24, 40
"""Margins of the axes."""
TICKS = 5
"""About how many there are on an axis."""


@dataclass(frozen=True)
class Curves:
    """What is drawn over each other.

    Args:
        title: what it shows, for who cannot see it.
        x_label, y_label: with their units.
        lines: name and points (x, y) of each, at least one point in all; those of one name are one line with gaps.
        marks: points that are marked.
    """

    title: str
    x_label: str
    y_label: str
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    marks: Sequence[tuple[float, float]] = ()

    def svg(self) -> Markup:
        """The picture; every text in it is escaped."""
        points = [point for _, line in self.lines for point in line]
        xs, ys = (_ticks(min(values), max(values)) for values in zip(*points, strict=True))
        x_span, y_span = (min(xs[0], *(x for x, _ in points)), xs[-1]), (ys[0], ys[-1])

        def at(point: tuple[float, float]) -> str:
            return f"{_place(point[0], x_span, LEFT, WIDTH - RIGHT)},{_place(point[1], y_span, HEIGHT - BOTTOM, TOP)}"

        parts = [Markup('<svg viewBox="0 0 {} {}" role="img"><title>{}</title>').format(WIDTH, HEIGHT, self.title)]
        for tick in ys:
            y = _place(tick, y_span, HEIGHT - BOTTOM, TOP)
            parts.append(Markup('<path class="grid" d="M{} {}H{}"/>').format(LEFT, y, WIDTH - RIGHT))
            parts.append(Markup('<text class="end" x="{}" y="{}">{:g}</text>').format(LEFT - 6, y + 4, tick))
        for tick in xs:
            x = _place(tick, x_span, LEFT, WIDTH - RIGHT)
            parts.append(Markup('<path class="grid" d="M{} {}V{}"/>').format(x, TOP, HEIGHT - BOTTOM))
            parts.append(Markup('<text class="mid" x="{}" y="{}">{:g}</text>').format(x, HEIGHT - BOTTOM + 16, tick))
        names = list(dict.fromkeys(name for name, _ in self.lines))
        for name, line in self.lines:
            path = " ".join(at(point) for point in line)
            parts.append(Markup('<polyline class="line{}" points="{}"/>').format(names.index(name), path))
        for number, name in enumerate(names if len(names) > 1 else []):
            parts.append(
                Markup('<text class="name{}" x="{}" y="14">{}</text>').format(number, LEFT + 80 * number, name)
            )
        for point in self.marks:
            cx, cy = at(point).split(",")
            parts.append(Markup('<circle class="mark" cx="{}" cy="{}" r="4"/>').format(cx, cy))
        middle = (HEIGHT - BOTTOM + TOP) / 2
        parts.append(
            Markup('<text class="mid" x="{}" y="{}">{}</text>').format((WIDTH + LEFT) / 2, HEIGHT - 6, self.x_label)
        )
        parts.append(
            Markup('<text class="mid" transform="translate(13 {}) rotate(-90)">{}</text></svg>').format(
                middle, self.y_label
            )
        )
        return Markup("").join(parts)


def _place(value: float, span: tuple[float, float], low: float, high: float) -> float:
    return round(low + (value - span[0]) / (span[1] - span[0]) * (high - low), 1)


def _ticks(least: float, most: float) -> list[float]:
    """Round numbers that enclose a range.

    Example:
        >>> _ticks(0.0, 97.0)
        [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    extent = most - least or max(abs(most), 1.0) * 0.1
    power = 10.0 ** math.floor(math.log10(extent / TICKS))
    step = next(power * factor for factor in (1, 2, 5, 10) if extent / (power * factor) <= TICKS)
    first, last = math.floor(least / step), math.ceil(most / step)
    return [round(step * number, 10) for number in range(first, max(last, first + 1) + 1)]
