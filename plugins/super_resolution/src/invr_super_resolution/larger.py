"""The frames of a clip, enlarged: sharpened, mixed with what was fitted, and made to agree with their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_super_resolution.backprojection import Resize, consistent, mean_around
from invr_super_resolution.neighbourhood import Neighbourhood

MISSED = 8 / 255
"""How far the representation's picture, shrunk, may be from the given frame and still count half as much."""


@dataclass(frozen=True, eq=False)
class Larger:
    """The enlarged frames of a clip, each made when it is asked for.

    Args:
        video: the given frames.
        single: each of them enlarged by itself.
        rep: fitted to them, of the same size as those.
        reach: how many frames before and after each one add what they hold, at most.
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
        given, single = (video.read([index]).to(own.device) for video in (self.video, self.single))
        around = Neighbourhood.of(self.video, self.rep, index, self.reach, self.shrink)
        mixed = torch.lerp(single, own, self._share(own, single, given, around))
        agreed = mixed if around is None else around.agreed(mixed, given)
        return consistent(agreed, given, self.shrink)

    def _share(self, own: Tensor, single: Tensor, given: Tensor, around: Neighbourhood | None) -> Tensor:
        """What the representation's picture counts, (1, 1, H, W): the better it explains what is given, the more."""
        missed = mean_around(self.shrink(own, self.video.size) - given)
        explains = 1 / (1 + F.interpolate(missed, own.shape[2:], mode="bilinear") / MISSED**2)
        return explains * (0.5 if around is None else around.prefers(own, single))
