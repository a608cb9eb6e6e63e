"""A clean version of a noisy clip, whose motion is known exactly, or by models that were hardly fitted."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from invr_denoising import Denoise, DenoiseConfig
from invr_denoising.kinds import noise_of
from invr_denoising.patches import cleaned
from kornia.filters import gaussian_blur2d
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.fitting import FitConfig
from invr_core.observation import squared
from invr_core.query import Query
from invr_core.testing import MovingDisc
from invr_core.video import Video
from invr_tasks.operators import add_gaussian, add_salt_pepper
from invr_tasks.run import default_model, run, score
from invr_tasks.task import Source
from invr_tasks.testing import TASK_CHECKS, TaskCheck

SIZE = (32, 48)
DISC = MovingDisc(SIZE)
TIMES = torch.linspace(0, 1, 7, dtype=torch.float64)
KINDS = ["gaussian", "poisson", "salt-pepper", "mixed"]


def clip(size: tuple[int, int] = SIZE) -> Video:
    """The oracle's frames, as bytes."""
    return Video.of((MovingDisc(size)(Query(TIMES)) * 255).round().to(torch.uint8), TIMES)


def denoise(**options: object) -> Denoise:
    return Denoise(DenoiseConfig(**options))


def psnr(shown: Tensor, truth: Tensor) -> float:
    return -10 * math.log10(float((shown - truth).square().mean()))


