"""What it takes to add a task, and what two strangers' tasks bring: JSON lines on stdout.

    python docs/benchmarks/extending.py > docs/benchmarks/extending.jsonl

Lines of code of the six tasks here (not blank; docstrings and comments count). The two of ``examples/plugins`` scored
on the shipped clip, as their READMEs say. And a reader in a fresh environment, with the real pip, who does word for
word what ``docs/guides/write_a_task.md`` says, to the end; nothing in it is shortened. Needs all six tasks installed,
the test extra, and a package index.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from invr_core import FitConfig, Video
from invr_tasks.provenance import provenance
from invr_tasks.run import score

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "examples" / "data" / "bunny.mp4"


def lines() -> Iterator[dict[str, Any]]:
    """Of each task."""
    for file in sorted(ROOT.glob("**/plugins/*/src/*/__init__.py")):
        text = file.read_text(encoding="utf-8").splitlines()
        yield {"kind": "lines", "task": file.parent.name, "lines": sum(bool(line.strip()) for line in text)}


def outsiders() -> Iterator[dict[str, Any]]:
    """PSNR of the tasks in ``examples/plugins`` and of what was given."""
    from invr_deblur import Deblur
    from invr_stabilize import Stabilize

    clip, fit_config = Video.open(CLIP), FitConfig(steps=40, batch=2, device="cpu")
    small = clip.map(lambda frames: frames[..., 40:120, 80:240])
    for task, truth in ((Deblur(), small), (Stabilize(), clip[20:44])):
        found = score(task, truth, fit_config=fit_config)
        result = {"psnr": round(found.scores.psnr, 3), "psnr_given": round(found.naive.psnr, 3), "steps": 40}
        yield {"kind": "outsider", "task": type(task).__name__, **result}


def afternoon() -> Iterator[dict[str, Any]]:
    """Seconds of a reader of the guide, from an empty environment to a passing task."""
    guides = runpy.run_path(str(ROOT / "tests" / "docs" / "test_guides.py"))
    guide = (ROOT / "docs" / "guides" / "write_a_task.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        home, environment = Path(folder) / "home", Path(folder) / "environment"
        home.mkdir()
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        install = [environment / "bin" / "pip", "install", "-q", "-c", ROOT / "constraints.txt", "-e", ROOT]
        subprocess.run(install, check=True, stdout=sys.stderr)
        installed = time.monotonic()
        reader = guides["Reader"](home, environment / "bin", "", str)
        done = reader.follow(guide, "write_a_task.md")
        ended = time.monotonic()
    seconds = {"install_seconds": round(installed - began, 1), "guide_seconds": round(ended - installed, 1)}
    yield {"kind": "afternoon", "done": done, **seconds}


if __name__ == "__main__":
    for part in (lines, outsiders, afternoon):
        load = round(os.getloadavg()[0], 2)
        for record in part():
            print(json.dumps({**record, "load_before": load, "provenance": provenance(0, "cpu")}), flush=True)
