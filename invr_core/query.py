"""What to show of a fitted clip: instants, size, region and part."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from invr_core.errors import BadInput

MOST_INSTANTS = 10_000_000
"""How many instants a rate or a factor may ask for: four days of video."""


@dataclass(frozen=True)
class Region:
    """A rectangle of the frame, in fractions of its height and width.

    Args:
        top: of the upper edge, in [0, 1).
        left: of the left edge, in [0, 1).
        height: in (0, 1]; the rectangle lies inside the frame.
        width: in (0, 1].

    Raises:
        BadInput: if the rectangle is empty or leaves the frame.

    Example:
        >>> Region(0.25, 0.5, 0.5, 0.5).slices((8, 16))
        (slice(2, 6, None), slice(8, 16, None))
    """

    top: float
    left: float
    height: float
    width: float

    def __post_init__(self) -> None:
        for start, extent, axis in ((self.top, self.height, "vertical"), (self.left, self.width, "horizontal")):
            if not (0 <= start < 1 and 0 < extent <= 1 and start + extent <= 1 + 1e-9):
                raise BadInput(
                    f"{self} leaves the frame in its {axis} extent; "
                    "give fractions with 0 <= start, 0 < extent and start + extent <= 1"
                )

    def slices(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """The rectangle on a frame of ``size`` (H, W): row and column slices of at least one pixel."""
        return _slice(self.top, self.height, size[0]), _slice(self.left, self.width, size[1])


def _slice(start: float, extent: float, length: int) -> slice:
    first = min(round(start * length), length - 1)
    return slice(first, max(first + 1, min(round((start + extent) * length), length)))


@dataclass(frozen=True, eq=False)
class Query:
    """Which instants, size, region and part of a fitted clip to show.

    Args:
        times: (M,) float64 seconds, finite, within the representation's span; any order.
        size: (H, W) in pixels of the whole frame; None for the native size.
        region: the rectangle to show; None for all of the frame.
        part: a name in the representation's ``parts``.

    Raises:
        BadInput: if times is not a finite vector or size is not positive.
    """

    times: Tensor
    size: tuple[int, int] | None = None
    region: Region | None = None
    part: str = "full"

    def __post_init__(self) -> None:
        times = torch.as_tensor(self.times, dtype=torch.float64)
        if times.ndim != 1 or not bool(torch.isfinite(times).all()):
            raise BadInput(f"times must be a vector of finite seconds, got shape {tuple(times.shape)}")
        object.__setattr__(self, "times", times)
        if self.size is not None and min(self.size) < 1:
            raise BadInput(f"size must be (H, W) of at least 1 pixel each, got {self.size}")


def subdivide(times: Tensor, factor: int) -> Tensor:
    """``factor - 1`` instants evenly placed between each two neighbours, the given ones kept exactly.

    Args:
        times: (N,) float64 seconds, strictly increasing.
        factor: at least 1; 1 gives ``times`` back.

    Returns:
        ((N - 1) * factor + 1,) float64 seconds.

    Raises:
        BadInput: if factor is less than 1, or asks for more than `MOST_INSTANTS`.

    Example:
        >>> subdivide(torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64), 2).tolist()
        [0.0, 0.5, 1.0, 2.0, 3.0]
    """
    if factor < 1:
        raise BadInput(f"factor must be a whole number of at least 1, got {factor}")
    if len(times) < 2:
        return times.clone()
    _require_few((len(times) - 1) * factor + 1, f"a factor of {factor}")
    fractions = torch.arange(factor, dtype=torch.float64) / factor
    inner = times[:-1, None] + (times[1:] - times[:-1])[:, None] * fractions
    return torch.cat([inner.flatten(), times[-1:]])


def at_rate(span: tuple[float, float], fps: float) -> Tensor:
    """The instants of a constant-rate clip over a span, both ends included where they fall on the grid.

    Args:
        span: first and last instant, in seconds.
        fps: frames per second, positive and finite.

    Returns:
        (M,) float64 seconds.

    Raises:
        BadInput: if fps is not positive and finite, or asks for more than `MOST_INSTANTS`.

    Example:
        >>> at_rate((1.0, 2.0), 4).tolist()
        [1.0, 1.25, 1.5, 1.75, 2.0]
    """
    if not (math.isfinite(fps) and fps > 0):
        raise BadInput(f"fps must be a positive number, got {fps}")
    wanted = (span[1] - span[0]) * fps + 1e-6
    _require_few(wanted, f"{fps:g} frames per second from {span[0]:g} to {span[1]:g} s")
    count = math.floor(wanted) + 1
    return (span[0] + torch.arange(count, dtype=torch.float64) / fps).clamp(max=span[1])


def _require_few(count: float, what: str) -> None:
    if count > MOST_INSTANTS:
        raise BadInput(f"{what} would be {count:.3g} frames, and at most {MOST_INSTANTS:,} are offered; ask for fewer")
