"""Seconds of `invr tasks` beside many installed distributions, as one JSON line on stdout.

    python docs/benchmarks/discovery.py --distributions 300 >> docs/benchmarks/discovery.jsonl

The distributions are metadata in a temporary folder on the path; each offers one task, which is the worst case. Each
run is a process of its own; the first, which finds less in the file system's cache, is told apart. Wall seconds say
what a user waits for; seconds of the processor depend less on what else the machine does, of which load and
niceness tell.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from invr_tasks.provenance import provenance

COMMAND = "from invr_tasks.cli import main; raise SystemExit(main(['tasks']))"
TARGET = 0.5
"""Seconds that the issue allows."""


def main() -> None:
    """Measure, and print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--distributions", type=int, default=300)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        for index in range(options.distributions):
            install(Path(folder), f"many-{index:04}")
        first, *others = [seconds(folder, options.distributions) for _ in range(options.runs + 1)]
    wall, processor = ([run[which] for run in others] for which in (0, 1))
    print(
        json.dumps(
            {
                "command": "invr tasks",
                "distributions": options.distributions,
                "runs": options.runs,
                "first_seconds": round(first[0], 3),
                "median_seconds": round(statistics.median(wall), 3),
                "worst_seconds": round(max(wall), 3),
                "median_processor_seconds": round(statistics.median(processor), 3),
                "target_seconds": TARGET,
                "load_before": round(load, 2),
                "niceness": os.nice(0),
                "provenance": provenance(0, "cpu"),
            }
        )
    )


def install(site: Path, name: str) -> None:
    """The metadata of a distribution that offers one task."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: One of many\n")
    (info / "entry_points.txt").write_text(f"[invr.tasks]\n{name} = nowhere:Nothing\n")


def seconds(site: str, expected: int) -> tuple[float, float]:
    """Of one process that lists the tasks: on the wall, and of the processor."""
    environment = {**os.environ, "PYTHONPATH": site}
    begun, used = time.perf_counter(), processor_seconds()
    done = subprocess.run([sys.executable, "-c", COMMAND], env=environment, capture_output=True, text=True, check=True)
    taken = time.perf_counter() - begun, processor_seconds() - used
    assert done.stdout.count("One of many") == expected, "not all of them are listed"
    return taken


def processor_seconds() -> float:
    """Of all child processes so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
