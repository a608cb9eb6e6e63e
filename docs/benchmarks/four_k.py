"""Peak memory of `inpaint` on a clip of 3840x2160 beside what was estimated, as JSON lines on stdout.

    nice env OMP_NUM_THREADS=1 python docs/benchmarks/four_k.py > docs/benchmarks/four_k.jsonl

The clip is the one that ships, enlarged; the hole is a rectangle that never moves. The first line is of `invr run
inpaint` as anybody would type it. The second is of a fit with fewer frames a step (`FitConfig(batch=1)`), and of the
answer that follows; the peak is told of each by itself. So few steps make no picture worth looking at.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from invr_core.threads import SPINS

os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # as the command line does, before torch is imported

from invr_inpainting import Inpaint
from length import lengthened

from invr_core import FitConfig, Video, memory
from invr_core.fitting import solved_for
from invr_core.masks import Box, box_mask
from invr_core.models.base import Geometry
from invr_tasks.bench.rss import peak
from invr_tasks.cli import main as invr
from invr_tasks.provenance import provenance
from invr_tasks.run import default_model, run
from invr_tasks.task import Source

FPS = 25.0


def main() -> None:
    """Make the clip, and measure both in a process of their own."""
    if sys.argv[1:2] == ["--inside"]:
        print(json.dumps({"typed": typed, "asked": asked}[sys.argv[2]](*sys.argv[3:])))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="3840x2160")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--box", default="1760,990,320,180")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "large.mkv"
        lengthened(options.frames, FPS, (height, width)).save(clip)
        for kind in ("typed", "asked"):
            begun = time.perf_counter()
            words = [sys.executable, __file__, "--inside", kind, str(clip), options.box, str(options.steps)]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
            found = json.loads(done.stdout) if done.returncode == 0 else {"killed": done.returncode}
            record = {
                "task": "inpaint",
                **vars(options),
                **found,
                "seconds": round(time.perf_counter() - begun, 1),
                "load_average": round(os.getloadavg()[0], 2),
                "nice": os.nice(0),
                "provenance": provenance(0, "cpu"),
            }
            print(json.dumps(record), flush=True)


def typed(clip: str, box: str, steps: str) -> dict[str, object]:
    """The command, and what it says."""
    words = ["run", "inpaint", clip, str(Path(clip).with_name("out.mkv")), "--box", box, "--steps", steps, "--quiet"]
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = invr([*words, "--device", "cpu"])
    return {"code": code, "said": said.getvalue().strip(), "peak_memory_mib": round(peak())}


def asked(clip: str, box: str, steps: str) -> dict[str, object]:
    """One frame a step, then the answer."""
    video = Video.open(clip)
    mask = box_mask(video, [Box(*map(int, box.split(",")))])
    source, config = Source(video, {"mask": mask}), FitConfig(steps=int(steps), batch=1, device="cpu")
    observation, model = Inpaint().observe(source), default_model()
    estimate = memory.estimate(solved_for(observation, model, config), Geometry.of(observation), 1)
    before, _ = round(peak()), forget()
    result = run(Inpaint(), source, model=model, fit_config=config)
    fitted, _ = round(peak()), forget()
    for index in range(len(video)):
        result.video.read([index])
    return {
        "batch": 1,
        "estimated_mib": round(estimate / 2**20),
        "peak_opened_mib": before,
        "peak_fitted_mib": fitted,
        "peak_rendered_mib": round(peak()),
        "fit_seconds": round(result.seconds, 1),
    }


def forget() -> None:
    """Begin to measure the peak anew; see `man 5 proc_pid_clear_refs`."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    main()
