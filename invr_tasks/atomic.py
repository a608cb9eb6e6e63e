"""Write a small file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from invr_core.errors import BadOutput


def write_atomically(path: Path, content: bytes) -> None:
    """Put bytes into a file; a killed run leaves the old file, or none.

    Args:
        path: the file; its folder is made where it is missing.
        content: all of it.

    Raises:
        BadOutput: if it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as cause:
        raise BadOutput(f"cannot write {path}: {cause.strerror or cause}; choose another place") from cause
