"""Motion between two pictures that are both at hand, by a classical method: to refine a fitted motion, or vie with it.

A fitted motion is smooth, consistent over the whole clip and known at every instant; matching is exact to a few
hundredths of a pixel where both pictures show the same thing, and knows nothing where they do not.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SMALLEST = 16
"""Pixels of the shorter side from which pictures can be matched."""
PATCH = 8
"""Pixels across the patches that are matched; larger ones bear more noise and aliasing, and follow less detail."""
RELIABLE = 64
"""Pixels of the shorter side from which matching is believed beyond a fitted motion: it needs to see around a thing."""
PER_PATCH = 2
"""How many times larger than a patch the shorter side must be."""


def matchable(size: tuple[int, int], patch: int = PATCH) -> bool:
    """Whether pictures of a size, (H, W), can be matched by patches of that many pixels."""
    return min(size) >= max(SMALLEST, PER_PATCH * patch)


def reliable(size: tuple[int, int]) -> bool:
    """Whether matching pictures of a size, (H, W), is to be believed beyond a fitted motion."""
    return min(size) >= RELIABLE


def match(old: Tensor, new: Tensor, *, patch: int = PATCH, stride: int | None = None) -> Tensor:
    """Where the pixels of one picture are in another.

    Args:
        old: (1, 3, H, W) RGB in [0, 1]; its pixels are followed.
        new: the same shape.
        patch: pixels across the patches that are matched; see `matchable`.
        stride: pixels from one patch to the next, at least 1 and at most ``patch``; a quarter of a patch if None.

    Returns:
        (1, 2, H, W) float32 on the device of ``old``, pixels, x then y.

    Source:
        T. Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016; OpenCV's, to the finest scale, with
        its variational refinement.

    Example:
        >>> picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        >>> float(match(picture, picture).abs().max()) < 0.01
        True
    """
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    dis.setPatchSize(patch)
    dis.setPatchStride(max(patch // 4, 1) if stride is None else stride)
    dis.setVariationalRefinementIterations(10)
    return torch.from_numpy(dense_flow(dis, _grey(old), _grey(new))).permute(2, 0, 1)[None].to(old.device)


def match_both(old: Tensor, new: Tensor, *, patch: int = PATCH) -> Tensor:
    """As `match`, but the mean of what is found from one to the other and, reversed, from the other to the one."""
    return (match(old, new, patch=patch) - match(new, old, patch=patch)) / 2


def dense_flow(method: cv2.DenseOpticalFlow, old: NDArray[np.uint8], new: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Where the pixels of one grey picture are in another, by one of OpenCV's methods as it is set.

    Args:
        method: such as ``cv2.DISOpticalFlow.create()``.
        old: (H, W); its pixels are followed.
        new: the same shape.

    Returns:
        (H, W, 2) pixels, x then y.
    """
    return np.asarray(method.calc(old, new, np.zeros((*old.shape, 2), np.float32)), np.float32)


def _grey(picture: Tensor) -> NDArray[np.uint8]:
    array = (picture.detach().squeeze(0).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_RGB2GRAY), np.uint8)
