"""Noise that grows with brightness, as that of light itself does, made alike everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from invr_core.errors import BadInput


@dataclass(frozen=True)
class Anscombe:
    """The generalised Anscombe transform, from [0, 1] to [0, 1]; nothing at all where noise does not grow.

    Args:
        growth: what the variance of the noise grows by, from black to white; see `invr_core.noise.noise_curve`.
        floor: what it is at black.

    Raises:
        BadInput: if one of them is negative or not a number.

    Source:
        F. Murtagh, J.-L. Starck, A. Bijaoui, Image restoration with noise suppression using a multiresolution support,
        A&A Supplement 1995.

    Example:
        >>> import torch
        >>> photons = torch.poisson(torch.tensor([[20.0], [80.0]]).expand(2, 50_000), torch.Generator().manual_seed(0))
        >>> transform = Anscombe(0.01)
        >>> bool(((transform(photons / 100).std(1) / transform.level - 1).abs() < 0.03).all())
        True
    """

    growth: float = 0.0
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.growth < float("inf") and 0 <= self.floor < float("inf")):
            raise BadInput(f"noise has a growth and a floor of at least 0, got {self.growth} and {self.floor}")

    @property
    def level(self) -> float:
        """The standard deviation of the noise once it is alike everywhere; that at black where it does not grow."""
        return math.sqrt(self.growth) / (2 * self._length) if self.growth else math.sqrt(self.floor)

    @property
    def counted(self) -> bool:
        """Whether it is the noise of counted light alone, which is never negative, so that black shows none."""
        return self.growth > 0 and self.floor <= self.growth**2

    def __call__(self, frames: Tensor) -> Tensor:
        """Frames in [0, 1], any shape, so that their noise is of one level."""
        return (self._root(frames) - self._black) / self._length if self.growth else frames

    def undone(self, means: Tensor) -> Tensor:
        """The frames of which the transformed noisy ones are these in the mean, in [0, 1].

        Source:
            M. Mäkitalo and A. Foi, Optimal Inversion of the Generalized Anscombe Transformation for Poisson-Gaussian
            Noise, TIP 2013, the closed form.
        """
        if not self.growth:
            return means
        root = 2 * (means * self._length + self._black) / math.sqrt(self.growth)
        series = math.sqrt(1.5) / 4 / root - 11 / 8 / root**2 + 5 / 8 * math.sqrt(1.5) / root**3
        counts = root.square() / 4 + series - 1 / 8 - self.floor / self.growth**2
        return (self.growth * counts).clamp(0, 1)

    def variance(self, frames: Tensor) -> Tensor:
        """The variance of the noise that frames in [0, 1] have."""
        return self.growth * frames + self.floor

    def _root(self, frames: Tensor) -> Tensor:
        return (frames.clamp(min=0) + self._shift).sqrt()

    @property
    def _shift(self) -> float:
        return 3 / 8 * self.growth + self.floor / self.growth

    @property
    def _black(self) -> float:
        return math.sqrt(self._shift)

    @property
    def _length(self) -> float:
        return math.sqrt(1 + self._shift) - self._black
