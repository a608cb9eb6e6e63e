"""A dozen jobs in one process: open files and threads do not grow. Memory too, over 200 jobs, is on demand.

python docs/benchmarks/soak.py --jobs 200
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch


def test_a_dozen_jobs_leave_nothing_open() -> None:
    path = Path(__file__).parents[2] / "docs" / "benchmarks" / "soak.py"
    spec = importlib.util.spec_from_file_location("soak", path)
    assert spec and spec.loader
    soak = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(soak)
    threads = torch.get_num_threads()
    found = soak.soak(12, 4)
    assert torch.get_num_threads() == threads
    for what in ("handles", "threads", "python_threads"):
        assert len(set(found[what])) == 1, f"{what}: {found[what]}"
