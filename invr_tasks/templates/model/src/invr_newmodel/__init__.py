"""A clip as a grid of features in time and space, turned into frames by a small convolutional decoder."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from invr_core.errors import BadInput
from invr_core.models.base import Geometry, ModelConfig, Network, Recipe
from invr_core.observation import Observation

__all__ = ["NewModel", "NewModelNetwork"]

CELL = 8
"""Pixels along each side of a cell of the grid; the decoder doubles the size three times."""
FRAMES_PER_NODE = 2
"""Given frames for each instant at which the grid has features of its own."""
MOST_CHANNELS, WIDEST = 16, 512
"""What `solve` chooses at the most."""


@dataclass(frozen=True)
class NewModel(ModelConfig):
    """How large the grid and the decoder are. What is 0 is chosen by `solve`."""

    name: ClassVar[str] = "newmodel"
    recipe: ClassVar[Recipe] = Recipe(learning_rate=2e-2, batch=2, warmup=0.1, epochs=(100, 300))

    params: int = 0
    """How many parameters in all, met within 2 %; 0 for about a twentieth of the clip's samples."""
    channels: int = 0
    """Features of each cell of the grid."""
    width: int = 0
    """Channels of the decoder."""

    def solve(self, geometry: Geometry) -> NewModel:
        """The most features that leave a decoder with which the count is met; see `ModelConfig.solve`."""
        samples = 3 * len(geometry.times) * math.prod(geometry.size)
        asked = replace(self, params=self.params or max(samples // 20, 40_000))
        if self.channels and self.width:
            return asked
        widths = (self.width,) if self.width else range(1, WIDEST + 1)
        for channels in (self.channels,) if self.channels else range(MOST_CHANNELS, 0, -1):
            sized = [replace(asked, channels=channels, width=width) for width in widths]
            reached = bisect_left(sized, asked.params, key=lambda config: config._count(geometry))
            for config in sized[max(reached - 1, 0) : reached + 1]:
                if abs(config._count(geometry) - asked.params) <= 0.02 * asked.params:
                    return config
        raise BadInput(f"newmodel cannot have {asked.params:,} parameters for this clip; ask for more, or leave it out")

    def build(self, geometry: Geometry) -> Network:
        """The network; see `ModelConfig.build`."""
        if not (1 <= self.channels <= 1024 and 1 <= self.width <= 1024):
            raise BadInput(f"channels and width must be from 1 to 1024, got {self.channels} and {self.width}")
        return NewModelNetwork(self, geometry)

    def _count(self, geometry: Geometry) -> int:
        """How many parameters the network has; nothing is allocated."""
        with torch.device("meta"):
            return self.build(geometry).counted()


class NewModelNetwork(Network):
    """The grid, linear in time between its nodes, and the decoder.

    Args:
        config: solved.
        geometry: of the clip.
    """

    def __init__(self, config: NewModel, geometry: Geometry) -> None:
        super().__init__()
        self.span, self.size = geometry.span, geometry.size
        height, width = (math.ceil(side / CELL) for side in geometry.size)
        nodes = max(math.ceil(len(geometry.times) / FRAMES_PER_NODE), 2)
        self.grid = nn.Parameter(torch.zeros(nodes, config.channels, height, width))
        stages: list[nn.Module] = []
        for before in (config.channels, config.width, config.width):
            stages += [nn.Conv2d(before, 4 * config.width, 3, padding=1), nn.PixelShuffle(2), nn.GELU()]
        self.decoder = nn.Sequential(*stages, nn.Conv2d(config.width, 3, 3, padding=1), nn.Sigmoid())

    def forward(self, times: Tensor, part: str = "full") -> Tensor:
        """Render; see `invr_core.models.base.Network`."""
        first, last = self.span
        position = (times - first) / max(last - first, 1e-9) * (len(self.grid) - 1)
        before = position.floor().clamp(0, len(self.grid) - 2)
        share = (position - before).to(self.grid).view(-1, 1, 1, 1)
        index = before.long().to(self.grid.device)
        frames: Tensor = self.decoder(torch.lerp(self.grid[index], self.grid[index + 1], share))
        return frames[:, :, : self.size[0], : self.size[1]]

    def start(self, observation: Observation, generator: torch.Generator) -> None:
        """Draw all weights from the generator, so that the same seed gives the same bits."""
        nn.init.normal_(self.grid, std=0.1, generator=generator)
        for parameter in self.decoder.parameters():
            if parameter.ndim == 4:  # a kernel; the others are biases
                nn.init.kaiming_normal_(parameter, generator=generator)
            else:
                nn.init.zeros_(parameter)
