"""Write a file or a folder whole or not at all: under a private name beside it, put in place at the end."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from invr_core.errors import BadOutput


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """A private name beside ``target`` to write to; put in place if all went well, else removed.

    Missing folders above ``target`` are made; a file of that name is replaced.

    Raises:
        BadOutput: if it cannot be written there, or something else than a file is there.
    """
    private = _private(target)
    try:
        if target.exists() and not target.is_file():
            raise BadOutput(f"{target} exists and is not a file; choose another name")
        target.parent.mkdir(parents=True, exist_ok=True)
        yield private
        _flush(private)
        private.replace(target)
    except OSError as error:
        raise BadOutput(f"{target} cannot be written: {error.strerror or error}; choose another place") from error
    finally:
        with suppress(OSError):
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
