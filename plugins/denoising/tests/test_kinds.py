"""What noise a clip has, told from it, and what is done and undone about it."""

from __future__ import annotations

import pytest
import torch
from invr_denoising.kinds import TILE, TILES, Kind, Noise, _probe, noise_of

from invr_core.anscombe import Anscombe
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
    assert {name for name, noise in told.items() if noise.alike.growth} == {"light"}
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
    assert (noise.impulsive, noise.alike.growth > 0, noise.level > 0) == (impulsive, grows, levelled)


@pytest.mark.parametrize("shade", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("sigma", [10, 25, 50])
def test_impulses_beside_other_noise_are_found_and_little_else(shade: float, sigma: float) -> None:
    before = add_gaussian(Video.of(torch.full((3, 3, *SIZE), shade)), sigma)
    noisy = add_salt_pepper(before, 0.1, seed=1)
    known = noise_of(noisy, "mixed").known(noisy)
    assert known is not None
    spoilt, hidden = (noisy.frames() != before.frames()).any(1, keepdim=True), known.frames() == 0
    assert float(hidden[spoilt].float().mean()) > 0.99 and float(hidden[~spoilt].float().mean()) < 0.01
    assert noise_of(before, "gaussian").known(before) is None


def test_pepper_is_found_in_the_noise_of_light() -> None:
    before = add_poisson(Video.of(torch.linspace(0.1, 0.6, SIZE[1]).expand(3, 3, *SIZE)), 30)
    noisy = add_salt_pepper(before, 0.1, seed=1)
    known = noise_of(noisy, "mixed").known(noisy)
    assert known is not None
    spoilt = (noisy.frames() != before.frames()).any(1, keepdim=True)
    assert float((known.frames() == 0)[spoilt].float().mean()) > 0.9


def test_what_is_prepared_has_neither_impulses_nor_noise_that_grows() -> None:
    noisy = add_salt_pepper(add_poisson(clip(), 60), 0.05, seed=1)
    noise = noise_of(noisy, "mixed")
    shown = noise.prepared(noisy, noise.known(noisy))
    assert float((shown.frames() - noise.alike(clip().frames())).abs().max()) < 7 * noise.level
    again = noise_of(shown, "auto")
    assert not again.impulsive and not again.alike.growth


@pytest.mark.parametrize("photons", [6, 12])
@pytest.mark.parametrize("shades", [(0.05, 0.95), (0.3, 0.5), (0.38, 0.42)])
def test_light_that_is_named_is_believed_though_it_is_not_told(photons: float, shades: tuple[float, float]) -> None:
    dim = add_poisson(Video.of(torch.linspace(*shades, SIZE[1]).expand(3, 3, *SIZE)), photons)
    assert noise_of(dim, "poisson").alike.growth * photons == pytest.approx(1, rel=0.25)


def test_a_dark_area_without_noise_does_not_make_light_of_other_noise() -> None:
    """As bars that are not quite black are, and shadows that a codec has emptied."""
    frames = add_gaussian(Video.of(torch.linspace(0.3, 0.7, SIZE[1]).expand(3, 3, *SIZE)), 15).frames()
    frames[..., :24, :] = 16 / 255
    assert noise_of(Video.of(frames), "auto").alike.growth == 0


def test_light_in_the_dark_is_seen_if_it_is_named() -> None:
    """Black that light leaves has no noise, and may be most of the picture."""
    frames = torch.zeros(3, 3, *SIZE)
    frames[..., :43, :57] = frames[..., -43:, -57:] = 0.5
    night = add_poisson(Video.of(frames), 30)
    assert noise_of(night, "poisson").alike.growth * 30 == pytest.approx(1, rel=0.2)


def test_few_pixels_tell_it_too() -> None:
    small = add_poisson(Video.of(torch.linspace(0.1, 0.6, 23).expand(3, 3, 17, 23)), 30)
    assert noise_of(small, "poisson").alike.growth * 30 == pytest.approx(1, rel=0.4)


def test_of_read_noise_beside_that_of_light_black_is_put_right() -> None:
    frames = torch.linspace(0, 0.8, 192).expand(3, 3, 96, 192)
    generator = torch.Generator().manual_seed(0)
    counted = torch.poisson(100 * frames, generator) / 100 + 10 / 255 * torch.randn(frames.shape, generator=generator)
    noise = noise_of(Video.of((counted.clamp(0, 1) * 255).round() / 255), "auto")
    assert noise.alike.growth * 100 == pytest.approx(1, rel=0.2) and noise.cut_off and not noise.alike.counted
    black = (10 / 255 * torch.randn(400_000, generator=generator)).clamp(0, 1)
    assert float(noise.undone(noise.alike(black).mean()[None])) < 0.2 * 10 / 255 < float(black.mean())


def test_noise_of_one_level_is_left_as_it_is() -> None:
    noisy = add_gaussian(clip(), 25)
    noise = noise_of(noisy, "auto")
    assert noise.prepared(noisy, noise.known(noisy)) is noisy
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


def test_what_is_cut_off_at_white_is_put_right_and_black_is_left() -> None:
    bright = torch.linspace(0.6, 1, 5).view(5, 1)
    light = torch.poisson(60 * bright.expand(5, 200_000), torch.Generator().manual_seed(0)) / 60
    alike = Anscombe(1 / 60)
    noise = Noise(level=alike.level, alike=alike, cut_off=True)
    shown = alike(light.clamp(max=1)).mean(1)
    assert float((noise.undone(shown) - bright[:, 0]).abs().max()) < 0.01
    assert float(noise.undone(torch.zeros(1))) < 0.001
