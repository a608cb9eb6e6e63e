"""Noise that grows with brightness, as that of light itself does, made alike everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Stabiliser:
    """The generalised Anscombe transform, from [0, 1] to [0, 1]; nothing at all where noise does not grow.

    Args:
        growth: what the variance of the noise grows by, from black to white.
        floor: what it is at black.

    Source:
        F. Murtagh, J.-L. Starck, A. Bijaoui, Image restoration with noise suppression using a multiresolution support,
        A&A Supplement 1995.
    """

    growth: float = 0.0
    floor: float = 0.0

    def __call__(self, frames: Tensor) -> Tensor:
        """Frames in [0, 1], so that their noise is of one level."""
        if not self.growth:
            return frames
        black, white = self._root(0.0), self._root(1.0)
        return ((frames + self._shift).sqrt() - black) / (white - black)

    def undone(self, means: Tensor) -> Tensor:
        """The frames of which the stabilised noisy ones are these in the mean, in [0, 1].

        Source:
            M. Mäkitalo and A. Foi, Optimal Inversion of the Generalized Anscombe Transformation for Poisson-Gaussian
            Noise, TIP 2013, the closed form.
        """
        if not self.growth:
            return means
        black, white = self._root(0.0), self._root(1.0)
        root = 2 * (means * (white - black) + black) / math.sqrt(self.growth)
        series = math.sqrt(1.5) / 4 / root - 11 / 8 / root**2 + 5 / 8 * math.sqrt(1.5) / root**3
        counts = root.square() / 4 + series - 1 / 8 - self.floor / self.growth**2
        return (self.growth * counts).clamp(0, 1)

    def variance(self, frames: Tensor, level: float) -> Tensor | float:
        """The variance of the noise of frames as they are, from its level once stabilised."""
        if not self.growth:
            return level**2
        white_from_black = self._root(1.0) - self._root(0.0)
        return (2 * level * white_from_black) ** 2 * (frames + self._shift)

    @property
    def _shift(self) -> float:
        return 3 / 8 * self.growth + self.floor / self.growth

    def _root(self, brightness: float) -> float:
        return math.sqrt(brightness + self._shift)
