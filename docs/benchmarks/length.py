"""Peak memory and seconds of `invr run` against the length of a clip, as one JSON line on stdout for each length.

    nice env OMP_NUM_THREADS=1 python docs/benchmarks/length.py --seconds 10,60,600 > docs/benchmarks/length.jsonl

The clip is the one that ships, enlarged, cropped, and played to and fro. Each run is a process of its own. So few steps
make no picture worth looking at. They are as many for each length, since a step takes the more memory the farther apart
its frames lie, which is chance: the peak of many steps is higher than that of few. Each line has the curve of its run,
too: the peak so far, every half minute.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from invr_core.threads import SPINS

os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # as the command line does, before torch is imported

from invr_core import Video
from invr_tasks.baselines import enlarge
from invr_tasks.bench.clips import ping_pong
from invr_tasks.bench.rss import peak
from invr_tasks.cli import main as invr
from invr_tasks.pieces import parts_of
from invr_tasks.provenance import provenance

CLIP = Path(__file__).parents[2] / "examples" / "data" / "bunny.mp4"


def main() -> None:
    """Make each clip, run the task on it, and print the line."""
    if sys.argv[1:2] == ["--inside"]:
        return inside(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", default="10,60")
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--shown", type=float, default=1.5, help="frames per second that are asked for")
    parser.add_argument("--size", default="640x360")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    for seconds in map(float, options.seconds.split(",")):
        frames = round(seconds * options.fps)
        with tempfile.TemporaryDirectory() as folder:
            clip, out = Path(folder) / "long.mp4", Path(folder) / "out.mp4"
            lengthened(frames, options.fps, (height, width)).save(clip)
            command = ["run", "interpolate", str(clip), str(out), "--fps", str(options.shown), "--no-shots"]
            command += ["--steps", str(options.steps), "--device", "cpu"]
            begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                [sys.executable, __file__, "--inside", *command], stdout=subprocess.PIPE, check=True, text=True
            )
            taken, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        parts = parts_of(frames)
        record = {
            "clip": CLIP.name,
            "size": options.size,
            "seconds_of_clip": seconds,
            "frames": frames,
            "frames_shown_a_second": options.shown,
            "pieces": len(parts),
            "frames_of_a_piece": max(map(len, parts)),
            "steps": options.steps,
            **json.loads(done.stdout.splitlines()[-1]),
            "seconds": round(taken, 1),
            "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
            "load_average": round(os.getloadavg()[0], 2),
            "nice": os.nice(0),
            "provenance": provenance(0, "cpu"),
        }
        print(json.dumps(record), flush=True)


def inside(command: list[str]) -> None:
    """Run a command line here, and print the peak of this process in MiB, in the end and over its processor seconds."""
    curve, over = list[tuple[int, int]](), threading.Event()

    def follow() -> None:
        while not over.wait(30):
            curve.append((round(time.process_time()), round(peak())))

    threading.Thread(target=follow, daemon=True).start()
    code = invr(command)
    over.set()
    print(json.dumps({"peak_memory_mib": round(peak()), "peak_over_cpu_seconds": curve}))
    sys.exit(code)


def lengthened(frames: int, fps: float, size: tuple[int, int]) -> Video:
    """The clip that ships, of a size (H, W) up to 16:9, played to and fro at a rate."""
    clip = Video.open(CLIP)
    width = round(clip.size[1] * size[0] / clip.size[0])
    left = (width - size[1]) // 2
    large = enlarge(clip, (size[0], width)).map(lambda picture: picture[..., left : left + size[1]])
    video = ping_pong(large, frames)
    return Video((video.times - video.times[0]) * video.fps / fps, video.size, video.read)


if __name__ == "__main__":
    main()
