"""Baselines: what each does on clips whose answer can be worked out."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.video import Video
from invr_tasks import operators as ops
from invr_tasks.baselines import blend, enlarge, temporal_median


def still(frames: int, picture: Tensor) -> Video:
    return Video.of(picture.expand(frames, *picture.shape).clone())


def hole(frames: int, size: tuple[int, int], where: dict[int, tuple[slice, slice]]) -> Video:
    mask = torch.zeros(frames, 1, *size)
    for index, (rows, columns) in where.items():
        mask[index, 0, rows, columns] = 1
    return Video.of(mask)


def test_blend_weighs_by_distance_in_time() -> None:
    clip = Video.of(torch.tensor([0.0, 1.0, 0.5]).view(3, 1, 1, 1), torch.tensor([0.0, 1.0, 3.0]))
    asked = torch.tensor([-1.0, 0.0, 0.25, 1.0, 1.5, 3.0, 4.0], dtype=torch.float64)
    mixed = blend(clip, asked)
    assert mixed.frames().flatten().tolist() == [0.0, 0.0, 0.25, 1.0, 0.875, 0.5, 0.5]
    assert mixed.read([4, 2]).flatten().tolist() == [0.875, 0.25]
    assert torch.equal(mixed.times, asked)


def test_blend_keeps_given_frames_to_the_bit(make_video: Callable[..., Video]) -> None:
    clip = make_video(5, times=[0.0, 0.1, 0.3, 0.35, 0.9])
    assert torch.equal(blend(clip, clip.times).frames(), clip.frames())


def test_blend_of_a_single_frame_is_that_frame(make_video: Callable[..., Video]) -> None:
    clip = make_video(1)
    assert torch.equal(blend(clip, torch.tensor([0.0, 2.0])).read([1]), clip.frames())


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_enlarge_is_that_of_opencv(make_video: Callable[..., Video], kernel: str) -> None:
    flags = {
        "nearest": cv2.INTER_NEAREST_EXACT,
        "bilinear": cv2.INTER_LINEAR,
        "bicubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
    }
    clip = make_video(2, 8, 12)
    large = enlarge(clip, (16, 24), kernel)
    picture = clip.frames()[1].permute(1, 2, 0).numpy()
    theirs = cv2.resize(picture, (24, 16), interpolation=flags[kernel]).clip(0, 1)
    assert large.size == (16, 24)
    np.testing.assert_allclose(large.read([1])[0].permute(1, 2, 0).numpy(), theirs, atol=1e-6)


def test_enlarge_takes_one_channel(make_video: Callable[..., Video]) -> None:
    assert enlarge(make_video(2, 4, 6, channels=1), (8, 12)).frames().shape == (2, 1, 8, 12)


def test_median_finds_what_another_frame_shows() -> None:
    picture = torch.rand(3, 12, 16, generator=torch.Generator().manual_seed(0))
    truth = still(5, picture)
    mask = hole(5, (12, 16), {2: (slice(3, 8), slice(4, 9)), 3: (slice(3, 8), slice(0, 5))})
    filled = temporal_median(ops.punch(truth, mask), mask)
    assert torch.equal(filled.frames(), truth.frames())


def test_median_leaves_out_hidden_and_outlying_values() -> None:
    levels = torch.tensor([0.2, 0.9, 0.0, 0.3, 0.25]).view(5, 1, 1, 1).expand(5, 1, 4, 4).contiguous()
    mask = hole(5, (4, 4), {2: (slice(1, 2), slice(1, 2)), 1: (slice(1, 2), slice(1, 2))})
    filled = temporal_median(Video.of(levels), mask, radius=2)
    assert float(filled.read([2])[0, 0, 1, 1]) == pytest.approx(0.25)  # of 0.2, 0.3, 0.25
    assert torch.equal(filled.read([0, 3, 4]), levels[[0, 3, 4]])


def test_median_grows_in_from_the_rim_what_is_never_seen() -> None:
    truth = still(4, torch.full((3, 16, 16), 0.5))
    mask = ops.static_hole(truth, side=400)
    filled = temporal_median(ops.punch(truth, mask), mask).frames()
    assert float(mask.frames().sum()) > 0
    torch.testing.assert_close(filled, torch.full_like(filled, 0.5), atol=1 / 255, rtol=0)


def test_median_keeps_known_pixels_to_the_bit(make_video: Callable[..., Video]) -> None:
    clip = make_video(4, 16, 24)
    mask = ops.static_hole(clip, side=300)
    known = ~mask.frames().bool().expand(-1, 3, -1, -1)
    assert torch.equal(temporal_median(clip, mask).frames()[known], clip.frames()[known])


def test_median_of_a_frame_that_is_all_hole_takes_its_neighbours() -> None:
    truth = still(3, torch.full((3, 8, 8), 0.4))
    everywhere = (slice(None), slice(None))
    mask = hole(3, (8, 8), {1: everywhere})
    torch.testing.assert_close(temporal_median(ops.punch(truth, mask), mask).frames(), truth.frames())
    nothing = hole(3, (8, 8), dict.fromkeys(range(3), everywhere))
    assert float(temporal_median(ops.punch(truth, nothing), nothing).frames().max()) == 0


def test_what_does_not_fit_is_refused(make_video: Callable[..., Video]) -> None:
    clip = make_video(3)
    for wrong in (
        lambda: temporal_median(clip, ops.static_hole(clip)[:2]),
        lambda: enlarge(clip, (0, 4)),
        lambda: enlarge(clip, (8, 8), "spline"),
    ):
        with pytest.raises(BadInput):
            wrong()
