"""RGB to what an encoder takes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av.filter
import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from invr_core.io.colours import FULL, MATRICES, RANGES, Colours
from invr_core.io.graph import Chain, Pixels, fill


class ToYUV420:
    """Turns 8-bit RGB into yuv420p, rounded well; width and height must be even.

    Args:
        width: of the pictures.
        height: of the pictures.
        colours: matrix and range to turn them into.
    """

    def __init__(self, width: int, height: int, colours: Colours) -> None:
        self._colours = colours
        into = f"out_color_matrix={MATRICES[colours.matrix].name}:out_range={RANGES[colours.range]}"
        self._chain = Chain(
            width, height, "rgb24", [f"scale=in_range=full:{into}:flags=bicubic+accurate_rnd", "format=yuv420p"]
        )

    def __call__(self, picture: Pixels) -> VideoFrame:
        """A frame of yuv420p from an (H, W, 3) picture."""
        frame = self._chain(VideoFrame.from_ndarray(picture, "rgb24"))
        frame.colorspace, frame.color_range = self._colours.matrix, self._colours.range
        return frame


class ToYUV420P10:
    """Turns 16-bit RGB into yuv420p10le; width and height must be even.

    The matrix is computed here, as it is in reading: FFmpeg's own is coarser for more than 8 bits. Chroma is shrunk by
    FFmpeg.

    Args:
        width: of the pictures.
        height: of the pictures.
        colours: matrix and range to turn them into.
    """

    def __init__(self, width: int, height: int, colours: Colours) -> None:
        self._colours, self._matrix, extent = colours, MATRICES[colours.matrix], RANGES[colours.range]
        scale = f"scale=in_range={extent}:out_range={extent}:flags=bicubic+accurate_rnd"
        self._chain = Chain(width, height, "yuv444p10le", [scale, "format=yuv420p10le"])

    def __call__(self, picture: Pixels) -> VideoFrame:
        """A frame of yuv420p10le from an (H, W, 3) picture."""
        r, g, b = (picture[..., channel].astype(np.float32) / 65535 for channel in range(3))
        matrix, full = self._matrix, self._colours.range == FULL
        luma = matrix.red * r + (1 - matrix.red - matrix.blue) * g + matrix.blue * b
        blue, red = (b - luma) / (2 * (1 - matrix.blue)), (r - luma) / (2 * (1 - matrix.red))
        light, colour, black = (1023, 1023, 0) if full else (219 * 4, 224 * 4, 16 * 4)
        whole = VideoFrame(picture.shape[1], picture.shape[0], "yuv444p10le")
        for plane, values in zip(
            whole.planes, (luma * light + black, blue * colour + 512, red * colour + 512), strict=True
        ):
            fill(plane, np.rint(values).clip(0, 1023).astype(np.uint16))
        frame = self._chain(whole)
        frame.colorspace, frame.color_range = self._colours.matrix, self._colours.range
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
