"""What all oracles share: the protocol of a representation around a formula."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor

from invr_core.errors import BadInput, OutOfSpan, Unsupported
from invr_core.query import Query
from invr_core.representation import Motion
from invr_core.span import outside, written


class Oracle(ABC):
    """An analytic `invr_core.representation.Representation`: no training, no files.

    A picture is a formula, sampled at the pixels' centres: it is exact at every instant, and at every size of the same
    shape the same picture. "residual" is the fine texture, "structured" the rest. What happens, happens in fractions of
    the span.

    Args:
        size: native (H, W), in pixels.
        span: first and last instant, in seconds.

    Raises:
        BadInput: if the size or the length of the span is not positive.
    """

    parts: frozenset[str] = frozenset({"full", "structured", "residual"})
    exempt: ClassVar[Mapping[str, str]] = {"saving_is_exact": "a formula has no parameters to store"}
    """For `invr_core.testing.check_representation`."""

    def __init__(self, size: tuple[int, int] = (48, 64), span: tuple[float, float] = (0.0, 1.0)) -> None:
        if min(size) < 1 or not span[0] < span[1]:
            raise BadInput(f"size {size} and span {span} must be positive")
        self.size = size
        self.span = span
        self.device = torch.device("cpu")

    def __call__(self, query: Query) -> Tensor:
        """Render; see `invr_core.representation.Representation`."""
        if query.part not in self.parts:
            raise Unsupported(f"there is no part {query.part!r}; there are {', '.join(sorted(self.parts))}")
        size = query.size or self.size
        picture = torch.stack([self.picture(p, size, query.part) for p in self._progress(query.times)]).float()
        if query.region is not None:
            rows, columns = query.region.slices((picture.shape[2], picture.shape[3]))
            picture = picture[:, :, rows, columns]
        return picture.to(self.device)

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        """Exact motion; the confidence is 0 where a pixel is hidden or outside the frame at the other instant."""
        pairs = [self.movement(a, b) for a, b in zip(self._progress(t0), self._progress(t1), strict=True)]
        flow, confidence = (torch.stack(list(each)).float().to(self.device) for each in zip(*pairs, strict=True))
        return Motion(flow, confidence)

    def to(self, device: torch.device | str) -> Self:
        """The same clip, answering on another device."""
        moved = type(self)(self.size, self.span)
        moved.device = torch.device(device)
        return moved

    def save(self, path: str | Path, bits: int = 32) -> None:
        """There is nothing to store: raises Unsupported."""
        raise Unsupported(f"{path}: {type(self).__name__} is a formula and cannot be saved")

    @abstractmethod
    def picture(self, progress: float, size: tuple[int, int], part: str) -> Tensor:
        """One picture.

        Args:
            progress: fraction of the span, in [0, 1].
            size: (H, W) in pixels.
            part: one of ``parts``.

        Returns:
            (3, H, W) float64.
        """

    @abstractmethod
    def movement(self, begin: float, end: float) -> tuple[Tensor, Tensor]:
        """Where the pixels of one instant are at another.

        Args:
            begin: fraction of the span, in [0, 1].
            end: likewise.

        Returns:
            flow, (2, H, W) float64 pixels, x then y, and confidence, (1, H, W) float64 in [0, 1], at the native size.
        """

    def _progress(self, times: Tensor) -> list[float]:
        """Seconds -> fractions of the span."""
        times, (first, last) = torch.as_tensor(times, dtype=torch.float64), self.span
        beyond = outside(times, self.span)
        if len(beyond):
            raise OutOfSpan(
                f"{written(beyond[0])} s lies outside the span; "
                f"ask for instants from {written(first)} to {written(last)} s"
            )
        return [(min(max(time, first), last) - first) / (last - first) for time in times.tolist()]
