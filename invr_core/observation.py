"""How the given frames came from the clip we want: ``y = A(x) + noise``, trusted by ``w``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.span import outside, written
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


class Physics(Protocol):
    """An operator whose call may add noise, as those of deepinv: ``A`` is the operator itself."""

    def A(self, x: Tensor) -> Tensor:  # the name that deepinv gives it
        """(n, 3, H, W) -> (n, C, h, w), without noise."""


def framewise(fn: Callable[[Tensor], Tensor] | Physics) -> Forward:
    """An operator that acts on each frame by itself: blur, shrink, recolour.

    Any function, any module of torch or kornia, and any `Physics` of deepinv will do. A module is moved to the device
    of the frames; parameters that it has are left as they are. Of a `Physics`, only ``A`` is used: noise is not for the
    operator to add (an observation says by its distance what noise there is).

    Args:
        fn: (n, 3, H, W) -> (n, C, h, w), differentiable.

    Example:
        >>> video = Video.of(torch.rand(2, 3, 8, 8))
        >>> grey = framewise(lambda frames: frames.mean(1, keepdim=True))
        >>> grey(lambda times: video.frames(), video.times).shape
        torch.Size([2, 1, 8, 8])
    """
    operator: Callable[[Tensor], Tensor] = next(each for each in (getattr(fn, "A", None), fn) if callable(each))

    def apply(clip: Clip, times: Tensor) -> Tensor:
        frames = clip(times)
        if isinstance(fn, torch.nn.Module):
            fn.to(frames.device)
        return operator(frames)

    return apply


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
        distance: elementwise, between ``A(x)`` and ``y``: `squared` gives the highest PSNR, `charbonnier` minds less
            what is wrong in a few places.
        size: (H, W) of the clip ``x``; None for that of ``video``.
        span: seconds that ``x`` must cover, those of ``video`` among them; None for that of ``video``.
        guess: roughly ``x``, at the instants of ``video`` and of any size, for the fit to start from. None: ``video``
            is near enough to ``x``, once it is enlarged or shrunk. Give one where it is not: where ``forward`` moves
            pixels to other places, or where what is given is no picture.
        moving: pictures that move as ``x`` does, at the instants of ``video`` and of any size, by whose optical flow
            its motion starts, all of it trusted. None: the guess, or else ``video``.
        noisy: whether ``video`` holds noise that is not the clip's; a model then has fewer parameters to learn it with.

    Raises:
        BadInput: if the weight, the guess or the moving clip does not match the video, or the span is none or does not
            cover it.
    """

    video: Video
    forward: Forward = identity
    weight: Video | None = None
    distance: Distance = squared
    size: tuple[int, int] | None = None
    span: tuple[float, float] | None = None
    guess: Video | None = None
    noisy: bool = False
    moving: Video | None = None

    def __post_init__(self) -> None:
        if self.span is not None and not (all(map(math.isfinite, self.span)) and self.span[0] <= self.span[1]):
            raise BadInput(f"the span must be two finite seconds, the first not after the last, got {self.span}")
        if self.span is not None and len(outside(torch.tensor(self.video.span, dtype=torch.float64), self.span)):
            raise BadInput(
                f"the video goes from {' to '.join(map(written, self.video.span))} s, and the span only from "
                f"{' to '.join(map(written, self.span))} s; give a span that covers the video, or less of the video"
            )
        for name, shown in (("the guess", self.guess), ("the moving clip", self.moving)):
            if shown is not None and (shown.channels != 3 or not torch.equal(shown.times, self.video.times)):
                raise BadInput(
                    f"{name} has {len(shown)} frames with {shown.channels} channels; "
                    f"it needs {len(self.video)} with 3, at the instants of the video"
                )
        w = self.weight
        if w is not None and (len(w), w.size, w.channels) != (len(self.video), self.video.size, 1):
            raise BadInput(
                f"the weight has {len(w)} frames of {w.size[1]}x{w.size[0]} with {w.channels} channels; "
                f"it needs {len(self.video)} of {self.video.size[1]}x{self.video.size[0]} with 1 channel"
            )

    @property
    def plain(self) -> bool:
        """Whether the given frames are the clip as it is: nothing hidden, changed, shrunk or noisy."""
        whole = self.weight is None and self.clip_size == self.video.size
        return whole and self.forward is identity and not self.noisy

    @property
    def clip_size(self) -> tuple[int, int]:
        """(H, W) of the clip that is fitted."""
        return self.size or self.video.size

    @property
    def clip_span(self) -> tuple[float, float]:
        """First and last instant of the clip that is fitted, in seconds."""
        return self.span or self.video.span

    @property
    def beginning(self) -> Observation:
        """Pictures for a fit to start from: the guess as it is, or else what is given; grey, if that has one channel.

        Raises:
            BadInput: if there is no guess, and what is given is no picture (neither 1 channel nor 3).
        """
        if self.guess is not None:
            return Observation(
                self.guess, distance=self.distance, size=self.clip_size, span=self.clip_span, moving=self.moving
            )
        if self.video.channels == 1:
            return replace(self, video=self.video.map(lambda frames: frames.expand(-1, 3, -1, -1)))
        if self.video.channels != 3:
            raise BadInput(
                f"what is given has {self.video.channels} channels, and a fit starts from pictures of 3; "
                "give the observation a guess: roughly the clip that is wanted, at the same instants"
            )
        return self
