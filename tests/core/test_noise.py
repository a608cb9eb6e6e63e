"""How noisy a clip is, from the clip alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invr_core.noise import clips, gaussian_level, impulses, noise_curve, unclipped
from invr_core.query import Query
from invr_core.testing import MovingDisc
from invr_core.video import Video


def clean(frames: int = 3) -> Tensor:
    return MovingDisc((96, 128))(Query(torch.linspace(0, 1, frames, dtype=torch.float64)))


def noisy(frames: Tensor, level: float, seed: int = 0) -> Tensor:
    return frames + level * torch.randn(frames.shape, generator=torch.Generator().manual_seed(seed))


def salted(frames: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Black and white pixels, all channels together; also where they are."""
    lot = torch.rand(len(frames), 1, *frames.shape[-2:], generator=torch.Generator().manual_seed(1))
    result = torch.where(lot < share / 2, 0.0, torch.where(lot < share, 1.0, frames))
    return result, (lot < share).float()


# --------------------------------------------------------------------------- gaussian
@pytest.mark.parametrize("level", [5, 15, 25, 50])
def test_the_level_of_gaussian_noise_is_told(level: float) -> None:
    found = gaussian_level(noisy(clean(), level / 255)) * 255
    assert found == pytest.approx(level, rel=0.08, abs=0.6)


def test_a_real_clip_is_told_from_a_noisy_one(bunny_path: object) -> None:
    frames = Video.open(str(bunny_path)).read([0, 30])
    assert gaussian_level(frames) * 255 < 3
    rounded = (noisy(frames, 25 / 255).clamp(0, 1) * 255).round() / 255
    assert gaussian_level(rounded) * 255 == pytest.approx(25, rel=0.05)


@pytest.mark.parametrize("end", [0.02, 0.98])
def test_where_noise_is_cut_off_the_level_is_told_from_the_greys(end: float) -> None:
    frames = torch.full((2, 3, 96, 128), end)
    frames[..., 64:] = 0.5
    rounded = (noisy(frames, 50 / 255).clamp(0, 1) * 255).round() / 255
    assert gaussian_level(rounded) * 255 == pytest.approx(50, rel=0.04)


def test_without_noise_the_level_is_low() -> None:
    assert gaussian_level(torch.full((1, 3, 20, 20), 0.7)) == pytest.approx(0, abs=1e-6)
    ramp = torch.linspace(0, 1, 20).view(1, 1, 1, 20).expand(1, 3, 20, 20)
    assert gaussian_level(ramp) == pytest.approx(0, abs=1e-6)
    assert gaussian_level(clean()) * 255 < 1


@pytest.mark.parametrize("bar", [0.0, 1.0, 1 / 255])
@pytest.mark.parametrize("width", [12, 24, 40])
def test_bars_beside_the_picture_do_not_hide_its_noise(bar: float, width: int) -> None:
    frames = torch.full((2, 3, 72, 64), bar)
    shown = torch.linspace(0.4, 0.6, width).expand(2, 3, 72, width)
    frames[..., 12 : 12 + width] = (noisy(shown, 25 / 255).clamp(0, 1) * 255).round() / 255
    assert gaussian_level(frames) * 255 == pytest.approx(25, rel=0.1)
    assert not clips(frames, 25 / 255)


def test_what_is_drawn_in_black_and_white_is_clean() -> None:
    frames = torch.zeros(2, 3, 96, 128)
    frames[..., 10:60:7, 20:100] = 1
    frames[..., 40:80, 30:34] = 0.5
    assert gaussian_level(frames) == 0
    assert gaussian_level(torch.zeros(1, 3, 20, 20)) == gaussian_level(torch.ones(1, 3, 20, 20)) == 0


def test_what_rounding_leaves_is_no_noise() -> None:
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    frames = (0.15 + 0.5 / 31 * (x % 60) + 0.1 * torch.sin(y / 5)).expand(3, 3, 48, 48)
    as_bytes = torch.linspace(0, 1, 48).expand(1, 3, 48, 48)
    assert gaussian_level(as_bytes) == 0
    assert gaussian_level(frames) * 255 < 1


def test_a_minority_of_other_pixels_changes_little() -> None:
    frames = noisy(clean(), 20 / 255)
    assert gaussian_level(salted(frames, 0.02)[0]) * 255 == pytest.approx(20, rel=0.25)
    frames[..., :20, :20] = 0
    assert gaussian_level(frames) * 255 == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("size", [(1, 1), (2, 50), (3, 2)])
def test_too_small_a_frame_has_neither_level_nor_impulses(size: tuple[int, int]) -> None:
    assert gaussian_level(torch.rand(2, 3, *size)) == 0.0
    assert torch.equal(impulses(torch.zeros(2, 3, *size)), torch.zeros(2, 1, *size))


def test_one_channel_will_do() -> None:
    assert gaussian_level(noisy(torch.full((2, 1, 80, 80), 0.5), 0.1)) == pytest.approx(0.1, rel=0.05)


def test_what_is_not_known_tells_no_noise() -> None:
    frames, where = salted(noisy(0.4 + 0.2 * clean(), 20 / 255), 0.2)
    assert gaussian_level(frames, 1 - where) * 255 == pytest.approx(20, rel=0.05)
    assert gaussian_level(frames) * 255 > 25
    assert gaussian_level(frames, torch.zeros_like(where)) == 0


