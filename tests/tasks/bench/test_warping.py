"""The warping error: what is steady has little, what flickers much, and what is hidden does not count."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from invr_core.oracle import Occlusion, PanningTexture
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks.bench.classical.flow import inside, landing
from invr_tasks.bench.warping import Paths, paths, warping_error
from invr_tasks.pixels import to_bytes

SIZE = (64, 96)


def clip(kind: type, frames: int = 5, span: float = 0.15) -> Video:
    times = torch.linspace(0.2, 0.2 + span, frames, dtype=torch.float64)
    return Video.of(torch.cat([kind(SIZE)(Query(times[i : i + 1])) for i in range(frames)]).clamp(0, 1))


def test_flicker_is_seen_where_motion_is_not() -> None:
    truth = clip(PanningTexture)
    moved, pictures = paths(truth), to_bytes(truth.frames())
    flickering = pictures.astype(np.int16)
    flickering[::2] -= 20
    still = warping_error(pictures, moved)
    assert still is not None and still < 1e-3
    assert warping_error(flickering.clip(0, 255).astype(np.uint8), moved) == pytest.approx(3 * (20 / 255) ** 2, rel=0.2)
    standing = Paths([np.zeros_like(flow) for flow in moved.flows], moved.seen)
    assert (warping_error(pictures, standing) or 0) > 10 * still


def test_what_is_covered_in_the_next_frame_is_left_out() -> None:
    truth = clip(Occlusion, 3, 0.3)
    moved = paths(truth)
    share = np.mean([seen.mean() for seen in moved.seen])
    assert 0.5 < share < 0.98
    everything = Paths(moved.flows, [inside(landing(flow)) for flow in moved.flows])
    pictures = to_bytes(truth.frames())
    assert (warping_error(pictures, moved) or 1) < (warping_error(pictures, everything) or 0)


def test_only_judged_pixels_count() -> None:
    pictures = np.zeros((2, 4, 4, 3), np.uint8)
    pictures[1, 0, 0] = 255
    moved = Paths([np.zeros((4, 4, 2), np.float32)], [np.ones((4, 4), bool)])
    where = np.zeros((2, 4, 4), bool)
    assert warping_error(pictures, moved) == pytest.approx(3 / 16)
    assert warping_error(pictures, moved, where) is None
    where[0, 0, 0] = True
    assert warping_error(pictures, moved, where) == pytest.approx(3.0)
