"""Noise that grows with brightness, made alike: with light that is counted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invr_core.anscombe import Anscombe
from invr_core.errors import BadInput

SHADES = torch.linspace(0.1, 0.9, 9).view(9, 1)


def counted(photons: float, level: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    light = torch.poisson(photons * SHADES.expand(9, 200_000), generator) / photons
    return light + level * torch.randn(light.shape, generator=generator)


@pytest.mark.parametrize("level", [0.0, 0.02])
@pytest.mark.parametrize("photons", [30, 200])
def test_its_noise_is_of_the_level_that_is_told_and_undone_its_mean_is_the_truth(photons: float, level: float) -> None:
    transform = Anscombe(1 / photons, level**2)
    shown = transform(counted(photons, level))
    assert float((shown.std(1) / transform.level - 1).abs().max()) < 0.04
    assert float((transform.undone(shown.mean(1)) - SHADES[:, 0]).abs().max()) < 0.1 / photons
    variance = transform.variance(SHADES[:, 0])
    assert float((counted(photons, level).var(1) / variance - 1).abs().max()) < 0.02


def test_a_plain_root_would_be_off() -> None:
    """The mean of roots is short of the root of the mean, which `undone` puts right."""
    transform = Anscombe(1 / 30)
    short = transform(SHADES)[:, 0] - transform(counted(30)).mean(1)
    assert float(short.min()) > 0.02 * transform.level


@pytest.mark.parametrize("growth", [1e-4, 1e-2])
@pytest.mark.parametrize("floor", [0.0, 1e-4])
def test_black_and_white_keep_their_places(growth: float, floor: float) -> None:
    transform, ends = Anscombe(growth, floor), torch.tensor([0.0, 1.0])
    assert torch.allclose(transform(ends), ends, atol=1e-6)
    assert float((transform.undone(ends) - ends).abs().max()) < growth
    assert torch.isfinite(transform(torch.tensor([-1e-3, 1.001]))).all()


def test_without_growth_nothing_is_done() -> None:
    frames = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    plain = Anscombe(floor=0.01)
    assert plain(frames) is frames and plain.undone(frames) is frames
    assert plain.level == pytest.approx(0.1) and float(plain.variance(frames).max()) == pytest.approx(0.01)


def test_only_light_alone_is_never_negative() -> None:
    assert Anscombe(0.01).counted and Anscombe(0.01, 1e-5).counted
    assert not Anscombe(0.01, 1e-3).counted and not Anscombe().counted and not Anscombe(floor=0.01).counted


@pytest.mark.parametrize("numbers", [(-1e-3, 0.0), (0.0, -1e-3), (float("nan"), 0.0), (0.0, float("inf"))])
def test_what_no_noise_has_is_refused(numbers: tuple[float, float]) -> None:
    with pytest.raises(BadInput, match="at least 0"):
        Anscombe(*numbers)