# -------------------------------------------------------------------------- conformance
@pytest.mark.parametrize("check", TASK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("noise", KINDS)
def test_it_is_a_good_task(noise: str, check: TaskCheck) -> None:
    check(denoise(noise=noise))


# ------------------------------------------------------------------------ how clean it is
@pytest.mark.parametrize(
    ("noise", "least", "gain"), [("gaussian", 30, 9), ("poisson", 28, 9), ("salt-pepper", 40, 20), ("mixed", 29, 14)]
)
def test_with_known_motion_most_of_the_noise_goes(noise: str, least: float, gain: float) -> None:
    found = score(denoise(noise=noise), clip(), rep=DISC)
    assert found.scores.psnr > least
    assert found.scores.psnr > found.naive.psnr + gain
    assert found.scores.ssim > found.naive.ssim


@pytest.mark.parametrize("sigma", [5.0, 15.0, 50.0])
def test_the_level_is_told_from_the_clip(sigma: float) -> None:
    truth = clip((64, 96))
    noisy = add_gaussian(truth, sigma, seed=1)
    shown = run(denoise(noise="gaussian"), Source(noisy), rep=MovingDisc((64, 96))).video.read([3])
    assert psnr(shown, truth.read([3])) > psnr(noisy.read([3]), truth.read([3])) + (3 if sigma < 10 else 8)


@pytest.mark.parametrize("model", ["cwrnn", "hnerv"])
@pytest.mark.parametrize("noise", ["gaussian", "salt-pepper"])
def test_with_a_model_fitted_for_moments_it_is_cleaner_than_it_was(noise: str, model: str) -> None:
    truth, task = clip(), denoise(noise=noise)
    source = task.simulate(truth, torch.Generator().manual_seed(0))
    shown = [
        run(task, source, model=default_model(model), fit_config=FitConfig(steps=2, device="cpu")).video.frames()
        for _ in range(2)
    ]
    assert torch.equal(*shown)
    gain = 3 if model == "cwrnn" else 0.5  # without motion there is little to average
    assert psnr(shown[0], truth.frames()) > psnr(source.video.frames(), truth.frames()) + gain


def test_a_clean_clip_stays_as_it_is() -> None:
    video = clip()
    shown = run(denoise(), Source(video), rep=DISC).video.frames()
    assert psnr(shown, video.frames()) > 36


def test_a_clip_without_any_noise_is_its_own_answer_whatever_the_model_shows() -> None:
    """As drawn ones are: flat but for a few edges."""
    video = Video.of(torch.zeros(7, 3, *SIZE, dtype=torch.uint8), TIMES)
    frames = video.frames()
    frames[:, :, 8:16, 10:30] = 1.0
    result = run(denoise(), Source(Video.of(frames, TIMES)), rep=MovingDisc(SIZE), confidence=True)
    assert torch.equal(result.video.frames(), frames)
    assert result.confidence is not None and float(result.confidence.frames().min()) == 1


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_clip_of_one_colour_stays_so(value: float) -> None:
    """No noise at all is nothing to divide by."""
    video = Video.of(torch.full((3, 3, *SIZE), value), TIMES[:3])
    result = run(denoise(), Source(video), fit_config=FitConfig(steps=2, device="cpu"))
    assert torch.allclose(result.video.frames(), video.frames(), atol=0.02)


# ------------------------------------------------------------------------- kinds of noise
@pytest.mark.parametrize("sigma", [5.0, 25.0, 50.0])
def test_auto_takes_gaussian_noise_for_what_it_is(sigma: float) -> None:
    noisy = add_gaussian(clip((64, 96)), sigma, seed=2)
    seen = denoise().observe(Source(noisy))
    assert seen.weight is None and seen.distance is squared


@pytest.mark.parametrize("share", [0.03, 0.1, 0.4])
def test_auto_takes_salt_and_pepper_for_what_it_is(share: float) -> None:
    truth = clip((64, 96))
    noisy = add_salt_pepper(truth, share, seed=2)
    weight = denoise().observe(Source(noisy)).weight
    assert weight is not None and weight.channels == 1
    spoilt = (noisy.frames() != truth.frames()).any(1, keepdim=True)
    hidden = weight.frames() == 0
    assert float((hidden & spoilt).sum() / spoilt.sum()) > 0.9
    assert int((hidden & ~spoilt).sum()) == 0


@pytest.mark.parametrize("ground", [0.0, 1.0])
def test_auto_does_not_take_letters_for_noise(ground: float) -> None:
    frames = np.full((100, 200, 3), 255 * ground, np.uint8)
    for line in range(5):
        ink = (int(255 - 255 * ground),) * 3
        cv2.putText(frames, "Some small words", (2, 16 + 18 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, ink, 1, cv2.LINE_AA)
    page = Video.of(torch.from_numpy(frames).permute(2, 0, 1).expand(3, -1, -1, -1), fps=25)
    assert not noise_of(page, "auto").impulsive
    assert torch.equal(denoise().render(MovingDisc((100, 200)), Source(page)).frames(), page.frames())


@pytest.mark.parametrize("level", [1e-8, 0.05, 0.25, 0.5])
def test_hardly_any_noise_beside_stripes_is_no_error(level: float) -> None:
    stripes = (torch.arange(48) % 4 < 2).float().expand(5, 3, 32, 48)
    noise = torch.randn(stripes.shape, generator=torch.Generator().manual_seed(0))
    shown = cleaned(stripes + level / 255 * noise, stripes, 2, level / 255)
    assert torch.isfinite(shown).all() and psnr(shown, stripes[:1]) > 45


@pytest.mark.parametrize(
    ("noise", "mistaken", "gain"), [("poisson", "gaussian", 0.3), ("mixed", "salt-pepper", 8), ("mixed", "gaussian", 2)]
)
def test_noise_that_is_taken_for_what_it_is_goes_further(noise: str, mistaken: str, gain: float) -> None:
    truth = clip((64, 96))
    source, rep = denoise(noise=noise).simulate(truth, torch.Generator().manual_seed(0)), MovingDisc((64, 96))
    right, wrong = (
        psnr(run(denoise(noise=kind), source, rep=rep).video.read([3]), truth.read([3])) for kind in (noise, mistaken)
    )
    assert right > wrong + gain


@pytest.mark.parametrize("noise", ["gaussian", "salt-pepper", "mixed"])
def test_auto_does_what_the_named_kind_does(noise: str) -> None:
    source = denoise(noise=noise).simulate(clip(), torch.Generator().manual_seed(3))
    auto, named = (run(denoise(noise=kind), source, rep=DISC).video.read([2]) for kind in ("auto", noise))
    assert torch.equal(auto, named)


def test_pixels_that_are_no_impulses_pass_through_to_the_bit() -> None:
    noisy = add_salt_pepper(clip(), 0.1, seed=4)
    source, task = Source(noisy), denoise(noise="salt-pepper")
    weight = task.observe(source).weight
    assert weight is not None
    known = weight.frames().expand(-1, 3, -1, -1) > 0
    shown = run(task, source, rep=DISC).video.frames()
    assert torch.equal(shown[known], noisy.frames()[known])
    assert bool((shown[~known] != noisy.frames()[~known]).float().mean() > 0.9)


def test_noise_that_is_smooth_is_removed_by_more_strength() -> None:
    """As a codec leaves it: neighbouring pixels err alike, so that their difference tells less than there is."""
    truth = clip((64, 96))
    smooth = gaussian_blur2d(torch.randn(7, 3, 64, 96, generator=torch.Generator().manual_seed(0)), (5, 5), (0.7, 0.7))
    noisy = Source(Video.of((truth.frames() + 0.15 * smooth).clamp(0, 1), TIMES))
    weak, strong = (
        psnr(run(denoise(strength=strength), noisy, rep=MovingDisc((64, 96))).video.read([3]), truth.read([3]))
        for strength in (1.0, 2.5)
    )
    assert strong > weak + 2


def test_more_strength_leaves_the_dark_as_dark_as_it_was() -> None:
    """What cutting off noise did to its mean depends on the noise that there is, not on what is removed."""
    shade = 20 / 255
    frames = torch.full((7, 3, 64, 96), shade)
    frames[..., 48:] = 0.5
    noisy = Source(add_gaussian(Video.of(frames, TIMES), 25, seed=0))
    shown = run(denoise(strength=2.0), noisy, fit_config=FitConfig(steps=5, device="cpu")).video.read([3])
    assert float(shown[..., 4:40].mean()) == pytest.approx(shade, abs=2 / 255)


# --------------------------------------------------------------------------------- plan
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 9), (17, 23)])
@pytest.mark.parametrize("noise", KINDS)
def test_any_size_and_clock_is_kept(size: tuple[int, int], noise: str) -> None:
    times = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    frames = torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(0))
    video = Video.of(frames, times, depth=16)
    shown = run(denoise(noise=noise), Source(video), rep=MovingDisc(size)).video
    assert torch.equal(shown.times, times) and (shown.size, shown.depth, shown.channels) == (size, 16, 3)
    assert bool(torch.isfinite(shown.frames()).all())
    assert float(shown.frames().min()) >= 0 and float(shown.frames().max()) <= 1


