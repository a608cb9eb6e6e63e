"""A small clip on disk, and small jobs on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from invr_core.query import Query
from invr_core.testing import MovingDisc
from invr_core.video import Video
from invr_tasks.bench.fits import run_fit
from invr_tasks.bench.jobs import Budget, Job

TINY: dict[str, dict[str, Any]] = {"cwrnn": {}, "hnerv": {"strides": (2, 2), "encoder": 8, "lower_width": 4}}


@pytest.fixture(scope="session")
def disc_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A moving disc, 9 frames of 24x16."""
    times = torch.arange(9, dtype=torch.float64) / 8
    path = tmp_path_factory.mktemp("clip") / "disc.mkv"
    Video.of(MovingDisc((16, 24))(Query(times)), times).save(path)
    return path


@pytest.fixture(scope="session")
def make_job(disc_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Job]:
    """``make_job(model, …)``: six steps of a small model, kept in ``fitted.invr``."""

    def make(model: str = "cwrnn", **changes: Any) -> Job:
        values: dict[str, Any] = {
            "clip": str(disc_file),
            "model": model,
            "params": 24_000,
            "budget": Budget("steps", 6),
            "options": TINY[model],
            "device": "cpu",
            "looks": 4,
            "watched": 3,
            "rep": str(tmp_path_factory.mktemp("rep") / "fitted.invr"),
            "quiet": True,
        }
        return Job(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def fit_once(make_job: Callable[..., Job]) -> Callable[..., tuple[Job, dict[str, Any]]]:
    """``fit_once(model, given)``: a job and its record; the same ones if asked again."""

    @cache
    def once(model: str, given: Any = "all") -> tuple[Job, dict[str, Any]]:
        job = make_job(model, given=given)
        return job, run_fit(job)

    return once


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    """``record(model, …)``: what a fit might have come to."""

    def make(model: str = "cwrnn", psnr: float = 30.0, **changes: Any) -> dict[str, Any]:
        unseen = changes.get("given") == "even"
        values = {
            "kind": "model",
            "clip": "disc.mkv",
            "frames": 9,
            "size": "24x16",
            "fps": 8.0,
            "device": "cpu",
            "model": model,
            "variant": "",
            "options": {},
            "params": 4000,
            "parameters": 4010,
            "seed": 0,
            "given": "all",
            "budget": {"seconds": 10.0},
            "batch": 2,
            "steps": 40,
            "epochs": 8.889,
            "seconds": 10.0,
            "setup_seconds": 1.0,
            "cpu_seconds": 9.0,
            "psnr": psnr,
            "psnr_worst_frame": psnr - 2,
            "psnr_unseen": psnr - 1 if unseen else None,
            "psnr_unseen_worst_frame": psnr - 3 if unseen else None,
            "curve": [
                {"step": step, "epoch": step / 4.5, "seconds": 1 + 9 * step / 40, "psnr": psnr - 10 + step / 4}
                for step in (1, 4, 16, 40)
            ],
            "curve_frames": {"psnr": [1, 4, 7]},
            "memory": {"libraries_mib": 300.0, "before_mib": 310.0, "peak_mib": 420.0, "anonymous_mib": 250.0},
            "load_before": 0.5,
            "decode": {
                "frames_per_second": 50.0,
                "seconds_per_frame": 0.02,
                "random_frame_seconds": 0.03,
                "random_ratio": 1.5,
                "decode_peak_mib": 260.0,
                "decode_libraries_mib": 220.0,
            },
            "peer": None,
            "provenance": {
                "commit": "c0ffee",
                "device": "cpu (x86_64)",
                "threads": 1,
                "python": "3.11",
                "platform": "Linux",
                "versions": {"invr": "0.1.0", "torch": "2.13.0"},
            },
        }
        return {**values, **changes}

    return make
