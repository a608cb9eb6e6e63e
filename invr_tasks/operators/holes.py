"""Holes to be filled: masks for a clip (1 in the hole, 0 elsewhere), and the clip with the holes punched out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.video import Video

REFERENCE_WIDTH = 1280
"""The frame width, in pixels, at which sides of boxes are given; they shrink with the frame."""


def box_holes(video: Video, count: int = 5, side: float = 50, seed: int = 0) -> Video:
    """Boxes whose places are drawn anew for each frame.

    Args:
        video: the clip that the mask is for; its frames are not read.
        count: boxes per frame.
        side: of a box, in pixels at a frame width of `REFERENCE_WIDTH`.
        seed: at least 0.

    Returns:
        A mask: one channel, 1 in the holes.

    Raises:
        BadInput: if a box does not fit in the frame.
    """
    height, width = video.size
    extent = _side(video, side)
    rng = np.random.default_rng(seed)
    corners = [
        [(int(rng.integers(0, height - extent + 1)), int(rng.integers(0, width - extent + 1))) for _ in range(count)]
        for _ in range(len(video))
    ]

    def draw(index: int) -> NDArray[np.bool_]:
        hole = np.zeros((height, width), bool)
        for y, x in corners[index]:
            hole[y : y + extent, x : x + extent] = True
        return hole

    return _mask(video, draw)


def static_hole(video: Video, side: float = 100, at: tuple[float, float] = (0.20, 0.70)) -> Video:
    """One box, the same in all frames, as a logo is.

    Args:
        video: the clip that the mask is for; its frames are not read.
        side: of the box, in pixels at a frame width of `REFERENCE_WIDTH`.
        at: its upper left corner (y, x), in fractions of the frame; moved inside where the box would leave the frame.

    Returns:
        A mask: one channel, 1 in the hole.

    Raises:
        BadInput: if the box does not fit in the frame.
    """
    height, width = video.size
    extent = _side(video, side)
    y, x = min(round(at[0] * height), height - extent), min(round(at[1] * width), width - extent)
    hole = np.zeros((height, width), bool)
    hole[y : y + extent, x : x + extent] = True
    return _mask(video, lambda index: hole)


def moving_hole(video: Video, period: int = 80) -> Video:
    """An ellipse of 0.12 of the width and 0.34 of the height that sweeps over the frame and back.

    Args:
        video: the clip that the mask is for; its frames are not read.
        period: frames until it is back.

    Returns:
        A mask: one channel, 1 in the hole.
    """
    height, width = video.size
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)

    def draw(index: int) -> NDArray[np.bool_]:
        phase = 2 * np.pi * index / period
        x, y = width * (0.5 - 0.36 * np.cos(phase)), height * (0.5 + 0.12 * np.sin(2 * phase))
        inside = ((columns - x) / (0.06 * width)) ** 2 + ((rows - y) / (0.17 * height)) ** 2 <= 1
        return np.asarray(inside, bool)

    return _mask(video, draw)


def object_holes(video: Video, masks: Video) -> Video:
    """Holes of the shape of a real object, played forth and back if the clip is longer than its masks.

    Args:
        video: the clip that the mask is for; its frames are not read.
        masks: of the object, of any size: its largest centred crop of the shape of the clip is taken, nearest pixels.
            What is not black in some channel is the object.

    Returns:
        A mask: one channel, 1 in the holes.
    """
    height, width = video.size
    tall, wide = masks.size
    factor = min(wide / width, tall / height)
    rows, columns = round(height * factor), round(width * factor)
    top, left = (tall - rows) // 2, (wide - columns) // 2
    period = max(2 * (len(masks) - 1), 1)

    def draw(index: int) -> NDArray[np.bool_]:
        place = min(index % period, period - index % period) if len(masks) > 1 else 0
        cut = masks.read([place])[0, :, top : top + rows, left : left + columns].amax(0) > 0
        shown = cv2.resize(cut.numpy().astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(shown > 0, bool)

    return _mask(video, draw)


def punch(video: Video, mask: Video, value: float = 0.0) -> Video:
    """The clip with its holes filled by one value: what a method is given.

    Args:
        video: the whole clip.
        mask: one channel, as many frames and the same size; above 0.5 in the holes.
        value: in [0, 1]; black by default.

    Returns:
        A lazy clip.

    Raises:
        BadInput: if the mask does not fit the clip.
    """
    check_mask(mask, video)

    def read(indices: Sequence[int]) -> Tensor:
        return video.read(indices).masked_fill(mask.read(indices) > 0.5, value)

    return replace(video, read=read)


def check_mask(mask: Video, video: Video) -> None:
    """Make sure that a mask has one channel, and as many frames and the same size as the clip it is for.

    Raises:
        BadInput: if it has not; the message says what it has.
    """
    if (len(mask), mask.size, mask.channels) != (len(video), video.size, 1):
        raise BadInput(
            f"the mask has {len(mask)} frames of {mask.size[1]}x{mask.size[0]} with {mask.channels} channels; "
            f"it needs {len(video)} of {video.size[1]}x{video.size[0]} with 1 channel"
        )


def _side(video: Video, side: float) -> int:
    height, width = video.size
    extent = max(2, round(side * width / REFERENCE_WIDTH))
    if extent > min(height, width):
        raise BadInput(f"a box of {extent} pixels does not fit in a frame of {width}x{height}; give a smaller side")
    return extent


def _mask(video: Video, draw: Callable[[int], NDArray[np.bool_]]) -> Video:
    def read(indices: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([draw(index) for index in indices]).astype(np.float32))[:, None]

    return Video(video.times, video.size, read, channels=1)
