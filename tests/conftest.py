"""What all tests share: one thread, the shipped clip, and small clips made to order."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from invr_core.video import Video
from invr_tasks.demo_clip import demo_clip_path

torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of processes that tests start: tests may run beside each other
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests send it; whoever runs them by `&` has it ignored


@pytest.fixture(scope="session")
def bunny_path() -> Path:
    """The shipped clip: 64 frames, 320x160, 25 frames per second."""
    return demo_clip_path()


@pytest.fixture
def make_video() -> Callable[..., Video]:
    """``make_video(frames, height, width, channels, times, seed, smooth)``: a random clip in memory, seeded."""

    def make(
        frames: int = 4,
        height: int = 16,
        width: int = 24,
        channels: int = 3,
        times: Sequence[float] | Tensor | None = None,
        seed: int = 0,
        smooth: bool = False,
    ) -> Video:
        generator = torch.Generator().manual_seed(seed)
        if smooth:
            coarse = torch.rand(frames, channels, 3, 3, generator=generator)
            values = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)
        else:
            values = torch.rand(frames, channels, height, width, generator=generator)
        clock = None if times is None else torch.as_tensor(times, dtype=torch.float64)
        return Video.of((values * 255).round().to(torch.uint8), clock)

    return make
