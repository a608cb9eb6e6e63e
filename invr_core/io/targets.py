"""Where an output goes: checked before the work, written under a private name, put in place at the end."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invr_core.errors import BadOutput

ALLOWED = ".mp4 (H.264), .mkv (FFV1, lossless), .gif, or a folder of PNGs (a name with no suffix, or with / at its end)"
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
        invr_core.errors.BadOutput: clip.avi cannot be written: .avi is not offered; give .mp4 (H.264), ...
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
        return Path(path).resolve()
    except (OSError, RuntimeError) as error:
        raise BadOutput(f"{path} cannot be written: {error}; choose another name") from error


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


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """A private name beside ``target`` to write to; put in place if all went well, else removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    private = _private(target)
    try:
        yield private
        _flush(private)
        private.replace(target)
    finally:
        private.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A private folder beside ``target`` to fill; put in place as a whole if all went well, else removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    private = _private(target)
    private.mkdir()
    try:
        yield private
        for file in private.iterdir():
            _flush(file)
        _swap(private, target)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _private(target: Path) -> Path:
    return target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part{target.suffix}")


def _flush(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(private: Path, target: Path) -> None:
    """Put a folder in the place of one that may exist; the old one is back if that fails."""
    if not target.exists():
        private.rename(target)
        return
    old = _private(target)
    target.rename(old)
    try:
        private.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)
