"""Smaller clips, to the byte as OpenCV and Pillow make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
from PIL import Image
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.video import Video
from invr_tasks.pixels import Bytes, from_bytes, to_bytes

OFF = 1e-6
"""Pixels by which a side may miss a multiple of a scale that has no exact float, such as 1.1."""


def downscale(video: Video, scale: float, kernel: Literal["area", "bicubic"] = "area") -> Video:
    """A clip made so many times smaller, rounded to 8 bits.

    Args:
        video: the clip; both sides are multiples of ``scale``.
        scale: at least 1.
        kernel: "area" (OpenCV's ``INTER_AREA``, the mean of a box) or "bicubic" (Pillow's antialiased one).

    Returns:
        A lazy clip.

    Raises:
        BadInput: if the size is no multiple of the scale, or the kernel is unknown.
    """
    height, width = video.size
    if not 1 <= scale <= min(video.size) or any(abs(side / scale - round(side / scale)) > OFF for side in video.size):
        raise BadInput(
            f"{width}x{height} is no multiple of the scale {scale}; crop the clip first, or change the scale"
        )
    size = (round(height / scale), round(width / scale))
    resizers = {"area": _area, "bicubic": _bicubic}
    if kernel not in resizers:
        raise BadInput(f"downscale knows no kernel {kernel!r}; choose one of {', '.join(resizers)}")
    resize = resizers[kernel]
    return _picturewise(video, size, lambda picture: resize(picture, size))


def crop_to(video: Video, size: tuple[int, int]) -> Video:
    """The largest centred crop of the shape of ``size``, shrunk to it by area and rounded to 8 bits.

    Args:
        video: the clip, no smaller than ``size``.
        size: (H, W) in pixels.

    Returns:
        A lazy clip.

    Raises:
        BadInput: if the clip is smaller than that.
    """
    height, width = video.size
    factor = min(height / size[0], width / size[1])
    if factor < 1:
        raise BadInput(f"the clip is {width}x{height}, smaller than {size[1]}x{size[0]}; ask for a smaller size")
    tall, wide = round(size[0] * factor), round(size[1] * factor)
    top, left = (height - tall) // 2, (width - wide) // 2

    def crop(picture: Bytes) -> Bytes:
        cut = np.ascontiguousarray(picture[top : top + tall, left : left + wide])
        return cut if cut.shape[:2] == size else _area(cut, size)

    return _picturewise(video, size, crop)


def _area(picture: Bytes, size: tuple[int, int]) -> Bytes:
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint8)


def _bicubic(picture: Bytes, size: tuple[int, int]) -> Bytes:
    small = Image.fromarray(picture.squeeze()).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(small)


def _picturewise(video: Video, size: tuple[int, int], fn: Callable[[Bytes], Bytes]) -> Video:
    """The lazy clip whose pictures, (h, w, C) uint8, are ``fn`` of this one's, (H, W, C) uint8."""

    def read(indices: Sequence[int]) -> Tensor:
        small = [fn(picture).reshape(*size, -1) for picture in to_bytes(video.read(indices))]
        return from_bytes(np.stack(small))

    return replace(video, size=size, read=read, depth=8)
