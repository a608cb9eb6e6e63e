"""What is said in words and figures: the headline, the settings, and where a result comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.page.curve import Curve
from invr_tasks.page.instants import Series
from invr_tasks.provenance import provenance
from invr_tasks.task import Source, Task

LONGEST = 400
"""Letters of a value at the most."""

Row = tuple[str, str]


def figures(seconds: float, known: Sequence[Series] | None, fitted: Series, curve: Curve | None) -> list[Row]:
    """The figures at the top: name and value; where a fit took 0 seconds, its curve may know more."""
    rows: list[Row] = []
    if known is not None:
        ours, naive = (fmean(series.psnr) for series in known)
        rows += [
            ("PSNR, ours", f"{ours:.2f} dB"),
            ("PSNR, naive", f"{naive:.2f} dB"),
            ("gain", f"{ours - naive:+.2f} dB"),
        ]
    rows.append(("PSNR, given explained", f"{fmean(fitted.psnr):.2f} dB"))
    if seconds:
        rows.append(("fit", f"{seconds:.1f} s"))
    elif curve is not None and curve.points:
        rows.append(("fit", f"{curve.points[-1][0]:.1f} s"))
    else:
        rows.append(("fit", "made before"))
    return rows


def settings(task: Task[Any], source: Source, answer: Video, facts: Mapping[str, object]) -> list[Row]:
    """What was asked, and of what."""
    video = source.video
    rows: list[tuple[str, object]] = [("task", type(task).__name__), *facts.items()]
    rows += [
        ("given", f"{len(video)} frames of {video.size[1]}x{video.size[0]}, {video.span[0]:g} to {video.span[1]:g} s"),
        ("answer", f"{len(answer)} frames of {answer.size[1]}x{answer.size[0]}, {answer.fps:.4g} frames per second"),
    ]
    rows += [(f"option {name}", value) for name, value in _fields(task.config)]
    return _rows(rows)


def network(rep: Representation) -> list[Row]:
    """With which network, and how it was fitted."""
    config = getattr(rep, "config", None)
    rows: list[tuple[str, object]] = [("model", getattr(type(config), "name", type(rep).__name__))]
    rows += [(f"model {name}", value) for name, value in _fields(config)]
    rows += [(f"fit {name}", value) for name, value in getattr(rep, "info", {}).items()]
    return _rows(rows)


def origin(rep: Representation) -> list[Row]:
    """Versions, device, commit and platform; see `invr_tasks.provenance`."""
    found = provenance(getattr(rep, "info", {}).get("seed"), rep.device)
    versions = found.pop("versions")
    return _rows([*found.items(), *versions.items()])


def _fields(config: object) -> Iterator[tuple[str, object]]:
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        yield from ((field.name, getattr(config, field.name)) for field in dataclasses.fields(config))


def _rows(found: Iterable[tuple[str, object]]) -> list[Row]:
    """Those that say something."""
    return [_row(name, value) for name, value in found if value not in (None, "", ())]


def _row(name: str, value: object) -> Row:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) and value >= 10_000 else str(value)
    return name, text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
