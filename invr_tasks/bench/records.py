"""Results as JSON lines: one record a line, each with where it comes from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from invr_core.errors import BadFile, BadOutput

Record = dict[str, Any]
"""JSON values; ``kind`` says which benchmark made it, ``provenance`` on what (`invr_tasks.provenance`)."""


def check_writable(path: Path) -> None:
    """Refuse, before the work, a file that records could not be appended to. Makes missing folders.

    Raises:
        BadOutput: naming the path.
    """
    if path.exists() and not path.is_file():
        raise BadOutput(f"{path} exists and is not a file; choose another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise BadOutput(f"cannot make the folder {path.parent}: {cause.strerror}; choose another") from cause
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise BadOutput(f"{path} is not yours to write to; choose another place")


def append(path: Path, record: Record) -> None:
    """Add one record to a file; it is made if it is not there.

    Args:
        path: of the file.
        record: JSON values; numbers are finite.

    Raises:
        BadOutput: if the file cannot be written.
    """
    line = json.dumps(record, allow_nan=False)
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError as cause:
        raise BadOutput(f"{path} cannot be written: {cause.strerror}; choose another place") from cause


def read(path: Path) -> list[Record]:
    """All records of a file, in order.

    Raises:
        BadFile: if it is missing, or a line is no record.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise BadFile(f"{path} cannot be read as records ({cause}); give a file that `invr bench` wrote") from cause
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as cause:
            raise BadFile(f"{path}, line {number}: not JSON ({cause.msg}); remove the line") from cause
        if not (isinstance(record, dict) and isinstance(record.get("kind"), str)):
            raise BadFile(f"{path}, line {number}: not a record of `invr bench`; remove the line")
        found.append(record)
    return found


def latest(records: Iterable[Record], key: Sequence[str]) -> list[Record]:
    """Of records that agree in these fields the last one, in the order in which each first came.

    Example:
        >>> old, new, other = {"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 3}
        >>> latest([old, other, new], ["a"])
        [{'a': 1, 'b': 2}, {'a': 2, 'b': 3}]
    """
    kept: dict[str, Record] = {}
    for record in records:
        kept[json.dumps([record.get(name) for name in key], sort_keys=True)] = record
    return list(kept.values())
