"""10 bits in ``.mp4``: HEVC, where this PyAV holds an encoder of it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.video.frame import VideoFrame

from invr_core.io.encode import H264
from invr_core.io.from_rgb import ToYUV420P10
from invr_core.io.graph import Pixels

LEAST = 64
"""Pixels of either side from which on x265 is asked: with smaller frames it may write beyond its own memory."""


@cache
def has_x265() -> bool:
    """Whether this PyAV encodes HEVC in 10 bits."""
    try:
        formats = Codec("libx265", "w").video_formats or []
    except UnknownCodecError:
        return False
    return any(format.name == "yuv420p10le" for format in formats)


class HEVC(H264):
    """``.mp4``: HEVC Main 10, 4:2:0, tagged as its source is, with the light of an HDR one."""

    codec = "libx265"
    keeps_light = True

    def choose(self, depth: int) -> tuple[str, int]:
        """10 bits, made of pictures of 16, so that it is rounded once."""
        if depth > 10:
            self.note(f"its {depth} bits are written as 10, the most that .mp4 holds here; .mkv keeps them")
        return "yuv420p10le", 16

    def codec_options(self) -> dict[str, str]:
        """A quality at which a loss is hard to see, and nothing on stderr."""
        light = self.beside.light.x265() if self.beside else []
        return {"crf": "14", "x265-params": ":".join(["log-level=none", "info=0", "repeat-headers=1", *light])}

    def tag(self) -> None:
        """Also as ``hvc1``, by which name Apple's players know it."""
        super().tag()
        self.stream.codec_context.codec_tag = "hvc1"

    def convert(self, picture: Pixels) -> Iterable[VideoFrame]:
        """Padded at the right and the bottom by repetition."""
        return [self._to_deep(np.pad(picture, self._pad, mode="edge"))]

    def _prepare(self, width: int, height: int) -> None:
        self._to_deep = ToYUV420P10(width, height, self._colours)
