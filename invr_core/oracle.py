"""A clip with no fit: a textured disc over a drifting, textured background, exact at every instant and size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor

from invr_core.errors import BadInput, OutOfSpan, Unsupported
from invr_core.query import Query
from invr_core.representation import Motion

RADIUS, SOFTNESS = 0.22, 0.03
"""Of the disc and of its edge, in frame heights."""
DRIFT = (0.06, -0.03)
"""How far the background moves over the whole span, x then y, in frame heights."""


class MovingDisc:
    """An analytic `invr_core.representation.Representation`, to test tasks with: no training, no files.

    A picture is a formula, sampled at the pixels' centres: it is exact at every instant, and at every size the same
    picture. The disc's path is curved, its edge soft (no aliasing at 32 lines or more), and both surfaces carry their
    texture with them, so that motion is exact too. "residual" is the texture, "structured" the rest.

    Args:
        size: native (H, W), in pixels.
        span: first and last instant, in seconds.

    Example:
        >>> disc = MovingDisc((36, 48), span=(0.0, 2.0))
        >>> disc(Query(torch.tensor([0.5, 1.0]), size=(72, 96))).shape
        torch.Size([2, 3, 72, 96])
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
        picture = torch.stack([self._picture(time, query) for time in self._progress(query.times)]).float()
        if query.region is not None:
            rows, columns = query.region.slices((picture.shape[2], picture.shape[3]))
            picture = picture[:, :, rows, columns]
        return picture.to(self.device)

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        """Exact motion; confidence falls at the disc's soft edge, where something is covered, and at the border."""
        pairs = [self._motion(a, b) for a, b in zip(self._progress(t0), self._progress(t1), strict=True)]
        flow, confidence = (torch.stack(list(each)).float().to(self.device) for each in zip(*pairs, strict=True))
        return Motion(flow, confidence)

    def to(self, device: torch.device | str) -> Self:
        """The same clip, answering on another device."""
        moved = type(self)(self.size, self.span)
        moved.device = torch.device(device)
        return moved

    def save(self, path: str | Path) -> None:
        """There is nothing to store: raises Unsupported."""
        raise Unsupported(f"{path}: {type(self).__name__} is a formula and cannot be saved")

    def _progress(self, times: Tensor) -> list[float]:
        """Seconds -> fractions of the span."""
        first, last = self.span
        fractions = []
        for time in torch.as_tensor(times, dtype=torch.float64).tolist():
            if not first - 1e-9 <= time <= last + 1e-9:
                raise OutOfSpan(f"{time:g} s lies outside the span; ask for instants from {first:g} to {last:g} s")
            fractions.append((min(max(time, first), last) - first) / (last - first))
        return fractions

    def _picture(self, progress: float, query: Query) -> Tensor:
        """(3, H, W) float64."""
        x, y = self._positions(query.size or self.size)
        cover = self._cover(x, y, progress)
        at_x, at_y = self._centre(progress)
        disc, ground = (x - at_x, y - at_y), (x - DRIFT[0] * progress, y - DRIFT[1] * progress)
        structured = torch.lerp(_shade(*ground, 2.0), _shade(*disc, 5.0).flip(0), cover)
        residual = torch.lerp(_texture(*ground, 0.0), _texture(*disc, 1.0), cover)
        if query.part == "full":
            return structured + residual
        return structured if query.part == "structured" else residual

    def _positions(self, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """x, (1, W), and y, (H, 1), of the pixels' centres, in frame heights."""
        y = (torch.arange(size[0], dtype=torch.float64) + 0.5) / size[0]
        x = (torch.arange(size[1], dtype=torch.float64) + 0.5) / size[1] * self._aspect
        return x[None, :], y[:, None]

    @property
    def _aspect(self) -> float:
        return self.size[1] / self.size[0]

    def _centre(self, progress: float) -> tuple[float, float]:
        """Of the disc, x then y, in frame heights."""
        return (0.25 + 0.5 * progress) * self._aspect, 0.5 + 0.15 * math.sin(2 * math.pi * progress)

    def _cover(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """How much of a position the disc covers, in [0, 1]."""
        at_x, at_y = self._centre(progress)
        return torch.sigmoid((RADIUS - torch.hypot(x - at_x, y - at_y)) / SOFTNESS * 4)

    def _motion(self, begin: float, end: float) -> tuple[Tensor, Tensor]:
        """(2, H, W) pixels and (1, H, W)."""
        x, y = self._positions(self.size)
        cover = self._cover(x, y, begin)
        on_disc = cover > 0.5
        (x0, y0), (x1, y1) = self._centre(begin), self._centre(end)
        move_x = torch.where(on_disc, x1 - x0, DRIFT[0] * (end - begin))
        move_y = torch.where(on_disc, y1 - y0, DRIFT[1] * (end - begin))
        there_x, there_y = x + move_x, y + move_y
        inside = (there_x >= 0) & (there_x <= self._aspect) & (there_y >= 0) & (there_y <= 1)
        clear = torch.minimum((2 * cover - 1).abs(), (2 * self._cover(there_x, there_y, end) - 1).abs())
        hidden = ~on_disc & (self._cover(there_x, there_y, end) > 0.5)
        confidence = torch.where(hidden | ~inside, 0.0, clear)
        return torch.stack([move_x, move_y]) * self.size[0], confidence[None]


def _shade(x: Tensor, y: Tensor, pitch: float) -> Tensor:
    """A smooth colour: (3, H, W) in [0.15, 0.85]."""
    waves = [torch.sin(pitch * x + phase) * torch.cos(pitch * 0.7 * y - phase) for phase in (0.3, 1.7, 3.1)]
    return 0.5 + 0.35 * torch.stack(waves)


def _texture(x: Tensor, y: Tensor, phase: float) -> Tensor:
    """Fine detail: (3, H, W) in [-0.12, 0.12]."""
    waves = [torch.sin(17 * x + 11 * y + phase + c) * torch.sin(23 * y - 9 * x + c) for c in (0.0, 0.9, 2.2)]
    return 0.12 * torch.stack(waves)
