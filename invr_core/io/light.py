"""The light of an HDR clip: the display that it was mastered on, and how bright it becomes (HDR10's static data)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import cast

from av.buffer import Buffer
from av.video.frame import VideoFrame

_CHROMA, _LUMINANCE = 50_000, 10_000
"""Steps of a chromaticity of 1, and of 1 cd/m², in which HEVC counts."""
_DYNAMIC = {
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "DOVI_METADATA": "Dolby Vision",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
}
Point = tuple[int, int]


@dataclass(frozen=True)
class Light:
    """What a stream says of its light, in HEVC's units; each is None where it does not.

    Args:
        primaries: x, y of red, green, blue and white, in 1/50000.
        luminance: the brightest and the darkest of the display, in 1/10000 cd/m².
        level: the brightest pixel (MaxCLL), and the brightest mean of a frame (MaxFALL), in cd/m².
    """

    primaries: tuple[Point, Point, Point, Point] | None = None
    luminance: Point | None = None
    level: Point | None = None

    @classmethod
    def of(cls, frame: VideoFrame) -> Light:
        """What a decoded frame says of it."""
        display, level = _beside(frame, "MASTERING_DISPLAY_METADATA"), _beside(frame, "CONTENT_LIGHT_LEVEL")
        primaries = luminance = None
        if display is not None and len(display) >= 88:
            numbers = struct.unpack("=22i", display[:88])
            ratios = [a / b if b else 0.0 for a, b in zip(numbers[:20:2], numbers[1:20:2], strict=True)]
            if numbers[20]:
                x = [round(ratio * _CHROMA) for ratio in ratios[:8]]
                primaries = ((x[0], x[1]), (x[2], x[3]), (x[4], x[5]), (x[6], x[7]))
            if numbers[21]:
                luminance = (round(ratios[9] * _LUMINANCE), round(ratios[8] * _LUMINANCE))
        pair = struct.unpack("=2I", level[:8]) if level is not None and len(level) >= 8 else None
        return cls(primaries, luminance, None if pair is None else (pair[0], pair[1]))

    def __bool__(self) -> bool:
        return self != Light()

    def x265(self) -> list[str]:
        """The same in x265's words; it takes the primaries and the luminance together only."""
        words = []
        if self.primaries is not None and self.luminance is not None:
            red, green, blue, white = (f"({x},{y})" for x, y in self.primaries)
            words.append(f"master-display=G{green}B{blue}R{red}WP{white}L({self.luminance[0]},{self.luminance[1]})")
        if self.level is not None:
            words.append(f"max-cll={self.level[0]},{self.level[1]}")
        return words


def dynamic(frame: VideoFrame) -> list[str]:
    """What a decoded frame says of its light frame by frame, by name; none of it is kept."""
    return list(dict.fromkeys(name for kind, name in _DYNAMIC.items() if _beside(frame, kind) is not None))


def _beside(frame: VideoFrame, kind: str) -> bytes | None:
    """What a frame carries of a kind beside its pixels."""
    try:
        found = frame.side_data.get(kind)
    except ValueError:  # something else there is of a kind that PyAV does not know, and all of it is hidden
        return None
    return None if found is None else bytes(cast(Buffer, found))
