"""Two shots with a cut between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from invr_core.oracle.base import Oracle
from invr_core.oracle.scenes import MovingDisc, PanningTexture


class Cut(Oracle):
    """`MovingDisc` in the first half of the span, `PanningTexture` in the second; across the cut nothing corresponds.

    Args:
        size: native (H, W), in pixels.
        span: first and last instant, in seconds; the instant in their middle belongs to the second shot.
    """

    exempt: ClassVar[Mapping[str, str]] = {**Oracle.exempt, "time_is_continuous": "a cut is a jump"}

    def __init__(self, size: tuple[int, int] = (48, 64), span: tuple[float, float] = (0.0, 1.0)) -> None:
        super().__init__(size, span)
        self._shots = (MovingDisc(size, span), PanningTexture(size, span))

    def picture(self, progress: float, size: tuple[int, int], part: str) -> Tensor:
        """See `Oracle.picture`."""
        return self._shot(progress).picture(progress, size, part)

    def movement(self, begin: float, end: float) -> tuple[Tensor, Tensor]:
        """See `Oracle.movement`; the confidence is 0 across the cut."""
        if self._shot(begin) is self._shot(end):
            return self._shot(begin).movement(begin, end)
        return torch.zeros(2, *self.size, dtype=torch.float64), torch.zeros(1, *self.size, dtype=torch.float64)

    def _shot(self, progress: float) -> Oracle:
        return self._shots[progress >= 0.5]
