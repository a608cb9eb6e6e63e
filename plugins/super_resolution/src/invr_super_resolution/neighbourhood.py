"""The given frames around one, by which an enlarged picture of it is judged and put right."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.errors import Unsupported
from invr_core.memory import require_carried
from invr_core.representation import Motion, Representation
from invr_core.sampling import sample, target_grid, warp
from invr_core.transport import neighbours
from invr_core.video import Video
from invr_super_resolution.backprojection import Resize, bicubic, mean_around

ROUNDS, STEP = 4, 1.5
"""Rounds of back-projection among neighbours, and how much of the mean of what they lack each adds. More rounds sharpen
what the motion, off by fractions of a pixel, brings along."""
TOLERANCE = 0.04
"""How far, in a 5x5 neighbourhood, a neighbour may be from what is shown there and still count much."""
DOUBT = 2 / 255
"""An error below which it matters little which of two pictures explains the neighbours better."""
FEW = 0.1
"""Where fewer neighbours than this show a place, it matters little, too."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Given frames around one, and the fitted motion from it to them and back.

    Args:
        given: (n, 3, h, w).
        to: (n, 2, H, W) pixels from each of the enlarged frame to the same thing in each of them, enlarged.
        seen: (n, 1, H, W) whether it is to be seen there, in [0, 1].
        back: (n, 2, H, W) pixels from each of theirs, enlarged, to the same thing in the frame.
        shown: (n, 1, H, W) whether it is to be seen there, in [0, 1].
        shrink: frames, size -> frames of that size, as the given ones came about.
    """

    given: Tensor
    to: Tensor
    seen: Tensor
    back: Tensor
    shown: Tensor
    shrink: Resize

    @classmethod
    def of(cls, video: Video, rep: Representation, index: int, reach: int, shrink: Resize) -> Neighbourhood | None:
        """Up to ``reach`` frames before and after one; None where there is none, or the representation has no motion.

        Raises:
            NotEnoughMemory: if so many frames of that size do not fit in memory.
        """
        time = float(video.times[index])
        frames = neighbours(video, time, reach, itself=False)
        if not frames:
            return None
        require_carried(len(frames), rep.size, 2 * video.channels, rep.device)
        there = video.times[frames]
        here = torch.full_like(there, time)
        try:
            to, back = rep.motion(here, there), rep.motion(there, here)
        except Unsupported:
            return None
        return cls(video.read(frames).to(to.flow.device), to.flow, _seen(to), back.flow, _seen(back), shrink)

    def prefers(self, one: Tensor, other: Tensor) -> Tensor:
        """How much better one picture explains the neighbours than another, in [0, 1], 0.5 if alike; (1, 1, H, W)."""
        (lacks, shown), (others, _) = self._lacks(one), self._lacks(other)
        errors = torch.cat([mean_around(lacks), mean_around(others)], 1)
        weight = shown * torch.exp(-errors.amin(1, keepdim=True) / TOLERANCE**2)
        brought = self._brought(torch.cat([errors * weight, weight], 1))
        ours, theirs = (brought[:, :2] / (brought[:, 2:] + FEW) + DOUBT**2).square().split(1, 1)
        return theirs / (ours + theirs)

    def agreed(self, picture: Tensor, mine: Tensor) -> Tensor:
        """A picture to which is added what the given frames lack of it, where it is seen in them, (1, 3, H, W).

        What no frame contradicts stays as it is.

        Args:
            picture: (1, 3, H, W).
            mine: (1, 3, h, w) the given frame itself.

        Source:
            M. Irani, S. Peleg, Improving resolution by image registration, CVGIP 1991.
        """
        size, large = (mine.shape[2], mine.shape[3]), (picture.shape[2], picture.shape[3])
        for _ in range(ROUNDS):
            lacks, shown = self._lacks(picture)
            weight = shown * torch.exp(-mean_around(lacks) / TOLERANCE**2)
            brought = self._brought(torch.cat([lacks * weight, weight], 1))
            lacked = bicubic(mine - self.shrink(picture, size), large) + brought[:, :-1]
            picture = (picture + STEP * lacked / (1 + brought[:, -1:])).clamp(0, 1)
        return picture

    def _lacks(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """What each given frame has beyond the picture, carried there and shrunk, and how much of it is shown there."""
        size = (self.given.shape[2], self.given.shape[3])
        carried = warp(picture.expand(len(self.given), -1, -1, -1), self.back)
        return self.given - self.shrink(carried, size), F.interpolate(self.shown, size, mode="area")

    def _brought(self, small: Tensor) -> Tensor:
        """What is told of each given frame, (n, C, h, w), carried to the enlarged one and added up, (1, C, H, W)."""
        return (warp(small, self.to) * self.seen).sum(0, keepdim=True)


def _seen(motion: Motion) -> Tensor:
    """Whether each pixel is where it goes to, and within the frame, in [0, 1]."""
    _, inside = sample(motion.confidence, target_grid(motion.flow))
    return motion.confidence * inside
