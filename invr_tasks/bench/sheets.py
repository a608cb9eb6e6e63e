"""Answers side by side with the truth, and their errors, to be judged by eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from invr_core.video import Video
from invr_tasks.bench.cases import Case
from invr_tasks.bench.scoring import Scored
from invr_tasks.pictures import side_by_side
from invr_tasks.pixels import Bytes, to_bytes
from invr_tasks.report import MARK, frame_at, worst_region

PICTURE = 480
"""Width of a picture on the sheet, in pixels."""
LOUDER = 4
"""How much errors are enlarged."""
Named = tuple[str, Bytes]
Box = tuple[int, int, int, int]


def answers_sheet(case: Case, truth: Video, shown: Sequence[Scored], path: Path) -> None:
    """Write a sheet: the worst and a typical frame of the last answer, each whole, close up, and as errors.

    A row is given, answers, truth; the region of the last answer's largest error is marked, and shown below as it is,
    pixel by pixel. Errors are the means of the channels' absolute differences, `LOUDER` times.

    Args:
        case: what was given, and where it is judged.
        truth: the clip.
        shown: answers from left to right, ours last.
        path: the file.

    Raises:
        BadOutput: if it cannot be written.
    """
    rows: list[list[Named]] = []
    last = shown[-1]
    for word, place in frames_to_show(last).items():
        time = last.scores.frames[place].time
        true = frame_at(truth, time)
        pictures = [frame_at(one.answer, time) for one in shown]
        weight = None if case.judged is None else to_bytes(case.judged.read([place]))[0, :, :, 0]
        box = worst_region(pictures[-1], true, weight)
        given = _of_size(frame_at(case.source.video, time), (true.shape[1], true.shape[0]))
        told = [f"{one.method} {one.scores.frames[place].psnr or 0:.2f} dB" for one in shown]
        names = [f"given, {word} frame, {time:.2f} s", *told, "truth"]
        row = [given, *pictures, true]
        rows.append([(name, _marked(picture, box)) for name, picture in zip(names, row, strict=True)])
        rows.append([("", _close(picture, box)) for picture in row])
        errors = [_error(picture, true) for picture in row[:-1]]
        rows.append([(f"error x{LOUDER}", _marked(picture, box)) for picture in errors])
        rows.append([("", _close(picture, box)) for picture in errors])
    side_by_side(rows, path, PICTURE)


def frames_to_show(answer: Scored) -> dict[str, int]:
    """Places among the judged frames of the lowest and of the median PSNR, by name."""
    judged = [place for place, frame in enumerate(answer.scores.frames) if frame.psnr is not None]
    ordered = sorted(judged, key=lambda place: answer.scores.frames[place].psnr or 0.0)
    return {"worst": ordered[0], "typical": ordered[len(ordered) // 2]}


def _error(picture: Bytes, truth: Bytes) -> Bytes:
    apart = np.abs(picture.astype(np.float32) - truth.astype(np.float32)).mean(2, keepdims=True) * LOUDER
    return np.asarray(np.repeat(np.clip(np.rint(apart), 0, 255), 3, axis=2), np.uint8)


def _marked(picture: Bytes, box: Box) -> Bytes:
    height = max(1, round(PICTURE * picture.shape[0] / picture.shape[1]))
    large = np.asarray(cv2.resize(picture, (PICTURE, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    factor = PICTURE / picture.shape[1]
    top, left, tall, wide = (round(value * factor) for value in box)
    cv2.rectangle(large, (left, top), (left + wide, top + tall), MARK, 2)
    return large


def _close(picture: Bytes, box: Box) -> Bytes:
    top, left, tall, wide = box
    part = np.ascontiguousarray(picture[top : top + tall, left : left + wide])
    return _of_size(part, (PICTURE, max(1, round(PICTURE * tall / wide))))


def _of_size(picture: Bytes, size: tuple[int, int]) -> Bytes:
    """Of a width and height, pixels as they are."""
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), np.uint8)
