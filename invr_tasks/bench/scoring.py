"""An answer against the truth: all the figures of a record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from invr_core.video import Video
from invr_tasks.bench.cases import Case
from invr_tasks.bench.records import Record
from invr_tasks.bench.warping import Paths, warping_error
from invr_tasks.metrics import TOLERANCE, Perceptual, Scores, compare
from invr_tasks.pixels import Bytes, to_bytes


@dataclass(frozen=True, eq=False)
class Scored:
    """An answer and how good it is.

    Args:
        method: its name.
        family: "naive", "classical" or "ours".
        answer: the frames that are judged, at least.
        scores: frame by frame.
        figures: what its record says of them.
    """

    method: str
    family: str
    answer: Video
    scores: Scores
    figures: Record

    @property
    def counts(self) -> float:
        """The PSNR that counts, in dB: of the hole where there is one."""
        return self.scores.psnr


def score_answer(
    method: str, family: str, answer: Video, case: Case, truth: Video, moved: Paths, distance: Perceptual | None
) -> Scored:
    """Score an answer.

    Returns:
        with the figures ``psnr`` (whole frames), ``psnr_hole`` (None without holes), ``ssim``, ``lpips``,
        ``psnr_worst_frame`` (of the one that counts), ``warping_error`` and ``warping_error_truth`` (within the holes
        where there are some) and ``scored``, the number of frames.

    Raises:
        BadInput: if the answer lacks a frame that is judged.
    """
    scores = compare(answer, truth, case.judged, distance)
    holes = _holes(case)
    whole, true = _completed(answer, case, truth), _pictures(truth)
    figures = {
        "psnr": round(scores.psnr_frame, 4),
        "psnr_hole": None if holes is None else round(scores.psnr, 4),
        "ssim": round(scores.ssim, 5),
        "lpips": None if scores.lpips is None else round(scores.lpips, 5),
        "psnr_worst_frame": round(min(one.psnr for one in scores.frames if one.psnr is not None), 4),
        "warping_error": _rounded(warping_error(whole, moved, holes)),
        "warping_error_truth": _rounded(warping_error(true, moved, holes)),
        "scored": len(scores.frames),
    }
    return Scored(method, family, answer, scores, figures)


def _holes(case: Case) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]] | None:
    if "mask" not in case.source.extras:
        return None
    mask = case.source["mask"]
    return np.concatenate([mask.read([index])[:, 0].numpy() > 0.5 for index in range(len(mask))])


def _pictures(video: Video) -> Bytes:
    return np.concatenate([to_bytes(video.read([index])) for index in range(len(video))])


def _completed(answer: Video, case: Case, truth: Video) -> Bytes:
    """The whole clip: what is answered, given frames where nothing is asked, the truth behind the last given one."""
    shown = []
    for index, time in enumerate(truth.times):
        for video in (answer, case.source.video, truth):
            gap, nearest = (video.times - time).abs().min(0)
            if float(gap) <= TOLERANCE and video.size == truth.size:
                shown.append(to_bytes(video.read([int(nearest)]))[0])
                break
        assert len(shown) == index + 1
    return np.stack(shown)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
