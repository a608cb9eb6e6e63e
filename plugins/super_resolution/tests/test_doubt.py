"""How sure an enlarged pixel is: with a clip that is known at every size."""

from __future__ import annotations

import torch
from invr_super_resolution import Upscale, UpscaleConfig

from invr_core.query import Query
from invr_core.testing import MovingDisc
from invr_core.video import Video
from invr_tasks.confidence import expected_error
from invr_tasks.operators import downscale
from invr_tasks.task import Source

SIZE = (32, 48)
TIMES = torch.linspace(0, 1, 3, dtype=torch.float64)


def test_it_is_less_sure_of_a_texture_than_of_a_plain_wall() -> None:
    """The right half is noise, of which half the pixels are lost; the left half is grey."""
    frame = torch.full((1, 3, *SIZE), 0.5)
    frame[..., 24:] = torch.rand(1, 3, 32, 24, generator=torch.Generator().manual_seed(0))
    truth = Video.of(frame.expand(3, -1, -1, -1), TIMES)
    both = Upscale().with_confidence(MovingDisc(SIZE), Source(downscale(truth, 2, "area"))).read([1])
    expected, made = expected_error(both[:, 3:]).square(), (both[:, :3] - truth.read([1])).square()
    assert float(expected[..., :20].mean()) < 0.01 * float(expected[..., 28:].mean())
    assert 0.3 < float((expected[..., 28:].mean() / made[..., 28:].mean()).sqrt()) < 3


def test_as_large_as_it_was_it_is_sure() -> None:
    video = Video.of(MovingDisc(SIZE)(Query(TIMES)), TIMES)
    sure = Upscale(UpscaleConfig(scale=1)).confidence(MovingDisc(SIZE), Source(video))
    assert float(sure.frames().min()) > 0.99
