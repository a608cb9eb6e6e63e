"""The options of HNeRV, and how a parameter budget and a frame size become widths and strides."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import ClassVar

import torch

from invr_core.errors import BadInput
from invr_core.models.base import Geometry, ModelConfig, Network, Recipe

TOLERANCE = 0.02
"""How far the parameter count may be from the one asked for."""
MOST_STAGES, LARGEST_STRIDE, WIDEST = 8, 16, 1 << 16


@dataclass(frozen=True)
class HNeRV(ModelConfig):
    """A frame's embedding, found by an encoder, turned into the frame by a convolutional decoder.

    The size counts the decoder and the embeddings; the encoder is dropped after the fit. The paper's loss is the
    squared difference (`invr_core.observation.squared`); here, as for every model, the observation chooses it.

    Source: paper §3; §4.1 for the sizes and the recipe. Differs: width is a real number, rounded at each stage by
    itself, so that any size is met; strides adapt to frames of other sizes than the paper's.

    Example:
        >>> clip = Geometry((0.0, 0.04), (0.0, 0.04), (640, 1280))
        >>> solved = HNeRV(params=1_500_000).solve(clip)
        >>> solved.strides, solved.grid(clip)
        ((5, 4, 4, 2, 2), (2, 4))
    """

    name: ClassVar[str] = "hnerv"
    recipe: ClassVar[Recipe] = Recipe(learning_rate=1e-3, batch=2, warmup=0.1, epochs=(300, 300))

    params: int = 0
    """How many parameters in all, met within 2 %; 0 for about a twentieth of the clip's samples."""
    strides: tuple[int, ...] = ()
    """By how much each decoder stage enlarges, the first at the embedding; () lets `solve` choose."""
    width: float = 0.0
    """Channels before the first stage; 0 lets `solve` choose."""
    embedding: int = 16
    """Channels of an embedding."""
    encoder: int = 64
    """Channels of the encoder, which is not stored."""
    reduction: float = 1.2
    """By how much each stage is narrower than the one before."""
    lower_width: int = 12
    """Channels that no stage falls below."""

    def solve(self, geometry: Geometry) -> HNeRV:
        """Decide strides and width; see `ModelConfig.solve`."""
        samples = 3 * len(geometry.times) * geometry.size[0] * geometry.size[1]
        params = self.params or max(round(samples / 20), 40_000)
        solved = replace(self, params=params, strides=self.strides or choose_strides(geometry.size))
        if solved.width:
            return solved
        below, above = 1.0, 2.0
        while solved._count(above, geometry) < params and above < WIDEST:
            below, above = above, 2 * above
        while above - below > 1e-3:
            middle = (below + above) / 2
            below, above = (middle, above) if solved._count(middle, geometry) < params else (below, middle)
        counts = {width: solved._count(width, geometry) for width in (below, above)}
        width = min(counts, key=lambda each: abs(counts[each] - params))
        if self.params and abs(counts[width] - params) > TOLERANCE * params:
            possible = " or ".join(f"{count:,}" for count in sorted(set(counts.values())))
            raise BadInput(
                f"hnerv cannot have {params:,} parameters for this clip; the nearest it can have: {possible} (--params)"
            )
        return replace(solved, width=width, params=params if self.params else counts[width])

    def _count(self, width: float, geometry: Geometry) -> int:
        """How many parameters a network of this width has; nothing is allocated."""
        with torch.device("meta"):
            return replace(self, width=width).build(geometry).counted()

    def grid(self, geometry: Geometry) -> tuple[int, int]:
        """(h, w) of an embedding."""
        factor = math.prod(self.strides)
        return math.ceil(geometry.size[0] / factor), math.ceil(geometry.size[1] / factor)

    def channels(self) -> tuple[int, ...]:
        """Channels before the first decoder stage and after each one."""
        lower = [max(round(self.width / self.reduction**i), self.lower_width) for i in range(1, len(self.strides) + 1)]
        return (max(round(self.width), 1), *lower)

    def build(self, geometry: Geometry) -> Network:
        """The network, see `invr_core.models.hnerv.network.HNeRVNetwork`.

        Raises:
            BadInput: if a size is out of range, or not solved yet.
        """
        from invr_core.models.hnerv.network import HNeRVNetwork

        stages = 1 <= len(self.strides) <= MOST_STAGES and all(1 <= s <= LARGEST_STRIDE for s in self.strides)
        widths = all(1 <= w <= WIDEST for w in (self.width, self.embedding, self.encoder, self.lower_width))
        if not (stages and widths and 1 <= self.reduction <= 4):
            raise BadInput(
                f"{self} is out of range: 1 to {MOST_STAGES} strides of 1 to {LARGEST_STRIDE}, "
                f"widths from 1 to {WIDEST}, a reduction from 1 to 4; `solve` decides what is 0 or ()"
            )
        with torch.random.fork_rng(devices=[]):
            return HNeRVNetwork(self, geometry)


def choose_strides(size: tuple[int, int]) -> tuple[int, ...]:
    """The strides for a frame size: the published ones for the published sizes.

    The embedding is two (else three) cells on the shorter side, as in the paper, with as little padding as can be;
    strides fall from first to last, end in 2, and are large at the start.

    Args:
        size: (H, W) of the frame, in pixels.

    Example:
        >>> choose_strides((640, 1280)), choose_strides((960, 1920)), choose_strides((160, 320))
        ((5, 4, 4, 2, 2), (5, 4, 4, 3, 2), (5, 4, 2, 2))
    """
    heads = (head for count in range(6) for head in combinations_with_replacement((5, 4, 3, 2), count))
    return min(((*head, 2) for head in heads), key=lambda strides: _cost(strides, size))


def _cost(strides: tuple[int, ...], size: tuple[int, int]) -> tuple[float, ...]:
    factor = math.prod(strides)
    cells = [math.ceil(side / factor) for side in size]
    amiss = max(2 - min(cells), min(cells) - 3, 0)
    padding = math.prod(cells) * factor**2 / math.prod(size)
    return (amiss, round(padding, 2), -factor, *(-stride for stride in strides))
