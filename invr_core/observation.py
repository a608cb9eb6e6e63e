"""How the given frames came from the clip we want: ``y = A(x) + noise``, trusted by ``w``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.video import Video

Clip = Callable[[Tensor], Tensor]
"""(n,) float64 seconds -> (n, 3, H, W) float32 frames of the clip at those instants."""

Forward = Callable[[Clip, Tensor], Tensor]
"""``A(x, t)``: what would be observed of the continuous clip ``x`` at the instants ``t``."""

Distance = Callable[[Tensor, Tensor], Tensor]
"""(prediction, target), both (n, C, H, W) -> elementwise distances of the same shape."""


def identity(clip: Clip, times: Tensor) -> Tensor:
    """The clip itself is observed."""
    return clip(times)


def framewise(fn: Callable[[Tensor], Tensor]) -> Forward:
    """An operator that acts on each frame by itself: blur, shrink, recolour.

    Args:
        fn: (n, 3, H, W) -> (n, C, h, w), differentiable.
    """
    return lambda clip, times: fn(clip(times))


def charbonnier(prediction: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Smooth absolute difference, ``sqrt(d^2 + epsilon^2) - epsilon``: robust, with a gradient everywhere."""
    return torch.sqrt((prediction - target).square() + epsilon**2) - epsilon


def squared(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared difference: the likelihood of Gaussian noise."""
    return (prediction - target).square()


@dataclass(frozen=True, eq=False)
class Observation:
    """What was given, how it came from the clip we want, and how far each pixel is trusted.

    Args:
        video: the given frames ``y``.
        forward: the operator ``A``; it acts on the *continuous* clip, so shutter blur or a rolling shutter need
            no other hook.
        weight: one channel in [0, 1], as many frames and the same size as ``video``; 0 hides a pixel from
            the fit. None: all are trusted.
        distance: elementwise, between ``A(x)`` and ``y``.
        size: (H, W) of the clip ``x``; None for that of ``video``.
        span: seconds that ``x`` must cover; None for that of ``video``.

    Raises:
        BadInput: if the weight does not match the video.
    """

    video: Video
    forward: Forward = identity
    weight: Video | None = None
    distance: Distance = charbonnier
    size: tuple[int, int] | None = None
    span: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        w = self.weight
        if w is not None and (len(w), w.size, w.channels) != (len(self.video), self.video.size, 1):
            raise BadInput(
                f"the weight has {len(w)} frames of {w.size[1]}x{w.size[0]} with {w.channels} channels; "
                f"it needs {len(self.video)} of {self.video.size[1]}x{self.video.size[0]} with 1 channel"
            )

    @property
    def clip_size(self) -> tuple[int, int]:
        """(H, W) of the clip that is fitted."""
        return self.size or self.video.size

    @property
    def clip_span(self) -> tuple[float, float]:
        """First and last instant of the clip that is fitted, in seconds."""
        return self.span or self.video.span
