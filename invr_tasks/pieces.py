"""Which frames of a clip are fitted together: a shot by itself, and a long one in pieces that overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from invr_core.errors import BadInput

PIECE = 160
"""Frames of a piece at the most. A fit of no given length goes over its frames twelve times on a CPU, but through no
more than `invr_core.fitting.MOST_PIXELS`: at 640x360 that is enough for 180 frames; more would be fitted less well."""
OVERLAP = 16
"""Frames that a piece shares with the next, within which one answer gives way to the other: as far as any of our tasks
looks around itself by default."""
LEAST_PIECE = 8
"""Frames of the shortest piece that may be asked for."""


@dataclass(frozen=True)
class Part:
    """Frames of a clip that are fitted together.

    Args:
        begin: the first of them.
        end: the one after the last.
        overlaps: whether it begins within the part before it, and not at a cut.
        title: for people: "shot 2/3", "piece 1/4", or both; "" where it is the whole clip.
    """

    begin: int
    end: int
    overlaps: bool = False
    title: str = ""

    def __len__(self) -> int:
        return self.end - self.begin


def parts_of(frames: int, cuts: Sequence[int] = (), piece: int = PIECE, minimum: int = 1) -> list[Part]:
    """The parts of a clip in order: its shots, each in pieces of about one length if it is longer than one may be.

    Args:
        frames: of the clip.
        cuts: the first frame of each shot but the first, increasing.
        piece: how many frames a part may have, at least `LEAST_PIECE`.
        minimum: how many frames a task needs: a piece has as many, even if it is then longer than ``piece``.

    Raises:
        BadInput: if the pieces are too short.

    Example:
        >>> [(part.begin, part.end, part.title) for part in parts_of(300, [60])]
        [(0, 60, 'shot 1/2'), (60, 188, 'shot 2/2, piece 1/2'), (172, 300, 'shot 2/2, piece 2/2')]
    """
    if piece < LEAST_PIECE:
        raise BadInput(f"a piece must have at least {LEAST_PIECE} frames, got {piece}")
    bounds = [0, *cuts, frames]
    shots, piece = list(pairwise(bounds)), max(piece, 2 * minimum)
    found = []
    for number, (begin, end) in enumerate(shots, 1):
        shot = f"shot {number}/{len(shots)}" if len(shots) > 1 else ""
        pieces = _pieces(begin, end, piece)
        for index, (first, last) in enumerate(pieces, 1):
            own = f"piece {index}/{len(pieces)}" if len(pieces) > 1 else ""
            found.append(Part(first, last, index > 1, ", ".join(filter(None, (shot, own)))))
    return found


def _pieces(begin: int, end: int, piece: int) -> list[tuple[int, int]]:
    """First frame, and one after the last, of each piece of a shot; all of one length, to a frame."""
    if end - begin <= piece:
        return [(begin, end)]
    overlap = min(OVERLAP, piece // 4)
    rest = end - begin - overlap
    count = math.ceil(rest / (piece - overlap))
    starts = [begin + round(rest * i / count) for i in range(count + 1)]
    return [(first, last + overlap) for first, last in pairwise(starts)]
