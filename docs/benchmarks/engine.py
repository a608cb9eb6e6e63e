"""What workers are worth, and what each piece costs beside its work, as JSON lines on stdout.

    python docs/benchmarks/engine.py >> docs/benchmarks/engine.jsonl

``speed``: wall seconds of `invr batch` on four clips that are fitted for as many steps, by one worker and by two of one
thread each, and by one of two threads; they take turns, and the least of all rounds counts. ``overhead``: wall seconds
of a piece that does nothing. ``driver``: what the command itself does for each clip, where all answers are there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from invr_core import Video
from invr_tasks.cli.spread import CLIP
from invr_tasks.demo_clip import demo_clip_path
from invr_tasks.engine import Crew, Piece, distribute, order
from invr_tasks.provenance import provenance

CREWS = {
    "local, 1 worker": ["--workers", "1", "--threads", "1"],
    "local, 2 workers": ["--workers", "2", "--threads", "1"],
    "local, 1 worker of 2 threads": ["--workers", "1", "--threads", "2"],
    "ray, 1 worker": ["--engine", "ray", "--workers", "1", "--threads", "1"],
    "ray, 2 workers": ["--engine", "ray", "--workers", "2", "--threads", "1"],
}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--empty", type=int, default=200)
    parser.add_argument("--named", type=int, default=2000)
    options = parser.parse_args()
    for record in chain(overhead(options), driver(options), speed(options)):
        record |= {"load_average": os.getloadavg()[0], "provenance": provenance(0, "cpu")}
        print(json.dumps(record), flush=True)


def speed(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Each crew on the same clips."""
    clip = Video.open(demo_clip_path())
    with tempfile.TemporaryDirectory() as folder:
        for index in range(options.clips):
            clip[index * options.frames : (index + 1) * options.frames].save(Path(folder) / "clips" / f"{index}.mkv")
        taken: dict[str, list[float]] = {name: [] for name in CREWS}
        bytes_of: dict[str, str] = {}
        for number in range(options.rounds):
            for name, words in CREWS.items():
                out = f"{number}-{name}"
                command = ["batch", "denoise", "clips", "--into", out, "--steps", str(options.steps), "--device", "cpu"]
                begun = time.perf_counter()
                run([*command, *words, "--quiet"], folder)
                taken[name].append(round(time.perf_counter() - begun, 2))
                answers = b"".join(file.read_bytes() for file in sorted((Path(folder) / out).iterdir()))
                bytes_of[name] = hashlib.sha256(answers).hexdigest()
    for name, seconds in taken.items():
        same = bytes_of[name] == bytes_of["local, 1 worker"]
        about = {"clips": options.clips, "frames": options.frames, "size": "320x160", "steps": options.steps}
        yield {"kind": "speed", "crew": name, **about, "seconds": seconds, "least": min(seconds), "same_bytes": same}


def overhead(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Pieces that do nothing: of a process each, and of a worker that is there."""
    for engine, workers, count in (
        ("local", 1, 6),
        ("local", 2, 6),
        ("ray", 1, options.empty),
        ("ray", 2, options.empty),
    ):
        crew = Crew("ray" if engine == "ray" else "local", workers, 1)
        pieces = [Piece(str(index), {}) for index in range(count)]
        begun, ends = time.perf_counter(), list[float]()
        with closing(distribute("invr_tasks.engine.piece:versions", pieces, crew)) as all_done:
            for done in all_done:
                assert done.failed is None, done
                ends.append(time.perf_counter() - begun)
        first = workers if engine == "ray" else 0  # the first of each worker imports torch
        each = (ends[-1] - (ends[2 * first] if first else 0)) / (count - 1 - 2 * first if first else count)
        yield {
            "kind": "overhead",
            "engine": engine,
            "workers": workers,
            "pieces": count,
            "seconds_to_the_first": round(ends[0], 3),
            "seconds_each": round(each, 5),
        }


def driver(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Clips whose answers are all there: looked for, checked, counted, listed."""
    with tempfile.TemporaryDirectory() as folder:
        for name, suffix in (("clips", "mkv"), ("out", "mp4")):
            (Path(folder) / name).mkdir()
            for index in range(options.named):
                (Path(folder) / name / f"{index}.{suffix}").write_text("x")
        seconds = []
        for words in (["clips/0.mkv"], ["clips"]):
            begun = time.perf_counter()
            run(["batch", "denoise", *words, "--into", "out"], folder)
            seconds.append(time.perf_counter() - begun)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    each = (seconds[1] - seconds[0]) / (options.named - 1)
    words = ["denoise", "clips", "--into", "out", "--engine", "ray", "--address", "auto"]
    told = order(CLIP, {"words": words, "path": "clips/0.mkv", "output": "out/0.mp4"}, 1)
    about = {"seconds_each": round(each, 6), "peak_mib": round(peak), "bytes_of_an_order": len(told)}
    yield {"kind": "driver", "clips": options.named, **about}


def run(arguments: list[str], folder: str) -> None:
    """A command line in a process of its own."""
    code = "import sys; from invr_tasks.cli import main; sys.exit(main(sys.argv[1:]))"
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
