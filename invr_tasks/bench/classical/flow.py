"""Pictures moved by optical flow."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from invr_tasks.pixels import Bytes

Field = NDArray[np.float32]
"""(H, W, 2) pixels, x then y."""
Flow = Callable[[Bytes, Bytes], Field]
"""Two pictures -> where the pixels of the first are in the second."""


def farneback(old: Bytes, new: Bytes) -> Field:
    """Flow by polynomial expansion, with the settings of OpenCV's own example.

    Args:
        old: (H, W, 3) uint8, RGB.
        new: the same shape.

    Source:
        G. Farnebäck, Two-Frame Motion Estimation Based on Polynomial Expansion, SCIA 2003.
    """
    first, last = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (old, new))
    start = np.zeros((*first.shape, 2), np.float32)
    found = cv2.calcOpticalFlowFarneback(first, last, start, 0.5, 3, 15, 3, 5, 1.2, 0)
    return np.asarray(found, np.float32)


def landing(flow: Field) -> Field:
    """Where each pixel of a picture comes to lie, in pixels of the other one."""
    height, width = flow.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.asarray(flow + np.stack([x, y], axis=2), np.float32)


def fetch(picture: NDArray[np.float32], at: Field, *, cubic: bool = False) -> NDArray[np.float32]:
    """What a picture shows at places between its pixels; beyond its border, the border.

    Args:
        picture: (H, W) or (H, W, C) float32.
        at: where.
        cubic: by bicubic rather than bilinear interpolation.
    """
    kernel = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    x, y = (np.ascontiguousarray(at[..., part]) for part in range(2))
    found = cv2.remap(picture, x, y, kernel, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def inside(at: Field) -> NDArray[np.bool_]:
    """(H, W): whether a place is within the frame."""
    height, width = at.shape[:2]
    x, y = at[..., 0], at[..., 1]
    return np.asarray((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))
