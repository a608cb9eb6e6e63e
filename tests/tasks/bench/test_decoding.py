"""How fast a stored clip is shown: in sequence, alone, and with nothing remembered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from invr_core.errors import BadFile
from invr_core.query import Query
from invr_tasks.bench import decoding
from invr_tasks.bench.decoding import run_decode

NOW = [0.0]


class Remembering:
    """Takes 5 s for the first frame that it shows, and 1 s for each one after it."""

    span = (0.0, 3.0)
    device = torch.device("cpu")
    geometry = SimpleNamespace(times=(0.0, 1.0, 2.0, 3.0))
    asked: list[float]

    def __init__(self) -> None:
        self.warm = False

    def __call__(self, query: Query) -> torch.Tensor:
        NOW[0] += 1.0 if self.warm else 5.0
        self.warm = True
        Remembering.asked += query.times.tolist()
        return torch.zeros(1, 3, 2, 2)


def test_a_pass_and_a_random_frame_begin_with_nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    Remembering.asked = []
    monkeypatch.setattr(decoding, "load", lambda path, device: Remembering())
    monkeypatch.setattr(decoding.time, "perf_counter", lambda: NOW[0])
    record = run_decode("clip.invr", "cpu", seed=3)
    assert record["sequence_seconds"] == [8.0] * 3
    assert (record["seconds_per_frame"], record["frames_per_second"]) == (2.0, 0.5)
    assert (record["random_frame_seconds"], record["random_ratio"]) == (5.0, 2.5)
    alone = Remembering.asked[4 * 4 :]
    assert Remembering.asked[: 4 * 4] == [0, 1, 2, 3] * 4
    assert len(set(alone)) == 9 and all(0 <= t <= 3 and t != round(t) for t in alone)


def test_a_long_clip_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Remembering.asked = []
    monkeypatch.setattr(decoding, "load", lambda path, device: Remembering())
    monkeypatch.setattr(decoding.time, "perf_counter", lambda: NOW[0])
    monkeypatch.setattr(decoding, "AT_MOST", 7.0)
    assert run_decode("clip.invr", "cpu")["sequence_seconds"] == [8.0]


def test_a_stored_clip_is_decoded(fit_once: Any) -> None:
    job, _ = fit_once("hnerv")
    record = run_decode(job.rep, "cpu")
    assert len(record["sequence_seconds"]) == 3 and record["decode_gpu_mib"] is None
    assert record["frames_per_second"] == pytest.approx(1 / record["seconds_per_frame"], rel=0.01)
    expected = record["random_frame_seconds"] / record["seconds_per_frame"]
    assert record["random_ratio"] == pytest.approx(expected, rel=0.02)
    assert record["decode_peak_mib"] >= record["decode_libraries_mib"] > 50


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(BadFile, match="no such file"):
        run_decode("nowhere.invr", "cpu")
