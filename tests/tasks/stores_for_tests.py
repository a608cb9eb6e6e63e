"""Stores for tests, found by fsspec as any plugin of it: a folder of this machine that only they reach."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem


class Ship(LocalFileSystem):
    """``ship://a/b`` is ``a/b`` of the folder that a command is given in; sends by halves, and renames."""

    protocol = "ship"

    def put_file(self, path1: str, path2: str, callback: Any = None, **options: Any) -> None:
        """Send a file; with a ``gate`` in that folder, stop half-way for ever."""
        data = Path(path1).read_bytes()
        with Path(self._strip_protocol(path2)).open("wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            if Path("gate").exists():
                os.write(1, b"half-way\n")
                os.read(0, 1)
            if Path("leak").exists():
                raise TimeoutError("the ship has sunk")
            file.write(data[len(data) // 2 :])


class Pier(LocalFileSystem):
    """A store that may be read, and not written."""

    protocol = "pier"

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        """Refuse."""
        raise PermissionError(13, "Permission denied", path)


class Bucket(LocalFileSystem):
    """As an object store: whole at once, no folders, and what moves is copied."""

    protocol = "bucket"
    mv = AbstractFileSystem.mv

    def put_file(self, path1: str, path2: str, callback: Any = None, **options: Any) -> None:
        """Send a file."""
        target = Path(self._strip_protocol(path2))
        target.parent.mkdir(parents=True, exist_ok=True)
        Path("arriving").write_bytes(Path(path1).read_bytes())
        Path("arriving").replace(target)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        """Send a few bytes."""
        Path(self._strip_protocol(path)).parent.mkdir(parents=True, exist_ok=True)
        super().pipe_file(path, value, mode, **options)
