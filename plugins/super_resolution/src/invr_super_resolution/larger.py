"""The frames of a clip, enlarged: each one and its neighbours, and the representation's picture, as far as believed."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.transport import mean, neighbours, transport
from invr_core.video import Video
from invr_super_resolution.learning import Resize, Sharpener, learned, sharpened

ROUNDS = 12
"""Rounds of back-projection; more change nothing that can be seen."""
TOLERANCE = 0.04
"""How far, in a 5x5 neighbourhood, a carried picture may differ from the frame itself and still count much."""
OWN_WEIGHT = 0.02
"""What the representation's own picture counts beside a carried one, where frames are merged."""
MISSED, APART = 2 / 255, 0.04
"""How far the representation's picture, shrunk, may be from the given one, and how far itself from what was merged, to
be believed half, at a credit of 1."""
TRIALS = 6
"""Frames by which the credit of the representation's pictures is told."""


class Larger:
    """The enlarged frames of a clip, each made when it is asked for.

    Args:
        video: the given frames.
        rep: fitted to them, of the size that they are to have.
        scale: how much larger that is.
        reach: how many frames before and after each one add their samples, at most.
        shrink: frames, size -> frames of that size, as the given ones came about.
    """

    def __init__(self, video: Video, rep: Representation, scale: float, reach: int, shrink: Resize) -> None:
        self.video, self.rep, self.scale, self.reach, self.shrink = video, rep, scale, reach, shrink

    def at(self, index: int) -> Tensor:
        """A frame, merged with its neighbours and, as far as believed, the representation's picture, (1, 3, H, W)."""
        own, given = self._own(index), self.video.read([index])
        merged = self._merged(index, own)
        believed = torch.lerp(merged, own, self._sure(own, merged, given.to(own.device)))
        return _consistent(believed.cpu(), given, self.shrink)

    @cached_property
    def credit(self) -> float:
        """How much better the representation's pictures explain the next given frames than merged ones do.

        The ratio of mean square errors of some frames, carried there and shrunk; 1 where nothing is carried. Above 1,
        the representation shows detail that is true, though it has it from other frames.
        """
        missed, video = torch.zeros(2), self.video
        if len(video) < 3:
            return 1.0
        for index in np.unique(np.linspace(1, len(video) - 2, TRIALS).round().astype(int)).tolist():
            own = self._own(index)
            for which, picture in enumerate((self._merged(index, own), own)):
                shown = _consistent(picture.cpu(), video.read([index]), self.shrink)
                missed[which] += sum(self._missed(shown, index, other) for other in (index - 1, index + 1))
        return float(missed[0] / missed[1]) if bool((missed > 0).all()) else 1.0

    @cached_property
    def _sharpener(self) -> Sharpener:
        enlarge = partial(_enlarged, shrink=self.shrink)
        return learned(self.video, self.scale, enlarge, self.shrink, self.rep.device)

    @cached_property
    def _single(self) -> Video:
        """Each frame enlarged by itself; it knows nothing of the object that keeps it, so both go together."""
        video, shrink, size, device, network = self.video, self.shrink, self.rep.size, self.rep.device, self._sharpener

        def sharp(given: Tensor) -> Tensor:
            picture = sharpened(network, _enlarged(given, size, shrink).to(device))
            return _consistent(picture.cpu(), given, shrink)

        large = replace(video, size=size, read=lambda indices: sharp(video.read(indices)))
        return large.remembered(2 * self.reach + 1)

    def _own(self, index: int) -> Tensor:
        return self.rep(Query(self.video.times[index : index + 1]))

    def _merged(self, index: int, own: Tensor) -> Tensor:
        """A frame and its neighbours, carried to it, as far as they agree, (1, 3, H, W)."""
        time = float(self.video.times[index])
        brought = transport(self._single, self.rep, time, neighbours(self._single, time, self.reach))
        here = (brought.seconds == 0).view(-1, 1, 1, 1).to(own.device)
        agreement = torch.exp(-_around(brought.pictures - brought.pictures[here.flatten()]) / TOLERANCE**2)
        weights = torch.where(here, 1.0, brought.validity * agreement)
        return mean(brought.pictures, weights, own, OWN_WEIGHT)[0]

    def _missed(self, picture: Tensor, index: int, other: int) -> Tensor:
        """The mean square error of a frame, carried to the instant of another given one and shrunk, beside that."""
        shown = Video.of(picture, self.video.times[index : index + 1])
        brought = transport(shown, self.rep, float(self.video.times[other]), [0])
        given = self.video.read([other]).to(brought.pictures.device)
        apart = (self.shrink(brought.pictures, self.video.size) - given).square().mean(1, keepdim=True)
        seen = F.interpolate(brought.validity, self.video.size, mode="area")
        return ((seen * apart).sum() / seen.sum().clamp(min=1)).cpu()

    def _sure(self, own: Tensor, merged: Tensor, given: Tensor) -> Tensor:
        """How much the representation's picture is believed, (1, 1, H, W).

        The more, the better it explains the input; the less, the farther it is from what was merged: what it shows
        between the samples of the input, beside a hard edge above all, no input can tell to be wrong.
        """
        missed = _around(self.shrink(own, self.video.size) - given)
        missed = F.interpolate(missed, own.shape[2:], mode="bilinear")
        trust = self.credit**2
        return 1 / (1 + missed / (MISSED * trust) ** 2) / (1 + _around(own - merged) / (APART * trust) ** 2)


def _around(difference: Tensor) -> Tensor:
    """Mean square of pictures in squares of 5x5 pixels, (n, 3, H, W) -> (n, 1, H, W)."""
    return F.avg_pool2d(difference.square().mean(1, keepdim=True), 5, 1, 2, count_include_pad=False)


def _enlarged(given: Tensor, size: tuple[int, int], shrink: Resize) -> Tensor:
    """Bicubic enlargement that shrinks to the given frames, (n, 3, H, W)."""
    return _consistent(_bicubic(given, size), given, shrink)


def _consistent(picture: Tensor, given: Tensor, shrink: Resize) -> Tensor:
    """Iterative back-projection (Irani & Peleg, 1991): what the shrunk picture lacks of the given one is added."""
    large, small = ((frames.shape[2], frames.shape[3]) for frames in (picture, given))
    for _ in range(ROUNDS):
        picture = (picture + _bicubic(given - shrink(picture, small), large)).clamp(0, 1)
    return picture


def _bicubic(frames: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(frames, size, mode="bicubic", align_corners=False)
