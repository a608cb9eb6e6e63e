"""Records as tables of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any

from invr_tasks.bench.records import Record

NOTHING = "–"
"""Stands where there is no number."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown.

    Example:
        >>> print(table(["a", "b"], [["1", "2 | 3"]]))
        | a | b |
        |---|---|
        | 1 | 2 \\| 3 |
    """
    lines = [header, *rows]
    written = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([written[0], "|" + "---|" * len(header), *written[1:]])


def value(record: Record, *path: str) -> Any:
    """What lies at a path of keys; None where there is nothing.

    Example:
        >>> value({"memory": {"peak_mib": 3}}, "memory", "peak_mib"), value({"memory": None}, "memory", "peak_mib")
        (3, None)
    """
    found: Any = record
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def over_seeds(records: Sequence[Record], path: Sequence[str], digits: int, scale: float = 1.0) -> str:
    """The mean of a number over records that differ in their seed; if there are several, also the least and the most.

    Example:
        >>> over_seeds([{"psnr": 30.0}, {"psnr": 31.0}], ["psnr"], 1), over_seeds([{"psnr": None}], ["psnr"], 1)
        ('30.5 (30.0 to 31.0)', '–')
    """
    numbers = [scale * found for record in records if (found := value(record, *path)) is not None]
    return mean_of(numbers, f",.{digits}f")


def mean_of(numbers: Sequence[float], form: str) -> str:
    """The mean, as a format says; if they differ, also the least and the most.

    Example:
        >>> mean_of([1.5, 2.5], "+.1f"), mean_of([], "+.1f")
        ('+2.0 (+1.5 to +2.5)', '–')
    """
    if not numbers:
        return NOTHING
    mean, least, most = (format(number, form) for number in (fmean(numbers), min(numbers), max(numbers)))
    return mean if least == most else f"{mean} ({least} to {most})"


def grouped(records: Iterable[Record], *keys: str) -> dict[tuple[str, ...], list[Record]]:
    """Records that agree in some fields, together; groups in the order in which they first come."""
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(tuple(str(record.get(key)) for key in keys), []).append(record)
    return groups


def name_of(record: Record) -> str:
    """Model and variant, for a reader."""
    return f"{record['model']}, {record['variant']}" if record["variant"] else str(record["model"])


def budget_of(record: Record) -> str:
    """How long a fit was, for a reader.

    Example:
        >>> budget_of({"budget": {"seconds": 180.0}})
        '180 seconds'
    """
    (unit, amount), *_ = record["budget"].items()
    return f"{amount:g} {unit}"


Column = tuple[str, Callable[[list[Record]], str]]
"""A heading, and how a group of records fills its cell."""


def column(heading: str, *path: str, digits: int = 2, scale: float = 1.0) -> Column:
    """A column that shows one number of the records, over their seeds."""
    return heading, lambda records: over_seeds(records, path, digits, scale)


def columns_table(columns: Sequence[Column], groups: Iterable[list[Record]]) -> str:
    """A table of one row a group; columns in which no group has anything are left out."""
    rows = [[fill(records) for _, fill in columns] for records in groups]
    kept = [i for i in range(len(columns)) if any(row[i] != NOTHING for row in rows)]
    return table([columns[i][0] for i in kept], [[row[i] for i in kept] for row in rows])
