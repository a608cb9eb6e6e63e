"""What 1 hour, 100 hours and 10 million clips take on many workers: a formula, held against a simulation.

    nice python docs/benchmarks/scale.py > docs/benchmarks/scale.jsonl
    python docs/benchmarks/scale.py --tables        what the guide shows, from that file

Measured are the seconds that a frame takes to fit and to render (`tasks.jsonl`), what a piece costs beside its work,
and what the command does for each clip (`engine.jsonl`); and here, on the shipped clip, what it costs to read a clip,
to find its cuts and to write it, and how many bytes a fit keeps. Assumed, and named as such in the output: what the
shared folder moves, and how often a worker is lost. The simulation hands pieces of varying length to workers, loses
some, and begins those anew; it knows nothing of the formula. No GPU was measured: one counts for the cores that it
replaces.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from invr_core.checkpoint import EVERY, Checkpoints
from invr_core.fitting import FitConfig, fit, solved_for
from invr_core.io.scratch import Scratch
from invr_core.models.base import Geometry
from invr_core.observation import Observation
from invr_core.shots import find_cuts
from invr_core.video import Video
from invr_tasks.demo_clip import demo_clip_path
from invr_tasks.pieces import OVERLAP, PIECE, parts_of
from invr_tasks.provenance import provenance
from invr_tasks.run import default_model

HERE = Path(__file__).parent
SIZE = (360, 640)
MEGAPIXELS = SIZE[0] * SIZE[1] / 1e6
HOUR = 3600 * 25
"""Frames."""
THREADS = 2
"""Of the runs in `tasks.jsonl`; a worker has one, and takes as many times as long."""
STORAGE = 1e9
"""Assumed: bytes a second that the shared folder moves for all workers together."""
LOSSES = 1e-3
"""Assumed: workers lost in an hour of one worker."""
CPU = FitConfig(steps=2, device="cpu")
PLAYS = 5
"""Simulations of each case, which differ in their seed."""
MOST = 200_000
"""Pieces that are simulated; of more, as many for each worker on fewer workers."""


@dataclass(frozen=True)
class Costs:
    """Seconds of one thread and bytes for a megapixel-frame; what a fit keeps; and of the engine for a piece.

    Args:
        fit: seconds.
        render: seconds.
        read: seconds to decode a frame, to turn it into RGB, and to put it into the scratch file.
        cut: seconds to look for cuts.
        write: seconds to code the answer.
        size: bytes of the coded clip.
        parameters: of the default model for a part of `PIECE` frames.
        kept: bytes of a parameter once a part is fitted.
        state: bytes of a parameter in the state of a running fit, written every `EVERY` seconds.
        spread: how long pieces take, as a share of the mean.
        dispatch: seconds that Ray takes for a piece.
        start: seconds until Ray's first worker has begun.
        process: seconds of a piece that is a process of its own.
        prepare: seconds of the command for a clip.
        order: bytes that a worker is told.
    """

    fit: float
    render: float
    read: float
    cut: float
    write: float
    size: float
    parameters: int
    kept: float
    state: float
    spread: tuple[float, ...]
    dispatch: float
    start: float
    process: float
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
        whole: frames of the one clip that the pieces are parts of, which the command itself renders; 0 where each
            piece is a clip.
        local: whether each piece is a process of its own, which reads that clip anew; else each worker reads it once.
        clips: that the command looks for and checks.
    """

    name: str
    pieces: int
    frames: float
    workers: int
    whole: int = 0
    local: bool = False
    clips: int = 0


