"""The best linear guess of a hole, against pictures whose likeness is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core import kriging
from invr_core.fill import fill
from invr_core.kriging import Likeness, krige


def texture(height: int = 64, width: int = 80, seed: int = 0, blur: int = 9) -> Tensor:
    """A smooth random picture."""
    rough = torch.rand(1, 3, height + 4 * blur, width + 4 * blur, generator=torch.Generator().manual_seed(seed))
    for _ in range(4):
        rough = F.avg_pool2d(rough, blur, 1)
    smooth = rough[..., :height, :width] - rough.mean()
    return (smooth / smooth.std() * 0.15 + 0.5).clamp(0, 1)


def holed(height: int = 64, width: int = 80, hole: tuple[slice, slice] = (slice(24, 40), slice(30, 46))) -> Tensor:
    known = torch.ones(1, 1, height, width)
    known[0, 0][hole] = 0
    return known


def missed(guess: Tensor, truth: Tensor, known: Tensor) -> float:
    hole = (known == 0).expand_as(truth)
    return float((guess - truth)[hole].square().mean())


def test_what_is_known_stays_and_the_rest_is_closer_than_a_membrane() -> None:
    known, better = holed(), 0
    likeness = Likeness.of((texture(seed=seed), torch.ones(1, 1, 64, 80)) for seed in range(10, 16))
    for seed in range(6):
        truth = texture(seed=seed)
        guess = krige(torch.where(known > 0, truth, 0.0), known, likeness)
        assert torch.equal(torch.where(known > 0, guess, 0.0), torch.where(known > 0, truth, 0.0))
        better += missed(guess, truth, known) < 0.8 * missed(fill(truth * known, known), truth, known)
    assert better >= 5


def test_holes_do_not_colour_what_is_counted() -> None:
    known, clean = holed(), texture()
    black = Likeness.of([(clean * known, known)]).covariance
    white = Likeness.of([(clean * known + (1 - known), known)]).covariance
    assert torch.allclose(black, white)


def test_likeness_is_even_and_largest_in_the_middle() -> None:
    covariance = Likeness.of([(texture(), torch.ones(1, 1, 64, 80))]).covariance
    middle = len(covariance) // 2
    assert torch.allclose(covariance, covariance.flip(0, 1))
    near = covariance[middle - 20 : middle + 21, middle - 20 : middle + 21]
    assert float(near.max()) == float(covariance[middle, middle])
    assert float(covariance[middle, middle]) == pytest.approx(float(texture().var(dim=(2, 3)).mean()), rel=0.01)


def test_a_flat_picture_stays_flat_and_its_mean_need_not_be_known() -> None:
    known = holed()
    likeness = Likeness.of([(texture(), torch.ones_like(known))])
    guess = krige(0.9 * known.expand(1, 3, -1, -1), known, likeness)
    assert torch.allclose(guess, torch.full_like(guess, 0.9), atol=1e-5)


@pytest.mark.parametrize(
    "hole",
    [(slice(0, 9), slice(0, 12)), (slice(30, 31), slice(40, 41)), (slice(8, 60), slice(8, 76))],
    ids=["corner", "pixel", "nearly all"],
)
def test_holes_of_all_sizes_and_places_are_filled(hole: tuple[slice, slice]) -> None:
    truth, known = texture(), holed(hole=hole)
    likeness = Likeness.of([(truth, torch.ones_like(known))])
    guess = krige(torch.where(known > 0, truth, 9.0), known, likeness)
    assert bool(torch.isfinite(guess).all()) and float(guess.max()) < 2


@pytest.mark.parametrize(
    "hole", [(slice(20, 44), slice(28, 52)), (slice(9, 54), slice(31, 42))], ids=["square", "tall and odd"]
)
def test_a_large_hole_is_guessed_on_coarser_pixels_alike(
    monkeypatch: pytest.MonkeyPatch, hole: tuple[slice, slice]
) -> None:
    truth, known = texture(blur=15), holed(hole=hole)
    likeness = Likeness.of([(truth, torch.ones_like(known))])
    whole = krige(truth * known, known, likeness)
    monkeypatch.setattr(kriging, "MOST", 100)
    coarse = krige(truth * known, known, likeness)
    assert not torch.equal(whole, coarse)
    assert missed(coarse, truth, known) < 2 * missed(whole, truth, known) + 1e-4


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_each_of_many_holes_is_guessed_as_if_it_were_the_only_one(share: float) -> None:
    """Whatever lies beside it, or around it, and wherever it is: each is of pixels that touch, by their corners too."""
    truth, coarse = texture(48, 60), torch.rand(1, 1, 24, 30, generator=torch.Generator().manual_seed(3))
    known = F.interpolate((coarse >= share).float(), scale_factor=2.0)
    given = torch.where(known > 0, truth, 0.0)
    likeness = Likeness.of([(truth, known)])
    count, labels = cv2.connectedComponents((known[0, 0] == 0).numpy().astype(np.uint8))
    alone = given.clone()
    for label in range(1, count):
        hole = labels == label
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        wide = min(max(min(len(rows), len(columns)) // 2, kriging.RIM[0]), kriging.RIM[1])
        window = tuple(slice(max(ends[0] - wide, 0), ends[-1] + wide + 1) for ends in (rows, columns))
        kriging._guess(alone[0][:, *window], known[0, 0][window] > 0, hole[window], wide, likeness)
    assert count > 5 or share > 0.5
    assert torch.equal(krige(given, known, likeness), alone)


def test_with_nothing_known_or_nothing_missing_it_is_left_as_it_is() -> None:
    picture = texture()
    likeness = Likeness.of([(picture, torch.ones(1, 1, 64, 80))])
    for known in (torch.zeros(1, 1, 64, 80), torch.ones(1, 1, 64, 80)):
        assert torch.equal(krige(picture, known, likeness), picture)


def test_a_likeness_that_is_no_covariance_is_made_one() -> None:
    truth, known = texture(), holed()
    broken = -torch.ones(257, 257, dtype=torch.float64)
    broken[128, 128] = 1
    assert bool(torch.isfinite(krige(truth * known, known, Likeness(broken))).all())


@pytest.mark.parametrize("axes", [(2,), (3,), (2, 3)])
@pytest.mark.parametrize(
    "hole", [(slice(24, 40), slice(30, 46)), (slice(11, 30), slice(0, 7))], ids=["inside", "at the edge"]
)
def test_a_mirrored_picture_is_guessed_as_the_mirror_of_the_guess(
    axes: tuple[int, ...], hole: tuple[slice, slice]
) -> None:
    truth, known = texture(), holed(hole=hole)
    likeness = Likeness.of([(truth, known)])
    mirrored = Likeness.of([(truth.flip(axes), known.flip(axes))])
    guess = krige(truth * known, known, likeness)
    assert torch.allclose(krige((truth * known).flip(axes), known.flip(axes), mirrored).flip(axes), guess, atol=1e-4)
    assert not torch.allclose(guess, truth, atol=1e-2)
