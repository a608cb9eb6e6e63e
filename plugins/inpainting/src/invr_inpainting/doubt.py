"""How far the pixels of a hole may be off."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.fill import fill
from invr_inpainting.carrying import NEVER, Carried, worth

WINDOW = 9
"""Pixels across the square over which signs of error are averaged."""
A_FRAME = 0.1
"""Square error for each frame that a pixel has come, as a share of the texture, where no two ways can be compared."""
PAIRS = 200
"""Pairs of pixels as many as which that guess counts."""
GUESSED = 0.15
"""Square error one pixel from what is known, where it is guessed, as a share of the texture, that around it and that of
the whole hole; it grows as the distance's square root."""


class Doubt:
    """The square error that is expected of what was carried into the holes of a clip, and guessed in them.

    Errors of a pixel that is handed on add up, frame by frame, and are larger where there is more texture. How large
    they are on this clip is told by the pixels that came both ways: how far the two are apart. Near such pixels it is
    also told by those around. What is guessed is worse the farther it is from what is known.

    Args:
        carried: the clip with its holes filled.
    """

    def __init__(self, carried: Carried) -> None:
        self.carried = carried

    def at(self, index: int) -> Tensor:
        """Of one frame, (1, 1, H, W); 0 outside the hole."""
        hole, filling = self.carried.hole(index), self.carried.fillings[index]
        expected = torch.zeros(1, 1, *hole.shape)
        if filling.ways is None or filling.apart is None or not bool(hole.any()):
            return expected
        came, both = filling.ages < NEVER, (filling.ways < NEVER).all(0)
        texture = self._texture(index)[hole]
        frame = self.share * texture
        pairs = _spread(hole, both)
        apart = _spread(hole, torch.where(both, filling.apart / filling.ways.sum(0), 0))
        around = (_averaged(apart) / _averaged(pairs).clamp(min=1e-8))[0, 0][hole]
        frame = torch.where(both, (frame + around) / 2, frame)
        far = torch.from_numpy(
            cv2.distanceTransform(_spread(hole, ~came)[0, 0].numpy().astype(np.uint8), cv2.DIST_L2, 5)
        )
        guessed = GUESSED * (texture * texture.mean() * far[hole]).sqrt()
        expected[0, 0][hole] = torch.where(came, frame * _grown(filling.ways), guessed)
        return expected

    @cached_property
    def share(self) -> float:
        """The square error of a pixel for each frame that it comes, as a share of the texture, on this clip."""
        apart, texture, pairs = 0.0, 0.0, 0
        for index, filling in enumerate(self.carried.fillings):
            if filling.ways is None or filling.apart is None:
                continue
            both = (filling.ways < NEVER).all(0)
            if bool(both.any()):
                apart += float((filling.apart / filling.ways.sum(0))[both].sum())
                texture += float(self._texture(index)[self.carried.hole(index)][both].sum())
                pairs += int(both.sum())
        usual = max(texture / pairs, 1e-8) if pairs else 1.0
        return (apart + PAIRS * usual * A_FRAME) / ((pairs + PAIRS) * usual)

    def _texture(self, index: int) -> Tensor:
        """Mean square change to the next pixels, (H, W), of what is known or was carried, continued over the rest.

        1 everywhere if nothing is.
        """
        hole, filling = self.carried.hole(index), self.carried.fillings[index]
        sound = 1 - _spread(hole, filling.ages >= NEVER)
        picture = self.carried.at(index)
        change, counts = torch.zeros_like(sound), torch.zeros_like(sound)
        for axis in (2, 3):
            steps = picture.diff(dim=axis).square().mean(1, keepdim=True)
            length = steps.shape[axis]
            sure = sound.narrow(axis, 0, length) * sound.narrow(axis, 1, length)
            change.narrow(axis, 0, length).add_(steps * sure)
            counts.narrow(axis, 0, length).add_(sure)
        mean, near = _averaged(change), _averaged(counts)
        seen = (near > 0.1).float()
        if not bool(seen.any()):
            return torch.ones(hole.shape)
        return fill(2 * mean / near.clamp(min=1e-8) * seen, seen).clamp(min=0)[0, 0]


def _grown(ways: Tensor) -> Tensor:
    """Over how many frames errors add up where both ways, (2, n), are weighed by their ages."""
    shares = worth(ways)
    return (shares.square() * ways.clamp(min=1)).sum(0) / shares.sum(0).clamp(min=1e-12).square()


def _spread(hole: Tensor, values: Tensor) -> Tensor:
    """Values of the pixels of a hole as a picture, (1, 1, H, W), 0 elsewhere."""
    picture = torch.zeros(1, 1, *hole.shape)
    picture[0, 0][hole] = values.float()
    return picture


def _averaged(picture: Tensor) -> Tensor:
    return F.avg_pool2d(picture, WINDOW, 1, WINDOW // 2)
