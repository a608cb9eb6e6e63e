"""Between the float frames of a `Video` and the bytes that libraries of images and scores work on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Bytes = NDArray[np.uint8]


def to_bytes(frames: Tensor) -> Bytes:
    """Frames as 8-bit pictures, channels last.

    Args:
        frames: (n, C, H, W) float32 in [0, 1]; what lies outside is clipped.

    Returns:
        (n, H, W, C) uint8, rounded to the nearest; the exact bytes if the frames came from bytes.

    Example:
        >>> to_bytes(torch.tensor([[[[0.0, 0.5, 1.2]]]])).ravel().tolist()
        [0, 128, 255]
    """
    levels = (frames.detach() * 255).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())


def from_bytes(pictures: Bytes) -> Tensor:
    """8-bit pictures, channels last, as frames.

    Args:
        pictures: (n, H, W, C) uint8.

    Returns:
        (n, C, H, W) float32 in [0, 1].
    """
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255
