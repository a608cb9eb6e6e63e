"""Records as a page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from invr_core.errors import BadInput, Unsupported
from invr_tasks.bench.model import held_against
from invr_tasks.bench.page import write_page

pytest.importorskip("matplotlib", reason="plots come with the extra `bench`")
Make = Callable[..., dict[str, Any]]


@pytest.fixture
def records(record: Make) -> list[dict[str, Any]]:
    made = [record("hnerv", 22.0), record("hnerv", 23.0, seed=1), record(psnr=31.0), record(psnr=34.0, seed=1)]
    made.append(record(psnr=29.5, variant="uncoupled", options={"warm_start": False}))
    made += [record("hnerv", 21.0, given="even"), record(psnr=30.0, given="even")]
    for one in made:
        one["peer"] = held_against(one, made)
    return made


def rows(page: Path, first: str) -> list[list[str]]:
    """The cells of the rows that begin with a name, table after table."""
    lines = [line.strip("| ").split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")]
    return [cells for cells in lines if cells[0] == first]


def test_the_same_records_give_the_same_bytes(records: Any, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files = write_page(records, tmp_path / name / "page.md")
    assert [file.name for file in files] == ["page.md", "page-1.svg"]
    for file in files:
        assert file.read_bytes() == (tmp_path / "one" / file.name).read_bytes()


def test_the_tables_show_the_numbers(records: Any, tmp_path: Path) -> None:
    page, _ = write_page(records, tmp_path / "page.md")
    text = page.read_text()
    assert "## disc.mkv, 24x16, 9 frames; 10 seconds each, cpu" in text and "](page-1.svg)" in text
    quality, unseen, cost = rows(page, "cwrnn")
    assert quality[:6] == [
        "cwrnn",
        "4,010",
        "2",
        "32.50 (31.00 to 34.00)",
        "30.50 (29.00 to 32.00)",
        "10.00 (9.00 to 11.00)",
    ]
    assert unseen[2:8] == ["1", "30.00", "29.00", "-1.00", "27.00", "9.00"]
    assert cost[2:9] == ["50.0", "30.0", "1.50", "420", "310", "260", "220"] or cost[2].startswith("50.0 (")
    assert rows(page, "hnerv")[0][5:8] == ["–", "–", "–"]
    assert "- cwrnn, uncoupled: warm_start = False" in text
    assert "| c0ffee | cpu (x86_64) | 1 |" in text and text.count("c0ffee") == 1


def test_the_plot_has_a_line_for_each_seed_and_one_name_for_all(records: Any, tmp_path: Path) -> None:
    _, plot = write_page(records, tmp_path / "page.md")
    drawn = plot.read_text()
    assert drawn.count('id="line2d_') > 10
    for name in ("hnerv", "cwrnn", "cwrnn, uncoupled"):
        assert drawn.count(f">{name}</text>") == 1
    assert "seconds of fitting" in drawn and "passes over the clip" in drawn and "PSNR of 3 frames, dB" in drawn


def test_of_repeated_work_the_last_is_shown(record: Make, tmp_path: Path) -> None:
    page, _ = write_page([record(psnr=30.0), record(psnr=31.0)], tmp_path / "page.md")
    assert rows(page, "cwrnn")[0][2:4] == ["1", "31.00"]


def test_what_differs_in_more_than_the_seed_is_not_mixed(record: Make, tmp_path: Path) -> None:
    others: list[dict[str, Any]] = [
        {"params": 9000},
        {"budget": {"steps": 9}},
        {"device": "cuda"},
        {"clip": "other.mkv"},
    ]
    page, *plots = write_page([record(), *(record(**other) for other in others)], tmp_path / "page.md")
    quality = [row for row in rows(page, "cwrnn") if len(row) > 8 and row[3] == "30.00"]
    assert [row[2] for row in quality] == ["1"] * 5
    assert len(plots) == 5


def test_failures_are_shown(record: Make, tmp_path: Path) -> None:
    failed = {**record(variant="wild"), "failed": "the loss is not finite | at all"}
    page, _ = write_page([record(), failed], tmp_path / "page.md")
    assert "| cwrnn, wild | 0 | the loss is not finite \\| at all |" in page.read_text()
    assert len(rows(page, "cwrnn")) == 2


def test_memory_against_length(record: Make, tmp_path: Path) -> None:
    made = []
    for frames, peak in ((600, 450.0), (60, 430.0)):
        one = record(kind="memory", frames=frames, setup_seconds_per_frame=0.0125, step_seconds_per_frame=0.05)
        made.append({**one, "memory": {**one["memory"], "peak_mib": peak}})
    page, plot = write_page(made, tmp_path / "page.md")
    assert [row[2:5] for row in rows(page, "cwrnn")] == [["60", "430", "300"], ["600", "450", "300"]]
    assert rows(page, "cwrnn")[0][-4:-1] == ["12.5", "50.0", "20.0"]
    assert "peak memory of the fit, MiB" in plot.read_text()


def test_bytes_on_disk(record: Make, tmp_path: Path) -> None:
    file = {"bits": 8, "bytes": 12_345, "psnr": 33.21, "loss": 0.004, "bits_a_parameter": 6.5}
    coder = {"coder": "x265", "preset": "slow", "pixels": "yuv420p", "bits": 8, "bytes": 5000, "ratio": 2.469}
    old, new = (record(kind="size", files=[{**file, "bytes": size}], coders=[coder]) for size in (99_999, 12_345))
    page, *plots = write_page([old, new], tmp_path / "page.md")
    assert rows(page, "8") == [["8", "12,345", "6.50", "33.21", "0.004"]] and not plots
    assert rows(page, "x265") == [["x265", "slow", "yuv420p", "5,000 (ours 2.47 times that)"]]
    assert "## Size on disk: disc.mkv, 24x16, 9 frames; cwrnn, 4,010 parameters, 10 seconds, seed 0" in page.read_text()


def test_motion_against_the_truth(record: Make, tmp_path: Path) -> None:
    made = []
    for method, error in (("no motion", 3.0), ("cwrnn, fitted", 9.0), ("cwrnn, fitted", 0.25)):
        scores = {"epe": error, "over_1_px": 0.125, "angle": 7.5, "share": 1.0}
        made.append(record(kind="motion", method=method, truth="a.flo", between=[3, 4], everywhere=scores, psnr=35.0))
    page, *plots = write_page(made, tmp_path / "page.md")
    assert rows(page, "cwrnn, fitted") == [
        ["cwrnn, fitted", "4,010", "40", "10.0", "35.00", "0.250", "12.5", "7.50"],
    ]
    assert len(rows(page, "no motion")) == 1 and not plots
    assert "## Motion of disc.mkv, 24x16, frame 3 to 4; cwrnn, 10 seconds, cpu" in page.read_text()


def test_nothing_to_show_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no record that a page could show"):
        write_page([{"kind": "something else"}], tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()


def test_without_matplotlib_it_is_said_what_to_install(
    records: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(Unsupported, match=r"pip install 'invr\[bench\]'"):
        write_page(records, tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()
