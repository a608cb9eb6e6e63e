"""The best linear guess of what is not known of a picture, from how alike its pixels are at each distance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from invr_core.fill import fill

FARTHEST = 128
"""Pixels, along each axis, up to which it is counted how alike pixels are."""
NUGGET = 0.03
"""Share of the variance that two pixels beside each other need not have in common."""
RIM = (4, 16)
"""Pixels around a hole that it is guessed from: half of the hole's width, within these bounds."""
MOST = 1500
"""Pixels of a rim; that of a larger hole is looked at on coarser pixels."""


@dataclass(frozen=True, eq=False)
class Likeness:
    """How alike pixels are: their covariance by distance, the same everywhere.

    Args:
        covariance: (2 n + 1, 2 n + 1) float64, of pixels so far apart along y and x, 0 in the middle.
    """

    covariance: Tensor

    @classmethod
    def of(cls, pictures: Iterable[tuple[Tensor, Tensor]]) -> Self:
        """Counted over pictures.

        Args:
            pictures: (1, C, H, W) each, and (1, 1, H, W) in {0, 1}: where it is known.
        """
        products, pairs = torch.zeros((2, 2 * FARTHEST + 1, 2 * FARTHEST + 1), dtype=torch.float64)
        for picture, known in pictures:
            where = known[0].double()
            mean = (picture[0] * where).sum((1, 2), keepdim=True) / where.sum().clamp(min=1)
            products = products + _correlated((picture[0] - mean) * where)
            pairs = pairs + len(picture[0]) * _correlated(where)
        return cls(products / pairs.clamp(min=1))

    def between(self, one: Tensor, other: Tensor) -> Tensor:
        """The covariance of each of (n, 2) places with each of (m, 2), rows and columns: (n, m)."""
        reach = len(self.covariance) // 2
        rows, columns = ((one[:, None] - other).clamp(-reach, reach) + reach).unbind(2)
        return self.covariance[rows, columns]

    def coarser(self) -> Self:
        """That of the means of 2x2 pixels."""
        once = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64) / 4
        padded = F.pad(self.covariance[None, None], (1, 1, 1, 1), mode="replicate")
        smooth = F.conv2d(padded, torch.outer(once, once)[None, None])[0, 0]
        first = len(smooth) // 2 % 2
        return type(self)(smooth[first::2, first::2])


def krige(picture: Tensor, known: Tensor, likeness: Likeness) -> Tensor:
    """Continue a picture into its holes: each missing pixel a weighted mean of those around the hole.

    The weights are those of the least mean square error among all that need not know the mean (ordinary kriging).

    Args:
        picture: (1, C, H, W).
        known: (1, 1, H, W) in {0, 1}.
        likeness: of the clip.

    Returns:
        (1, C, H, W); unchanged where it is known.

    Source:
        G. Matheron, Principles of Geostatistics, Economic Geology 1963.
    """
    if bool((known > 0).all()) or not bool((known > 0).any()):
        return picture
    guessed = picture.clone()
    holes = (known[0, 0] == 0).numpy().astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(holes)
    for label in range(1, count):
        left, top, width, height = boxes[label, : cv2.CC_STAT_AREA].tolist()
        wide = min(max(min(height, width) // 2, RIM[0]), RIM[1])
        window = tuple(slice(max(a - wide, 0), a + length + wide) for a, length in ((top, height), (left, width)))
        _guess(guessed[0][:, *window], known[0, 0][window] > 0, labels[window] == label, wide, likeness)
    return guessed


def _guess(part: Tensor, trusted: Tensor, inside: NDArray[np.bool_], wide: int, likeness: Likeness) -> None:
    """Fill one hole of a picture.

    Args:
        part: (C, h, w) of the picture, the hole and ``wide`` pixels around it; it is changed.
        trusted: (h, w) bool, where the picture is known.
        inside: (h, w), the hole.
        wide: pixels of the rim.
        likeness: of the clip.
    """
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * wide + 1, 2 * wide + 1))
    rim = (cv2.dilate(inside.astype(np.uint8), shape) > 0) & trusted.numpy()
    reach = len(likeness.covariance) // 2
    if rim.sum() > MOST or (max(inside.shape) > reach > 2 * RIM[1]):
        part[:, inside] = _coarsely(part, trusted, rim, likeness)[:, inside]
    elif rim.any():
        part[:, inside] = _solved(part, rim, inside, likeness)


def _coarsely(part: Tensor, trusted: Tensor, rim: NDArray[np.bool_], likeness: Likeness) -> Tensor:
    """The guess on pixels twice as wide, brought up, and its difference from what is known continued over it."""
    size = (part.shape[1], part.shape[2])
    weight = trusted.float()[None, None]
    share = F.avg_pool2d(weight, 2, ceil_mode=True)
    small = F.avg_pool2d(part[None] * weight, 2, ceil_mode=True) / share.clamp(min=1e-8)
    guessed = krige(small, (share > 0).float(), likeness.coarser())
    large = F.interpolate(guessed, scale_factor=2, mode="bilinear")[:, :, : size[0], : size[1]]
    return (large + fill(part[None] - large, weight))[0]


def _solved(part: Tensor, rim: NDArray[np.bool_], hole: NDArray[np.bool_], likeness: Likeness) -> Tensor:
    near, far = torch.from_numpy(np.argwhere(rim)), torch.from_numpy(np.argwhere(hole))
    values = part[:, torch.from_numpy(rim)].double().T
    ones = torch.ones(len(near), 1, dtype=torch.float64)
    solved = torch.cholesky_solve(torch.cat([values, ones], 1), _factor(likeness.between(near, near)))
    mean = solved[:, :-1].sum(0) / solved[:, -1].sum()
    guess = mean + likeness.between(far, near) @ (solved[:, :-1] - solved[:, -1:] * mean)
    return guess.T.to(part)


def _factor(covariance: Tensor) -> Tensor:
    """Its Cholesky factor, with as much of a nugget as it takes: what is counted need not be a true covariance."""
    nugget = NUGGET * covariance.diagonal().mean() + 1e-12
    while True:
        factor, failed = torch.linalg.cholesky_ex(covariance + nugget * torch.eye(len(covariance)))
        if not bool(failed):
            return Tensor(factor)
        nugget = 2 * nugget


def _correlated(fields: Tensor) -> Tensor:
    """Of (C, H, W) fields, the sums of products of pixels so far apart, up to `FARTHEST`: (2 n + 1, 2 n + 1)."""
    height, width = (length + FARTHEST for length in fields.shape[1:])
    power = torch.fft.rfft2(fields, (height, width)).abs().square().sum(0)
    steps = torch.arange(-FARTHEST, FARTHEST + 1)
    products = torch.fft.irfft2(power, (height, width))
    return Tensor(products[(steps % height)[:, None], (steps % width)[None]])
