"""Pixels handed on from frame to frame into the holes, from both ends of the clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.errors import Unsupported
from invr_core.fill import fill
from invr_core.kriging import Likeness, krige
from invr_core.matching import match, reliable
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.sampling import LOBES, doubled, sample, sample_doubled, target_grid
from invr_core.video import Video

ROUNDS = 3
"""How often pixels are carried; matching, from the second round on, sees what the one before brought."""
PATCH, STRIDE = 16, 8
"""Pixels across the patches that are matched, and from one to the next; larger ones are misled less by textures finer
than the pixels."""
MISLED = 4
"""Pixels around a hole whose matching is misled, in the first round, by the guess that fills it."""
SUPPORT = LOBES + 4
"""Pixels to each side of a place that a look-up by a sinc reads, at most."""
NEVER = 1e6
"""Frames that no pixel travels; stands for infinity where ages are interpolated."""
PROBES = 6
"""Frames from which it is counted how alike pixels are."""


@dataclass(frozen=True, eq=False)
class Filling:
    """What is in the hole of one frame.

    Args:
        values: (3, n) the pixels of the hole, row by row.
        ages: (n,) over how many frames each has come; `NEVER` if it has not.
        ways: (2, n) the same for either way through the clip; None before both have been mixed.
        apart: (n,) mean square difference of what the two ways brought; None likewise.
    """

    values: Tensor
    ages: Tensor
    ways: Tensor | None = None
    apart: Tensor | None = None


class Carried:
    """A clip whose holes are filled with what they hide, as far as it is visible at other times.

    Matching is done between pictures whose holes are filled: first by the representation's own picture, then by what
    was carried into them. Its flow is continued into the holes from their rim. A pixel is handed on from frame to
    frame by a sinc, which hardly blurs however often it is done, so that it travels any number of them; what is shown
    is the mean of that and of a last bicubic look-up: most clips are nearer to it than to either. Where both ends of
    the clip bring something, what travelled less counts more. What neither brings is guessed from around it.

    Args:
        video: the given clip.
        known: one channel, 1 outside the holes.
        rep: fitted to the clip.
        reach: over how many frames a pixel may come.

    Source:
        the propagation of R. Xu et al., Deep Flow-Guided Video Inpainting, CVPR 2019, without its networks.
    """

    def __init__(self, video: Video, known: Video, rep: Representation, reach: int) -> None:
        self.video, self.known, self.rep, self.reach = video, known, rep, reach

    def at(self, index: int) -> Tensor:
        """A frame, (1, 3, H, W); exact outside the hole."""
        return _put(self.video.read([index]), self.hole(index), self.fillings[index].values)

    def hole(self, index: int) -> Tensor:
        """Where the hole of a frame is, (H, W) bool."""
        return self.known.read([index])[0, 0] <= 0.5

    @cached_property
    def fillings(self) -> list[Filling]:
        """What is in the hole of each frame."""
        fillings = [self._own(index) for index in range(len(self.video))]
        for number in range(ROUNDS):
            fillings = self._round(fillings, 0 if number else MISLED)
        return fillings

    def _own(self, index: int) -> Filling:
        """The representation's own picture, its difference from what is known around the hole continued over it."""
        hole, given = self.hole(index), self.video.read([index])
        if not bool(hole.any()):
            return Filling(torch.empty(3, 0), torch.empty(0))
        own = self.rep(Query(self.video.times[index : index + 1])).cpu()
        matched = (own + fill(given - own, (~hole)[None, None].float())).clamp(0, 1)
        return Filling(matched[0][:, hole], torch.full((int(hole.sum()),), NEVER))

    def _round(self, before: list[Filling], misled: int) -> list[Filling]:
        order = range(len(before))
        back = dict(zip(reversed(order), self._pass(before, order[::-1], misled), strict=True))
        ahead = self._pass(before, order, misled)
        return [self._mixed(index, one, back[index]) for index, one in zip(order, ahead, strict=True)]

    def _pass(self, before: list[Filling], order: Sequence[int], misled: int) -> list[Filling]:
        """One way through the clip: what each hole gets from the frame before it on this way.

        Args:
            before: what is in the holes.
            order: of the frames.
            misled: pixels around a hole whose matching is not believed.
        """
        carried: list[Filling] = []
        last_index, (last_whole, last_hole, last_picture, last_age) = -1, (torch.empty(0) for _ in range(4))
        for index in order:
            hole, given = self.hole(index), self.video.read([index])
            whole = _put(given, hole, before[index].values)
            onward = values = before[index].values
            ages = torch.full((int(hole.sum()),), NEVER)
            if carried and bool(hole.any()):
                flow, visible = self._flow(index, last_index, whole, last_whole, hole | last_hole, misled)
                places = target_grid(flow)[:, :, hole].unsqueeze(2)
                soft, inside = sample(last_picture, places, "bicubic")
                sharp = _sharp(last_picture, places)
                lost = inside[0, 0, 0] * visible[0, 0][hole] < 0.5
                ages = sample(last_age, places)[0][0, 0, 0] + 1
                ages = torch.where(lost | (ages > self.reach), NEVER, ages)
                came = ages < NEVER
                onward = torch.where(came, sharp[0, :, 0].clamp(0, 1), onward)
                values = torch.where(came, (sharp + soft)[0, :, 0].clamp(0, 2) / 2, values)
            last_index, last_whole, last_hole = index, whole, hole
            last_picture, last_age = _put(given, hole, onward), _put(torch.zeros_like(given[:, :1]), hole, ages[None])
            carried.append(Filling(values, ages))
        return carried

    def _flow(
        self, here: int, there: int, whole: Tensor, last: Tensor, hole: Tensor, misled: int
    ) -> tuple[Tensor, Tensor]:
        """Where the pixels of one frame are in the one before it, and whether they are visible there.

        Matched and continued into the holes, or else as it is fitted.
        """
        known = (~hole)[None, None].float()
        if reliable(self.video.size) and bool(known.any()):
            flow = match(whole, last, patch=PATCH, stride=STRIDE)
            sure = 1 - F.max_pool2d(1 - known, 2 * misled + 1, 1, misled)
            return fill(flow, sure if bool(sure.any()) else known), torch.ones_like(known)
        try:
            motion = self.rep.motion(self.video.times[[here]], self.video.times[[there]])
        except Unsupported:
            return torch.zeros(1, 2, *self.video.size), known
        return motion.flow.cpu(), motion.confidence.cpu()

    def _mixed(self, index: int, one: Filling, other: Filling) -> Filling:
        """Both ways together, and what neither brought guessed from around it; where nothing is, left as it was."""
        ages = torch.stack([one.ages, other.ages])
        weights = worth(ages)
        total = weights.sum(0)
        values = (weights[0] * one.values + weights[1] * other.values) / total.clamp(min=1e-12)
        came = total > 0
        values = torch.where(came, values, one.values)
        if not bool(came.all()):
            hole = self.hole(index)
            picture = _put(self.video.read([index]), hole, values)
            known = _put(torch.ones_like(picture[:, :1]), hole, came[None].float())
            values = krige(picture, known, self._likeness)[0][:, hole].clamp(0, 1)
        return Filling(values, ages.amin(0), ages, (one.values - other.values).square().mean(0))

    @cached_property
    def _likeness(self) -> Likeness:
        probes = range(0, len(self.video), max(len(self.video) // PROBES, 1))
        return Likeness.of((self.video.read([i]), (~self.hole(i))[None, None].float()) for i in probes)


def worth(ages: Tensor) -> Tensor:
    """What pixels count that have come over so many frames, of any shape: by the power that was best on our clips."""
    return torch.where(ages < NEVER, ages.clamp(min=1) ** -1.5, 0)


def _sharp(picture: Tensor, places: Tensor) -> Tensor:
    """A picture at (1, 2, 1, n) places by a sinc, (1, C, 1, n); only as much of it is `doubled` as that takes."""
    (left, right), (top, bottom) = (
        (max(int(way.min()) - SUPPORT, 0), int(way.max()) + SUPPORT + 2)
        for way in (places[0, 0].clamp(0, picture.shape[3] - 1), places[0, 1].clamp(0, picture.shape[2] - 1))
    )
    part = picture[:, :, top:bottom, left:right]
    return sample_doubled(doubled(part), places - places.new_tensor([left, top]).view(1, 2, 1, 1))[0]


def _put(picture: Tensor, hole: Tensor, values: Tensor) -> Tensor:
    """A picture, (1, C, H, W), with (C, n) other values in its hole, (H, W) bool."""
    filled = picture.clone()
    filled[0][:, hole] = values
    return filled
