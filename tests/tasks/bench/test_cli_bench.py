"""``invr bench``: what is read, what is refused, and a whole run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from invr_tasks.bench import lengths, model, motion
from invr_tasks.bench import size as sizes
from invr_tasks.bench.processes import here
from invr_tasks.bench.records import read

ROOT = Path(__file__).resolve().parents[3]
SIZE = ("bench", "size", "--out", "r.jsonl", "--clip", "in.mkv")
MOTION = ("bench", "motion", "--out", "r.jsonl", "--clip", "in.mkv", "--truth", "a.flo")
MODEL = ("bench", "model", "--params", "24k", "--out", "r.jsonl")


@pytest.mark.parametrize("name", ["", "model", "memory", "size", "motion", "tasks", "page"])
def test_help_imports_no_torch(name: str) -> None:
    arguments = [name, "--help"] if name else ["--help"]
    code = (
        f"import sys; from invr_tasks.cli import main; code = main(['bench', *{arguments}]); "
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: invr bench")


def test_the_help_names_every_option(invr: Any) -> None:
    _, out, _ = invr("bench", "model", "--help")
    names = "clip params out seconds epochs steps models ablations variant size frames seeds unseen device page quiet"
    assert all(f"--{name} " in out for name in names.split())


def test_without_a_benchmark_the_help_is_shown(invr: Any) -> None:
    code, out, _ = invr("bench")
    assert code == 2 and "model" in out and "memory" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench", "modle"], "no benchmark 'modle'. Did you mean 'model'"),
        ([*MODEL, "--clip", "in.mkv"], "one of --seconds, --epochs and --steps"),
        ([*MODEL, "--clip", "in.mkv", "--seconds", "3", "--steps", "3"], "one of --seconds, --epochs and --steps"),
        ([*MODEL, "--clip", "in.mkv", "--seconds", "-3"], "--seconds must be a positive number, got -3"),
        ([*MODEL, "--clip", "none.mkv", "--steps", "3"], "none.mkv does not exist"),
        ([*MODEL, "--clip", "in.mkv", "--steps", "3", "--size", "640x320"], "24x16, smaller than 640x320"),
        ([*MODEL, "--clip", "in.mkv", "--steps", "3", "--models", "cwrnn,nerf"], "there is no model 'nerf'"),
        ([*MODEL, "--clip", "in.mkv", "--steps", "3", "--variant", "a:b=1"], "cwrnn has no option 'b'; it has params"),
        ([*MODEL, "--clip", "in.mkv", "--steps", "3", "--variant", "a"], "write NAME:field=value"),
        ([*MODEL, "--clip", "in.mkv", "--steps", "3", "--ablations", "x"], "cwrnn has no ablation 'x'"),
        ([*MODEL, "--clip", "in.mkv", "--steps", "3", "--page", "p.html"], "a page is Markdown"),
        ([*MODEL, "--clip", "in.mkv", "--steps", "3", "--device", "gpu"], "unknown device 'gpu'"),
        (
            ["bench", "model", "--clip", "in.mkv", "--out", "r", "--params", "many", "--steps", "3"],
            "'many' is not a positive",
        ),
        ([*SIZE], "one of --seconds, --epochs and --steps"),
        ([*SIZE, "--steps", "2", "--bits", "3"], "4 to 16"),
        ([*SIZE, "--steps", "2", "--size", "31x20"], "smaller than 31x20"),
        ([*SIZE, "--steps", "2", "--size", "21x14"], "even width"),
        ([*SIZE, "--steps", "0"], "positive"),
        ([*MOTION, "--between", "3,4"], "one of --seconds, --epochs and --steps"),
        ([*MOTION, "--between", "3", "--steps", "2"], "'3' is not two indices of frames such as 3,4"),
        ([*MOTION, "--between", "3,4", "--steps", "2"], "a.flo cannot be read"),
        (["bench", "memory", "--clip", "in.mkv", "--params", "24k", "--out", "r", "--frames", "1"], "at least 2"),
    ],
)
def test_what_cannot_be_is_one_line(invr: Any, clip: str, arguments: list[str], message: str) -> None:
    assert message in invr.refuses(*arguments)


def test_a_page_of_no_records_is_one_line(invr: Any) -> None:
    pytest.importorskip("matplotlib", reason="plots come with the extra `bench`")
    assert "cannot be read as records" in invr.refuses("bench", "page", "none.jsonl", "--page", "p.md")


def test_a_whole_run(invr: Any, disc_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="plots come with the extra `bench`")
    monkeypatch.setattr(model, "alone", here)
    options = ["--clip", str(disc_file), "--steps", "3", "--unseen", "--device", "cpu", "--page", "p.md"]
    variant = ["--variant", "small:batch=1,loss=charbonnier,encoder=8", "--variant", "thin:encoder=4"]
    code, out, err = invr(*MODEL, *options, "--models", "hnerv", *variant)
    assert code == 0, err
    records = read(Path("r.jsonl"))
    assert [(r["variant"], r["given"]) for r in records] == [
        (name, given) for given in ("all", "even") for name in ("", "small", "thin")
    ]
    assert (records[1]["batch"], records[1]["loss"], records[1]["steps"]) == (1, "charbonnier", 3)
    assert records[1]["peer"]["gain"] == pytest.approx(records[1]["psnr"] - records[0]["psnr"], abs=1e-3)
    assert len(out.splitlines()) == 7 and out.count(", unseen ") == 3 and "step 3" in err
    assert "hnerv, thin" in Path("p.md").read_text() and Path("p-1.svg").exists()
    page = Path("p.md").read_bytes()
    assert invr("bench", "page", "r.jsonl", "--page", "p.md")[0] == 0
    assert Path("p.md").read_bytes() == page


def test_memory_against_length(invr: Any, disc_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lengths, "alone", here)
    options = ["--clip", str(disc_file), "--frames", "5,12", "--params", "24k", "--steps", "2", "--models", "cwrnn"]
    code, out, err = invr("bench", "memory", *options, "--out", "r.jsonl", "--device", "cpu", "--quiet")
    assert (code, out, err) == (0, "", "")
    assert [(r["kind"], r["frames"], r["model"]) for r in read(Path("r.jsonl"))] == [
        ("memory", 5, "cwrnn"),
        ("memory", 12, "cwrnn"),
    ]


def test_bytes_on_disk(invr: Any, clip: str) -> None:
    options = ["--params", "24k", "--steps", "2", "--bits", "8", "--presets", "ultrafast", "--device", "cpu"]
    code, out, err = invr(*SIZE, *options)
    assert code == 0 and "fitted 2 steps" in err
    (record,) = read(Path("r.jsonl"))
    assert (record["kind"], record["budget"], [file["bits"] for file in record["files"]]) == ("size", {"steps": 2}, [8])
    assert f"{record['files'][0]['bytes']:,}" in out and sizes.verdict(record) in out


def test_motion_against_the_truth(invr: Any, disc_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="plots come with the extra `bench`")
    monkeypatch.setattr(motion, "alone", here)
    cv2.writeOpticalFlow("a.flo", np.ones((16, 24, 2), np.float32))
    options = ["--clip", str(disc_file), "--between", "3,4", "--params", "24k", "--steps", "2", "--device", "cpu"]
    code, out, err = invr(*MOTION, *options, "--picture", "a.png", "--page", "p.md")
    assert code == 0, err
    assert "| no motion |" in out and "| cwrnn, cold start, fitted |" in Path("p.md").read_text()
    assert Path("a.png").exists() and {r["kind"] for r in read(Path("r.jsonl"))} == {"motion"}


def test_a_failed_fit_is_told_at_the_end(invr: Any, disc_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from invr_core.errors import InvrError

    def fails(work: str, **arguments: Any) -> Any:
        raise InvrError("it fell over")

    monkeypatch.setattr(model, "alone", fails)
    code, out, err = invr(*MODEL, "--clip", str(disc_file), "--steps", "3", "--models", "hnerv", "--device", "cpu")
    assert code == 2 and "FAILED: it fell over" in out and "1 of the fits failed" in err
    assert read(Path("r.jsonl"))[0]["failed"] == "it fell over"
