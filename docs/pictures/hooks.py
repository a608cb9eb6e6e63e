"""Draw the data flow of a task, whole and for each hook: ``python docs/pictures/hooks.py`` writes hook_*.svg."""

from __future__ import annotations

import sys
from pathlib import Path

Point = tuple[int, int]

VALUES: dict[str, Point] = {
    "truth": (70, 45),
    "source": (70, 150),
    "Observation": (320, 150),
    "Representation": (560, 150),
    "Query": (560, 255),
    "Video": (800, 150),
    "scores": (800, 45),
}
"""Where the middle of each value is."""
ARROWS: dict[str, tuple[Point, list[list[Point]]]] = {
    "simulate": ((70, 97), [[(70, 63), (70, 132)]]),
    "observe": ((180, 150), [[(113, 150), (252, 150)]]),
    "fit": ((432, 150), [[(388, 150), (477, 150)]]),
    "prior": ((432, 100), [[(560, 132), (560, 100), (432, 100), (432, 138)]]),
    "plan": ((300, 255), [[(55, 168), (55, 255), (522, 255)]]),
    "render": (
        (700, 150),
        [
            [(643, 150), (762, 150)],
            [(598, 255), (710, 255), (710, 163)],
            [(70, 168), (70, 212), (690, 212), (690, 163)],
        ],
    ),
    "with_confidence": ((683, 100), [[(590, 132), (590, 100), (775, 100), (775, 132)]]),
    "judged": ((430, 45), [[(108, 45), (757, 45)], [(100, 132), (100, 78), (430, 78), (430, 58)]]),
    "naive": ((430, 300), [[(40, 168), (40, 300), (865, 300), (865, 45), (843, 45)]]),
    "": ((0, 0), [[(800, 132), (800, 63)]]),
}
"""What each hook reads and gives: where its name stands, and its lines. "fit" is not a hook; "" is the comparison."""
NOT_HOOKS = {"fit", ""}
INK, FAINT, STRONG = "#37474f", "#c3ccd1", "#c0491f"


def picture(shown: str | None) -> str:
    """The flow as SVG, with one hook in colour; None for all hooks alike."""
    lines = [_line(points, _colour(name, shown)) for name, (_, paths) in ARROWS.items() for points in paths]
    touched = {value for value in VALUES if shown is None or _near(value, shown)}
    boxes = [_box(name, INK if name in touched else FAINT) for name in VALUES]
    names = [_name(name, at, _colour(name, shown), name in NOT_HOOKS) for name, (at, _) in ARROWS.items() if name]
    title = "The data flow of a task" if shown is None else f"What the hook {shown} reads and gives"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 890 325" font-family="sans-serif" font-size="14">\n'
        f"<title>{title}</title>\n" + "\n".join([*lines, *boxes, *names]) + "\n</svg>\n"
    )


def _colour(name: str, shown: str | None) -> str:
    if shown is None:
        return INK
    return STRONG if name == shown else FAINT


def _near(value: str, hook: str) -> bool:
    """Whether a line of the hook begins or ends at the value."""
    x, y = VALUES[value]
    ends = [point for path in ARROWS[hook][1] for point in (path[0], path[-1])]
    return any(abs(x - a) <= 85 and abs(y - b) <= 20 for a, b in ends)


def _line(points: list[Point], colour: str) -> str:
    path = "M" + " L".join(f"{x} {y}" for x, y in points)
    (a, b), (x, y) = points[-2:]
    dx, dy = (x > a) - (x < a), (y > b) - (y < b)
    head = f"{x},{y} {x - 8 * dx - 4 * dy},{y - 8 * dy - 4 * dx} {x - 8 * dx + 4 * dy},{y - 8 * dy + 4 * dx}"
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/><polygon points="{head}" fill="{colour}"/>'
    )


def _box(name: str, colour: str) -> str:
    x, y = VALUES[name]
    half = 5 * len(name) + 12
    return (
        f'<rect x="{x - half}" y="{y - 17}" width="{2 * half}" height="34" rx="6" fill="#fff" stroke="{colour}" '
        f'stroke-width="2"/><text x="{x}" y="{y + 5}" text-anchor="middle" fill="{colour}">{name}</text>'
    )


def _name(name: str, at: Point, colour: str, plain: bool) -> str:
    (x, y), half = at, 4 * len(name) + 8
    style = 'font-style="italic"' if plain else 'font-family="monospace" font-weight="bold"'
    return (
        f'<rect x="{x - half}" y="{y - 10}" width="{2 * half}" height="20" fill="#fff"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle" fill="{colour}" {style}>{name}</text>'
    )


def main(folder: Path) -> None:
    """Write all pictures."""
    for hook in (None, *(name for name in ARROWS if name not in NOT_HOOKS)):
        (folder / f"hook_{hook or 'all'}.svg").write_text(picture(hook), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
