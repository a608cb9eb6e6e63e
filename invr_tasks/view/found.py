"""What the user names to be viewed: a ``.invr`` file, a folder with one, or a run that is kept; and the clip beside."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from torch import Tensor

from invr_core.errors import BadFile
from invr_core.representation import Representation
from invr_core.storage import SUFFIX, geometry_of, load
from invr_core.video import Video
from invr_tasks.cli.printed import printable
from invr_tasks.keeping import RECORD, fingerprint, read_record
from invr_tasks.view.joined import Joined

_PART = re.compile(r"part-(\d{4,6})\.(invr|checkpoint)")
"""Files of a run that is kept: parts that are fitted, and states of those that are not."""
_NAMED = 5
"""How many of those that are missing are named."""
_SLACK = 1e-6
"""Seconds by which a frame may lie outside of a part."""


@dataclass(frozen=True)
class Found:
    """What is to be viewed.

    Args:
        name: for the title.
        files: what was fitted; the parts of a run that is kept, or one file.
        clip: to hold it against; None for nothing.
        notes: what the user should know of it.
        kept: whether it is a run that is kept, of which parts may be missing.
    """

    name: str
    files: tuple[Path, ...]
    clip: Path | None = None
    notes: tuple[str, ...] = ()
    kept: bool = False

    def opened(self, source: Video | None, device: str = "auto") -> tuple[Representation, tuple[str, ...]]:
        """What was fitted, and what is missing of it.

        Args:
            source: the clip, opened.
            device: where to compute.

        Raises:
            BadFile: if something is missing or damaged.
        """
        spans = [geometry_of(file).span for file in self.files] if self.kept else []
        gaps = _gaps(source.times, spans) if self.kept and source is not None else []
        if len(self.files) == 1 and not gaps:
            return load(self.files[0], device), self.notes
        told = ", ".join(f"{first:.2f} to {last:.2f} s" for first, last in gaps[:_NAMED])
        more = f" and {len(gaps) - _NAMED} more" if len(gaps) > _NAMED else ""
        note = f"Not fitted: {told}{more}; the nearest part is shown there, at its end."
        return Joined(self.files, device, None if source is None else source.span), (
            *self.notes,
            *([note] if gaps else []),
        )


def find(path: Path, source: str | None = None) -> Found:
    """What the user names.

    Args:
        path: a ``.invr`` file, a folder with one, or a run that is kept.
        source: the clip to hold it against; None for that of the run, or ``given.*`` in the folder, if it is there.

    Raises:
        BadFile: if a folder does not hold exactly one, and is no run.
    """
    clip = None if source is None else Path(source)
    if not path.is_dir():
        return Found(path.name, (path,), clip)
    if (path / RECORD).is_file():
        return _run(path, clip)
    fitted = sorted(path.glob(f"*{SUFFIX}"))
    if len(fitted) != 1:
        held = ", ".join(file.name for file in fitted[:5]) or "none"
        raise BadFile(f"{path}: a run to view holds one {SUFFIX} file, this folder holds {held}; name the file")
    beside = next((file for file in sorted(path.glob("given.*")) if file.is_file()), None)
    return Found(fitted[0].name, tuple(fitted), clip or beside)


def _run(folder: Path, clip: Path | None) -> Found:
    """A run that is kept; nothing of its record is believed but which clip is its input, if that is as it was."""
    states = {int(found[1]): found[2] for file in sorted(folder.iterdir()) if (found := _PART.fullmatch(file.name))}
    there = sorted(number for number, kind in states.items() if f".{kind}" == SUFFIX)
    if not there:
        raise BadFile(f"{folder}: no part of this run is fitted yet; `invr resume {folder}` goes on with it")
    notes = []
    if clip is None:
        clip, why = _input(folder)
        notes += [why] if why else []
    missing = [f"part-{number:04d}" for number in range(1, max(states) + 1) if states.get(number) != SUFFIX[1:]]
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        notes.append(f"Not there: {', '.join(missing[:_NAMED])}{more}; not fitted yet, or too short to be fitted.")
    files = tuple(folder / f"part-{number:04d}{SUFFIX}" for number in there)
    return Found(folder.resolve().name, files, clip, tuple(notes), kept=True)


def _input(folder: Path) -> tuple[Path | None, str]:
    """The clip that a run was given, if it is as it was; or why it is not shown."""
    record = read_record(folder)
    if not record["inputs"]:
        return None, "The record of this run names no input; --source names the clip to hold it against."
    name, before = next(iter(record["inputs"].items()))  # further inputs, such as a mask, follow
    path = Path(record["place"]) / name
    shown = printable(str(path))
    if not (os.path.isfile(path) or os.path.isdir(path)):  # a pipe of a stranger's would never end
        return None, f"The clip of this run, {shown}, is not there any more; --source names it where it is now."
    if fingerprint(path) != before:
        return None, f"The clip of this run, {shown}, has changed since, and is not shown; --source names another."
    return path, ""


def _gaps(times: Tensor, spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """First and last instant of each row of frames that lie in no part."""
    held = [any(first - _SLACK <= time <= last + _SLACK for first, last in spans) for time in times.tolist()]
    rows = groupby(zip(times.tolist(), held, strict=True), key=lambda frame: frame[1])
    found = [[time for time, _ in row] for inside, row in rows if not inside]
    return [(row[0], row[-1]) for row in found]
