"""Textured things that move over a textured ground: `MovingDisc`, `PanningTexture` and `Occlusion`."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from invr_core.oracle.base import Oracle

SOFTNESS = 0.03
"""Of the edge of what is in front, in frame heights: no aliasing at 32 lines or more."""

Place = tuple[float, float]
"""x then y, in frame heights."""


class Scene(Oracle):
    """Something in front of a ground, each carrying its texture along, so that motion is exact too.

    Args:
        size: native (H, W), in pixels.
        span: first and last instant, in seconds.
    """

    @abstractmethod
    def ground(self, progress: float) -> Place:
        """Where the origin of the ground's texture is."""

    def front(self, progress: float) -> Place:
        """Where the origin of what is in front is."""
        return 0.0, 0.0

    def within(self, x: Tensor, y: Tensor) -> Tensor:
        """How far positions, relative to `front`, lie inside what is in front, in frame heights; negative outside.

        Args:
            x: (1, W) or (H, W), in frame heights.
            y: (H, 1) or (H, W), in frame heights.
        """
        return torch.full_like(x + y, -math.inf)  # there is nothing in front

    def picture(self, progress: float, size: tuple[int, int], part: str) -> Tensor:
        """See `Oracle.picture`."""
        x, y = self._positions(size)
        cover = self._cover(x, y, progress)
        (front_x, front_y), (ground_x, ground_y) = self.front(progress), self.ground(progress)
        front, ground = (x - front_x, y - front_y), (x - ground_x, y - ground_y)
        structured = torch.lerp(_shade(*ground, 2.0), _shade(*front, 5.0).flip(0), cover)
        residual = torch.lerp(_texture(*ground, 0.0), _texture(*front, 1.0), cover)
        if part == "full":
            return structured + residual
        return structured if part == "structured" else residual

    def movement(self, begin: float, end: float) -> tuple[Tensor, Tensor]:
        """See `Oracle.movement`; confidence falls at the soft edge, where something is covered, and at the border."""
        x, y = self._positions(self.size)
        cover = self._cover(x, y, begin)
        in_front = cover > 0.5
        (front_x0, front_y0), (front_x1, front_y1) = self.front(begin), self.front(end)
        (ground_x0, ground_y0), (ground_x1, ground_y1) = self.ground(begin), self.ground(end)
        move_x = torch.where(in_front, x.new_tensor(front_x1 - front_x0), x.new_tensor(ground_x1 - ground_x0))
        move_y = torch.where(in_front, y.new_tensor(front_y1 - front_y0), y.new_tensor(ground_y1 - ground_y0))
        there_x, there_y = x + move_x, y + move_y
        inside = (there_x >= 0) & (there_x <= self._aspect) & (there_y >= 0) & (there_y <= 1)
        cover_there = self._cover(there_x, there_y, end)
        clear = torch.minimum((2 * cover - 1).abs(), (2 * cover_there - 1).abs())
        hidden = ~in_front & (cover_there > 0.5)
        confidence = torch.where(hidden | ~inside, 0.0, clear)
        return torch.stack([move_x, move_y]) * self.size[0], confidence[None]

    def _positions(self, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """x, (1, W), and y, (H, 1), of the pixels' centres, in frame heights."""
        y = (torch.arange(size[0], dtype=torch.float64) + 0.5) / size[0]
        x = (torch.arange(size[1], dtype=torch.float64) + 0.5) / size[1] * self._aspect
        return x[None, :], y[:, None]

    @property
    def _aspect(self) -> float:
        return self.size[1] / self.size[0]

    def _cover(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        """How much of a position is covered by what is in front, in [0, 1]."""
        at_x, at_y = self.front(progress)
        return torch.sigmoid(self.within(x - at_x, y - at_y) / SOFTNESS * 4)


class MovingDisc(Scene):
    """A disc on a curved path over a slowly drifting ground.

    Args:
        size: native (H, W), in pixels.
        span: first and last instant, in seconds.

    Example:
        >>> from invr_core.query import Query
        >>> disc = MovingDisc((36, 48), span=(0.0, 2.0))
        >>> disc(Query(torch.tensor([0.5, 1.0]), size=(72, 96))).shape
        torch.Size([2, 3, 72, 96])
    """

    def ground(self, progress: float) -> Place:
        """A little to the right and up."""
        return 0.06 * progress, -0.03 * progress

    def front(self, progress: float) -> Place:
        """The centre of the disc: from left to right, on a wave."""
        return (0.25 + 0.5 * progress) * self._aspect, 0.5 + 0.15 * math.sin(2 * math.pi * progress)

    def within(self, x: Tensor, y: Tensor) -> Tensor:
        """A disc of a radius of 0.22 frame heights."""
        return 0.22 - torch.hypot(x, y)


class PanningTexture(Scene):
    """A texture that pans: every pixel moves, and at the borders something new comes in all the time.

    Args:
        size: native (H, W), in pixels.
        span: first and last instant, in seconds.
    """

    def ground(self, progress: float) -> Place:
        """Two frame heights to the left over the span, swaying."""
        return -2 * progress, 0.15 * math.sin(2 * math.pi * progress)


class Occlusion(Scene):
    """A door slides over half of a drifting scene, and back: what it hides is seen only long before and long after.

    Args:
        size: native (H, W), in pixels.
        span: first and last instant, in seconds.
    """

    def ground(self, progress: float) -> Place:
        """A little to the left and down."""
        return -0.1 * progress, 0.05 * progress

    def front(self, progress: float) -> Place:
        """The edge of the door: from the right border to the middle of the frame, and back."""
        return (1 - 0.5 * math.sin(math.pi * progress)) * self._aspect, 0.0

    def within(self, x: Tensor, y: Tensor) -> Tensor:
        """Everything to the right of the edge."""
        return x + 0 * y


def _shade(x: Tensor, y: Tensor, pitch: float) -> Tensor:
    """A smooth colour: (3, H, W) in [0.15, 0.85]."""
    waves = [torch.sin(pitch * x + phase) * torch.cos(pitch * 0.7 * y - phase) for phase in (0.3, 1.7, 3.1)]
    return 0.5 + 0.35 * torch.stack(waves)


def _texture(x: Tensor, y: Tensor, phase: float) -> Tensor:
    """Fine detail: (3, H, W) in [-0.12, 0.12]."""
    waves = [torch.sin(17 * x + 11 * y + phase + c) * torch.sin(23 * y - 9 * x + c) for c in (0.0, 0.9, 2.2)]
    return 0.12 * torch.stack(waves)
