"""The options of the Coupled WarpRNN, and how a parameter budget becomes sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from invr_core.errors import BadInput
from invr_core.models.base import Geometry, ModelConfig, Network, Recipe
from invr_core.observation import Observation

MOTION_SHARE, ANCHOR_SHARE = 0.3, 0.6
"""Shares of the parameters that are not network weights; the rest is the residual's appearance."""
LEVELS = ((1, 4, 0.4), (4, 2, 0.5), (16, 2, 1.0))
"""Of each appearance level: intervals from node to node, channels, share of what the levels before it have left."""
RICHNESS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Factors of the levels' channels that are tried until a budget is met: small ones leave the rest to resolution."""
SAMPLES_PER_SECOND = (3e6, 3e8)
"""About how many samples a fit goes through in a second, on two cores of a CPU and on a GPU."""
LEAST, MOST = 60_000, 10_000_000
"""Parameters of a model whose size is left open: at the least, and the most by which it has more than its share."""
SHARE, PLAIN_SHARE = 1 / 20, 1 / 5
"""Parameters for each sample of the clip, and where the given frames are the clip as it is (`Observation.plain`)."""
STRIDE = 8
"""Most intervals that a step of the recurrence spans."""
CHROMA = 3
"""How much coarser than its luma the chroma of an anchor is, in each direction."""
APART = 24
"""Most intervals from one anchor to the next."""
MOST_ROUNDS = 64
"""Steps from one anchor to the next that a config may ask for; `solve` needs three, a stranger might want no end."""
PARTS = ("warp", "coupling", "grid", "refinement", "recurrence", "backward")
"""What can be left out: motion altogether; the warped appearance in the motion update; the mixed residual grid (the
anchors get its parameters); the correction of the flow and the gate; the updates of the states; the anchor after."""


