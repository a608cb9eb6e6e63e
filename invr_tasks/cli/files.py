"""What a command reads and writes, checked before any work: a command that cannot end well overwrites nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from invr_core.errors import BadOutput
from invr_core.io import check_output, open_video
from invr_core.io.targets import kind
from invr_core.storage import SUFFIX
from invr_tasks.cli.masks import Masking, is_mask
from invr_tasks.page.target import check_page
from invr_tasks.stores import check_store, is_url
from invr_tasks.task import Source, Task

Further = Mapping[str, str | Masking]
"""The inputs of a task beside its clip, by name: a path, or what is said of a mask."""


def further_inputs(task: Task[Any], parsed: Any) -> Further:
    """What a command line says of each input of a task but its clip.

    Raises:
        BadInput: if a mask is missing, or its options do not go together.
    """
    extras: dict[str, str | Masking] = {}
    for name in task.inputs:
        if is_mask(name):
            extras[name] = masking = Masking.of(name, parsed)
            masking.check()
        elif name != "video":
            extras[name] = getattr(parsed, name)
    return extras


def paths_of(extras: Further) -> list[str]:
    """The files and folders among them."""
    paths = [given.path if isinstance(given, Masking) else given for given in extras.values()]
    return [path for path in paths if path is not None]


def open_source(video: str, extras: Further, on_note: Callable[[str], None]) -> Source:
    """The source of a task: its clip, and its further inputs.

    Args:
        video: path of the clip.
        extras: the further inputs.
        on_note: called with what the user should know of a file (for example that its end is missing).

    Raises:
        BadInput: if a file is missing or not what it should be.
    """
    clip = open_video(video, on_note=on_note)
    opened = {
        name: given.open(clip, on_note) if isinstance(given, Masking) else open_video(given, on_note=on_note)
        for name, given in extras.items()
    }
    return Source(clip, opened)


def check_outputs(
    inputs: list[str],
    video: str | None = None,
    rep: str | None = None,
    report: str | None = None,
    run: str | None = None,
    confidence: str | None = None,
) -> None:
    """Refuse outputs that could not be written, or would replace an input or each other.

    A folder of frames is put in place as a whole, so whatever else lies within it would be lost.

    Args:
        inputs: paths that are read.
        video: path or URL that frames are written to.
        rep: path that a representation is written to.
        report: path or URL that a page is written to.
        run: folder that a run is kept in; see `invr_tasks.keeping.Kept.new`, which checks it.
        confidence: path or URL that grey frames are written to.

    Raises:
        BadOutput: naming the path.
    """
    for frames in (video, confidence):
        if frames is not None:
            _check_frames(frames)
    if rep is not None:
        if is_url(rep):
            raise BadOutput(f"{rep}: what is fitted is saved to a file of this machine, not to a URL (--save-rep)")
        _check_rep(Path(rep))
    if report is not None:
        _check_report(report)
    outputs = [path for path in (video, rep, report, run, confidence) if path is not None]
    for index, output in enumerate(outputs):
        if any(_same(output, other) for other in [*inputs, *outputs[:index]]):
            raise BadOutput(f"{output} is named twice on this command line; write to another name")
        if run is not None and not is_url(output) and Path(run).resolve() in Path(output).resolve().parents:
            raise BadOutput(f"{output} lies within {run}, where the run is kept; write to another folder")
    for folder in (path for path in (video, confidence) if path is not None and not is_url(path)):
        if kind(folder) == "folder":
            _check_alone(folder, [*inputs, *outputs])


def _check_alone(folder: str, paths: list[str]) -> None:
    """Refuse whatever is named within a folder that is to hold frames and nothing else."""
    for path in paths:
        if not is_url(path) and Path(folder).resolve() in Path(path).resolve().parents:
            raise BadOutput(f"{path} lies within {folder}, a folder of frames and nothing else; choose another place")


def _check_frames(path: str) -> None:
    if not is_url(path):
        check_output(path)
        return
    if kind(path) == "folder":
        raise BadOutput(f"{path}: a folder of images cannot be put at a URL as a whole; give .mkv, which loses nothing")
    check_store(path)


def _check_rep(path: Path) -> None:
    if path.suffix != SUFFIX:
        raise BadOutput(f"{path}: what is fitted is saved to a name that ends in {SUFFIX}, such as {path.stem}{SUFFIX}")
    _check_file(path)


def _check_report(path: str) -> None:
    check_page(Path(path))
    if is_url(path):
        check_store(path)
    else:
        _check_file(Path(path))


def _check_file(path: Path) -> None:
    """Refuse the name of a file that could not be written."""
    if path.exists() and not path.is_file():
        raise BadOutput(f"{path} exists and is not a file; choose another name")
    if not path.parent.is_dir():
        raise BadOutput(f"{path}: there is no folder {path.parent}; make it first, or choose another")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise BadOutput(f"{path}: the folder {path.parent} is not yours to write to; choose another")


def _same(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()
