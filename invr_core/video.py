"""Frames on a clock: lazy, immutable, sliced without decoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from invr_core.errors import BadInput


@dataclass(frozen=True, eq=False)
class Video:
    """Frames on a clock. Nothing is decoded until ``read`` (or `frames`) is called.

    Args:
        times: (N,) float64 seconds, strictly increasing.
        size: (H, W) in pixels.
        read: indices -> (n, channels, H, W) float32 in [0, 1], on the CPU.
        channels: 3 for sRGB, 1 for masks and weights.
        depth: bits per sample of the source; `save` writes at this depth where the format allows.

    Raises:
        BadInput: if there are no frames, or the times do not increase.
    """

    times: Tensor
    size: tuple[int, int]
    read: Callable[[Sequence[int]], Tensor]
    channels: int = 3
    depth: int = 8

    def __post_init__(self) -> None:
        times = torch.as_tensor(self.times, dtype=torch.float64, device="cpu")
        object.__setattr__(self, "times", times)
        if times.ndim != 1 or len(times) == 0:
            raise BadInput("a video needs at least one frame")
        if not bool((times[1:] > times[:-1]).all()):
            raise BadInput("the times of a video must strictly increase")

    @classmethod
    def open(cls, path: str | Path) -> Video:
        """Open a video file or a folder of images; see `invr_core.io.open_video`."""
        from invr_core.io import open_video

        return open_video(path)

    @classmethod
    def of(cls, frames: Tensor, times: Tensor | None = None, fps: float = 25.0, depth: int = 8) -> Video:
        """A video of frames in memory.

        Args:
            frames: (N, C, H, W), float in [0, 1] or uint8.
            times: (N,) seconds; None for a constant rate of ``fps`` from 0.

        Example:
            >>> video = Video.of(torch.zeros(3, 3, 4, 6), fps=2)
            >>> len(video), video.size, video.times.tolist()
            (3, (4, 6), [0.0, 0.5, 1.0])
        """
        if frames.ndim != 4:
            raise BadInput(f"frames must be (N, C, H, W), got shape {tuple(frames.shape)}")
        if frames.dtype == torch.uint8:
            held, scale = frames.to("cpu"), 255.0
        else:
            held, scale = frames.detach().to("cpu", torch.float32), 1.0
        if times is None:
            times = torch.arange(len(frames), dtype=torch.float64) / fps
        if len(times) != len(frames):
            raise BadInput(f"{len(frames)} frames need as many times, got {len(times)}")

        def read(indices: Sequence[int]) -> Tensor:
            return held[list(indices)].float() / scale

        return cls(times, (frames.shape[2], frames.shape[3]), read, frames.shape[1], depth)

    def __len__(self) -> int:
        return len(self.times)

    def __deepcopy__(self, memo: object) -> Video:
        return self  # immutable, and its frames may lie in an open file

    def __getitem__(self, key: slice | Sequence[int]) -> Video:
        """The frames at a slice or at increasing indices; decodes nothing."""
        chosen = list(range(len(self)))[key] if isinstance(key, slice) else [int(i) for i in key]
        if not chosen:
            raise BadInput("this slice of the video holds no frame")
        read = self.read
        return replace(self, times=self.times[chosen], read=lambda indices: read([chosen[i] for i in indices]))

    @property
    def span(self) -> tuple[float, float]:
        """First and last instant, in seconds."""
        return float(self.times[0]), float(self.times[-1])

    @property
    def fps(self) -> float:
        """Mean frames per second; 25 for a single frame."""
        return (len(self) - 1) / (self.span[1] - self.span[0]) if len(self) > 1 else 25.0

    def frames(self) -> Tensor:
        """All frames, (N, C, H, W) float32 in [0, 1]: decodes everything."""
        return self.read(range(len(self)))

    def map(self, fn: Callable[[Tensor], Tensor]) -> Video:
        """A lazy video whose frames are ``fn`` of this one's; one frame is decoded to learn the new shape.

        Args:
            fn: (n, C, H, W) -> (n, C', H', W'), frame by frame.
        """
        read = self.read
        _, channels, height, width = fn(read([0])).shape
        return replace(self, size=(height, width), channels=channels, read=lambda indices: fn(read(indices)))

    def remembered(self, count: int) -> Video:
        """The same video, which keeps the frames it was last asked for, so that what is costly is done once.

        Args:
            count: how many frames are kept at the most.
        """
        one = lru_cache(maxsize=count)(lambda index: self.read([index]))
        return replace(self, read=lambda indices: torch.cat([one(int(i)) for i in indices]))

    def save(self, path: str | Path, *, beside: str | Path | None = None) -> None:
        """Write to a file or folder, atomically; see `invr_core.io.save_video`.

        Args:
            path: where to.
            beside: the file that the video was made from, whose sound and titles are kept.
        """
        from invr_core.io import save_video

        save_video(self, path, beside=beside)
