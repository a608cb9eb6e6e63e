"""RGB to what an encoder takes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av.filter
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from invr_core.io.graph import Chain, Pixels

_BT709, _LIMITED = 1, 1


class ToYUV420:
    """Turns 8-bit RGB into yuv420p, BT.709 limited range, rounded well; width and height must be even."""

    def __init__(self, width: int, height: int) -> None:
        scale = "scale=in_range=full:out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd"
        self._chain = Chain(width, height, "rgb24", [scale, "format=yuv420p"])

    def __call__(self, picture: Pixels) -> VideoFrame:
        """A frame of yuv420p from an (H, W, 3) picture."""
        frame = self._chain(VideoFrame.from_ndarray(picture, "rgb24"))
        frame.colorspace, frame.color_range = _BT709, _LIMITED
        return frame


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

    def __call__(self, picture: Pixels | None) -> Iterator[VideoFrame]:
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
