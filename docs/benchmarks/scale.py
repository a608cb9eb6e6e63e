"""What 1 hour, 100 hours and 10 million clips take on many workers: a formula, held against a simulation.

    python docs/benchmarks/scale.py

Measured are the seconds that a frame takes to fit and to render (`tasks.jsonl`), what a piece costs beside its work,
and what the command does for each clip (`engine.jsonl`). Assumed, and named as such in the output: what the shared
folder moves, and how often a worker is lost. The simulation hands pieces of varying length to workers, loses some, and
begins those anew; it knows nothing of the formula. No GPU was measured: one counts for the cores that it replaces.
"""

from __future__ import annotations

import heapq
import json
import math
import random
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

HERE = Path(__file__).parent
MEGAPIXELS = 640 * 360 / 1e6
THREADS = 2
"""Of the runs in `tasks.jsonl`; a worker has one, and takes as many times as long."""
STORAGE = 1e9
"""Assumed: bytes a second that the shared folder moves for all workers together."""
LOSSES = 1e-3
"""Assumed: workers lost in an hour of one worker."""
MOST = 200_000
"""Pieces that are simulated; of more, as many for each worker on fewer workers."""


@dataclass(frozen=True)
class Measured:
    """Seconds of one thread for a megapixel-frame, and of the engine for a piece."""

    fit: float
    render: float
    spread: list[float]
    dispatch: float
    start: float
    prepare: float
    order: int


@dataclass(frozen=True)
class Case:
    """What is to be done.

    Args:
        name: for the table.
        pieces: how many.
        frames: that each fits.
        workers: of one core.
        serial: frames that the command itself renders: those of one clip whose parts are fitted elsewhere.
        clips: that the command looks for and checks.
    """

    name: str
    pieces: int
    frames: float
    workers: int
    serial: int = 0
    clips: int = 0


def measured() -> Measured:
    """From the records beside this file."""
    tasks = [r for r in read("tasks.jsonl") if r.get("method") == "ours" and r["size"] == "640x320" and "seconds" in r]
    area = 640 * 320 / 1e6
    fits = [r["fit_seconds"] / r["frames"] / area * THREADS for r in tasks]
    renders = [(r["seconds"] - r["fit_seconds"]) / r["frames"] / area * THREADS for r in tasks]
    whole = [fit + render for fit, render in zip(fits, renders, strict=True)]
    engine = read("engine.jsonl")
    ray = [r for r in engine if r["kind"] == "overhead" and r["engine"] == "ray"]
    driver = [r for r in engine if r["kind"] == "driver"][-1]
    return Measured(
        fmean(fits),
        fmean(renders),
        [one / fmean(whole) for one in whole],
        min(r["seconds_each"] for r in ray),
        min(r["seconds_to_the_first"] for r in ray),
        driver["seconds_each"],
        driver["bytes_of_an_order"],
    )


def read(name: str) -> list[dict[str, Any]]:
    """The records of a file."""
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


def piece_seconds(case: Case, cost: Measured) -> float:
    """One piece on one worker; of a clip that the command renders, without that."""
    return case.frames * MEGAPIXELS * (cost.fit + (0 if case.serial else cost.render))


def terms(case: Case, cost: Measured) -> dict[str, float]:
    """Hours of each thing that cannot be done sooner, whatever the others take."""
    one = piece_seconds(case, cost)
    moved = case.pieces * case.frames * bytes_of_a_frame()
    return {
        "work / workers": case.pieces * one * (1 + LOSSES * one / 3600 / 2) / case.workers / 3600,
        "the last piece": one * max(cost.spread) / 3600,
        "telling Ray": case.pieces * cost.dispatch / 3600,
        "checking clips": case.clips * cost.prepare / 3600,
        "rendering in the command": case.serial * MEGAPIXELS * cost.render / 3600,
        "shared folder": moved / STORAGE / 3600,
    }


def bytes_of_a_frame() -> float:
    """Read and written, as the shipped clip has it, for 640x360."""
    clip = HERE.parents[1] / "examples" / "data" / "bunny.mp4"
    return 2 * clip.stat().st_size / 64 / (320 * 160) * 640 * 360


def formula(case: Case, cost: Measured) -> float:
    """Hours: of the work, its telling and its moving the longest, and what the command does before and after."""
    found = terms(case, cost)
    rounds = math.ceil(case.pieces / case.workers) * piece_seconds(case, cost) / 3600
    shared_out = max(found["work / workers"] + found["the last piece"] / 2, rounds)
    busy = max(shared_out, found["telling Ray"], found["shared folder"])
    return cost.start / 3600 + found["checking clips"] + busy + found["rendering in the command"]


def simulated(case: Case, cost: Measured, seed: int = 0) -> float:
    """Hours, by handing pieces to whichever worker is free, one after another."""
    chance, share = random.Random(seed), min(1.0, MOST / case.pieces)
    workers, pieces = max(round(case.workers * share), 1), round(case.pieces * share)
    one, clock, folder = piece_seconds(case, cost), cost.start, cost.start
    moving = case.frames * bytes_of_a_frame() / STORAGE / share
    free = [cost.start] * workers
    end = 0.0
    for _ in range(pieces):
        clock += cost.dispatch / share
        begin = max(heapq.heappop(free), clock)
        takes = one * chance.choice(cost.spread)
        while chance.random() < LOSSES * takes / 3600:
            begin += chance.random() * takes
        folder = max(folder, begin) + moving  # one piece after another
        ends = max(begin + takes, folder)
        heapq.heappush(free, ends)
        end = max(end, ends)
    return (end + case.clips * cost.prepare + case.serial * MEGAPIXELS * cost.render) / 3600


def cases() -> list[Case]:
    """An hour as one clip and as clips of 10 s; 100 hours; 10 million clips of 4 s; 25 frames a second of 640x360."""
    hour = 3600 * 25
    return [
        *(Case("1 hour, invr run", 625, 160, workers, serial=hour) for workers in (16, 64, 256)),
        *(Case("1 hour, batch of 10 s", 360, 250, workers, clips=360) for workers in (16, 64, 256)),
        *(Case("100 hours, batch of 10 s", 36_000, 250, workers, clips=36_000) for workers in (256, 1024, 16_384)),
        *(Case("10 million clips of 4 s", 10**7, 100, workers, clips=10**7) for workers in (1024, 16_384, 262_144)),
    ]


def main() -> None:
    """Print what was measured, and the table."""
    cost = measured()
    print(f"one thread, a megapixel-frame: {cost.fit:.1f} s to fit, {cost.render:.1f} s to render")
    print(f"a piece: {cost.dispatch * 1e3:.1f} ms of Ray, {cost.order} bytes; the first after {cost.start:.1f} s")
    print(f"a clip in the command: {cost.prepare * 1e3:.2f} ms")
    print(f"assumed: {STORAGE / 1e9:g} GB/s of the shared folder, {LOSSES:g} losses an hour of a worker\n")
    print("| | workers | pieces | core-hours | TB moved | formula, h | simulation, h | the longest term |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases():
        found = terms(case, cost)
        longest = max(found, key=lambda name: found[name])
        work = case.pieces * piece_seconds(case, cost) / 3600 + found["rendering in the command"]
        moved = case.pieces * case.frames * bytes_of_a_frame() / 1e12
        row = [case.name, f"{case.workers:,}", f"{case.pieces:,}", f"{work:,.0f}", f"{moved:.3g}"]
        row += [f"{formula(case, cost):.3g}", f"{simulated(case, cost):.3g}", f"{longest}, {found[longest]:.3g} h"]
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
