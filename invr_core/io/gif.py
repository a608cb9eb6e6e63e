"""The encoder of ``.gif`` files."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from invr_core.io.beside import Beside
from invr_core.io.encode import Encoder, end_of
from invr_core.io.from_rgb import ToPalette
from invr_core.io.graph import Pixels
from invr_core.io.notes import Note
from invr_core.video import Video

LEAST_DELAY = 2
"""Hundredths of a second for which a frame is shown at the least: what is less, players take as a tenth."""


class GIF(Encoder):
    """``.gif``: a palette of its own for each frame."""

    container_format = "gif"
    codec = "gif"

    def __init__(self, file: Path, video: Video, note: Note, beside: Beside | None = None) -> None:
        self._source = beside
        super().__init__(file, video, note)
        self._to_palette = ToPalette(video.size[1], video.size[0])
        self._given = 0

    def choose(self, depth: int) -> tuple[str, int]:
        """256 colours out of 8-bit RGB."""
        return "pal8", 8

    def clock(self) -> tuple[NDArray[np.int64], Fraction, Fraction]:
        """Hundredths of a second from 0; frames closer than two of them to the one before are left out."""
        start = self.video.span[0]
        if start:
            self.note(f"its clock starts at 0 s, not {start:g} s; a GIF holds no other start")
        hundredths = np.rint((self.video.times.numpy() - start) * 100).astype(np.int64)
        self._shown: list[bool] = []
        last = -LEAST_DELAY
        for stamp in hundredths:
            self._shown.append(bool(stamp - last >= LEAST_DELAY))
            last = int(stamp) if self._shown[-1] else last
        dropped = self._shown.count(False)
        if dropped:
            self.note(f"a GIF shows at most 50 frames per second; {dropped} of {len(hundredths)} frames are left out")
        return hundredths[self._shown], Fraction(1, 100), Fraction(100)

    @cached_property
    def _end(self) -> float | None:
        return end_of(self.video, self._source)

    def container_options(self) -> dict[str, str]:
        """How long the last frame is shown: the muxer takes it from no packet."""
        return {"final_delay": str(min(max(self._duration(len(self.stamps) - 1), LEAST_DELAY), 0xFFFF))}

    def _duration(self, index: int) -> int:
        """As of any file; but the last frame of the clip may be left out here, and the one before is shown for both."""
        if index + 1 < len(self.stamps) or self._end is None:
            return super()._duration(index)
        return round((self._end - self.video.span[0]) / float(self.tick)) - int(self.stamps[-1])

    def convert(self, picture: Pixels) -> Iterable[VideoFrame]:
        """The frame in 256 colours; some frames come later."""
        self._given += 1
        return self._to_palette(picture) if self._shown[self._given - 1] else ()

    def flush(self) -> Iterable[VideoFrame]:
        """What the palette filter held back."""
        return self._to_palette(None)
