"""Where an output goes: what a path asks for, and whether it can be had, checked before the work."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from invr_core.errors import BadOutput

ALLOWED = (
    ".mp4 (H.264; HEVC for 10 bits), .mkv (FFV1, lossless), .gif, "
    "or a folder of PNGs (a name with no suffix, or with / at its end)"
)
SUFFIXES = (".mp4", ".mkv", ".gif")
FRAME_NAME = "{:06d}.png"
_OURS = re.compile(r"[0-9]{6,}\.png")


def check_output(path: str | Path) -> None:
    """Refuse an output that could not be written, before any work is done for it. Changes nothing.

    Args:
        path: as given to `save_video`; as a string, a slash at its end asks for a folder.

    Raises:
        BadOutput: if the suffix is unknown, something else is there already, or its folder cannot be written.

    Example:
        >>> check_output("clip.avi")
        Traceback (most recent call last):
        ...
        invr_core.errors.BadOutput: clip.avi cannot be written: .avi is not offered; give .mp4 (H.264; ...
    """
    target = resolve(path)
    if kind(path) == "folder":
        _check_folder(target)
    elif target.exists() and not target.is_file():
        what = "a folder" if target.is_dir() else "not a plain file"
        raise BadOutput(f"{path} exists and is {what}; choose another name, or remove it")
    _check_parent(target)


def kind(path: str | Path) -> str:
    """What a path asks for: ".mp4", ".mkv", ".gif" or "folder".

    Raises:
        BadOutput: if it asks for anything else.
    """
    text, suffix = str(path), Path(path).suffix.lower()
    if text.endswith(("/", os.sep)) or not suffix:
        return "folder"
    if suffix in SUFFIXES:
        return suffix
    if Path(path).is_dir():
        return "folder"
    raise BadOutput(f"{path} cannot be written: {suffix} is not offered; give {ALLOWED}")


def resolve(path: str | Path) -> Path:
    """The place that a path means, links followed.

    Raises:
        BadOutput: if its links go round in a circle.
    """
    try:
        found = Path(path).resolve()
    except (OSError, RuntimeError) as error:
        raise BadOutput(f"{path} cannot be written: {error}; choose another name") from error
    if found.is_symlink():  # what Python 3.13 leaves of a circle
        raise BadOutput(f"{path} cannot be written: its links go round in a circle; choose another name")
    return found


def _check_folder(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise BadOutput(f"{target} exists and is a file, not a folder; choose another name, or remove it")
    try:
        foreign = sorted(entry.name for entry in target.iterdir() if not _OURS.fullmatch(entry.name))
    except OSError as error:
        raise BadOutput(f"{target} cannot be read: {error.strerror}; choose another folder") from error
    if foreign:
        raise BadOutput(
            f"the folder {target} holds other things than frames ({foreign[0]}); choose another one, or empty it"
        )


def _check_parent(target: Path) -> None:
    """Try to write an unnamed file into the nearest folder above that exists."""
    above = next(folder for folder in target.parents if folder.exists())
    if not above.is_dir():
        raise BadOutput(f"{target} cannot be written: {above} is a file, not a folder; choose another place")
    try:
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        raise BadOutput(f"{target} cannot be written: {error.strerror} in {above}; choose another place") from error
