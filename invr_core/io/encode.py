"""Encoders: one class for each kind of file, all written to frame by frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from invr_core.errors import BadOutput
from invr_core.io.clock import ticks
from invr_core.io.from_rgb import ToPalette, ToYUV420
from invr_core.io.graph import Pixels
from invr_core.io.notes import Note
from invr_core.video import Video

_BT709, _LIMITED, _FULL, _RGB = 1, 1, 2, 0


class Encoder(ABC):
    """A file being written.

    Args:
        file: to write to; it is made or emptied.
        video: that is going to be written: its times, size and depth.
        note: is told where the format cannot hold the video as it is.
    """

    container_format: ClassVar[str]
    codec: ClassVar[str]
    pixels: str
    """FFmpeg's name of the coded pixel format."""
    depth: int = 8
    """Bits per sample of the pictures that `write` takes."""
    codec_options: ClassVar[dict[str, str]] = {}

    def __init__(self, file: Path, video: Video, note: Note) -> None:
        self.video, self.note = video, note
        self.pixels, self.depth = self.choose(video.depth)
        self.stamps, self.tick, self.rate = self.clock()
        self.count = 0
        options = {"fflags": "+bitexact", **self.container_options()}
        self.container = av.open(f"file:{file}", "w", format=self.container_format, options=options)
        stream = self.container.add_stream(self.codec, rate=self.rate, options=self.codec_options)
        assert isinstance(stream, VideoStream)
        self.stream = stream
        self.stream.height, self.stream.width = self.coded_size()
        self.stream.pix_fmt = self.pixels
        self.stream.time_base = self.stream.codec_context.time_base = self.tick
        self.tag()

    @abstractmethod
    def choose(self, depth: int) -> tuple[str, int]:
        """The pixel format for a video of so many bits, and the bits that it holds."""

    def clock(self) -> tuple[NDArray[np.int64], Fraction, Fraction]:
        """Whole ticks for each frame from 0 on, seconds per tick, and the nominal rate."""
        times, start = self.video.times, self.video.span[0]
        if start < 0:
            self.note(f"its clock starts at 0 s, not {start:g} s; no format holds times before 0")
            times = times - start
        return ticks(times)

    def container_options(self) -> dict[str, str]:
        """What the container is to do otherwise than by default, in FFmpeg's words."""
        return {}

    def coded_size(self) -> tuple[int, int]:
        """(height, width) in the file."""
        return self.video.size

    def tag(self) -> None:  # noqa: B027  # most formats need none
        """Say in the file what its numbers mean as colours."""

    @abstractmethod
    def convert(self, picture: Pixels) -> Iterable[VideoFrame]:
        """Frames of `pixels` from an (H, W, 3) picture."""

    def flush(self) -> Iterable[VideoFrame]:
        """Frames that `convert` held back."""
        return ()

    def write(self, picture: Pixels) -> None:
        """Add the next frame: (H, W, 3), uint8 for a depth of 8, else uint16 of `depth` bits."""
        for frame in self.convert(picture):
            self._put(frame)

    def _put(self, frame: VideoFrame) -> None:
        frame.pts, frame.time_base = int(self.stamps[self.count]), self.tick
        self.count += 1
        self._mux(self.stream.encode(frame))

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            self.container.mux(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                for frame in self.flush():
                    self._put(frame)
                self._mux(self.stream.encode(None))
        finally:
            self.container.close()


class H264(Encoder):
    """``.mp4``: H.264, 4:2:0, BT.709 limited range; the index comes first, so that it plays while it loads."""

    container_format = "mp4"
    codec = "libx264"
    codec_options: ClassVar[dict[str, str]] = {"crf": "16"}

    def __init__(self, file: Path, video: Video, note: Note) -> None:
        super().__init__(file, video, note)
        height, width = self.coded_size()
        if (height, width) != video.size:
            was = f"{video.size[1]}x{video.size[0]}"
            note(f"written as {width}x{height}, not {was}, since .mp4 needs even sizes; the edge is repeated")
        self._pad = ((0, height - video.size[0]), (0, width - video.size[1]), (0, 0))
        self._to_yuv = ToYUV420(width, height)

    def choose(self, depth: int) -> tuple[str, int]:
        """Always 8 bits: what browsers play."""
        return "yuv420p", 8

    def container_options(self) -> dict[str, str]:
        """The index first; and a clock that counts the start of the clip as finely as its frames."""
        ticks_per_second = self.tick.denominator
        return {"movflags": "+faststart", "movie_timescale": str(ticks_per_second * -(-1000 // ticks_per_second))}

    def coded_size(self) -> tuple[int, int]:
        """The next even size."""
        height, width = self.video.size
        return height + height % 2, width + width % 2

    def tag(self) -> None:
        """BT.709 throughout."""
        context = self.stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED

    def convert(self, picture: Pixels) -> Iterable[VideoFrame]:
        """Padded at the right and the bottom by repetition."""
        return [self._to_yuv(np.pad(picture, self._pad, mode="edge"))]


class FFV1(Encoder):
    """``.mkv``: FFV1 in RGB, without loss."""

    container_format = "matroska"
    codec = "ffv1"
    codec_options: ClassVar[dict[str, str]] = {"level": "3", "slicecrc": "1"}

    def choose(self, depth: int) -> tuple[str, int]:
        """The smallest RGB format of FFV1 that holds the depth."""
        if depth <= 8:
            return "bgr0", 8
        return next((f"gbrp{bits}le", bits) for bits in (10, 12, 16) if depth <= bits)

    def clock(self) -> tuple[NDArray[np.int64], Fraction, Fraction]:
        """Refuse times that would fall together in milliseconds."""
        stamps, tick, rate = super().clock()
        thousandths = np.rint(self.video.times.numpy() * 1000)
        if len(thousandths) > 1 and not (np.diff(thousandths) > 0).all():
            raise BadOutput("frames less than a millisecond apart do not fit into .mkv; write .mp4 or a folder")
        return stamps, tick, rate

    def tag(self) -> None:
        """RGB, full range."""
        self.stream.codec_context.colorspace = _RGB
        self.stream.codec_context.color_range = _FULL

    def convert(self, picture: Pixels) -> Iterable[VideoFrame]:
        """A change of order only."""
        if self.depth == 8:
            return [VideoFrame.from_ndarray(picture, "rgb24").reformat(format="bgr0")]
        return [VideoFrame.from_ndarray(picture, self.pixels)]


class GIF(Encoder):
    """``.gif``: a palette of its own for each frame."""

    container_format = "gif"
    codec = "gif"

    def __init__(self, file: Path, video: Video, note: Note) -> None:
        super().__init__(file, video, note)
        self._to_palette = ToPalette(video.size[1], video.size[0])
        self._given = 0

    def choose(self, depth: int) -> tuple[str, int]:
        """256 colours out of 8-bit RGB."""
        return "pal8", 8

    def clock(self) -> tuple[NDArray[np.int64], Fraction, Fraction]:
        """Hundredths of a second from 0; frames closer than two of them to the one before are left out."""
        hundredths = np.rint((self.video.times.numpy() - self.video.span[0]) * 100).astype(np.int64)
        self._shown: list[bool] = []
        last = -2
        for stamp in hundredths:
            self._shown.append(bool(stamp - last >= 2))
            last = int(stamp) if self._shown[-1] else last
        dropped = self._shown.count(False)
        if dropped:
            self.note(f"a GIF shows at most 50 frames per second; {dropped} of {len(hundredths)} frames are left out")
        return hundredths[self._shown], Fraction(1, 100), Fraction(100)

    def convert(self, picture: Pixels) -> Iterable[VideoFrame]:
        """The frame in 256 colours; some frames come later."""
        self._given += 1
        return self._to_palette(picture) if self._shown[self._given - 1] else ()

    def flush(self) -> Iterable[VideoFrame]:
        """What the palette filter held back."""
        return self._to_palette(None)
