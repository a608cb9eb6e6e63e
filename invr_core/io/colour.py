"""Pixel formats: whatever a decoder gives to RGB, and RGB to what an encoder takes.

FFmpeg's own filters do it, with the matrix and the range named outright: what PyAV's `reformat` makes of a frame's
tags changed between its versions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, TypeAlias, cast

import av
import av.filter
import numpy as np
from av.buffer import Buffer
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from invr_core.errors import BadFile

Pixels: TypeAlias = NDArray[Any]
"""A picture in whole numbers: (H, W, 3), uint8 or uint16."""

_MATRICES = {
    0: "auto",
    1: "bt709",
    2: "auto",
    4: "fcc",
    5: "bt470",
    6: "smpte170m",
    7: "smpte240m",
    9: "bt2020",
    10: "bt2020",
}
"""FFmpeg's numbers of the colour matrices that its scaler knows, with its names; 2 is untagged: BT.601."""
_RANGES = {1: "limited", 2: "full"}
_BT709, _LIMITED = 1, 1


def rgb_formats(frame: VideoFrame) -> tuple[str, int]:
    """The RGB format that holds a frame whole (with its alpha, if it has any), and its bits per sample."""
    format = frame.format
    depth = max(8, max(component.bits for component in format.components))
    clear = format.has_palette or any(component.is_alpha for component in format.components)
    if depth == 8:
        return ("rgba" if clear else "rgb24"), 8
    return ("rgba64le" if clear else "rgb48le"), min(depth, 16)


class ToRGB:
    """Turns frames of a stream into RGB as plain FFmpeg does, upright.

    Untagged frames are BT.601; tagged ones keep to their tags. The display matrix is applied.

    Args:
        name: of the file, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._key: tuple[object, ...] = ()
        self._graph: av.filter.Graph | None = None

    def __call__(self, frame: VideoFrame) -> Pixels:
        """(H, W, 3) uint8, or uint16 over the full range for more than 8 bits.

        Raises:
            BadFile: if the frame is not opaque.
        """
        turn = _upright(frame)
        key = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range, turn)
        if key != self._key or self._graph is None:
            self._key, self._graph = key, _rgb_graph(frame, turn)
        self._graph.push(frame)
        pulled = self._graph.pull()
        assert isinstance(pulled, VideoFrame)
        picture: Pixels = pulled.to_ndarray()
        return opaque(picture, self._name)


def opaque(picture: Pixels, name: str) -> Pixels:
    """The colours of an (H, W, 3 or 4) picture whose alpha, if any, hides nothing.

    Raises:
        BadFile: if it does.
    """
    if picture.shape[2] == 4 and picture[..., 3].min() < np.iinfo(picture.dtype).max:
        raise BadFile(f"{name} has transparent pixels, and a video has none; flatten it onto a background first")
    return picture[..., :3]


def _upright(frame: VideoFrame) -> tuple[str, ...]:
    """The filters that show a frame as its display matrix asks; slanted ones are left out."""
    side = frame.side_data.get("DISPLAYMATRIX")
    if side is None:
        return ()
    a, b, _, c, d = struct.unpack("=9i", bytes(cast(Buffer, side)))[:5]
    if a == d == 0 and b and c:
        steps = [("transpose=dir=0", True), ("hflip", c < 0), ("vflip", b < 0)]
    else:
        steps = [("hflip", a < 0), ("vflip", d < 0)]
    return tuple(step for step, wanted in steps if wanted)


def _rgb_graph(frame: VideoFrame, turn: tuple[str, ...]) -> av.filter.Graph:
    matrix = _MATRICES.get(int(frame.colorspace), "auto")
    extent = _RANGES.get(int(frame.color_range), "auto")
    scale = f"scale=in_color_matrix={matrix}:in_range={extent}:out_range=full:flags=bicubic"
    return _graph(frame.width, frame.height, frame.format.name, [*turn, scale, f"format={rgb_formats(frame)[0]}"])


def _graph(width: int, height: int, format: str, filters: list[str]) -> av.filter.Graph:
    graph = av.filter.Graph()
    last = graph.add_buffer(width=width, height=height, format=VideoFormat(format), time_base=Fraction(1, 1000))
    for text in filters:
        name, _, options = text.partition("=")
        following = graph.add(name, options or None)
        last.link_to(following)
        last = following
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


class ToYUV420:
    """Turns 8-bit RGB into yuv420p, BT.709 limited range, rounded well; width and height must be even."""

    def __init__(self, width: int, height: int) -> None:
        scale = "scale=in_range=full:out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd"
        self._graph = _graph(width, height, "rgb24", [scale, "format=yuv420p"])

    def __call__(self, picture: NDArray[np.uint8]) -> VideoFrame:
        """A frame of yuv420p from an (H, W, 3) picture."""
        self._graph.push(VideoFrame.from_ndarray(picture, "rgb24"))
        pulled = self._graph.pull()
        assert isinstance(pulled, VideoFrame)
        pulled.colorspace, pulled.color_range = _BT709, _LIMITED
        return pulled


class ToPalette:
    """Turns 8-bit RGB into frames of 256 colours, each with a palette of its own."""

    def __init__(self, width: int, height: int) -> None:
        graph = self._graph = av.filter.Graph()
        source = graph.add_buffer(width=width, height=height, format=VideoFormat("rgb24"), time_base=Fraction(1, 100))
        split, palette = graph.add("split"), graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
        apply, sink = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=4"), graph.add("buffersink")
        source.link_to(split)
        split.link_to(apply, 0, 0)
        split.link_to(palette, 1, 0)
        palette.link_to(apply, 0, 1)
        apply.link_to(sink)
        graph.configure()
        self._count = 0

    def __call__(self, picture: NDArray[np.uint8] | None) -> Iterator[VideoFrame]:
        """The frames that are ready after one more (H, W, 3) picture, or after the last one (None)."""
        frame = None
        if picture is not None:
            frame = VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = self._count, Fraction(1, 100)
            self._count += 1
        self._graph.push(frame)
        while True:
            try:
                pulled = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            assert isinstance(pulled, VideoFrame)
            yield pulled
