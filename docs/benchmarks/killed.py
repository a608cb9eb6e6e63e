"""What is left of an output when ``invr`` is killed at any moment: nothing, the old one, or the new one whole.

    python docs/benchmarks/killed.py --kills 200 >> docs/benchmarks/killed.jsonl

Real processes write an ``.mp4``, an ``.mkv``, a folder of PNGs, an ``.invr`` file and a report, half of them over older
ones of another clip, and are killed by SIGKILL: half at a random moment of their life, half soon after their private
file is there. Then each name is looked at, and what else was left, beside it and in the temporary folder. At the end
each is run once more, and must leave nothing but its outputs. One JSON line; the exit code is 1 if anything broke.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from invr_core.errors import InvrError
from invr_core.io import open_video
from invr_core.storage import load
from invr_core.video import Video
from invr_tasks.provenance import provenance

PRIVATE = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.part(\.\w+)?")
"""What a killed write may leave beside its output."""
FRAMES = (17, 15)
"""Of what is asked of a file, and of what the run of a task makes."""
LONGEST = 300
"""Seconds that a run may take."""
COMMANDS = {
    "prepare": ["fit", "clip.mkv", "clip.invr", "--steps", "2"],
    "mp4": ["query", "clip.invr", "out/new.mp4", "--fps", "60"],
    "mkv": ["query", "clip.invr", "out/new.mkv", "--fps", "60"],
    "folder": ["query", "clip.invr", "out/frames", "--fps", "60"],
    "invr": ["fit", "clip.mkv", "out/new.invr", "--steps", "1"],
    "report": ["run", "interpolate", "clip.mkv", "out/smooth.mkv", "--steps", "1", "--report", "out/page.html"],
}
"""What is run; but for the first, all that it writes lies in the folder out."""
WRITING = [kind for kind in COMMANDS if kind != "prepare"]


def run(kind: str, place: Path) -> subprocess.Popen[bytes]:
    """One command, in a folder, with a temporary folder of its own there."""
    (place / "tmp").mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(place / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", "import sys; from invr_tasks.cli import main; sys.exit(main())", *COMMANDS[kind]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=place, env=environment, start_new_session=True, **quiet)


def whole(path: Path) -> bool:
    """Whether an output is what its name says, to the last frame."""
    try:
        if path.suffix == ".invr":
            load(path)
        elif path.suffix == ".html":
            return path.read_text(encoding="utf-8").rstrip().endswith("</html>")
        else:
            notes: list[str] = []
            frames = len(open_video(path, notes.append))
            return frames in FRAMES and not any("damaged" in note for note in notes)
    except InvrError:
        return False
    return True


def digest(path: Path) -> str:
    """Of a file, or of all in a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()


def state(path: Path, old: dict[str, str]) -> str:
    """What is under a final name after a kill."""
    if not path.exists():
        return "lost" if path.name in old else "absent"
    if old.get(path.name) == digest(path):
        return "old"
    return "new" if whole(path) else "broken"


def temporary(place: Path) -> list[Path]:
    """What is left in the temporary folder, but for the empty cache folder that torch makes when it is imported."""
    empty = [path for path in (place / "tmp").glob("torchinductor_*") if not any(path.iterdir())]
    return [path for path in (place / "tmp").iterdir() if path not in empty]


def prepare(place: Path, seed: int) -> None:
    """A clip, and what is fitted to it."""
    noise = torch.rand(8, 3, 48, 64, generator=torch.Generator().manual_seed(seed))
    Video.of(noise).save(place / "clip.mkv")
    assert run("prepare", place).wait(LONGEST) == 0, "nothing can be fitted"


def kill(kind: str, place: Path, seconds: float, dice: random.Random) -> bool:
    """Kill a run at a random moment, or soon after it has begun to write; False if it was done by then."""
    writing, wait = dice.random() < 0.5, dice.uniform(0, 1.1 * seconds)
    process, began = run(kind, place), time.monotonic()
    while process.poll() is None and time.monotonic() - began < LONGEST:
        begun = any(PRIVATE.fullmatch(path.name) for path in (place / "out").iterdir())
        if writing and begun:
            time.sleep(dice.expovariate(8))
            break
        if not writing and time.monotonic() - began > wait:
            break
        time.sleep(0.002)
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return alive


def main() -> None:
    """Kill, look, and print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    dice, began = random.Random(asked.seed), time.time()
    found, left, faults = Counter[str](), Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        prepare(place, 0)
        (place / "out").mkdir()
        old, seconds = dict[str, str](), dict[str, float]()
        for kind in WRITING:
            start = time.monotonic()
            assert run(kind, place).wait(LONGEST) == 0, f"{kind} fails by itself"
            seconds[kind] = time.monotonic() - start
        shutil.copytree(place / "out", place / "kept")
        prepare(place, 1)
        names = sorted(path.name for path in (place / "out").iterdir())
        assert all(whole(place / "out" / each) for each in names), "an output is not whole by itself"
        done = 0
        while done < asked.kills:
            kind = dice.choice(WRITING)
            if dice.random() < 0.5:  # over nothing
                for each in names:
                    shutil.rmtree(place / "out" / each) if (place / "out" / each).is_dir() else (
                        place / "out" / each
                    ).unlink(missing_ok=True)
            else:
                shutil.copytree(place / "kept", place / "out", dirs_exist_ok=True)
            old = {path.name: digest(path) for path in (place / "out").iterdir() if path.name in names}
            if not kill(kind, place, seconds[kind], dice):
                found["done before it was killed"] += 1  # which counts as none
            else:
                done += 1
            for each in names:
                became = state(place / "out" / each, old)
                found[became] += 1
                if became in ("lost", "broken"):
                    faults.append(f"{kind}: {each} is {became}")
            for path in (place / "out").iterdir():
                if path.name not in names:
                    known = PRIVATE.fullmatch(path.name)
                    left["private beside the output" if known else "unknown"] += 1
                    faults += [] if known else [f"{kind}: left {path.name}"]
            left["in the temporary folder"] += len(temporary(place))
            print(f"{done} of {asked.kills}: {dict(found)}, {len(faults)} faults", file=sys.stderr, flush=True)
        for kind in WRITING:
            if run(kind, place).wait(LONGEST):
                faults.append(f"{kind} fails after the kills")
        faults += [f"not tidied: {p.name}" for p in (place / "out").iterdir() if p.name not in names]
        faults += [f"left in the temporary folder: {path.name}" for path in temporary(place)]
    line = {
        "kills": asked.kills,
        "seed": asked.seed,
        "names": dict(sorted(found.items())),
        "left_after_a_kill": dict(left),
        "left_after_the_next_run": 0 if not faults else None,
        "faults": faults,
        "seconds": round(time.time() - began),
        "provenance": provenance(asked.seed),
    }
    print(json.dumps(line), flush=True)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
