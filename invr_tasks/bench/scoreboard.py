"""Records of `invr bench tasks` as tables, beside figures of others where a file of them is given."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from invr_core.errors import BadFile
from invr_tasks.bench.answers import OURS
from invr_tasks.bench.records import Record
from invr_tasks.bench.tables import NOTHING, Column, column, columns_table, grouped, mean_of, over_seeds, table

COLUMNS = ("clip", "size", "task", "setting", "method", "psnr", "psnr_hole", "n_scored")
"""Of a file of peers, at the least."""
THEIR_NAMES = {"interp": "interpolate", "sr": "upscale"}
"""Of tasks, in such a file."""
_CELL = ("suite", "clip", "frames", "size", "task", "setting", "device")


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
        sections += [f"### {_heading(cell)}\n\n{columns_table(_METHODS, _best_first(cell))}" for cell in cells]
    return sections


def _heading(cell: Sequence[Record]) -> str:
    first = cell[0]
    return f"{_where(first)}; {first['frames']} frames, {first['device']}"


def _where(record: Record) -> str:
    return f"{record['clip']} {record['size']}, {record['task']} {record['setting']}"


def _best_first(records: Iterable[Record]) -> list[list[Record]]:
    """Records that differ in nothing but the seed together: each method, and each length of our fit."""
    return sorted(grouped(records, "method", "budget").values(), key=_mean, reverse=True)


def _mean(records: Sequence[Record]) -> float:
    return fmean(map(counts, records))


def _summary(cells: Sequence[Sequence[Record]], peers: Peers | None) -> str:
    """A row for each setting of each clip, and each length of our fit; above it the mean of what we have gained."""
    rows, gains = [], list[float]()
    for cell in cells:
        of = {family: [one for one in cell if one["family"] == family] for family in ("naive", "classical", OURS)}
        peer = _peer_of(cell, peers)
        best = {0: peer.psnr} if peer else dict[int, float]()
        for other in (*of["naive"], *of["classical"]):
            best[other["seed"]] = max(best.get(other["seed"], -math.inf), counts(other))
        for ours in list(grouped(of[OURS], "budget").values()) or [[]]:
            gained = [counts(one) - best[one["seed"]] for one in ours if one["seed"] in best]
            gains += [fmean(gained)] if gained else []
            rows.append(
                [
                    f"{cell[0]['clip']} {cell[0]['size']}, {cell[0]['setting']}",
                    _named(of["naive"]),
                    _named(of["classical"]),
                    *([f"{peer.psnr:.2f} ({peer.method})" if peer else NOTHING] if peers is not None else []),
                    mean_of([*map(counts, ours)], ".2f"),
                    mean_of(gained, "+.2f"),
                    over_seeds(ours, ["seconds_per_frame"], 2),
                ]
            )
    told = [] if peers is None else ["best of others"]
    header = ["clip, setting", "best naive", "best classical", *told, "ours", "above the best", "ours, s a frame"]
    what = "PSNR in dB, over the pixels of the hole." if cells[0][0]["psnr_hole"] is not None else "PSNR in dB."
    mean = f" Above the best in the mean: {fmean(gains):+.2f} dB." if gains else ""
    many = len({record["seed"] for cell in cells for record in cell}) > 1
    seeds = " Of several seeds the mean (least to most), held against the best of the same seed." if many else ""
    return f"{what}{mean}{seeds}\n\n{table(header, rows)}"


def _named(records: Sequence[Record]) -> str:
    """The best method of these."""
    best = next(iter(_best_first(records)), None)
    return f"{_mean(best):.2f} ({best[0]['method']})" if best else NOTHING


def _peer_of(cell: Sequence[Record], peers: Peers | None) -> Peer | None:
    """The peer of a setting, if it was scored on as many frames, and all others on inputs of seed 0, as it was."""
    first = cell[0]
    peer = (peers or {}).get((first["clip"], first["size"], first["task"], first["setting"]))
    same = peer is not None and peer.scored == first["scored"] and all(record["seed"] == 0 for record in cell)
    return peer if same else None


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
    ("seeds", lambda records: ", ".join(str(record["seed"]) for record in records)),
]