@pytest.mark.parametrize("noise", KINDS)
@pytest.mark.parametrize("reach", [0, 50])
def test_any_reach_will_do(noise: str, reach: int) -> None:
    task = denoise(noise=noise, reach=reach)
    source = task.simulate(clip(), torch.Generator().manual_seed(0))
    shown = run(task, source, rep=DISC).video
    assert psnr(shown.frames(), clip().frames()) > psnr(source.video.frames(), clip().frames()) + 3


def test_a_single_frame_is_cleaned_too() -> None:
    truth = clip((64, 96))[:1]
    noisy = add_gaussian(truth, 25.0, seed=0)
    result = run(denoise(), Source(noisy), fit_config=FitConfig(steps=2, device="cpu"))
    assert psnr(result.video.frames(), truth.frames()) > psnr(noisy.frames(), truth.frames()) + 3


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"reach": -1}, "reach"),
        ({"noise": "speckle"}, "noise"),
        ({"strength": 0.0}, "strength"),
        ({"strength": float("nan")}, "strength"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(options: dict[str, object], name: str) -> None:
    with pytest.raises(BadInput, match=name):
        denoise(**options)


# ---------------------------------------------------------------------------- benchmark
@pytest.mark.parametrize("noise", KINDS)
def test_another_seed_is_other_noise_and_the_naive_answer_leaves_it(noise: str) -> None:
    task = denoise(noise=noise)
    first, other = (task.simulate(clip(), torch.Generator().manual_seed(seed)) for seed in (1, 2))
    assert not torch.equal(first.video.frames(), other.video.frames())
    assert torch.equal(task.naive(first).frames(), first.video.frames())


def test_gaussian_noise_is_of_level_25_and_salt_and_pepper_a_tenth() -> None:
    flat = Video.of(torch.full((4, 3, 64, 64), 0.5))
    noisy = denoise(noise="gaussian").simulate(flat, torch.Generator().manual_seed(0)).video.frames()
    assert float(noisy.std()) * 255 == pytest.approx(25, rel=0.03)
    noisy = denoise(noise="salt-pepper").simulate(flat, torch.Generator().manual_seed(0)).video.frames()
    assert float(((noisy == 0) | (noisy == 1)).float().mean()) == pytest.approx(0.1, abs=0.01)


def test_every_pixel_is_judged() -> None:
    assert denoise().judged(Source(clip()), clip()) is None