@dataclass(frozen=True)
class CWRNN(ModelConfig):
    """Coupled WarpRNN with a mixed residual grid.

    The fields from ``segments`` on are sizes; 0 or () lets `solve` choose them.
    """

    name: ClassVar[str] = "cwrnn"
    recipe: ClassVar[Recipe] = Recipe(learning_rate=5e-3, batch=4, warmup=0.05, epochs=(12, 60), matrix_rate=0.04)

    params: int = 0
    """How many parameters in all, met within 2 %; 0 for a twentieth of the clip's samples, or what is `suited`."""
    channels: int = 16
    """Channels of each of the two recurrent states."""
    width: int = 16
    """Channels of the cells at half resolution."""
    depth: int = 2
    """How many cells at half resolution."""
    without: str = ""
    """A part to leave out, to see what it is worth: warp, coupling, grid, refinement, recurrence or backward."""
    warm_start: bool = True
    """Whether motion starts from OpenCV's DIS flow between the given frames."""
    segments: int = 0
    """Stretches between anchors."""
    rounds: int = 0
    """Steps of the recurrence from one anchor to the next."""
    stride: int = 0
    """Intervals (between given frames) that a step of the recurrence spans."""
    anchor_size: tuple[int, ...] = ()
    """(h, w) of an anchor's luma; its chroma is `CHROMA` times coarser."""
    motion_size: tuple[int, ...] = ()
    """(h, w) of the velocity field."""
    coarse_size: tuple[int, ...] = ()
    """(h, w) of the recurrent states."""
    levels: tuple[tuple[int, ...], ...] = ()
    """(instants, channels, h, w) of each level of the residual's appearance."""

    def suited(self, observation: Observation, minutes: float | None, accelerated: bool) -> CWRNN:
        """Most parameters where all that is given is true; else more, the longer the fit; see `ModelConfig.suited`.

        What is given of a plain clip is learned the better, and the sooner, the more there are; what is hidden or lost
        is guessed worse by many, and noise is learned by them.
        """
        samples = 3 * math.prod(observation.clip_size) * len(observation.video)
        wanted = SHARE * samples
        if observation.plain:
            wanted = max(wanted, min(PLAIN_SHARE * samples, MOST))
        elif minutes is not None:
            epochs = 60 * minutes * SAMPLES_PER_SECOND[accelerated] / samples
            wanted *= min(max(math.sqrt(epochs / self.recipe.epochs[0]), 0.5), 3.0)
        if self.params or self.levels or max(wanted, SHARE * samples) <= LEAST:
            return self  # of a small clip `solve` makes what can be made
        return replace(self, params=max(round(wanted), LEAST))

    def solve(self, geometry: Geometry) -> CWRNN:
        """Decide every size; see `ModelConfig.solve`."""
        if self.levels:
            return self
        self._require_part()
        height, width = geometry.size
        params = self.params or max(round(SHARE * 3 * height * width * len(geometry.times)), LEAST)
        start = replace(
            self,
            params=params,
            segments=1,
            rounds=1,
            stride=1,
            anchor_size=(1, 1),
            motion_size=(1, 1),
            coarse_size=(max(math.ceil(height / 8), 2), max(math.ceil(width / 8), 2)),
        )
        tried = [start._spend(params, geometry, richness) for richness in RICHNESS]
        counts = {}
        for solved in tried:
            counts[solved] = solved.count(geometry)
            if abs(counts[solved] - params) <= 0.01 * params:
                return solved
        below = [solved for solved in tried if counts[solved] <= params]
        if not self.params and below:
            return max(below, key=lambda solved: counts[solved])
        possible = start._most(max(counts[solved] for solved in below), geometry) if below else start._least(geometry)
        raise BadInput(
            f"{params:,} parameters are too {'many' if below else 'few'} for this clip of {width}x{height} and "
            f"{len(geometry.times)} frames; give at {'most' if below else 'least'} {possible:,} (--params)"
        )

    def _least(self, geometry: Geometry) -> int:
        """The smallest budget, to a few percent, that can be met."""
        params = self._spend(0, geometry, 1).count(geometry)
        while abs(self._spend(params, geometry, 1).count(geometry) - params) > 0.01 * params:
            params = math.ceil(1.02 * params)
        return params

    def _most(self, params: int, geometry: Geometry) -> int:
        """The largest budget, to a percent, that can be met, of those up to one."""
        while True:
            counts = [self._spend(params, geometry, richness).count(geometry) for richness in RICHNESS]
            if any(abs(count - params) <= 0.01 * params for count in counts):
                return params
            below = [count for count in counts if count < params]
            if not below:
                return self._least(geometry)
            params = max(below)

    def _spend(self, params: int, geometry: Geometry, richness: int) -> CWRNN:
        """Sizes that spend a budget: on the network first, then on anchors and motion, and on detail what is left."""
        intervals = max(len(geometry.times) - 1, 1)
        bare = replace(self, levels=tuple((1, richness * channels, 1, 1) for _, channels, _ in LEVELS))
        weights = bare._weights(geometry)
        stored = max(params - weights, 0)
        if self.without == "grid":
            return replace(bare._anchors(geometry, intervals, stored), levels=bare.levels)
        solved = bare._anchors(geometry, intervals, ANCHOR_SHARE * stored)
        motion = _fit_area(geometry.size, MOTION_SHARE * stored / (2 * solved.segments * solved.steps), finest=4)
        solved = replace(solved, motion_size=motion)
        left = params - weights - solved._stored(levels=False)
        return replace(solved, levels=_levels(geometry.size, intervals, left, richness))

    def _anchors(self, geometry: Geometry, intervals: int, share: float) -> CWRNN:
        """As many anchors as the share pays for at full resolution, from one each 4 to one each `APART` intervals."""
        pixels = math.prod(geometry.size)
        each = 1 + 2 * math.prod(replace(self, anchor_size=geometry.size).chroma_size) / pixels
        affordable = share / (each * pixels)
        segments = min(max(math.floor(affordable) - 1, math.ceil(intervals / APART), 1), math.ceil(intervals / 4))
        apart = math.ceil(intervals / segments)
        rounds = max(math.ceil(apart / STRIDE), min(apart, 2))  # the second step is the first that coupling reaches
        stride = math.ceil(apart / rounds)
        segments = math.ceil(intervals / (rounds * stride))
        size = _fit_area(geometry.size, share / (each * (segments + 1)), finest=1)
        return replace(self, segments=segments, rounds=rounds, stride=stride, anchor_size=size)

    @property
    def chroma_size(self) -> tuple[int, int]:
        """(h, w) of an anchor's chroma."""
        return math.ceil(self.anchor_size[0] / CHROMA), math.ceil(self.anchor_size[1] / CHROMA)

    @property
    def steps(self) -> int:
        """Intervals from one anchor to the next."""
        return self.rounds * self.stride

    def _stored(self, levels: bool = True) -> int:
        anchors = (self.segments + 1) * (math.prod(self.anchor_size) + 2 * math.prod(self.chroma_size))
        motion = 2 * self.segments * self.steps * math.prod(self.motion_size)
        return anchors + motion + (sum(math.prod(level) for level in self.levels) if levels else 0)

    def _weights(self, geometry: Geometry) -> int:
        """Parameters of the network proper: what is there beside anchors and grids."""
        single = replace(geometry, times=geometry.times[:2])
        return self.count(single) - self._stored()

    def count(self, geometry: Geometry) -> int:
        """How many parameters a network of these sizes has; nothing is allocated."""
        with torch.device("meta"):
            return self.build(geometry).counted()

    def build(self, geometry: Geometry) -> Network:
        """The network; see `invr_core.models.cwrnn.network.CWRNNNetwork`."""
        from invr_core.models.cwrnn.network import CWRNNNetwork

        self._require_whole(geometry)
        return CWRNNNetwork(self, geometry)

    def _require_part(self) -> None:
        if self.without not in ("", *PARTS):
            raise BadInput(f"without must be one of {', '.join(PARTS)}, got {self.without!r}")

    def _require_whole(self, geometry: Geometry) -> None:
        """Refuse sizes that `solve` would not choose: they may come from a stranger's file."""
        limits = {
            "channels": 1024,
            "width": 1024,
            "depth": 64,
            "rounds": MOST_ROUNDS,
            "stride": STRIDE,
        }
        for name, most in limits.items():
            if not 1 <= getattr(self, name) <= most:
                raise BadInput(f"{name} of the cwrnn model must be from 1 to {most}, got {getattr(self, name)}")
        self._require_part()
        intervals = max(len(geometry.times) - 1, 1)
        sizes = [self.anchor_size, self.motion_size, self.coarse_size, *(level[2:] for level in self.levels)]
        most_high, most_wide = max(geometry.size[0], 2), max(geometry.size[1], 2)
        whole = (
            len(self.levels) == len(LEVELS)
            and all(len(level) == 4 and min(level) >= 1 for level in self.levels)
            and all(len(size) == 2 and 1 <= size[0] <= most_high and 1 <= size[1] <= most_wide for size in sizes)
            and 1 <= self.segments <= intervals <= self.segments * self.steps
        )
        if not whole:
            raise BadInput("the sizes of this cwrnn config do not fit its clip; build what `solve` returns")


def _fit_area(size: tuple[int, int], area: float, finest: float) -> tuple[int, int]:
    """The (h, w) of a frame's shape with about ``area`` cells, at most ``1 / finest`` of the frame."""
    height, width = size
    scale = min(math.sqrt(max(area, 1) / (height * width)), 1 / finest)
    h = max(min(math.floor(height * scale), math.floor(area)), 1)
    w = max(min(math.floor(area / h), math.ceil(width / finest)), 1)
    return h, w


def _levels(size: tuple[int, int], intervals: int, budget: int, richness: int) -> tuple[tuple[int, ...], ...]:
    """The appearance levels that spend a budget, each with ``richness`` times its usual channels."""
    levels: list[tuple[int, ...]] = []
    for every, channels, share in LEVELS:
        instants = max(round(intervals / every), 1)
        left = budget - sum(math.prod(level) for level in levels)
        cells = share * left / (instants * channels * richness)
        levels.append((instants, channels * richness, *_fit_area(size, cells, finest=2)))
    return tuple(levels)
