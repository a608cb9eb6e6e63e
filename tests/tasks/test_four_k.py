"""A 4K clip on a small machine: refused before the fit, with an estimate and what would fit; never killed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import four_k
import pytest
import torch

from invr_core import memory
from invr_core.errors import NotEnoughMemory
from invr_core.oracle import MovingDisc
from invr_core.transport import transport
from invr_core.video import Video

MOST = 3 << 30
"""Bytes that a process may hold until it has refused: less than there is."""


def test_tasks_refuse_a_4k_clip_that_would_not_fit(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, four_k.__file__, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["task"] for one in found] == list(four_k.ASKED)
    for one in found:
        assert one["code"] == 2 and one["files"] == ["half.mkv", "large.mkv"], one
        told = re.fullmatch(
            r"invr: error: fitting 3840x2160 takes about ([0-9.]+) GiB and 4\.0 GiB are free on cpu; "
            r"a clip of (\d+)x(\d+) would fit\n",
            one["said"],
        )
        assert told is not None and float(told[1]) > 4 and int(told[2]) > 800, one
        assert one["held"] < MOST, one


def test_frames_that_would_not_fit_together_are_not_brought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda device: four_k.FREE)
    times = torch.linspace(0, 1, 13, dtype=torch.float64)
    video = Video(times, (2160, 3840), lambda indices: pytest.fail("it was read"))
    with pytest.raises(NotEnoughMemory, match=r"13 frames of 3840x2160 together takes about .* 5 would fit"):
        transport(video, MovingDisc((2160, 3840), (0.0, 1.0)), 0.5, range(13))


def test_frames_that_fit_are_brought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda device: 1)
    video = Video(torch.arange(2).double(), (16, 24), lambda indices: torch.zeros(len(indices), 3, 16, 24))
    assert transport(video, MovingDisc((16, 24), (0.0, 1.0)), 0.5, [0, 1]).pictures.shape == (2, 3, 16, 24)
