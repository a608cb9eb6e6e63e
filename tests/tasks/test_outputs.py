"""A command writes its outputs and nothing else, whatever they are called; two that write one output do not mix."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from invr_core.fitting import FitConfig, fit
from invr_core.io import open_video
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Observation
from invr_core.video import Video

COMMAND = [sys.executable, "-c", "import sys; from invr_tasks.cli import main; sys.exit(main())"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a clip and what is fitted to it, a home and a temporary folder."""
    for name in ("work", "home", "tmp"):
        (tmp_path / name).mkdir()
    clip = Video.of(torch.rand(4, 3, 16, 24, generator=torch.Generator().manual_seed(0)))
    clip.save(tmp_path / "work" / "in.mkv")
    fit(Observation(clip), HNeRV(), FitConfig(steps=1, device="cpu")).save(tmp_path / "work" / "clip.invr")
    return tmp_path


def started(place: Path, *arguments: str) -> subprocess.Popen[str]:
    homes = {name: str(place / "home") for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TORCH_HOME")}
    environment = {**os.environ, **homes, "TMPDIR": str(place / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*COMMAND, *arguments], cwd=place / "work", env=environment, **pipes)


def held(place: Path) -> set[str]:
    """All that there is, by its place, but for the empty cache folder that torch makes when it is imported."""
    empty = {path for path in (place / "tmp").glob("torchinductor_*") if not any(path.iterdir())}
    return {path.relative_to(place).as_posix() for path in place.rglob("*") if path not in empty}


def test_a_run_writes_what_was_asked_for_and_nothing_else(place: Path) -> None:
    before = held(place)
    asked = ["run", "interpolate", "in.mkv", "a b/ü.mp4", "--steps", "1", "--model", "hnerv", "--no-shots"]
    process = started(place, *asked, "--save-rep", "made.invr", "--report", "page.html")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert held(place) - before == {f"work/{name}" for name in ("a b", "a b/ü.mp4", "made.invr", "page.html")}


def test_a_run_that_fails_writes_nothing(place: Path) -> None:
    (place / "work" / "half.mkv").write_bytes((place / "work" / "in.mkv").read_bytes()[:200])
    before = held(place)
    process = started(place, "run", "interpolate", "half.mkv", "out/smooth.mp4", "--report", "page.html")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 2 and len(said.strip().splitlines()) == 1, said
    assert held(place) == before


def test_two_at_once_write_one_output_whole(place: Path) -> None:
    processes = [started(place, "query", "clip.invr", "out.mkv", "--fps", rate) for rate in ("50", "100")]
    for process in processes:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    assert len(open_video(place / "work" / "out.mkv")) in (7, 13)
    assert [name for name in held(place) if ".part" in name] == []


@pytest.mark.parametrize(
    "name", ["a b.mkv", "ü—漢字.mkv", "./-rf.mkv", "line\nbreak.mkv", "\x1b[2J.mkv", "$(touch x).mkv"]
)
def test_odd_names_are_only_names(
    place: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from invr_tasks.cli import main

    monkeypatch.chdir(place / "work")
    before = held(place)
    assert main(["query", "clip.invr", name, "--times", "0.05"]) == 0
    assert held(place) - before == {f"work/{Path(name).name}"}
    said = capsys.readouterr().out
    assert len(said.splitlines()) == 1 and "\x1b" not in said


def test_a_name_that_looks_like_an_option_is_told_apart(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from invr_tasks.cli import main

    monkeypatch.chdir(place / "work")
    before = held(place)
    assert main(["query", "clip.invr", "-rf.mkv", "--times", "0.05"]) == 2
    assert held(place) == before
