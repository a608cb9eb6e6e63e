"""A straight chain of FFmpeg filters, and what a picture in whole numbers is."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeAlias, cast

import av.filter
import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[Any]
"""A picture in whole numbers: (H, W, 3), uint8 or uint16."""


class Chain:
    """FFmpeg filters one after the other, one frame in, one frame out.

    Args:
        width: of the frames that go in.
        height: of the frames that go in.
        format: FFmpeg's name of their pixel format.
        filters: each as ``name`` or ``name=options``.
    """

    def __init__(self, width: int, height: int, format: str, filters: Sequence[str]) -> None:
        self._graph = av.filter.Graph()
        last = self._graph.add_buffer(
            width=width, height=height, format=VideoFormat(format), time_base=Fraction(1, 1000)
        )
        for text in filters:
            name, _, options = text.partition("=")
            following = self._graph.add(name, options or None)
            last.link_to(following)
            last = following
        last.link_to(self._graph.add("buffersink"))
        self._graph.configure()

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """The filtered frame."""
        self._graph.push(frame)
        pulled = self._graph.pull()
        assert isinstance(pulled, VideoFrame)
        return pulled


def samples(plane: VideoPlane) -> Pixels:
    """The 16-bit samples of a plane, (H, W) uint16, without the padding of its rows."""
    held: Pixels = np.frombuffer(memoryview(cast(Any, plane)), np.uint16)
    return held.reshape(plane.height, plane.line_size // 2)[:, : plane.width]


def fill(plane: VideoPlane, values: Pixels) -> None:
    """Put 16-bit samples, (H, W) uint16, into a plane."""
    padded = np.zeros((plane.height, plane.line_size // 2), np.uint16)
    padded[:, : plane.width] = values
    plane.update(padded.tobytes())
