"""Draw the architecture of `cwrnn`: ``python docs/pictures/model.py`` writes model.svg."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

Point = tuple[int, int]

INK, GRID, NETWORK, PICTURE = "#37474f", "#c0491f", "#1f6f8b", "#5b7a2f"
"""Lines and words; the residual grid; what the network computes; what can be looked at."""
STATES = ("motion state ⇄ appearance state", "velocity, warp, update", "step by step, to t")
FIELDS = ("motion: a velocity field", "appearance: features,", "coarse to fine in space and time")
BOXES: tuple[tuple[int, int, int, int, str, tuple[str, ...]], ...] = (
    (135, 40, 210, 44, PICTURE, ("anchor before t", "a stored picture")),
    (755, 40, 210, 44, PICTURE, ("anchor after t", "a stored picture")),
    (135, 165, 210, 92, NETWORK, ("recurrence, forward", *STATES)),
    (755, 165, 210, 92, NETWORK, ("recurrence, backward", *STATES)),
    (445, 165, 220, 92, GRID, ("mixed residual grid", *FIELDS)),
    (135, 290, 210, 44, NETWORK, ("flow to the anchor before",)),
    (755, 290, 210, 44, NETWORK, ("flow to the anchor after",)),
    (445, 290, 220, 60, NETWORK, ("compensation", "both anchors warped along the", "corrected flows; a gate blends")),
    (445, 390, 220, 44, NETWORK, ("cells, then pixel shuffle", "from states and grid")),
    (755, 390, 210, 44, PICTURE, ("picture at t", "blend + correction")),
)
"""Middle, width and height of each box, its colour, and what it says."""
ARROWS: tuple[tuple[str, tuple[Point, ...], str], ...] = (
    (INK, ((135, 62), (135, 119)), "shrink, convolve"),
    (INK, ((755, 62), (755, 119)), "shrink, convolve"),
    (GRID, ((335, 165), (240, 165)), ""),
    (GRID, ((555, 165), (650, 165)), ""),
    (INK, ((135, 211), (135, 268)), "velocities, composed"),
    (INK, ((755, 211), (755, 268)), "velocities, composed"),
    (INK, ((240, 290), (335, 290)), ""),
    (INK, ((650, 290), (555, 290)), ""),
    (PICTURE, ((30, 40), (14, 40), (14, 340), (370, 340), (370, 320)), "its pixels"),
    (PICTURE, ((860, 40), (876, 40), (876, 340), (520, 340), (520, 320)), "its pixels"),
    (GRID, ((530, 211), (530, 236), (600, 236), (600, 380), (555, 380)), ""),
    (INK, ((445, 320), (445, 368)), ""),
    (INK, ((555, 400), (650, 400)), ""),
)
"""The colour of each arrow, its corners, and what it says at the middle of its longest piece."""


def picture() -> str:
    """The whole, as SVG."""
    arrows = [_arrow(colour, points) for colour, points, _ in ARROWS]
    names = [_name(*_middle(points), text, colour) for colour, points, text in ARROWS if text]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 890 425" font-family="sans-serif" font-size="13">\n'
        "<title>How a picture at an instant t comes about in cwrnn</title>\n"
        + "\n".join([*arrows, *(_box(*box) for box in BOXES), *names])
        + "\n</svg>\n"
    )


def _box(x: int, y: int, width: int, height: int, colour: str, lines: tuple[str, ...]) -> str:
    top = y - 8 * (len(lines) - 1) + 5
    words = "".join(
        f'<text x="{x}" y="{top + 17 * row}" text-anchor="middle" fill="{colour if row == 0 else INK}" '
        f'font-weight="{"bold" if row == 0 else "normal"}">{line}</text>'
        for row, line in enumerate(lines)
    )
    return (
        f'<rect x="{x - width // 2}" y="{y - height // 2}" width="{width}" height="{height}" rx="6" fill="#fff" '
        f'stroke="{colour}" stroke-width="2"/>{words}'
    )


def _arrow(colour: str, points: tuple[Point, ...]) -> str:
    path = "M" + " L".join(f"{x} {y}" for x, y in points)
    (a, b), (x, y) = points[-2:]
    dx, dy = (x > a) - (x < a), (y > b) - (y < b)
    head = f"{x},{y} {x - 8 * dx - 4 * dy},{y - 8 * dy - 4 * dx} {x - 8 * dx + 4 * dy},{y - 8 * dy + 4 * dx}"
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/><polygon points="{head}" fill="{colour}"/>'
    )


def _middle(points: tuple[Point, ...]) -> Point:
    """Of the longest piece."""
    (a, b), (x, y) = max(pairwise(points), key=lambda ends: abs(ends[1][0] - ends[0][0]) + abs(ends[1][1] - ends[0][1]))
    return (a + x) // 2, (b + y) // 2


def _name(x: int, y: int, text: str, colour: str) -> str:
    half = 4 * len(text) + 4
    x = min(max(x, half), 890 - half)
    return (
        f'<rect x="{x - half}" y="{y - 10}" width="{2 * half}" height="20" fill="#fff"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle" fill="{colour}" font-style="italic">{text}</text>'
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    (folder / "model.svg").write_text(picture(), encoding="utf-8")
