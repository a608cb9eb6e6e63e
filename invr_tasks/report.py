"""Show what a task achieved: a sheet of pictures to judge by eye, and a table of scores."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.table import Table

from invr_core.atomic import atomic_file
from invr_core.errors import BadInput
from invr_core.video import Video
from invr_tasks.metrics import TOLERANCE, Scores
from invr_tasks.pixels import Bytes, to_bytes

PANEL = 440
"""Width of a picture on the sheet, in pixels."""
ZOOM = 4
"""How many times smaller than the frame the enlarged detail is, along each side."""
MARGIN, TEXT, TITLE = 14, 28, 38

INK, PAPER, MARK = (20, 20, 24), (250, 250, 248), (255, 210, 0)


@dataclass(frozen=True, eq=False)
class Row:
    """One task on one clip: what went in, what came out, and how good it is.

    Args:
        task: its name.
        setting: what it was asked, in a few words.
        given: the input.
        naive: the trivial answer.
        ours: the answer.
        truth: what the answer should be.
        judged: where the scores count, as `Task.judged` gives it; None for everywhere.
        naive_scores: of ``naive``.
        ours_scores: of ``ours``, on the same frames.
        seconds: how long the answer took, fit and rendering.
    """

    task: str
    setting: str
    given: Video
    naive: Video
    ours: Video
    truth: Video
    judged: Video | None
    naive_scores: Scores
    ours_scores: Scores
    seconds: float


def table(rows: Sequence[Row]) -> Table:
    """The scores of the answers beside those of the trivial ones.

    Args:
        rows: one for each task; for every metric there is a line.

    Returns:
        A table for rich to print; "gain" is green where the answer is the better one.
    """
    shown = Table(title="Scores: mean over the judged frames", title_style="bold")
    for name in ("task", "metric"):
        shown.add_column(name)
    for name in ("naive", "ours", "gain", "seconds"):
        shown.add_column(name, justify="right")
    for row in rows:
        title = f"{row.task} ({row.setting})" if row.setting else row.task
        lines = _lines(row)
        for place, (metric, naive, ours, digits, up) in enumerate(lines):
            gain = ours - naive
            better = gain > 0 if up else gain < 0
            first, last = place == 0, place == len(lines) - 1
            shown.add_row(
                title if first else "",
                metric,
                f"{naive:.{digits}f}",
                f"{ours:.{digits}f}",
                f"[{'green' if better else 'red'}]{gain:+.{digits}f}[/]",
                f"{row.seconds:.1f}" if first else "",
                end_section=last,
            )
    return shown


def _lines(row: Row) -> list[tuple[str, float, float, int, bool]]:
    """Metric, naive, ours, digits, and whether more is better."""
    naive, ours = row.naive_scores, row.ours_scores
    masked = any(frame.psnr != frame.psnr_frame for frame in ours.frames)
    lines = [("PSNR, judged pixels (dB)" if masked else "PSNR (dB)", naive.psnr, ours.psnr, 2, True)]
    if masked:
        lines.append(("PSNR, whole frame (dB)", naive.psnr_frame, ours.psnr_frame, 2, True))
    lines.append(("SSIM", naive.ssim, ours.ssim, 4, True))
    if naive.lpips is not None and ours.lpips is not None:
        lines.append(("LPIPS (less is better)", naive.lpips, ours.lpips, 4, False))
    return lines


def contact_sheet(rows: Sequence[Row], path: Path, instants: int = 2) -> None:
    """Write a PNG to be judged by eye: for each task the frames that the naive answer gets most wrong.

    Each is shown as given / naive / ours / truth, with the region of the naive answer's largest error marked and,
    below, enlarged (pixels as they are).

    Args:
        rows: one block each.
        path: the PNG; written atomically.
        instants: frames per task.

    Raises:
        BadInput: if there is no row.
        BadOutput: if the file cannot be written.
    """
    if not rows:
        raise BadInput("a contact sheet needs at least one result")
    blocks = [_block(row, instants) for row in rows]
    sheet = Image.new("RGB", (blocks[0].width, sum(block.height for block in blocks)), PAPER)
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    encoded = io.BytesIO()
    sheet.save(encoded, "PNG")
    with atomic_file(path) as private:
        private.write_bytes(encoded.getvalue())


def instructive_frames(scores: Scores, count: int) -> list[int]:
    """Frames with the lowest PSNR, far enough apart to show different things.

    Args:
        scores: of the naive answer.
        count: how many at the most.

    Returns:
        Places in ``scores.frames``, in order of time.
    """
    judged = [place for place, frame in enumerate(scores.frames) if frame.psnr is not None]
    worst_first = sorted(judged, key=lambda place: scores.frames[place].psnr or 0.0)
    return far_apart(worst_first, len(scores.frames), count)


def far_apart(
    ranked: Sequence[int], length: int, count: int, also: Sequence[int] = (), share: int | None = None
) -> list[int]:
    """The first of a ranking that are far enough apart to show different things.

    Args:
        ranked: places in a clip, the best choice first.
        length: of the clip, in places.
        count: how many at the most.
        also: places to keep away from.
        share: into how many the clip is shared out, half of which is the least distance; None for ``count``.

    Returns:
        Places, in order.

    Example:
        >>> far_apart([5, 4, 1], 8, 2)
        [1, 5]
    """
    apart = length / (2 * (share or count))
    chosen: list[int] = []
    for place in ranked:
        if len(chosen) < count and all(abs(place - other) >= apart for other in (*chosen, *also)):
            chosen.append(place)
    return sorted(chosen)


def worst_region(picture: Bytes, truth: Bytes, weight: Bytes | None = None) -> tuple[int, int, int, int]:
    """Where a picture is most wrong: a box of 1/`ZOOM` of the frame, along each side.

    Args:
        picture: (H, W, C) uint8.
        truth: the same shape.
        weight: (H, W) uint8; errors count only where it is above 0. None: everywhere.

    Returns:
        top, left, height, width, in pixels; where several are equally wrong, the middle one.
    """
    height, width = truth.shape[0] // ZOOM or 1, truth.shape[1] // ZOOM or 1
    error = np.square(picture.astype(np.float32) - truth.astype(np.float32)).sum(axis=2)
    if weight is not None:
        error *= weight > 0
    sums = cv2.boxFilter(error, -1, (width, height), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT)
    inside = np.asarray(sums)[: truth.shape[0] - height + 1, : truth.shape[1] - width + 1]
    best = np.argwhere(inside >= inside.max() * (1 - 1e-6))  # several where all of the error fits in with room to spare
    top, left = best[np.square(best - best.mean(axis=0)).sum(axis=1).argmin()]
    return int(top), int(left), height, width


def _block(row: Row, instants: int) -> Image.Image:
    """All of one task: a title, then two lines of four pictures for each instant."""
    height = max(1, round(PANEL * row.truth.size[0] / row.truth.size[1]))
    places = instructive_frames(row.naive_scores, instants)
    line = 2 * height + TEXT + 3 * MARGIN
    block = Image.new("RGB", (4 * PANEL + 5 * MARGIN, TITLE + 3 * MARGIN + len(places) * line), PAPER)
    draw = ImageDraw.Draw(block)
    naive, ours = row.naive_scores.psnr, row.ours_scores.psnr
    title = f"{row.task}  {row.setting}     PSNR: naive {naive:.2f} dB, ours {ours:.2f} dB ({ours - naive:+.2f})"
    draw.rectangle((0, MARGIN // 2, block.width, TITLE + 3 * MARGIN // 2), fill=INK)
    draw.text((MARGIN, MARGIN), title, fill=PAPER, font=ImageFont.load_default(TITLE - 8))
    font = ImageFont.load_default(TEXT - 4)
    for number, place in enumerate(places):
        top = TITLE + 2 * MARGIN + number * line
        for column, (label, picture, box) in enumerate(_panels(row, place)):
            left = MARGIN + column * (PANEL + MARGIN)
            draw.text((left, top), label, fill=INK, font=font)
            _paste(block, picture, box, (left, top + TEXT + MARGIN // 2), (PANEL, height))
    return block


def _paste(
    sheet: Image.Image, picture: Bytes, box: tuple[int, int, int, int], at: tuple[int, int], size: tuple[int, int]
) -> None:
    """The whole picture with the box marked, and below it the box enlarged."""
    top, left, height, width = box
    whole = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)
    detail = Image.fromarray(picture[top : top + height, left : left + width]).resize(size, Image.Resampling.NEAREST)
    x, y = size[0] / picture.shape[1], size[1] / picture.shape[0]
    ImageDraw.Draw(whole).rectangle((left * x, top * y, (left + width) * x, (top + height) * y), outline=MARK, width=2)
    ImageDraw.Draw(detail).rectangle((0, 0, size[0] - 1, size[1] - 1), outline=MARK, width=2)
    sheet.paste(whole, at)
    sheet.paste(detail, (at[0], at[1] + size[1] + MARGIN // 2))


def _panels(row: Row, place: int) -> list[tuple[str, Bytes, tuple[int, int, int, int]]]:
    """Label, picture, (H, W, 3) uint8 of the truth's size, and marked box, for the four columns."""
    naive, ours = row.naive_scores.frames[place], row.ours_scores.frames[place]
    time, size = naive.time, row.truth.size
    truth, simple = frame_at(row.truth, time), frame_at(row.naive, time)
    weight = None if row.judged is None else to_bytes(row.judged.read([place]))[0, :, :, 0]
    box = worst_region(simple, truth, weight)
    nearest = int((row.given.times - time).abs().argmin())
    gap = float(row.given.times[nearest]) - time
    given = frame_at(row.given, time)
    notes = [f"{row.given.size[1]}x{row.given.size[0]}"] if row.given.size != size else []
    notes += [f"nearest, {gap:+.2f} s"] if abs(gap) > TOLERANCE else []
    if given.shape != truth.shape:
        given = np.asarray(cv2.resize(given, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    return [
        (f"given ({', '.join(notes)})" if notes else "given", given, box),
        (f"naive  {naive.psnr:.2f} dB", simple, box),
        (f"ours  {ours.psnr:.2f} dB", frame_at(row.ours, time), box),
        (f"truth  at {time:.2f} s", truth, box),
    ]


def frame_at(video: Video, time: float) -> Bytes:
    """The frame nearest to an instant, (H, W, 3) uint8."""
    picture = to_bytes(video.read([int((video.times - time).abs().argmin())]))[0]
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture
