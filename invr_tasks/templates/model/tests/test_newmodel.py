"""The laws of a representation, and the contract of a model, on a small clip after a few steps."""

from __future__ import annotations

import pytest
import torch
from invr_newmodel import NewModel

from invr_core import FitConfig, Observation, Query, Video, fit
from invr_core.errors import BadInput
from invr_core.fitted import Fitted
from invr_core.models import registry
from invr_core.models.base import Geometry
from invr_core.testing import CHECKS, Check, MovingDisc

torch.set_num_threads(1)  # a small clip: threads would wait for each other

TIMES = torch.tensor([0.0, 0.1, 0.25, 0.3, 0.5, 0.6], dtype=torch.float64)
"""Seconds; not at even distances."""
CLIP = Video.of(MovingDisc((36, 52), (0.0, 0.6))(Query(TIMES)), TIMES)


def fitted(steps: int) -> Fitted:
    return fit(Observation(CLIP), NewModel(), FitConfig(steps=steps, device="cpu"))


@pytest.fixture(scope="module")
def rep() -> Fitted:
    return fitted(60)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_law_of_a_representation_is_kept(rep: Fitted, check: Check) -> None:
    check(rep)


def test_invr_finds_it_by_its_name() -> None:
    assert registry.get("newmodel") is NewModel


def test_it_learns(rep: Fitted) -> None:
    truth = CLIP.frames()
    error, flat = (rep(Query(TIMES)) - truth).square().mean(), (truth.mean((0, 2, 3), keepdim=True) - truth).square()
    assert float(error) < 0.5 * float(flat.mean())


def test_the_same_seed_gives_the_same_bits() -> None:
    assert torch.equal(*(fitted(3)(Query(TIMES)) for _ in range(2)))


@pytest.mark.parametrize("params", [20_000, 54_321, 300_000])
def test_the_size_that_is_asked_for_is_met(params: int) -> None:
    geometry = Geometry.of(Observation(CLIP))
    solved = NewModel(params=params).solve(geometry)
    assert abs(solved.build(geometry).counted() - params) <= 0.02 * params
    assert solved.solve(geometry) == solved


def test_a_size_that_cannot_be_met_is_refused() -> None:
    with pytest.raises(BadInput, match="100 parameters"):
        NewModel(params=100).solve(Geometry.of(Observation(CLIP)))
