"""Strange files by the hundred thousand: each is refused in one line or works, and takes no more memory than stated.

    python docs/benchmarks/fuzz.py --cases 100000 >> docs/benchmarks/fuzz.jsonl
    python docs/benchmarks/fuzz.py --cases 5000 --of media >> docs/benchmarks/fuzz.jsonl

Cases are made by the strategies of the tests (``tests/core/strange_*.py``). They run in batches, each a process of its
own with a bounded address space, so that a crash or a hang is one fault and not the end. Nothing may be run, connected
to or written while a file is read. A file that breaks the law is kept under ``--keep``. Then come the dearest
files, each in a process of its own, with what it took. One JSON line; the exit code is 1 if the law was broken. Ctrl-C
ends the batches early: what was done by then counts.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from invr_tasks.bench.rss import peak
from invr_tasks.provenance import provenance, version_of

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "core"))

BATCH = {"invr": 2500, "media": 1000}
"""Cases of one process."""
SECONDS = 60
"""For one case; for a batch, as many for each of 40 cases."""
ROOM = 3 << 30
"""Bytes of address space beyond what a batch has when it begins."""
FORBIDDEN = {
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "pickle.find_class",
    "socket.connect",
}
OUT = "/invr-strange-"
FORBIDDEN |= {"os.remove", "os.rename", "os.rmdir", "shutil.rmtree", "ctypes.dlopen"}


class Watch:
    """Notes what is run, connected to or written while it is on; by Python's own audit events."""

    def __init__(self) -> None:
        self.on, self.seen = False, set[str]()
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        inside = arguments and OUT in str(arguments[0])  # where the law itself has something written
        if self.on and (event in FORBIDDEN or writes) and not inside:
            self.seen.add(f"{event}: {arguments[0]!r:.80}")


def stop(number: int, frame: FrameType | None) -> None:
    """A case takes too long."""
    raise TimeoutError(f"no answer in {SECONDS} s")


def batch(of: str, seed: int, count: int, keep: Path) -> dict[str, Any]:
    """Cases of one seed, in this process."""
    import torch
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    torch.set_num_threads(1)
    strange = importlib.import_module(f"strange_{of}")
    if of == "invr":
        from invr_core.models import registry

        strange.sound()
        registry.installed = functools.cache(registry.installed)  # what is installed does not change on the way
    watch, found, faults, done = Watch(), Counter[str](), Counter[str](), list[str]()
    signal.signal(signal.SIGALRM, stop)

    with tempfile.TemporaryDirectory() as folder:
        place = strange.Place(Path(folder))
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, size + ROOM))

        @seeded(seed)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strange.cases)
        def run(case: Any) -> None:
            path = place.put(case)
            signal.alarm(SECONDS)
            watch.on = True
            try:
                results = strange.outcomes(path)
                assert not watch.seen, f"it made the process do something: {sorted(watch.seen)[0]}"
            except Exception as cause:
                at = traceback.extract_tb(cause.__traceback__)[-1]
                results = ["broken"]
                fault = f"{case[0]}: {type(cause).__name__} at {Path(at.filename).name}:{at.lineno}: {str(cause)[:120]}"
                if fault not in faults:
                    strange.kept(case, keep, f"{seed}-{len(faults)}")
                faults[fault] += 1
            finally:
                watch.on = False
                watch.seen.clear()
                signal.alarm(0)
            found.update(f"{case[0]}: {result}" for result in results)
            done.append(case[0])

        run()
    return {"cases": len(done), "found": dict(found), "faults": dict(faults), "peak": round(peak() * 2**20)}


def worker(of: str, seed: int, count: int, keep: Path) -> dict[str, Any]:
    """A batch in a process of its own; one that dies or hangs is a fault."""
    command = [sys.executable, __file__, "--of", of, "--seed", str(seed), "--cases", str(count), "--keep", str(keep)]
    limit = SECONDS * (count / 40 + 5)
    try:
        done = subprocess.run([*command, "--inside"], capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"cases": 0, "found": {}, "faults": {f"the batch of seed {seed} hangs": 1}, "peak": 0}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {
            "cases": 0,
            "found": {},
            "faults": {f"the batch of seed {seed} ends with {done.returncode}: {last[:200]}": 1},
            "peak": 0,
        }
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def dearest(of: str) -> list[dict[str, Any]]:
    """What each of the dearest files takes."""
    module = f"heavy_{of}"
    names = sorted(__import__(module).HEAVY)
    lines = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(ROOT / "tests" / "core" / f"{module}.py"), name, folder]
            for _ in range(2):  # written by one process, read by another
                done = subprocess.run(command, capture_output=True, text=True, timeout=900)
            lines.append(
                json.loads(done.stdout) if done.stdout else {"file": name, "outcome": "died", "grew": 0, "cap": 0}
            )
    return lines


def main() -> None:
    """Run the batches, then the dearest files; print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--of", choices=["invr", "media"], default="invr")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-faults"))
    parser.add_argument("--inside", action="store_true", help="one batch, in this process")
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 30) if asked.seed is None else asked.seed
    if asked.inside:
        print(json.dumps(batch(asked.of, seed, asked.cases, asked.keep)))
        return
    began, found, faults, cases, most = time.time(), Counter[str](), Counter[str](), 0, 0
    for number, start in enumerate(range(0, asked.cases, BATCH[asked.of])):
        try:
            result = worker(asked.of, seed + number, min(BATCH[asked.of], asked.cases - start), asked.keep)
        except KeyboardInterrupt:
            break
        cases += result["cases"]
        found.update(result["found"])
        faults.update(result["faults"])
        most = max(most, result["peak"])
        print(f"{cases:,} of {asked.cases:,}, {faults.total()} faults", file=sys.stderr, flush=True)
    heavy = dearest(asked.of)
    beyond = [line["file"] for line in heavy if line["grew"] > line["cap"] or line["outcome"] == "died"]
    outcomes = Counter[str]()
    for kind, count in found.items():
        outcomes[kind.rpartition(": ")[2]] += count
    line = {
        "of": asked.of,
        "cases": cases,
        "seed": seed,
        "outcomes": dict(sorted(outcomes.items())),
        "kinds": dict(sorted(found.items())),
        "faults": dict(faults),
        "beyond_the_cap": beyond,
        "worst_batch_peak_bytes": most,
        "dearest": heavy,
        "seconds": round(time.time() - began),
        "versions": {name: version_of(name) for name in ("hypothesis", "pillow")},
        "provenance": provenance(seed),
    }
    print(json.dumps(line), flush=True)
    sys.exit(1 if faults or beyond else 0)


if __name__ == "__main__":
    main()
