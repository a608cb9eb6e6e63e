"""What it takes to add a task, and what two strangers' tasks bring: JSON lines on stdout.

    python docs/benchmarks/extending.py > docs/benchmarks/extending.jsonl
    python docs/benchmarks/extending.py --tables docs/benchmarks/extending.jsonl    # as they stand in tasks.md

Lines of code of the six tasks here (not blank; docstrings and comments count). The two of ``examples/plugins`` scored
on the shipped clip, as their READMEs say. And a reader in a fresh environment, with the real pip, who does word for
word what ``docs/guides/write_a_task.md`` says, to the end; nothing in it is shortened. Needs all six tasks installed,
the test extra, and a package index. The last record has the provenance of that fresh environment; how many wheels pip
downloaded, and how many it had kept from before, are counted in what it says.
"""

from __future__ import annotations

import argparse
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
    for where in ("plugins", "examples/plugins"):
        for file in sorted(ROOT.glob(f"{where}/*/src/*/__init__.py")):
            text = file.read_text(encoding="utf-8").splitlines()
            full = sum(bool(line.strip()) for line in text)
            yield {"kind": "lines", "task": file.parent.name, "lines": full, "with_blank_ones": len(text)}


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
        install = [environment / "bin" / "pip", "install", "-c", ROOT / "constraints.txt", "-e", ROOT]
        wheels = subprocess.run(install, check=True, stdout=subprocess.PIPE, text=True).stdout
        installed = time.monotonic()
        reader = guides["Reader"](home, environment / "bin", "", str)
        done = reader.follow(guide, "write_a_task.md")
        ended = time.monotonic()
        pip, torch, origin = (_asked(environment, code) for code in (PIP, TORCH, ORIGIN))
    yield {
        "kind": "afternoon",
        "done": done,
        "scores": [line for said in reader.said for line in said.splitlines() if line.startswith("ours ")],
        "install_seconds": round(installed - began, 1),
        "guide_seconds": round(ended - installed, 1),
        "wheels_downloaded": wheels.count("Downloading "),
        "wheels_from_cache": wheels.count("Using cached "),
        "pip": pip,
        "torch_cuda": torch,
        "provenance": origin,
    }


PIP = "import pip; said = pip.__version__"
TORCH = "import torch; said = torch.version.cuda"
ORIGIN = "from invr_tasks.provenance import provenance; said = provenance()"


def _asked(environment: Path, code: str) -> Any:
    """What Python of an environment finds."""
    python = [environment / "bin" / "python", "-c", f"import json; {code}; print(json.dumps(said))"]
    return json.loads(subprocess.run(python, check=True, stdout=subprocess.PIPE, text=True).stdout)


def tables(file: Path) -> str:
    """The records as tables."""
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    of = {kind: [each for each in records if each["kind"] == kind] for kind in ("lines", "outsider", "afternoon")}
    (afternoon,) = of["afternoon"]
    minutes = (afternoon["install_seconds"] + afternoon["guide_seconds"]) / 60
    return "\n".join(
        [
            "| task | lines that are not blank | in all |\n|---|---|---|",
            *(f"| {each['task']} | {each['lines']} | {each['with_blank_ones']} |" for each in of["lines"]),
            "\n| stranger's task | steps | PSNR, dB | as given, dB |\n|---|---|---|---|",
            *(f"| {o['task']} | {o['steps']} | {o['psnr']:.2f} | {o['psnr_given']:.2f} |" for o in of["outsider"]),
            "\n| a reader of the guide | |\n|---|---|",
            f"| from an empty environment to `invr` installed | {afternoon['install_seconds']:.0f} s |",
            f"| all that the guide says, to the end | {afternoon['guide_seconds']:.0f} s |",
            f"| together | {minutes:.1f} minutes |",
            f"| wheels downloaded, and kept from before | {afternoon['wheels_downloaded']}, "
            f"{afternoon['wheels_from_cache']} |",
            f"| pip; torch | {afternoon['pip']}; {afternoon['provenance']['versions']['torch']} |",
            *(f"| `score.py`, step {step} | {said} |" for step, said in zip((4, 5), afternoon["scores"], strict=True)),
        ]
    )


def main() -> None:
    """Measure, or show what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=Path, help="show the records of this file instead")
    if file := parser.parse_args().tables:
        print(tables(file))
        return
    for part in (lines, outsiders, afternoon):
        load = round(os.getloadavg()[0], 2)
        for record in part():
            print(json.dumps({"provenance": provenance(0, "cpu"), **record, "load_before": load}), flush=True)


if __name__ == "__main__":
    main()