def recorded() -> dict[str, Any]:
    """What was measured before, from the records beside this file."""
    tasks = [r for r in read("tasks.jsonl") if r.get("method") == "ours" and r["size"] == "640x320" and "seconds" in r]
    area = 640 * 320 / 1e6
    fits = [r["fit_seconds"] / r["frames"] / area * THREADS for r in tasks]
    renders = [(r["seconds"] - r["fit_seconds"]) / r["frames"] / area * THREADS for r in tasks]
    whole = [fit + render for fit, render in zip(fits, renders, strict=True)]
    engine = read("engine.jsonl")
    empty = {name: [r for r in engine if r["kind"] == "overhead" and r["engine"] == name] for name in ("ray", "local")}
    driver = [r for r in engine if r["kind"] == "driver"][-1]
    return {
        "fit": short(fmean(fits)),
        "render": short(fmean(renders)),
        "spread": [short(one / fmean(whole)) for one in whole],
        "dispatch": min(r["seconds_each"] for r in empty["ray"]),
        "start": min(r["seconds_to_the_first"] for r in empty["ray"]),
        "process": min(r["seconds_to_the_first"] for r in empty["local"]),
        "prepare": driver["seconds_each"],
        "order": driver["bytes_of_an_order"],
    }


def measured(rounds: int) -> dict[str, float]:
    """What is measured here, on the shipped clip: the least processor time of so many rounds, by one thread."""
    torch.set_num_threads(1)  # of the encoder, too
    path = demo_clip_path()
    video = Video.open(path)
    area = len(video) * video.size[0] * video.size[1] / 1e6
    pictures = (video.frames().permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()

    def to_scratch() -> None:
        scratch = Scratch(path.name, cap=0)
        for picture in pictures:
            scratch.append(picture)

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        seconds = {
            "read": least(lambda: Video.open(path), rounds) + least(to_scratch, rounds),
            "cut": least(lambda: find_cuts(video), rounds),
            "write": least(lambda: video.save(out / "answer.mp4"), rounds),
        }
        states = Checkpoints(out / "state", every=0)
        rep = fit(Observation(video[:8]), default_model(), CPU, keep=states)
        rep.save(out / "kept.invr")
        own = parameters(video[:8])
        kept, state = ((out / name).stat().st_size / own for name in ("kept.invr", "state"))
    piece = Video(torch.arange(PIECE) / 25, SIZE, lambda indices: torch.zeros(len(indices), 3, *SIZE))
    return {
        **{name: short(value / area) for name, value in seconds.items()},
        "size": short(path.stat().st_size / area),
        "parameters": parameters(piece),
        "kept": short(kept),
        "state": short(state),
    }


def parameters(video: Video) -> int:
    """Of the default model of a clip, fitted on a CPU."""
    observation = Observation(video)
    with torch.device("meta"):
        network = solved_for(observation, default_model(), CPU).build(Geometry.of(observation))
    return sum(value.numel() for value in network.parameters())


def least(work: Callable[[], object], rounds: int) -> float:
    """Seconds of the processor, of all threads together."""
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def read(name: str) -> list[dict[str, Any]]:
    """The records of a file."""
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


def short(value: float) -> float:
    """To four digits: what is shown can be computed again from what is written."""
    return float(f"{value:.4g}")


def piece_seconds(case: Case, cost: Costs) -> float:
    """One piece on one worker: of a clip all of it, of a part its fit without reading the clip."""
    clip = cost.read + cost.cut + cost.fit + cost.render + cost.write
    return case.frames * MEGAPIXELS * (cost.fit if case.whole else clip)


def reading_seconds(case: Case, cost: Costs) -> float:
    """To read the clip that pieces are parts of, as who fits one does; with the start of a local piece's process."""
    return case.whole * MEGAPIXELS * cost.read + case.local * cost.process


def readings(case: Case) -> int:
    """How often workers read that clip."""
    return 0 if not case.whole else case.pieces if case.local else min(case.workers, case.pieces)


def piece_bytes(case: Case, cost: Costs) -> float:
    """To and from the shared folder for a piece: clip and answer; of a part the states of its fit, and what is kept."""
    if not case.whole:
        return 2 * case.frames * MEGAPIXELS * cost.size
    states = piece_seconds(case, cost) / EVERY
    return cost.parameters * (2 * cost.kept + cost.state * states)


def clip_bytes(case: Case, cost: Costs) -> float:
    """Of the clip that pieces are parts of."""
    return case.whole * MEGAPIXELS * cost.size


def command_seconds(case: Case, cost: Costs) -> tuple[float, float]:
    """What the command does alone before the pieces, and after them; overlaps are rendered by both of their parts."""
    rendered = case.whole + (case.pieces - 1) * (OVERLAP - 2) if case.whole else 0
    before = case.clips * cost.prepare + case.whole * MEGAPIXELS * (cost.read + cost.cut)
    return before, MEGAPIXELS * (rendered * cost.render + case.whole * cost.write)


def moved(case: Case, cost: Costs) -> float:
    """Bytes while pieces are done."""
    return case.pieces * piece_bytes(case, cost) + readings(case) * clip_bytes(case, cost)


def terms(case: Case, cost: Costs) -> dict[str, float]:
    """Hours of each thing that cannot be done sooner, whatever the others take."""
    one, (before, after) = piece_seconds(case, cost), command_seconds(case, cost)
    found = {
        "work / workers": case.pieces * one * (1 + LOSSES * one / 3600 / 2) / case.workers,
        "each worker reads the clip": reading_seconds(case, cost) * readings(case) / min(case.workers, case.pieces),
        "the last piece": one * max(cost.spread),
        "telling Ray": 0 if case.local else case.pieces * cost.dispatch,
        "before, in the command": before,
        "rendering in the command": after,
        "shared folder": moved(case, cost) / STORAGE,
    }
    return {name: seconds / 3600 for name, seconds in found.items()}


def formula(case: Case, cost: Costs) -> float:
    """Hours: of the work, its telling and its moving the longest, and what the command does before and after."""
    found = terms(case, cost)
    rounds = math.ceil(case.pieces / case.workers) * piece_seconds(case, cost) / 3600
    shared_out = max(found["work / workers"] + found["the last piece"] / 2, rounds)
    busy = max(shared_out + found["each worker reads the clip"], found["telling Ray"], found["shared folder"])
    start = 0 if case.local else cost.start / 3600
    return start + found["before, in the command"] + busy + found["rendering in the command"]


def simulated(case: Case, cost: Costs) -> float:
    """Hours, the median of `PLAYS` plays: which pieces are lost, and whether the last ones are, is chance."""
    return statistics.median(_played(case, cost, seed) for seed in range(PLAYS))


def _played(case: Case, cost: Costs, seed: int) -> float:
    """Hours, by handing pieces to whichever worker is free, one after another."""
    chance, share = random.Random(seed), min(1.0, MOST / case.pieces)
    workers, pieces = max(round(case.workers * share), 1), round(case.pieces * share)
    one, reading = piece_seconds(case, cost), reading_seconds(case, cost)
    start, dispatch = (0.0, 0.0) if case.local else (cost.start, cost.dispatch)
    clock, folder, end = start, start, 0.0
    free = [(start, True)] * workers  # since when, and whether it has yet to read the clip
    for _ in range(pieces):
        clock += dispatch / share
        since, new = heapq.heappop(free)
        begin = max(since, clock)
        reads = bool(case.whole) and (new or case.local)
        takes = one * chance.choice(cost.spread) + reads * reading
        while chance.random() < LOSSES * takes / 3600:
            begin += chance.random() * takes
        moving = piece_bytes(case, cost) + reads * clip_bytes(case, cost)
        folder = max(folder, begin) + moving / STORAGE / share  # one piece after another
        ends = max(begin + takes, folder)
        heapq.heappush(free, (ends, False))
        end = max(end, ends)
    return (end + sum(command_seconds(case, cost))) / 3600


def cases() -> list[Case]:
    """An hour as one clip and as clips of 10 s; 100 hours; 10 million clips of 4 s; 25 frames a second of 640x360."""
    parts = len(parts_of(HOUR))
    return [
        Case("1 hour, invr run, local", parts, PIECE, 16, whole=HOUR, local=True),
        *(Case("1 hour, invr run, Ray", parts, PIECE, workers, whole=HOUR) for workers in (16, 64, 256)),
        *(Case("1 hour, batch of 10 s", 360, 250, workers, clips=360) for workers in (16, 64, 256)),
        *(Case("100 hours, batch of 10 s", 36_000, 250, workers, clips=36_000) for workers in (256, 1024, 16_384)),
        *(Case("10 million clips of 4 s", 10**7, 100, workers, clips=10**7) for workers in (1024, 16_384, 262_144)),
    ]


def computed(case: Case, cost: Costs) -> dict[str, Any]:
    """The record of a case."""
    found = terms(case, cost)
    one, alone = piece_seconds(case, cost), sum(command_seconds(case, cost))
    work = case.pieces * one + readings(case) * reading_seconds(case, cost) + alone
    return {
        "kind": "case",
        **asdict(case),
        "core_hours": short(work / 3600),
        "moved": short(moved(case, cost) + 2 * clip_bytes(case, cost)),
        "scratch": short((case.whole or case.frames) * MEGAPIXELS * 3e6),
        "formula": short(formula(case, cost)),
        "simulation": short(simulated(case, cost)),
        "terms": {name: short(hours) for name, hours in found.items()},
    }


def costs_of(records: Sequence[dict[str, Any]]) -> Costs:
    """What the cases of a file were computed from."""
    (found,) = (r["costs"] for r in records if r["kind"] == "costs")
    return Costs(**{**found, "spread": tuple(found["spread"])})


def tables(records: Sequence[dict[str, Any]]) -> str:
    """What goes in, and what comes out, as the guide shows it."""
    cost = costs_of(records)
    area = f"{MEGAPIXELS * cost.size / 1e3:.0f} kB"
    part = cost.parameters / 1e6
    lines = [
        "| | | measured |",
        "|---|---|---|",
        f"| a megapixel-frame, one thread | {cost.fit:.1f} s to fit, {cost.render:.1f} s to render: at the budget "
        "of `invr bench tasks`, which is a choice | `tasks.jsonl`, two threads, taken twice |",
        f"| the same | {cost.read * 1e3:.0f} ms to read (decode, turn into RGB, put into a temporary file), "
        f"{cost.cut * 1e3:.0f} ms to look for cuts, {cost.write * 1e3:.0f} ms to code the answer | `scale.jsonl` |",
        f"| a piece | {cost.dispatch * 1e3:.1f} ms of Ray, {cost.order} bytes to the worker; {cost.process:.1f} s for "
        "a local one, which is a new process | `engine.jsonl` |",
        f"| a clip in the command | {cost.prepare * 1e3:.3f} ms to look for it, check it and list it | likewise |",
        f"| a frame of a clip | as the shipped one: {area}; of its answer as much | its file |",
        f"| a part of {PIECE} frames | {part:.1f} million parameters: {part * cost.kept:.0f} MB kept; a state of "
        f"{part * cost.state:.0f} MB every {EVERY:.0f} s of its fit | `scale.jsonl` |",
        f"| the shared folder | {STORAGE / 1e9:g} GB/s | **assumed** |",
        f"| a worker is lost | once in {1 / LOSSES:.0f} hours | **assumed** |",
        "",
        "| | workers | pieces | core-hours | TB moved | GB on a worker's disk | formula, h | simulation, h "
        "| the longest term |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case in (r for r in records if r["kind"] == "case"):
        longest = max(case["terms"], key=lambda name: case["terms"][name])
        row = [case["name"], f"{case['workers']:,}", f"{case['pieces']:,}", f"{case['core_hours']:,.0f}"]
        row += [shown(case["moved"] / 1e12), shown(case["scratch"] / 1e9), shown(case["formula"])]
        row += [shown(case["simulation"]), f"{longest}, {shown(case['terms'][longest])} h"]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def shown(value: float) -> str:
    """To three digits, for people."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    """Measure and compute, as JSON lines; or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    if options.tables:
        print(tables(read("scale.jsonl")))
        return
    costs = {"kind": "costs", "costs": {**recorded(), **measured(options.rounds)}, "storage": STORAGE, "losses": LOSSES}
    about = {"rounds": options.rounds, "load_average": os.getloadavg()[0], "provenance": provenance(0, "cpu")}
    print(json.dumps({**costs, **about}), flush=True)
    for case in cases():
        print(json.dumps(computed(case, costs_of([costs]))), flush=True)


if __name__ == "__main__":
    main()
