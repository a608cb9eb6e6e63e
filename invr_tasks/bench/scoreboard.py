"""Records of `invr bench tasks` as tables, beside figures of others where a file of them is given."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from invr_core.errors import BadFile
from invr_tasks.bench.answers import OURS
from invr_tasks.bench.records import Record
from invr_tasks.bench.tables import NOTHING, Column, column, columns_table, grouped, table

COLUMNS = ("clip", "size", "task", "setting", "method", "psnr", "psnr_hole", "n_scored")
"""Of a file of peers, at the least."""
THEIR_NAMES = {"interp": "interpolate", "sr": "upscale"}
"""Of tasks, in such a file."""
_CELL = ("suite", "clip", "frames", "size", "task", "setting", "seed", "device")


@dataclass(frozen=True)
class Peer:
    """What somebody else's method scored.

    Args:
        method: its name.
        psnr: dB; over the hole where there is one.
        scored: how many frames it was scored on.
    """

    method: str
    psnr: float
    scored: int


Peers = Mapping[tuple[str, str, str, str], Peer]
"""Clip, size, task and setting -> the best of them."""


def read_peers(path: Path) -> Peers:
    """The best row of each clip, size, task and setting of a file of comma-separated values.

    Raises:
        BadFile: if it cannot be read, lacks one of `COLUMNS`, or a number is none.
    """
    best: dict[tuple[str, str, str, str], Peer] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise BadFile(f"{path} has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)} (--peers)")
            for row in rows:
                peer = Peer(row["method"], float(row["psnr_hole"] or row["psnr"]), int(row["n_scored"]))
                if not math.isfinite(peer.psnr):
                    raise ValueError(f"{row['method']} has a PSNR of {peer.psnr}")
                key = (row["clip"], row["size"], THEIR_NAMES.get(row["task"], row["task"]), row["setting"])
                if key not in best or peer.psnr > best[key].psnr:
                    best[key] = peer
    except (OSError, UnicodeDecodeError, ValueError, TypeError, csv.Error) as cause:
        raise BadFile(f"{path} cannot be read as figures of peers: {cause} (--peers)") from cause
    return best


def counts(record: Record) -> float:
    """The PSNR that counts: over the hole where there is one.

    Example:
        >>> counts({"psnr": 40.0, "psnr_hole": None}), counts({"psnr": 40.0, "psnr_hole": 25.0})
        (40.0, 25.0)
    """
    hole = record["psnr_hole"]
    return float(record["psnr"] if hole is None else hole)


def tasks_sections(records: Sequence[Record], peers: Peers | None = None) -> list[str]:
    """Records as Markdown: for each suite and task a summary, then of each setting of each clip all methods.

    Args:
        records: of this kind; those that failed are left out.
        peers: see `read_peers`; only where they were scored on as many frames.
    """
    done = [record for record in records if "failed" not in record]
    sections = []
    for (suite, task), group in grouped(done, "suite", "task").items():
        cells = list(grouped(group, *_CELL).values())
        sections.append(f"## {task}, suite {suite}\n\n{_summary(cells, peers)}")
        sections += [
            f"### {_heading(cell)}\n\n{columns_table(_METHODS, [[one] for one in _ordered(cell)])}" for cell in cells
        ]
    return sections


def _heading(cell: Sequence[Record]) -> str:
    first = cell[0]
    return f"{_where(first)}; {first['frames']} frames, {first['device']}"


def _where(record: Record) -> str:
    return f"{record['clip']} {record['size']}, {record['task']} {record['setting']}"


def _ordered(cell: Sequence[Record]) -> list[Record]:
    """The best first."""
    return sorted(cell, key=counts, reverse=True)


def _summary(cells: Sequence[Sequence[Record]], peers: Peers | None) -> str:
    """A row for each setting of each clip, and each length of our fit; below it the mean of what we have gained."""
    rows, gains = [], list[float]()
    for cell in cells:
        others = [record for record in cell if record["family"] != OURS]
        naive = max((one for one in others if one["family"] == "naive"), key=counts, default=None)
        classical = max((one for one in others if one["family"] == "classical"), key=counts, default=None)
        peer = _peer_of(cell[0], peers)
        best = max([*map(counts, others), *([peer.psnr] if peer else [])], default=None)
        fitted: list[Record | None] = [record for record in cell if record["family"] == OURS]
        for ours in fitted or [None]:
            gain = None if ours is None or best is None else counts(ours) - best
            gains += [] if gain is None else [gain]
            rows.append(
                [
                    f"{cell[0]['clip']} {cell[0]['size']}, {cell[0]['setting']}",
                    _named(naive),
                    _named(classical),
                    *([f"{peer.psnr:.2f} ({peer.method})" if peer else NOTHING] if peers is not None else []),
                    NOTHING if ours is None else f"{counts(ours):.2f}",
                    NOTHING if gain is None else f"{gain:+.2f}",
                    NOTHING if ours is None else f"{ours['seconds_per_frame']:.2f}",
                ]
            )
    told = [] if peers is None else ["best of others"]
    header = ["clip, setting", "best naive", "best classical", *told, "ours", "above the best", "ours, s a frame"]
    what = "PSNR in dB, over the pixels of the hole." if cells[0][0]["psnr_hole"] is not None else "PSNR in dB."
    mean = f" Above the best in the mean: {fmean(gains):+.2f} dB." if gains else ""
    return f"{what}{mean}\n\n{table(header, rows)}"


def _named(record: Record | None) -> str:
    return NOTHING if record is None else f"{counts(record):.2f} ({record['method']})"


def _peer_of(record: Record, peers: Peers | None) -> Peer | None:
    """The peer of a setting, if it was scored on as many frames."""
    peer = (peers or {}).get((record["clip"], record["size"], record["task"], record["setting"]))
    return peer if peer is not None and peer.scored == record["scored"] else None


def _budget(record: Record) -> str:
    if record["family"] != OURS:
        return NOTHING
    unit, amount = next(iter((record["budget"] or {}).items()), ("", 0))
    return f"{amount:g} {unit} of fit" if unit else "3 s per 640x320 frame"


_METHODS: list[Column] = [
    ("method", lambda records: str(records[0]["method"])),
    column("PSNR in the hole, dB", "psnr_hole"),
    column("PSNR, dB", "psnr"),
    column("worst frame", "psnr_worst_frame"),
    column("SSIM", "ssim", digits=4),
    column("LPIPS", "lpips", digits=4),
    column("warping error, 1e-3", "warping_error", digits=3, scale=1000),
    column("of the truth", "warping_error_truth", digits=3, scale=1000),
    column("s a frame", "seconds_per_frame", digits=4),
    column("of fit, s", "fit_seconds", digits=1),
    column("steps", "steps", digits=0),
    column("peak, MiB", "memory", "peak_mib", digits=0),
    ("length", lambda records: _budget(records[0])),
]