# ------------------------------------------------------------------------- that grows
def shades(low: float, high: float) -> Tensor:
    return torch.linspace(low, high, 192).expand(2, 3, 96, 192)


def lit(frames: Tensor, photons: float, level: float = 0.0) -> Tensor:
    """Counted by so many photons for white, and read with noise of a level; cut off and rounded to bytes."""
    counted = torch.poisson(frames * photons, torch.Generator().manual_seed(0)) / photons
    return (noisy(counted, level).clamp(0, 1) * 255).round() / 255


@pytest.mark.parametrize("photons", [30, 100, 500])
def test_of_light_that_is_counted_the_variance_is_told(photons: float) -> None:
    growth, floor = noise_curve(lit(shades(0.05, 0.95), photons))
    assert growth * photons == pytest.approx(1, rel=0.1) and floor * photons < 0.03


def test_what_reading_adds_is_told_beside_it() -> None:
    growth, floor = noise_curve(lit(shades(0.1, 0.7), 200, 0.03))
    assert growth * 200 == pytest.approx(1, rel=0.15) and floor == pytest.approx(0.03**2, rel=0.2)


def test_impulses_do_not_tell_how_it_grows() -> None:
    frames, where = salted(lit(shades(0.1, 0.6), 100), 0.1)
    assert noise_curve(frames, 1 - where)[0] * 100 == pytest.approx(1, rel=0.15)


@pytest.mark.parametrize("level", [0, 5, 25, 50])
def test_noise_of_one_level_does_not_grow(level: float, bunny_path: object) -> None:
    for frames in (shades(0.02, 0.98), Video.open(str(bunny_path)).read([0, 30])):
        assert noise_curve((noisy(frames, level / 255).clamp(0, 1) * 255).round() / 255) == (0, 0)


@pytest.mark.parametrize("frames", [torch.rand(1, 3, 2, 9), torch.zeros(1, 3, 9, 9), lit(shades(0.4, 0.45), 30)])
def test_of_few_shades_or_pixels_nothing_is_told(frames: Tensor) -> None:
    assert noise_curve(frames) == (0, 0)


# --------------------------------------------------------------------------- impulses
@pytest.mark.parametrize("share", [0.02, 0.10, 0.30])
def test_salt_and_pepper_is_found_where_it_is(share: float) -> None:
    frames, where = salted(clean(), share)
    found = impulses(frames)
    assert tuple(found.shape) == (3, 1, 96, 128) and found.dtype == torch.float32
    assert set(found.unique().tolist()) <= {0.0, 1.0}
    hit = float((found * where).sum() / where.sum())
    assert hit > 0.9
    assert float((found * (1 - where)).sum()) == 0


@pytest.mark.parametrize(("value", "found"), [(0, 1), (1, 1), (2, 0), (253, 0), (254, 1), (255, 1)])
def test_an_impulse_is_black_or_white_to_one_level(value: int, found: int) -> None:
    frames = torch.full((1, 3, 9, 9), 0.5)
    frames[..., 4, 4] = value / 255
    assert float(impulses(frames).sum()) == found


def test_a_clean_clip_has_no_impulses() -> None:
    assert float(impulses(clean()).sum()) == 0


def test_a_surface_that_is_black_or_white_is_none() -> None:
    frames = clean(1)
    frames[..., 20:50, 30:60] = 0
    frames[..., 60:90, 70:110] = 1
    edge = float(impulses(frames).sum())
    assert edge < 40  # at most the corners, of some 2,000 pixels


def test_gaussian_noise_is_no_salt_and_pepper() -> None:
    frames = noisy(clean(), 50 / 255).clamp(0, 1)
    assert float(impulses(frames).mean()) < 0.005


# ------------------------------------------------------------------------ what is cut off
@pytest.mark.parametrize("level", [10, 25, 50])
def test_the_mean_of_clipped_noise_is_put_right(level: float) -> None:
    value = torch.linspace(0, 1, 11).view(11, 1)
    mean = noisy(value.expand(11, 40_000), level / 255).clamp(0, 1).mean(1)
    restored = unclipped(mean, level / 255)
    assert float((restored - value[:, 0]).abs().max()) < 0.01
    assert float((mean - value[:, 0]).abs().max()) > 0.4 * level / 255 / 1.01


@pytest.mark.parametrize("level", [0.04, 0.2])
def test_a_mean_is_put_right_to_a_part_of_a_level(level: float) -> None:
    value = torch.linspace(0, 1, 97, dtype=torch.float64).view(97, 1)
    z = torch.linspace(-8, 8, 20_001, dtype=torch.float64)
    mean = ((value + level * z).clamp(0, 1) * (-z.square() / 2).exp()).sum(1) / (-z.square() / 2).exp().sum()
    assert float((unclipped(mean, level) - value[:, 0]).abs().max()) < 0.1 / 255


def test_without_noise_nothing_is_put_right() -> None:
    picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(unclipped(picture, 0.0), picture)


def test_noise_that_was_cut_off_is_told_from_noise_that_was_not() -> None:
    dark = 0.1 + 0.1 * clean()
    assert clips(noisy(dark, 0.1).clamp(0, 1), 0.1)
    assert clips(noisy(1 - dark, 0.1).clamp(0, 1), 0.1)
    assert not clips(0.5 + 0.2 * noisy(dark, 0.1), 0.02)
    assert not clips(dark, 0.0)
