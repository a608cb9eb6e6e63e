"""Which instants of a run to look at: those that went worst, and those as most are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

import torch
from torch import Tensor

from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.metrics import CAP, Scores
from invr_tasks.report import far_apart

MOST_FRAMES = 32
"""Given frames that are held against the fit, evenly spread over the clip."""
EACH = 3
"""How many of the worst, and how many of the typical instants are shown."""

SIDES = ("ours", "naive")
"""What is held against the truth, as it is called."""


@dataclass(frozen=True)
class Series:
    """A figure over time.

    Args:
        name: for the legend.
        times: seconds, increasing.
        psnr: dB at each of them.
        frames: that there are in all, if these are some of them, evenly spread; 0 if these are all.
    """

    name: str
    times: tuple[float, ...]
    psnr: tuple[float, ...]
    frames: int = 0

    @property
    def told(self) -> str:
        """Of how many frames it is, where it is not of all.

        Example:
            >>> Series("", (0.0, 1.0), (30.0, 31.0), 3).told
            '; at 2 of 3 frames, evenly spread, so that what lies between them may be worse'
        """
        if len(self.times) >= self.frames:
            return ""
        count = f"{len(self.times)} of {self.frames} frames"
        return f"; at {count}, evenly spread, so that what lies between them may be worse"

    @classmethod
    def of(cls, name: str, scores: Scores) -> Series:
        """The judged frames of a comparison."""
        judged = [(frame.time, frame.psnr) for frame in scores.frames if frame.psnr is not None]
        return cls(name, tuple(time for time, _ in judged), tuple(psnr for _, psnr in judged))


@dataclass(frozen=True)
class Instant:
    """An instant that is shown.

    Args:
        time: seconds.
        kind: "worst" or "typical".
        psnr: dB, of the series that it was chosen by.
    """

    time: float
    kind: str
    psnr: float


@torch.no_grad()
def explained(observation: Observation, rep: Representation, name: str) -> Series:
    """How well a fit explains what was given, frame by frame: what the observation makes of it, against the given.

    Args:
        observation: what the fit was given.
        rep: what was fitted to it.
        name: of the series.
    """
    video = observation.video
    chosen = sorted({round(i) for i in torch.linspace(0, len(video) - 1, min(len(video), MOST_FRAMES)).tolist()})

    def clip(times: Tensor) -> Tensor:
        return rep(Query(times))

    values = []
    for index in chosen:
        target = video.read([index])
        wrong = (observation.forward(clip, video.times[[index]]).cpu().clamp(0, 1) - target).square()
        weight = torch.ones_like(wrong[:, :1]) if observation.weight is None else observation.weight.read([index])
        error = float((weight * wrong).sum() / (weight.sum() * wrong.shape[1]).clamp(min=1.0))
        values.append(CAP if error <= 0 else min(CAP, float(-10 * torch.log10(torch.tensor(error)))))
    return Series(name, tuple(float(video.times[index]) for index in chosen), tuple(values), len(video))


def choose(series: Series, each: int = EACH) -> list[Instant]:
    """The worst instants of a series and its typical ones, all of them apart from each other, in order of time.

    Args:
        series: of at least one frame.
        each: how many of either at the most.

    Example:
        >>> [chosen.kind for chosen in choose(Series("", (0.0, 1.0, 2.0, 3.0), (30.0, 20.0, 31.0, 32.0)), 1)]
        ['typical', 'worst']
    """
    count = len(series.psnr)
    ranked = sorted(range(count), key=lambda place: series.psnr[place])
    worst = far_apart(ranked, count, each)
    middle = median_low(series.psnr)
    usual = sorted(set(range(count)) - set(worst), key=lambda place: abs(series.psnr[place] - middle))
    typical = far_apart(usual, count, each, also=worst, share=2 * each)
    kinds = {**dict.fromkeys(worst, "worst"), **dict.fromkeys(typical, "typical")}
    return [Instant(series.times[place], kinds[place], series.psnr[place]) for place in sorted(kinds)]


def shown_at(answer: Video, given: Video, time: float) -> float:
    """The instant of an answer to look at for a given frame: the one of those nearest to it that is farthest from it.

    Args:
        answer: what is shown.
        given: the clip that was given.
        time: of one of its frames.

    Example:
        >>> given, answer = (Video.of(torch.zeros(n, 3, 2, 2), fps=fps) for n, fps in ((3, 1.0), (9, 4.0)))
        >>> shown_at(answer, given, 1.0)
        1.5
    """
    frame = int((given.times - time).abs().argmin())
    middles = (given.times[1:] + given.times[:-1]) / 2
    near = answer.times[torch.searchsorted(middles, answer.times) == frame]
    if len(near) == 0:
        return float(answer.times[int((answer.times - time).abs().argmin())])
    return float(near[int((near - given.times[frame]).abs().argmax())])


def share_below(values: Sequence[Tensor], least: float) -> float:
    """The share of all values that lie below a number."""
    return float(torch.cat([value.flatten() for value in values]).lt(least).float().mean())
