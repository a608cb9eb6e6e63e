"""What the confidence of an answer means: the error that is expected of each pixel, on a scale from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from invr_core.video import Video

HALF = 10 / 255
"""The expected error at which confidence is 1/2: 10 levels of 255."""


SURE = 0.995
"""The confidence of a frame, from which on it is not named among the least sure ones."""


@dataclass(frozen=True)
class Sureness:
    """How sure an answer is, frame by frame.

    Args:
        times: seconds, increasing.
        values: the confidence of each frame, by `of_frames`.
    """

    times: tuple[float, ...]
    values: tuple[float, ...]

    def least(self, count: int = 3) -> list[tuple[float, float]]:
        """The least sure instants and their confidence, the least first; none that are close to a lesser one.

        Example:
            >>> Sureness((0.0, 1.0, 2.0, 3.0), (0.9, 0.4, 0.3, 1.0)).least(2)
            [(2.0, 0.3), (0.0, 0.9)]
        """
        apart, chosen = len(self.values) / (2 * count), list[int]()
        for place in sorted(range(len(self.values)), key=lambda place: self.values[place]):
            far = all(abs(place - other) > apart for other in chosen)
            if far and len(chosen) < count and self.values[place] < SURE:
                chosen.append(place)
        return [(self.times[place], self.values[place]) for place in chosen]

    def told(self) -> str:
        """The least sure instants in a line."""
        least = ", ".join(f"{time:.2f} s ({value:.2f})" for time, value in self.least())
        return f"least sure: {least}" if least else "sure of every frame"


def confidence_of(square_error: Tensor) -> Tensor:
    """The confidence of pixels, c = 1 / (1 + e² / s²) with s = `HALF`.

    Stored in 8 bits it tells errors from 0.6 to 160 levels of 255 apart.

    Args:
        square_error: e², the square of the error that is expected, not negative, where the range of pixels is [0, 1].

    Returns:
        the same shape, in [0, 1]: 1 where the pixel was given.

    Example:
        >>> confidence_of(torch.tensor([0.0, 1.0, 10.0, 30.0]).div(255).square())
        tensor([1.0000, 0.9901, 0.5000, 0.1000])
    """
    return 1 / (1 + square_error.clamp(max=1) / HALF**2)


def expected_error(confidence: Tensor) -> Tensor:
    """The error that a confidence stands for: the inverse of `confidence_of`.

    Args:
        confidence: in [0, 1].

    Returns:
        e, root mean square, of the range [0, 1] of pixels; at most 1.

    Example:
        >>> (255 * expected_error(torch.tensor([1.0, 0.5, 0.1]))).round().tolist()
        [0.0, 10.0, 30.0]
    """
    return (HALF**2 * (1 / confidence.clamp(min=1e-6) - 1)).sqrt().clamp(0, 1)


def of_frames(confidence: Tensor) -> Tensor:
    """The confidence of whole frames: that of the mean square of the errors that are expected of their pixels.

    Args:
        confidence: (n, 1, H, W) in [0, 1].

    Returns:
        (n,) in [0, 1].
    """
    return confidence_of(expected_error(confidence).square().mean((1, 2, 3)))


def parted(both: Video) -> tuple[Video, Video]:
    """An answer and its confidence out of one video of four channels; each frame is made once if both read it in turn.

    Args:
        both: as `invr_tasks.task.Task.with_confidence` gives it.
    """
    whole = both.remembered(1)

    def part(channels: slice) -> Video:
        def read(indices: Sequence[int]) -> Tensor:
            return torch.cat([whole.read([index])[:, channels] for index in indices])

        return replace(both, read=read, channels=len(range(4)[channels]))

    return part(slice(3)), part(slice(3, 4))
