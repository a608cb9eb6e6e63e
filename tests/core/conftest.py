"""A model of three numbers, to look into the training loop with; and a small clip that moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from invr_core.fitted import Fitted
from invr_core.models.base import Geometry, ModelConfig, Network, Recipe
from invr_core.observation import Observation, squared
from invr_core.query import Query
from invr_core.testing import MovingDisc
from invr_core.video import Video


class FlatNetwork(Network):
    """One colour at all instants. ``before`` is called in each rendering."""

    before: ClassVar[Callable[[FlatNetwork], None]]

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.size = geometry.size
        self.colour = torch.nn.Parameter(torch.zeros(3))

    def start(self, observation: Observation, generator: torch.Generator) -> None:
        with torch.no_grad():
            self.colour.uniform_(0.4, 0.6, generator=generator)

    def forward(self, times: Tensor, part: str = "full") -> Tensor:
        FlatNetwork.before(self)
        return self.colour.view(1, 3, 1, 1).expand(len(times), 3, *self.size)


@dataclass(frozen=True)
class Flat(ModelConfig):
    name: ClassVar[str] = "flat"
    recipe: ClassVar[Recipe] = Recipe(learning_rate=0.05, batch=2, warmup=0.1, epochs=(3, 30))

    def solve(self, geometry: Geometry) -> Flat:
        return self

    def build(self, geometry: Geometry) -> FlatNetwork:
        return FlatNetwork(geometry)


class Toy:
    """The model of three numbers, clips for it, and what it has learnt."""

    model = Flat()
    network = FlatNetwork

    def before(self, call: Callable[[FlatNetwork], None]) -> None:
        """Call this before each rendering."""
        FlatNetwork.before = call

    def clip(self, value: float = 0.5, frames: int = 6) -> Observation:
        """Frames of one grey."""
        return Observation(Video.of(torch.full((frames, 3, 4, 4), value)), distance=squared)

    def colour(self, rep: Fitted) -> Tensor:
        """(3,) what is shown."""
        assert isinstance(rep.network, FlatNetwork)
        return rep.network.colour.detach()


@pytest.fixture
def toy() -> Iterator[Toy]:
    FlatNetwork.before = lambda network: None
    yield Toy()
    FlatNetwork.before = lambda network: None


@pytest.fixture
def disc_clip() -> Video:
    times = torch.linspace(0, 1, 6, dtype=torch.float64)
    return Video.of(MovingDisc((16, 24))(Query(times)), times)
