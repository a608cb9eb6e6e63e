"""Measurements in processes of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from invr_core.errors import InvrError
from invr_tasks.bench import rss
from invr_tasks.bench.fits import run_fit
from invr_tasks.bench.jobs import Job
from invr_tasks.bench.processes import alone

STATED = ("model", "params", "parameters", "steps", "epochs", "batch", "psnr", "config", "curve_frames", "provenance")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_a_fit_there_is_the_fit_here_with_memory_of_its_own(
    make_job: Callable[..., Job], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent)  # nothing in the folder it is called from gets in its way
    job = make_job("hnerv", quiet=False)
    ballast = bytearray(b"\1") * (512 << 20)
    there = alone("fit", **job.as_dict())
    ours = rss.peak()
    del ballast
    assert "hnerv, 24,000 parameters, seed 0: step 6" in capfd.readouterr().err
    here = json.loads(json.dumps(run_fit(make_job("hnerv"))))
    assert {key: there[key] for key in STATED} == {key: here[key] for key in STATED}
    if rss.resident() is not None:
        assert there["memory"]["peak_mib"] < ours - 200


def test_what_the_work_refuses_is_said(make_job: Callable[..., Job]) -> None:
    with pytest.raises(InvrError, match=r"nowhere\.invr: there is no such file"):
        alone("decode", path="nowhere.invr", device="cpu")


def test_a_process_that_dies_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for code, message in (
        ("exit 3", "ended with 3"),
        ("kill -9 $$", "ended by signal 9"),
        ("echo hello", "ended with 0"),
    ):
        script = tmp_path / "python"
        script.write_text(f"#!/bin/sh\nread question\n{code}\n")
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))
        with pytest.raises(InvrError, match=f"the process of the fit .*{message}"):
            alone("fit")
