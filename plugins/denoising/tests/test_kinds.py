"""What noise a clip has, and how noise that grows with brightness is made alike."""

from __future__ import annotations

import pytest
import torch
from invr_denoising.kinds import TILE, TILES, Kind, Noise, _probe, noise_of
from invr_denoising.stabilising import Stabiliser

from invr_core.noise import gaussian_level
from invr_core.query import Query
from invr_core.testing import MovingDisc
from invr_core.video import Video
from invr_tasks.operators import add_gaussian, add_poisson, add_salt_pepper

SIZE = (96, 128)


def clip() -> Video:
    times = torch.linspace(0, 1, 3, dtype=torch.float64)
    return Video.of((MovingDisc(SIZE)(Query(times)) * 255).round().to(torch.uint8), times)


# ------------------------------------------------------------------------------- kinds
def test_each_kind_is_told_from_the_clip() -> None:
    told = {
        "clean": noise_of(clip(), "auto"),
        "gaussian": noise_of(add_gaussian(clip(), 25), "auto"),
        "light": noise_of(add_poisson(clip(), 60), "auto"),
        "impulses": noise_of(add_salt_pepper(clip()), "auto"),
        "mixed": noise_of(add_salt_pepper(add_gaussian(clip(), 25), seed=1), "auto"),
    }
    assert {name for name, noise in told.items() if noise.impulsive} == {"impulses", "mixed"}
    assert {name for name, noise in told.items() if noise.stabiliser.growth} == {"light"}
    assert told["impulses"].level == 0 and told["clean"].level < 1 / 255
    for name in ("gaussian", "mixed"):
        assert told[name].level * 255 == pytest.approx(25, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "impulsive", "grows", "levelled"),
    [
        ("gaussian", False, False, True),
        ("poisson", False, True, True),
        ("salt-pepper", True, False, False),
        ("mixed", True, True, True),
    ],
)
def test_a_kind_that_is_named_is_believed(kind: Kind, impulsive: bool, grows: bool, levelled: bool) -> None:
    noise = noise_of(add_poisson(clip(), 60), kind)
    assert (noise.impulsive, noise.stabiliser.growth > 0, noise.level > 0) == (impulsive, grows, levelled)


def test_impulses_beside_other_noise_stand_out_from_it() -> None:
    truth, flat = clip(), Video.of(torch.full((3, 3, *SIZE), 0.5))
    noisy = add_salt_pepper(add_gaussian(flat, 25), 0.1, seed=1)
    known = noise_of(noisy, "mixed").known(noisy)
    assert known is not None
    spoilt = (noisy.frames() - 0.5).abs().mean(1, keepdim=True) > 0.49
    assert torch.equal(known.frames() == 0, spoilt)
    assert noise_of(truth, "gaussian").known(truth) is None


def test_what_is_stabilised_has_neither_impulses_nor_noise_that_grows() -> None:
    noisy = add_salt_pepper(add_poisson(clip(), 60), 0.05, seed=1)
    noise = noise_of(noisy, "mixed")
    shown = noise.stabilised(noisy)
    assert float((shown.frames() - noise.stabiliser(clip().frames())).abs().max()) < 7 * noise.level
    again = noise_of(shown, "auto")
    assert not again.impulsive and not again.stabiliser.growth


def test_noise_of_one_level_is_left_as_it_is() -> None:
    noisy = add_gaussian(clip(), 25)
    noise = noise_of(noisy, "auto")
    assert noise.stabilised(noisy) is noisy
    assert torch.equal(Noise(level=0.1).undone(noisy.frames()), noisy.frames())


def test_of_large_frames_tiles_tell_the_noise() -> None:
    random = torch.Generator().manual_seed(0)
    size = (1100, 2000)
    grey = torch.linspace(0.3, 0.7, size[1]).expand(1, 3, *size)
    noisy = grey + 0.05 * torch.randn(1, 3, *size, generator=random)
    video = Video(torch.zeros(1).double(), size, lambda indices: noisy[list(indices)])
    probe = _probe(video)
    assert probe.shape == (TILES**2, 3, TILE, TILE)
    assert torch.equal(probe[0], noisy[0, :, :TILE, :TILE]) and torch.equal(probe[-1], noisy[0, :, -TILE:, -TILE:])
    assert gaussian_level(probe) == pytest.approx(0.05, rel=0.03)


# ------------------------------------------------------------------------- stabilising
SHADES = torch.linspace(0.1, 0.9, 9).view(9, 1)


def counted(photons: float) -> torch.Tensor:
    return torch.poisson(photons * SHADES.expand(9, 200_000), torch.Generator().manual_seed(0)) / photons


@pytest.mark.parametrize("photons", [30, 200])
def test_stabilised_noise_is_of_one_level_and_undone_its_mean_is_the_truth(photons: float) -> None:
    stabiliser = Stabiliser(1 / photons)
    shown = stabiliser(counted(photons))
    levels = shown.std(1)
    assert float(levels.max() / levels.min()) < 1.05
    assert float((stabiliser.undone(shown.mean(1)) - SHADES[:, 0]).abs().max()) < 0.1 / photons
    assert (
        float((stabiliser.variance(SHADES[:, 0], float(levels.mean())) * photons / SHADES[:, 0] - 1).abs().max()) < 0.15
    )


def test_without_counting_the_root_would_be_wrong() -> None:
    """What the mean of roots is short of is what `undone` puts right."""
    stabiliser = Stabiliser(1 / 30)
    short = stabiliser(SHADES)[:, 0] - stabiliser(counted(30)).mean(1)
    assert float(short.min()) > 0.1 * float(stabiliser(counted(30)).std(1).mean()) / 30**0.5


@pytest.mark.parametrize("growth", [1e-4, 1e-2])
@pytest.mark.parametrize("floor", [0.0, 1e-4])
def test_black_and_white_keep_their_places(growth: float, floor: float) -> None:
    stabiliser, ends = Stabiliser(growth, floor), torch.tensor([0.0, 1.0])
    assert torch.allclose(stabiliser(ends), ends, atol=1e-6)
    assert float((stabiliser.undone(ends) - ends).abs().max()) < growth


def test_without_growth_nothing_is_done() -> None:
    frames = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert Stabiliser()(frames) is frames and Stabiliser().undone(frames) is frames
    assert Stabiliser().variance(frames, 0.1) == pytest.approx(0.01)


def test_what_is_cut_off_at_white_is_put_right_and_black_is_left() -> None:
    bright = torch.linspace(0.6, 1, 5).view(5, 1)
    stabiliser = Stabiliser(1 / 60)
    photons = torch.poisson(60 * bright.expand(5, 200_000), torch.Generator().manual_seed(0)) / 60
    shown = stabiliser(photons.clamp(max=1))
    noise = Noise(level=float(stabiliser(photons)[0].std()), stabiliser=stabiliser, cut_off=True)
    assert float((noise.undone(shown.mean(1)) - bright[:, 0]).abs().max()) < 0.01
    black = torch.zeros(1, 1)
    assert float(noise.undone(black)) < 0.001
