"""How sure a pixel without its noise is: with a clip whose motion is known exactly."""

from __future__ import annotations

import pytest
import torch
from invr_denoising import Denoise, DenoiseConfig
from invr_denoising.kinds import Kind

from invr_core.noise import impulses
from invr_core.query import Query
from invr_core.testing import MovingDisc
from invr_core.video import Video
from invr_tasks.confidence import expected_error
from invr_tasks.operators import add_gaussian, add_poisson, add_salt_pepper
from invr_tasks.task import Source

DISC = MovingDisc((32, 48))
TIMES = torch.linspace(0, 1, 7, dtype=torch.float64)


def clip() -> Video:
    return Video.of((DISC(Query(TIMES)) * 255).round().to(torch.uint8), TIMES)


@pytest.mark.parametrize("kind", ["gaussian", "poisson", "mixed"])
@pytest.mark.parametrize("sigma", [10.0, 40.0])
def test_the_error_that_is_expected_is_about_the_one_that_is_made(sigma: float, kind: Kind) -> None:
    noisy = add_poisson(clip(), 0.5 * (255 / sigma) ** 2) if kind == "poisson" else add_gaussian(clip(), sigma, seed=0)
    if kind == "mixed":
        noisy = add_salt_pepper(noisy, 0.1, seed=1)
    both = Denoise(DenoiseConfig(noise=kind)).with_confidence(DISC, Source(noisy)).read([2, 4])
    made = (both[:, :3] - clip().read([2, 4])).square().mean().sqrt()
    expected = expected_error(both[:, 3:]).square().mean().sqrt()
    assert 0.5 < float(expected / made) < 2


def test_pixels_that_were_given_are_sure_and_those_under_impulses_are_not() -> None:
    noisy = add_salt_pepper(clip(), 0.1, seed=0)
    sure = Denoise(DenoiseConfig(noise="salt-pepper")).confidence(DISC, Source(noisy)).frames()
    hit = impulses(noisy.frames(), 0.01) > 0
    assert bool((sure[~hit] == 1).all()) and float(sure[hit].max()) < 1


def test_impulses_are_surer_where_other_frames_agree() -> None:
    noisy = add_salt_pepper(clip(), 0.1, seed=0)
    with_others = Denoise(DenoiseConfig(noise="salt-pepper")).confidence(DISC, Source(noisy))
    alone = Denoise(DenoiseConfig(noise="salt-pepper", reach=0)).confidence(DISC, Source(noisy))
    hit = impulses(noisy.read([3]), 0.01) > 0
    assert float(with_others.read([3])[hit].mean()) > 0.5 > float(alone.read([3])[hit].max())


def test_beside_other_noise_impulses_are_less_sure() -> None:
    noisy = add_salt_pepper(add_gaussian(clip(), 15, seed=0), 0.1, seed=1)
    sure = Denoise(DenoiseConfig(noise="mixed")).confidence(DISC, Source(noisy)).frames()
    hit = impulses(noisy.frames(), 0.15) > 0
    assert float(sure[hit].mean()) < float(sure[~hit].mean()) - 0.01
