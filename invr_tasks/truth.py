"""What an answer should be, where that is known: how good it is, found while it is read, so that nothing is made twice.

The truth reaches `Task.judged`, of an instance made for that alone, and the comparison. Whatever fits and answers is
another instance, which is given the source; by no call can it come to know the truth.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.video import Video
from invr_tasks.metrics import FrameScores, Scores, check_shapes, matched, nearest
from invr_tasks.run import prepare, renewed
from invr_tasks.task import Source, Task

CLOCK = 1.1e-3
"""Seconds by which two clocks may differ that count milliseconds, as that of .mkv does."""


class Truth:
    """The clip that an answer should be, and the scores of one that is read.

    Args:
        task: with its options; it is renewed, and never meets the truth.
        source: it is run on.
        clip: shows each instant of the answer, in its size.
        clock: whether ``clip`` has a clock of its own; frames without one are taken in their order, if there are as
            many as the answer has.

    Raises:
        BadInput: if it is of another size, lacks an instant of the answer, or cannot be judged there.
    """

    def __init__(self, task: Task[Any], source: Source, clip: Video, clock: bool = True) -> None:
        prepare(renewed(task), source)
        self.naive = renewed(task).naive(source)
        """The trivial answer, on the whole clip."""
        self.clip = _shown(clip, self.naive, clock)
        """The truth on the clock of the answer."""
        apart = Source(source.video, dict(source.extras))
        self._judged = renewed(task).judged(apart, self.clip)
        check_shapes(self.naive, self.clip, self._judged)
        times = self.clip.times if self._judged is None else self._judged.times
        self._places = {index: place for place, index in enumerate(matched(self.clip.times, times, "truth"))}
        self._scored: dict[int, tuple[FrameScores, FrameScores]] = {}

    def watched(self, answer: Video) -> Video:
        """The same answer; each of its frames is scored when it is first read."""

        def frame(index: int) -> Tensor:
            picture = answer.read([index])
            if index in self._places and index not in self._scored:
                self._scored[index] = self._scores_of(index, picture)
            return picture

        return replace(answer, read=lambda indices: torch.cat([frame(range(len(answer))[i]) for i in indices]))

    def scores(self, span: tuple[float, float] | None = None) -> tuple[Scores, Scores] | None:
        """Of the answer and of the trivial one, on the frames that have been read; None if no pixel of them is judged.

        Args:
            span: first and last second of what is looked at; None for all.
        """
        both = [self._scored[index] for index in sorted(self._scored)]
        ours, naive = ([pair[side] for pair in both if _within(pair[side].time, span)] for side in (0, 1))
        if all(frame.psnr is None for frame in ours):
            return None
        return Scores.of(ours), Scores.of(naive)

    def told(self) -> str:
        """How good the answer and the trivial one are, in a line."""
        found = self.scores()
        if found is None:
            return "no pixel is judged against the truth, so there are no figures"
        masked = any(frame.psnr != frame.psnr_frame for frame in found[0].frames)
        of = " of the judged pixels" if masked else ""
        ours, naive = (f"PSNR {scores.psnr:.2f} dB{of}, SSIM {scores.ssim:.4f}" for scores in found)
        count = len(found[0].frames)
        return f"against the truth, over {count} frame{'s' if count > 1 else ''}: {ours}; the trivial answer: {naive}"

    def _scores_of(self, index: int, picture: Tensor) -> tuple[FrameScores, FrameScores]:
        time, truth = float(self.clip.times[index]), self.clip.read([index])
        weight = None if self._judged is None else self._judged.read([self._places[index]])[0, 0].numpy()
        ours, naive = (FrameScores.of(time, one, truth, weight) for one in (picture, self.naive.read([index])))
        return ours, naive


def _shown(clip: Video, answer: Video, clock: bool) -> Video:
    """The truth at the instants of an answer."""
    (h, w), (height, width) = clip.size, answer.size
    if clip.size != answer.size:
        raise BadInput(
            f"the truth is of {w}x{h}, and the answer of {width}x{height}; give it in the size of the answer"
        )
    if min(clip.size) < 3:
        raise BadInput(f"the truth is of {w}x{h}; frames are compared from 3x3 pixels on")
    if not clock and len(clip) == len(answer):
        return replace(clip, times=answer.times)
    indices = nearest(clip.times, answer.times)
    gaps = (clip.times[indices] - answer.times).abs()
    if bool((gaps > CLOCK).any()):
        first = int((gaps > CLOCK).int().argmax())
        order = "" if clock else f", or {len(answer)} images, to be taken in their order"
        raise BadInput(
            f"the truth has no frame at {float(answer.times[first]):.4f} s, the nearest is at "
            f"{float(clip.times[indices[first]]):.4f} s; give one that shows each of the {len(answer)} instants of the "
            f"answer{order}"
        )
    return replace(clip, times=answer.times, read=lambda asked: clip.read([int(indices[i]) for i in asked]))


def _within(time: float, span: tuple[float, float] | None) -> bool:
    return span is None or span[0] <= time <= span[1]
