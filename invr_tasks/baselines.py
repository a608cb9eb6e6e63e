"""The answers that cost nothing: what a task must beat to be worth a fit. All are lazy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.video import Video
from invr_tasks.operators.holes import check_mask
from invr_tasks.pixels import to_bytes

_ENLARGERS = {
    "nearest": cv2.INTER_NEAREST_EXACT,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


def blend(video: Video, times: Tensor) -> Video:
    """Each instant as a mix of the given frames before and after it, the nearer one the more.

    Args:
        video: the given frames.
        times: (M,) float64 seconds, strictly increasing; outside the clip its first or last frame is shown.

    Returns:
        A lazy clip; where an instant is that of a given frame, it is that frame, unchanged.

    Example:
        >>> pair = Video.of(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1), fps=1)
        >>> blend(pair, torch.tensor([0.0, 0.25])).frames().flatten().tolist()
        [0.0, 0.25]
    """
    given = video.times
    instants = torch.as_tensor(times, dtype=torch.float64).clamp(*video.span)
    after = torch.searchsorted(given, instants).clamp(0, len(given) - 1)
    before = torch.where(given[after] > instants, after - 1, after)
    length = (given[after] - given[before]).clamp(min=torch.finfo(torch.float64).tiny)
    share = ((instants - given[before]) / length).float()

    def read(indices: Sequence[int]) -> Tensor:
        chosen = list(indices)
        first, last = before[chosen].tolist(), after[chosen].tolist()
        wanted = sorted({*first, *last})
        frames = video.read(wanted)
        place = {index: position for position, index in enumerate(wanted)}
        mixed = frames[[place[i] for i in first]]
        return mixed.lerp(frames[[place[i] for i in last]], share[chosen].view(-1, 1, 1, 1))

    return replace(video, times=torch.as_tensor(times, dtype=torch.float64), read=read)


def enlarge(
    video: Video, size: tuple[int, int], kernel: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bicubic"
) -> Video:
    """Each frame enlarged by itself.

    Args:
        video: the small clip.
        size: (H, W) in pixels.
        kernel: OpenCV's interpolation of that name ("bicubic" with a = -0.75).

    Returns:
        A lazy clip in [0, 1].

    Raises:
        BadInput: if the kernel is unknown or the size not positive.
    """
    if kernel not in _ENLARGERS:
        raise BadInput(f"enlarge knows no kernel {kernel!r}; choose one of {', '.join(_ENLARGERS)}")
    if min(size) < 1:
        raise BadInput(f"enlarge needs a size (H, W) of at least 1 pixel each, got {size}")

    def one(picture: NDArray[np.float32]) -> Tensor:
        large = cv2.resize(picture, (size[1], size[0]), interpolation=_ENLARGERS[kernel])
        return torch.from_numpy(np.asarray(large, np.float32).reshape(*size, -1)).permute(2, 0, 1)

    def read(indices: Sequence[int]) -> Tensor:
        pictures = np.ascontiguousarray(video.read(indices).permute(0, 2, 3, 1).numpy())
        return torch.stack([one(picture) for picture in pictures]).clamp(0, 1)

    return replace(video, size=size, read=read)


def temporal_median(video: Video, mask: Video, radius: int = 3) -> Video:
    """Hole pixels as the median of what the same pixel shows at nearby instants; else grown in from the hole's rim.

    What no frame of the window shows is filled by Telea's method. Known pixels stay as they are.

    Args:
        video: the clip with holes.
        mask: one channel, as many frames and the same size; above 0.5 in the holes.
        radius: how many frames to look back and ahead.

    Returns:
        A lazy clip; what Telea's method filled is rounded to 8 bits.

    Raises:
        BadInput: if the mask does not fit the clip.
    """
    check_mask(mask, video)

    def read(indices: Sequence[int]) -> Tensor:
        windows = [range(max(0, i - radius), min(len(video), i + radius + 1)) for i in indices]
        wanted = sorted({index for window in windows for index in window})
        place = {index: position for position, index in enumerate(wanted)}
        frames, holes = video.read(wanted), mask.read(wanted)[:, 0] > 0.5
        filled = []
        for centre, window in zip(indices, windows, strict=True):
            near = [place[index] for index in window]
            filled.append(_fill(frames[place[centre]], holes[place[centre]], frames[near], holes[near]))
        return torch.stack(filled)

    return replace(video, read=read)


def _fill(frame: Tensor, hole: Tensor, near: Tensor, holes: Tensor) -> Tensor:
    """One frame, (C, H, W), filled from its neighbours, (n, C, H, W); holes are (H, W) and (n, H, W) bool."""
    result = frame.clone()
    seen = (~holes[:, hole]).numpy()
    values = np.where(seen[:, None], near[:, :, hole].numpy(), np.nan)
    anywhere = seen.any(0)
    known = np.nanmedian(values[:, :, anywhere], axis=0)
    rows, columns = (axis.numpy() for axis in torch.nonzero(hole, as_tuple=True))
    result[:, rows[anywhere], columns[anywhere]] = torch.from_numpy(known).float()
    left = hole.clone()
    left[rows[anywhere], columns[anywhere]] = False
    return _grow(result, left) if bool(left.any()) and not bool(left.all()) else result


def _grow(frame: Tensor, hole: Tensor) -> Tensor:
    """Telea's inpainting of what is still missing in one frame, (C, H, W), the rest unchanged."""
    picture = to_bytes(frame[None])[0]
    grown = cv2.inpaint(picture, hole.numpy().astype(np.uint8), 3, cv2.INPAINT_TELEA)
    filled = torch.from_numpy(np.asarray(grown).reshape(picture.shape)).permute(2, 0, 1).float() / 255
    return torch.where(hole, filled, frame)
