"""A fit that is killed at any moment, again and again, goes on each time and ends with the bytes of one that was not.

    nice python docs/benchmarks/killed_fits.py --kills 200 >> docs/benchmarks/killed_fits.jsonl

A clip is fitted in three pieces and rendered by a real process that keeps its state, and the frames it renders, many
times a second, and is killed by SIGKILL: half of the times at a random moment of its life, half soon after it has kept
a new state or new frames. Then
``invr resume`` goes on, and is killed as well, until one comes to its end. After each kill the output's name must hold
nothing, and after the last what an undisturbed run wrote, byte for byte; beside it nothing may be left. One JSON line;
the exit code is 1 if anything broke.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import torch

from invr_core.video import Video
from invr_tasks.provenance import provenance

PROGRAM = """
import sys
from invr_core import checkpoint
from invr_tasks import rendered
from invr_tasks.cli import main
checkpoint.EVERY = rendered.EVERY = {every}
sys.exit(main())
"""
BEGIN = ["run", "interpolate", "in.mkv", "out.mkv", "--steps", "30", "--piece", "10", "--no-shots", "--device", "cpu"]
KEPT = {"run.json", "part-0001.invr", "part-0002.invr", "part-0003.invr"}
"""What a run that has come to its end keeps."""
LONGEST = 1800
"""Seconds that a process may take."""


def start(place: Path, words: list[str], every: float) -> subprocess.Popen[bytes]:
    """A command, in a folder, that keeps its state each ``every`` seconds."""
    program = [sys.executable, "-c", PROGRAM.format(every=every), *words]
    piped = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(program, cwd=place, start_new_session=True, **piped)


def wait_for(kind: str, process: subprocess.Popen[bytes], place: Path) -> None:
    """Until the process keeps a file of this kind that was not there, or it is over."""
    there = {path: path.stat().st_mtime_ns for path in (place / "RUN").glob(kind)}
    while process.poll() is None:
        for path in (place / "RUN").glob(kind):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime_ns != there.get(path):
                    return
        time.sleep(0.01)


def end(process: subprocess.Popen[bytes], after: float | None) -> tuple[int, str]:
    """Kill a process after some seconds, or let it come to its end: its exit code, and what it said."""
    try:
        said = process.communicate(timeout=LONGEST if after is None else after)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said = process.communicate()[1]
    return process.returncode, said.decode(errors="replace")


def stage(place: Path) -> str:
    """How far a killed run had come, by what it kept."""
    kept = {path.name for path in (place / "RUN").glob("*")}
    parts = len(kept & KEPT) - ("run.json" in kept)
    if "run.json" not in kept:
        return "nothing was kept yet"
    frames = "frames kept" if any(name.startswith("rendered") for name in kept) else "no frames kept"
    if parts == len(KEPT) - 1:
        return f"all was fitted, {frames}"
    begun = any(".checkpoint" in name for name in kept)
    return f"{parts} fitted, {frames}, the next {'begun' if begun else 'without a state'}"


def faults_of(place: Path, whole: bytes) -> list[str]:
    """What is wrong once a run has come to its end."""
    wrong = [] if (place / "out.mkv").read_bytes() == whole else ["other bytes"]
    beside = {path.name for path in place.iterdir()} - {"in.mkv", "out.mkv", "RUN"}
    inside = {path.name for path in (place / "RUN").iterdir()} ^ KEPT
    return wrong + [f"left or lost: {name}" for name in sorted(beside | inside)]


def killed_through(place: Path, whole: bytes, seconds: float, dice: random.Random, at: Counter[str]) -> list[str]:
    """One run, killed until it comes to its end: the faults; kills are counted in ``at``."""
    words, every = [*BEGIN, "--keep", "RUN"], dice.choice((0.0, 0.05, 0.5))
    for _ in range(dice.randrange(4, 12)):
        process, after = start(place, words, every), dice.uniform(0.2, 1) * seconds
        if dice.random() < 0.5:
            wait_for(dice.choice(("*.checkpoint", "rendered-*.json")), process, place)
            after = dice.expovariate(4)
        code, said = end(process, after)
        if code != -signal.SIGKILL:
            break
        at[stage(place)] += 1
        if (place / "out.mkv").exists():
            return ["the output was there when it was killed"] if (place / "out.mkv").read_bytes() != whole else []
        words = ["resume", "RUN"] if (place / "RUN" / "run.json").exists() else words
    else:
        code, said = end(start(place, words, every), None)
    return faults_of(place, whole) if code == 0 else [f"exit code {code}: {said[-300:]}"]


def main() -> None:
    """Kill, look, and print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    dice, began = random.Random(asked.seed), time.time()
    at, faults, runs = Counter[str](), list[str](), 0
    clip = torch.rand(24, 3, 3, 4, generator=torch.Generator().manual_seed(asked.seed))
    clip = torch.nn.functional.interpolate(clip, (32, 48), mode="bicubic").clamp(0, 1)
    with tempfile.TemporaryDirectory() as folder:
        calm = Path(folder) / "calm"
        calm.mkdir()
        Video.of(clip).save(calm / "in.mkv")
        begun = time.monotonic()
        code, said = end(start(calm, BEGIN, 1.0), None)
        assert code == 0, said
        seconds, whole = time.monotonic() - begun, (calm / "out.mkv").read_bytes()
        while at.total() < asked.kills:
            place = Path(folder) / f"run-{runs}"
            place.mkdir()
            (place / "in.mkv").write_bytes((calm / "in.mkv").read_bytes())
            faults += [f"run {runs}: {fault}" for fault in killed_through(place, whole, seconds, dice, at)]
            runs += 1
            print(f"{at.total()} of {asked.kills} kills; faults: {faults}", file=sys.stderr, flush=True)
    line = {
        "kills": at.total(),
        "seed": asked.seed,
        "runs": runs,
        "when_it_was_killed": dict(sorted(at.items())),
        "faults": faults,
        "seconds": round(time.time() - began),
        "provenance": provenance(asked.seed),
    }
    print(json.dumps(line), flush=True)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
