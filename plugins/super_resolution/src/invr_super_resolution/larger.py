"""The frames of a clip, enlarged: sharpened, mixed with what was fitted, and made to agree with their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.errors import Unsupported
from invr_core.memory import require_carried
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.sampling import sample, target_grid
from invr_core.transport import neighbours
from invr_core.video import Video
from invr_super_resolution.learning import Resize

ROUNDS = 12
"""Rounds of back-projection of a frame by itself; more change nothing that can be seen."""
AMONG, STEP = 6, 1.5
"""Rounds of back-projection among neighbours, and how much of the mean of what they lack each adds."""
TOLERANCE = 0.04
"""How far, in a 5x5 neighbourhood, a neighbour may be from what is shown there and still count much."""
BELIEVED, MISSED = 0.5, 8 / 255
"""How much the representation's picture counts beside the sharpened one, where it explains the given frame, and how far
it may be from that to count half as much."""


@dataclass(frozen=True, eq=False)
class Larger:
    """The enlarged frames of a clip, each made when it is asked for.

    Args:
        video: the given frames.
        single: each of them enlarged by itself.
        rep: fitted to them, of the same size as those.
        reach: how many frames before and after each one add their samples, at most.
        shrink: frames, size -> frames of that size, as the given ones came about.
    """

    video: Video
    single: Video
    rep: Representation
    reach: int
    shrink: Resize

    def at(self, index: int) -> Tensor:
        """A frame that, shrunk, is the given one and, carried and shrunk, nearly its neighbours, (1, 3, H, W)."""
        own = self.rep(Query(self.video.times[index : index + 1]))
        given = self.video.read([index])
        mixed = torch.lerp(self.single.read([index]).to(own.device), own, self._belief(own, given.to(own.device)))
        return consistent(self._agreed(mixed, index).cpu(), given, self.shrink)

    def _belief(self, own: Tensor, given: Tensor) -> Tensor:
        """How much the representation's picture counts, (1, 1, H, W): the more, the better it explains the input."""
        missed = _around(self.shrink(own, self.video.size) - given)
        return BELIEVED / (1 + F.interpolate(missed, own.shape[2:], mode="bilinear") / MISSED**2)

    def _agreed(self, picture: Tensor, index: int) -> Tensor:
        """A picture to which is added what the given frames around lack of it, where it is seen in them.

        Back-projection among several frames (M. Irani and S. Peleg, Improving resolution by image registration, 1991),
        along the fitted motion. What no frame contradicts stays as it is.
        """
        time = float(self.video.times[index])
        others = neighbours(self.video, time, self.reach, itself=False)
        if not others:
            return picture
        require_carried(2 * len(others), self.rep.size, picture.shape[1], picture.device)
        there = self.video.times[others]
        here = torch.full_like(there, time)
        try:
            to, back = self.rep.motion(here, there), self.rep.motion(there, here)
        except Unsupported:
            return picture
        landing, origin = target_grid(to.flow), target_grid(back.flow)
        given = self.video.read([index, *others]).to(picture.device)
        size, large = self.video.size, self.rep.size
        for _ in range(AMONG):
            shown, inside = sample(picture.expand(len(others), -1, -1, -1), origin)
            lacking = given - self.shrink(torch.cat([picture, shown]), size)
            mine, theirs = lacking[:1], lacking[1:]
            seen = F.interpolate(back.confidence * inside, size, mode="area")
            weight = seen * torch.exp(-_around(theirs) / TOLERANCE**2)
            weighed = F.interpolate(torch.cat([theirs * weight, weight], 1), large, mode="bilinear")
            brought = (sample(weighed, landing)[0] * to.confidence).sum(0, keepdim=True)
            lacked = bicubic(mine, large) + brought[:, :-1]
            picture = (picture + STEP * lacked / (1 + brought[:, -1:])).clamp(0, 1)
        return picture


def _around(difference: Tensor) -> Tensor:
    """Mean square of pictures in squares of 5x5 pixels, (n, 3, H, W) -> (n, 1, H, W)."""
    return F.avg_pool2d(difference.square().mean(1, keepdim=True), 5, 1, 2, count_include_pad=False)


def enlarged(given: Tensor, size: tuple[int, int], shrink: Resize) -> Tensor:
    """Bicubic enlargement that shrinks to the given frames, (n, 3, H, W)."""
    return consistent(bicubic(given, size), given, shrink)


def consistent(picture: Tensor, given: Tensor, shrink: Resize) -> Tensor:
    """Iterative back-projection (Irani & Peleg, 1991): what the shrunk picture lacks of the given one is added."""
    large, small = ((frames.shape[2], frames.shape[3]) for frames in (picture, given))
    for _ in range(ROUNDS):
        picture = (picture + bicubic(given - shrink(picture, small), large)).clamp(0, 1)
    return picture


def bicubic(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Frames of another size, by bicubic interpolation, (n, C, H, W)."""
    return F.interpolate(frames, size, mode="bicubic", align_corners=False)
