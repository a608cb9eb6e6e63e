"""Plots of records, as SVG: the same records give the same bytes. Needs matplotlib (``invr[bench]``)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from invr_core.atomic import atomic_file
from invr_core.errors import Unsupported


@dataclass(frozen=True)
class Line:
    """One curve.

    Args:
        name: for the legend; lines of one name have one colour and one entry.
        x, y: its points.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Args:
        x_label, y_label: with their units.
        lines: what is drawn.
        x_log: whether the horizontal axis is logarithmic.
    """

    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    x_log: bool = True


def draw(panels: Sequence[Panel], title: str, path: Path) -> None:
    """Write panels side by side as one SVG, atomically.

    Args:
        panels: at least one.
        title: above them.
        path: of the file.

    Raises:
        Unsupported: without matplotlib.
        BadOutput: if the file cannot be written.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogLocator
    except ImportError as cause:
        raise Unsupported("plots need matplotlib: pip install 'invr[bench]'") from cause
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    encoded = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "invr", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(5.2 * len(panels), 3.6), layout="constrained")
        figure.suptitle(title)
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            told = set[str]()
            for line in panel.lines:
                label = None if line.name in told else line.name
                told.add(line.name)
                axes.plot(
                    line.x, line.y, f"C{names.index(line.name)}", label=label, marker=".", markersize=3, linewidth=1
                )
            axes.set(xlabel=panel.x_label, ylabel=panel.y_label, xscale="log" if panel.x_log else "linear")
            if panel.x_log:
                axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.xaxis.set_major_formatter("{x:g}")
                axes.xaxis.set_minor_formatter("")
            axes.grid(alpha=0.3)
        figure.axes[0].legend(fontsize=8)
        figure.savefig(encoded, format="svg", metadata={"Date": None, "Creator": None})
    with atomic_file(path) as private:
        private.write_bytes(encoded.getvalue())
