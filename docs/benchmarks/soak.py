"""Many short jobs in one process: memory, open files and threads must not grow with their number.

    python docs/benchmarks/soak.py --jobs 200 >> docs/benchmarks/soak.jsonl

A job opens a clip, fits it for two steps, renders it, saves the video, the folder and the fit, loads both again, and is
refused once. The first fifth of the jobs warms up. After it, each count is taken as the median of five jobs, first and
last; more than 5 % of growth is a fault. One JSON line; the exit code is 1 if anything grew.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch

from invr_core.errors import BadFile
from invr_core.fitting import FitConfig, fit
from invr_core.io import open_video
from invr_core.models import registry
from invr_core.observation import Observation
from invr_core.query import Query, at_rate
from invr_core.storage import load
from invr_core.video import Video
from invr_tasks.provenance import provenance
from invr_tasks.task import as_video

ALLOWED = 0.05
"""By how much a count may grow."""
WINDOW = 5
"""Jobs whose median a count is."""


def prepare(folder: Path) -> None:
    """The clip of the jobs: eight frames of noise."""
    noise = torch.rand(8, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    Video.of(noise).save(folder / "clip.mp4")


def job(folder: Path, model: str) -> None:
    """One job, all of whose files lie in a folder."""
    clip = open_video(folder / "clip.mp4")
    rep = fit(Observation(clip), registry.get(model)(), FitConfig(steps=2, device="cpu"))
    answer = as_video(rep, Query(at_rate(rep.span, 40)))
    answer.save(folder / "answer.mp4", beside=folder / "clip.mp4")
    answer.save(folder / "frames/")
    rep.save(folder / "fit.invr", bits=8)
    load(folder / "fit.invr")(Query(torch.tensor([0.05])))
    for name in ("answer.mp4", "frames"):
        open_video(folder / name).frames()
    (folder / "broken.mp4").write_bytes((folder / "answer.mp4").read_bytes()[:300])
    try:
        open_video(folder / "broken.mp4")
    except BadFile:
        return
    raise AssertionError("a broken clip is opened")


def counts() -> dict[str, int]:
    """What this process holds: bytes of memory, open files and sockets, threads."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "rss": pages * resource.getpagesize(),
        "handles": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "python_threads": threading.active_count(),
    }


def soak(jobs: int, warm: int) -> dict[str, list[int]]:
    """The counts after each job that comes after those that warm up."""
    found: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        for number in range(jobs):
            job(folder, ("cwrnn", "hnerv")[number % 2])
            if number >= warm:
                for what, count in counts().items():
                    found.setdefault(what, []).append(count)
            if number % 20 == 19:
                print(f"{number + 1} of {jobs}: {counts()}", file=sys.stderr, flush=True)
        assert sorted(path.name for path in folder.iterdir()) == [
            "answer.mp4",
            "broken.mp4",
            "clip.mp4",
            "fit.invr",
            "frames",
        ], "a job left something behind"
    return found


def growth(found: dict[str, list[int]]) -> dict[str, dict[str, float]]:
    """First, last and their ratio, of each count."""
    ends = {what: (statistics.median(n[:WINDOW]), statistics.median(n[-WINDOW:])) for what, n in found.items()}
    return {what: {"first": a, "last": b, "grew": round(b / a - 1, 4)} for what, (a, b) in ends.items()}


def main() -> None:
    """Soak, and print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    began = time.time()
    found = growth(soak(asked.jobs, asked.jobs // 5))
    faults = [what for what, ends in found.items() if ends["grew"] > ALLOWED]
    line = {
        "jobs": asked.jobs,
        "warm_up": asked.jobs // 5,
        "counts": found,
        "faults": faults,
        "seconds": round(time.time() - began),
        "provenance": provenance(),
    }
    print(json.dumps(line), flush=True)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
