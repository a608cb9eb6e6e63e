"""What is not known is a smooth continuation of what is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from invr_core.fill import fill
from invr_core.sampling import pixel_grid


def random(height: int, width: int, seed: int, known: float = 0.6) -> tuple[Tensor, Tensor]:
    """A field and where it is known; never nowhere."""
    generator = torch.Generator().manual_seed(seed)
    field = torch.rand(2, 3, height, width, generator=generator)
    weight = (torch.rand(2, 1, height, width, generator=generator) < known).float()
    weight[:, :, 0, 0] = 1
    return field, weight


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 33), width=st.integers(1, 33), seed=st.integers(0, 99))
def test_the_known_stays_to_the_bit_and_the_unknown_lies_between(height: int, width: int, seed: int) -> None:
    field, weight = random(height, width, seed, known=0.3)
    filled = fill(field, weight)
    here = (weight == 1).expand_as(field)
    assert torch.equal(filled[here], field[here])
    for one, given_one, trusted in zip(filled.flatten(0, 1), field.flatten(0, 1), here.flatten(0, 1), strict=True):
        assert float(one.min()) >= float(given_one[trusted].min()) - 1e-5
        assert float(one.max()) <= float(given_one[trusted].max()) + 1e-5


def test_what_lies_under_no_weight_is_of_no_influence() -> None:
    field, weight = random(17, 23, 5)
    other = torch.where(weight > 0, field, 1 - field)
    assert torch.equal(fill(field, weight), fill(other, weight))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (16, 16)])
def test_a_constant_is_continued_as_itself(size: tuple[int, int]) -> None:
    _, weight = random(*size, seed=1, known=0.05)
    field = torch.where(weight > 0, 0.375, 99.0).expand(2, 3, *size)
    assert torch.allclose(fill(field, weight), torch.tensor(0.375), atol=1e-5)


@pytest.mark.parametrize(
    "place", [(slice(10, 30), slice(14, 40)), (slice(0, 12), slice(0, 20)), (slice(33, 49), slice(5, 65))]
)
def test_a_hole_in_a_ramp_is_closed_as_a_membrane_would(place: tuple[slice, slice]) -> None:
    """Inside it is the ramp; where the hole reaches the edge, a membrane is level there, so the ramp flattens out."""
    x, y = pixel_grid(49, 65)[0]
    ramp = (0.01 * x + 0.005 * y)[None, None]
    weight = torch.ones_like(ramp)
    weight[0, 0][place] = 0
    filled = fill(ramp, weight)
    inner = place[0].start > 0 and place[0].stop < 49
    assert float((filled - ramp).abs().max()) < (0.02 if inner else 0.2)
    rim = (filled[..., 1:, :] - filled[..., :-1, :]).abs().max(), (filled[..., 1:] - filled[..., :-1]).abs().max()
    assert float(max(rim)) < 0.05


def test_nothing_known_gives_zeros() -> None:
    assert torch.equal(fill(torch.rand(1, 2, 6, 7), torch.zeros(1, 1, 6, 7)), torch.zeros(1, 2, 6, 7))


def test_each_field_of_a_batch_is_filled_by_itself() -> None:
    field, weight = random(11, 14, 2)
    singles = torch.cat([fill(field[i : i + 1], weight[i : i + 1]) for i in range(2)])
    assert torch.allclose(fill(field, weight), singles, atol=1e-6)


def test_a_weight_between_counts_in_part() -> None:
    field = torch.tensor([0.0, 1.0, 0.0]).view(1, 1, 1, 3)
    values = [float(fill(field, torch.tensor([1.0, w, 1.0]).view(1, 1, 1, 3))[0, 0, 0, 1]) for w in (0, 0.1, 0.5, 1)]
    assert values == sorted(values) and len(set(values)) == 4
    assert values[0] == pytest.approx(0, abs=1e-5) and values[-1] == 1
