"""The clip of a benchmark: cut, cropped and shrunk as the protocol has it, and kept without loss as a user's file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.video import Video
from invr_tasks.bench.records import Record
from invr_tasks.operators import crop_to


def benchmark_clip(path: str, frames: int | None, size: tuple[int, int] | None) -> Video:
    """The first frames of a clip, at a size.

    Args:
        path: a video file or a folder of images.
        frames: how many; None for all.
        size: (H, W): the largest centred crop of that shape, shrunk by area (`invr_tasks.operators.crop_to`); None for
            the clip's own.

    Raises:
        BadInput: if there is no such clip, or it is shorter or smaller than that.
    """
    clip = Video.open(path)
    if frames is not None:
        if not 1 <= frames <= len(clip):
            raise BadInput(f"{path} has {len(clip)} frames, {frames} were asked for; give 1 to {len(clip)} (--frames)")
        clip = clip[:frames]
    return clip if size is None else crop_to(clip, size)


def ping_pong(video: Video, frames: int) -> Video:
    """A clip made longer by playing it forth and back, at its mean rate.

    Args:
        video: at least 2 frames.
        frames: of the result; fewer than the clip has cut it.

    Returns:
        A lazy clip.

    Raises:
        BadInput: if there are fewer than 2 frames on either side.

    Example:
        >>> clip = Video.of(torch.arange(3).view(3, 1, 1, 1) / 10, fps=10)
        >>> (ping_pong(clip, 7).frames().flatten() * 10).round().int().tolist()
        [0, 1, 2, 1, 0, 1, 2]
    """
    if len(video) < 2 or frames < 2:
        raise BadInput(f"a clip of {len(video)} frames cannot be made one of {frames}; both must be at least 2")
    period = 2 * (len(video) - 1)
    order = [min(i % period, period - i % period) for i in range(frames)]
    times = video.span[0] + torch.arange(frames, dtype=torch.float64) / video.fps

    def read(indices: Sequence[int]) -> Tensor:
        return video.read([order[i] for i in indices])

    return replace(video, times=times, read=read)


def keep(video: Video, folder: Path, name: str = "clip.mkv") -> Path:
    """Write a clip without loss, to be read from disk by every fit; returns the file."""
    path = folder / name
    video.save(path)
    return path


def facts(path: str, video: Video) -> Record:
    """What a record says of its clip."""
    height, width = video.size
    return {"clip": Path(path).name, "frames": len(video), "size": f"{width}x{height}", "fps": round(video.fps, 4)}
