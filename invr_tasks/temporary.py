"""Folders that last as long as a command, and are not left for ever if that is killed."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from invr_core.atomic import scratch_folder


def temporary_folder(name: str) -> AbstractContextManager[Path]:
    """A folder in the temporary folder, which only its owner can read; removed in the end.

    Args:
        name: what it is for. What a killed process has left of one of this name is removed here.

    Example:
        >>> with temporary_folder("invr-bench") as folder:
        ...     folder.is_dir(), folder.name.startswith(".invr-bench."), folder.stat().st_mode & 0o777 == 0o700
        (True, True, True)
    """
    return scratch_folder(Path(tempfile.gettempdir()) / name)
