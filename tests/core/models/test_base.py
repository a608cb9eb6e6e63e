"""What every architecture is given, and what it does where it says nothing of its own."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import pytest
import torch

from invr_core.errors import Unsupported
from invr_core.models.base import Geometry, ModelConfig, Network
from invr_core.observation import Observation, framewise
from invr_core.video import Video


def test_the_geometry_is_that_of_the_clip_and_not_of_what_was_seen_of_it() -> None:
    video = Video.of(torch.zeros(2, 3, 16, 24), torch.tensor([0.1, 0.3], dtype=torch.float64))
    observation = Observation(video, forward=framewise(lambda frames: frames), size=(32, 48), span=(0.0, 1.0))
    assert Geometry.of(observation) == Geometry((0.1, 0.3), (0.0, 1.0), (32, 48))


def test_what_was_solved_for_cannot_be_changed(toy: Any) -> None:
    for each, name in ((Geometry((0.0,), (0.0, 0.0), (4, 4)), "size"), (toy.model.recipe, "batch"), (toy.model, "x")):
        with pytest.raises(FrozenInstanceError):
            setattr(each, name, 1)


def test_what_an_architecture_does_where_it_says_nothing(toy: Any) -> None:
    network = toy.network(Geometry((0.0,), (0.0, 0.0), (4, 4)))
    with pytest.raises(Unsupported, match=r"^FlatNetwork models no motion$"):
        network.flow(torch.zeros(1), torch.zeros(1))
    assert network.parts == {"full"} and network.counted() == 3
    assert network.auxiliary(toy.clip(), torch.Generator()) is None
    assert toy.model.suited(toy.clip(), 1.0, False) is toy.model


def test_an_architecture_that_is_not_whole_or_may_change_is_none() -> None:
    class Part(ModelConfig):
        """Neither solved nor built."""

    class Blind(Network):
        """Shows nothing."""

    for kind, missing in ((Part, "build, solve|'build'.*'solve'"), (Blind, "forward")):
        with pytest.raises(TypeError, match=missing):
            kind()
    with pytest.raises(TypeError, match="frozen"):

        @dataclass
        class Loose(ModelConfig):
            """May be changed after it was solved."""
