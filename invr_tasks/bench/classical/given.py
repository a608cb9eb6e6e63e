"""What a classical method is given, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from invr_core.errors import Unsupported
from invr_tasks.pixels import Bytes

Floats = NDArray[np.floating[Any]]
"""A picture on the scale of 0 to 255, (H, W, 3), or what belongs to one."""
Mask = NDArray[np.bool_]
"""(H, W): True in the hole."""
Family = Literal["naive", "classical"]


@dataclass(frozen=True, eq=False)
class Given:
    """The input of one setting: the same bytes for every method, and nothing of the truth.

    Args:
        pictures: (n, h, w, 3) uint8, RGB.
        size: (H, W) of the answer.
        fps: of what is given.
        holes: (n, h, w) bool, True where a pixel is not given; None if all are.
        places: for interpolation, of each picture that is asked for, the index of the given one before it, and what
            share of the way to the next one it is, strictly between 0 and 1.
    """

    pictures: Bytes
    size: tuple[int, int]
    fps: float = 25.0
    holes: NDArray[np.bool_] | None = None
    places: tuple[tuple[int, float], ...] = ()

    @property
    def masks(self) -> NDArray[np.bool_]:
        """The holes, where the task has some.

        Raises:
            Unsupported: if it has none.
        """
        if self.holes is None:
            raise Unsupported("a method that fills holes was given none")
        return self.holes


Answer = Callable[[Given], Bytes]
"""(n, H, W, 3) uint8: one picture for each given one; for interpolation one for each of `Given.places`."""


@dataclass(frozen=True)
class Method:
    """A method by its name.

    Args:
        name: with what it is told, if anything, in brackets.
        answer: does it.
        library: the distribution that does the work, whose version is recorded.
        family: "naive" for what costs nothing.
        settings: the settings it is meant for; None for all of its task.
        missing: says what has to be installed, or "" if all is there.
    """

    name: str
    answer: Answer
    library: str
    family: Family = "classical"
    settings: tuple[str, ...] | None = None
    missing: Callable[[], str] = str


def rounded(pictures: Floats) -> Bytes:
    """To the nearest of 0 to 255."""
    return np.clip(np.rint(pictures), 0, 255).astype(np.uint8)
