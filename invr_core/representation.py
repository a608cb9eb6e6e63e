"""What a fitted clip can be asked: the one protocol that tasks are written against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from invr_core.query import Query


@dataclass(frozen=True, eq=False)
class Motion:
    """Where the pixels of one instant are at another.

    Args:
        flow: (M, 2, H, W) float32, pixels, x then y: pixel p of the first instant is at ``p + flow(p)`` at the second.
        confidence: (M, 1, H, W) float32 in [0, 1]; low where the two instants do not see the same thing.
    """

    flow: Tensor
    confidence: Tensor


@runtime_checkable
class Representation(Protocol):
    """A fitted clip: a path in time that can be asked for any instant, size, region and part.

    Always fitted; there are no half-fitted objects. The laws that every one keeps are tested by
    `invr_core.testing.check_representation`.
    """

    span: tuple[float, float]
    """First and last instant, in seconds."""
    size: tuple[int, int]
    """Native (H, W), in pixels."""
    parts: frozenset[str]
    """What `Query.part` may name; "full" is always there."""

    @property
    def device(self) -> torch.device:
        """Where the answer is computed."""

    def __call__(self, query: Query) -> Tensor:
        """Render. Returns (M, 3, h, w) float32 sRGB, on `device`, differentiable.

        "full" lies in [0, 1] up to rounding; other parts need not.

        Raises:
            OutOfSpan: if an instant lies outside `span`.
            Unsupported: if the part is not in `parts`.
        """

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        """Where the pixels of ``t0`` are at ``t1``; both (M,) float64 seconds.

        Raises:
            OutOfSpan: if an instant lies outside `span`.
            Unsupported: if this model knows no motion.
        """

    def to(self, device: torch.device | str) -> Self:
        """The same representation on another device."""

    def save(self, path: str | Path, bits: int = 32) -> None:
        """Write one ``.invr`` file, atomically: 32 bits a parameter are exact, 4 to 16 smaller and a little off."""
