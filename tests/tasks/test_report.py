"""The report: which frames and regions it picks, what the table says, and that the sheet shows what it should."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from invr_core.errors import BadInput, BadOutput
from invr_core.video import Video
from invr_tasks.metrics import FrameScores, Scores, compare
from invr_tasks.report import MARGIN, PANEL, TEXT, TITLE, Row, contact_sheet, instructive_frames, table, worst_region


def scores_of(values: list[float | None]) -> Scores:
    frames = tuple(FrameScores(float(i), value, value or 0.0, 0.5) for i, value in enumerate(values))
    return Scores(30.0, 30.0, 0.5, None, frames)


def row_of(truth: Video, naive: Video, ours: Video, given: Video | None = None, judged: Video | None = None) -> Row:
    return Row(
        task="enlarge",
        setting="scale 2",
        given=given or naive,
        naive=naive,
        ours=ours,
        truth=truth,
        judged=judged,
        naive_scores=compare(naive, truth, judged),
        ours_scores=compare(ours, truth, judged),
        seconds=12.34,
    )


def printed(rows: list[Row]) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(table(rows))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def coloured(level: tuple[int, int, int], frames: int = 4) -> Video:
    picture = torch.tensor(level, dtype=torch.uint8).view(1, 3, 1, 1)
    return Video.of(picture.expand(frames, 3, 16, 32).contiguous())


def test_the_worst_frames_are_picked_apart_from_each_other() -> None:
    assert instructive_frames(scores_of([30, 20, 21, 30, 30, 30, 25, 30]), 2) == [1, 6]
    assert instructive_frames(scores_of([30, None, 20, 25]), 1) == [2]
    assert instructive_frames(scores_of([30.0]), 2) == [0]


def test_the_worst_region_is_found_and_stays_in_the_frame() -> None:
    truth = np.zeros((40, 80, 3), np.uint8)
    picture = truth.copy()
    picture[31:39, 62:76] = 200
    top, left, height, width = worst_region(picture, truth)
    assert (height, width) == (10, 20)
    assert top <= 31 and top + height >= 39 and left <= 62 and left + width >= 76
    assert top + height <= 40 and left + width <= 80
    elsewhere = np.zeros((40, 80), np.uint8)
    elsewhere[:10, :20] = 255
    picture[2, 3] = 10
    top, left, height, width = worst_region(picture, truth, elsewhere)
    assert top <= 2 < top + height and left <= 3 < left + width


def test_a_small_error_is_shown_in_the_middle_of_its_region() -> None:
    truth = np.zeros((40, 80, 3), np.uint8)
    picture = truth.copy()
    picture[20:22, 40:42] = 200
    assert worst_region(picture, truth) == (16, 31, 10, 20)
    assert worst_region(truth, truth) == (15, 30, 10, 20)


def test_the_table_shows_both_answers_the_gain_and_the_time(make_video: Callable[..., Video]) -> None:
    truth, naive = coloured((100, 100, 100)), coloured((120, 100, 100))
    text = printed([row_of(truth, naive, coloured((110, 100, 100)))])
    for part in ("enlarge (scale 2)", "PSNR (dB)", "26.88", "32.90", "+6.02", "SSIM", "12.3"):
        assert part in text
    assert "whole frame" not in text


def test_the_table_tells_judged_pixels_from_whole_frames() -> None:
    truth, naive = coloured((100, 100, 100)), coloured((120, 100, 100))
    weights = torch.zeros(4, 1, 16, 32)
    weights[:, :, :8] = 1
    better = naive.frames().clone()
    better[:, 0, :8] = 110 / 255
    text = printed([row_of(truth, naive, Video.of(better), judged=Video.of(weights))])
    assert "PSNR, judged pixels" in text and "+6.02" in text
    assert "PSNR, whole frame" in text and "+2.04" in text


def test_a_lower_lpips_is_a_gain() -> None:
    row = row_of(coloured((100, 100, 100)), coloured((120, 100, 100)), coloured((110, 100, 100)))
    row = replace(
        row, naive_scores=replace(row.naive_scores, lpips=0.3), ours_scores=replace(row.ours_scores, lpips=0.2)
    )
    gain = table([row]).columns[4]._cells
    assert str(gain[-1]) == "[green]-0.1000[/]"


def test_the_sheet_shows_the_four_columns_in_order(tmp_path: Path) -> None:
    colours = {"given": (255, 0, 0), "naive": (0, 255, 0), "ours": (0, 0, 255), "truth": (90, 90, 90)}
    videos = {name: coloured(level) for name, level in colours.items()}
    row = row_of(videos["truth"], videos["naive"], videos["ours"], videos["given"])
    path = tmp_path / "new" / "sheet.png"
    contact_sheet([row, row], path)
    with Image.open(path) as sheet:
        assert sheet.format == "PNG" and sheet.width == 4 * PANEL + 5 * MARGIN
        middle = TITLE + 2 * MARGIN + TEXT + PANEL // 4
        for column, level in enumerate(colours.values()):
            x = MARGIN + column * (PANEL + MARGIN) + PANEL - 20
            assert sheet.getpixel((x, middle)) == level
            assert sheet.getpixel((x, middle + PANEL // 2)) == level  # the enlarged detail
        single = sheet.height // 2
        assert sheet.getpixel((MARGIN + PANEL - 20, single + middle)) == colours["given"]
    assert [file.name for file in path.parent.iterdir()] == ["sheet.png"]


def test_the_sheet_takes_a_smaller_input_and_instants_that_are_not_given(
    tmp_path: Path, make_video: Callable[..., Video]
) -> None:
    truth, naive, ours = (make_video(5, 16, 32, seed=seed) for seed in range(3))
    judged = Video.of(torch.ones(2, 1, 16, 32), truth.times[[1, 3]])
    rows = [
        row_of(truth, naive, ours, given=make_video(5, 8, 16)),
        row_of(truth, naive, ours, given=truth[::2], judged=judged),
    ]
    contact_sheet(rows, tmp_path / "sheet.png", instants=3)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height > 0


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        contact_sheet([], tmp_path / "sheet.png")
    row = row_of(coloured((1, 1, 1)), coloured((2, 2, 2)), coloured((3, 3, 3)))
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "folder.png", tmp_path / "file" / "sheet.png"):
        with pytest.raises(BadOutput, match=r"exists and is not a file|cannot be written"):
            contact_sheet([row], path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder.png"]
