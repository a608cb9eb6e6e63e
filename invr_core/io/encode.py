"""Encoders: one class for each kind of file, all written to frame by frame; here those of ``.mp4`` and ``.mkv``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterable
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import av
import numpy as np
import torch
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from invr_core.errors import BadOutput
from invr_core.io.beside import Beside
from invr_core.io.clock import MILLISECOND, ticks
from invr_core.io.colours import Colours
from invr_core.io.from_rgb import ToYUV420
from invr_core.io.graph import Pixels
from invr_core.io.matroska import ROOM, describe
from invr_core.io.notes import Note
from invr_core.video import Video

CLOSEST = 0.999e-6
"""Seconds between two frames below which no clock of a file tells them apart."""


class Encoder(ABC):
    """A file being written.

    Args:
        file: to write to; it is made or emptied.
        video: that is going to be written: its times, size and depth.
        note: is told where the format cannot hold the video as it is.
        beside: where the video came from, if what else that holds is to be kept.
    """

    container_format: ClassVar[str]
    codec: ClassVar[str]
    pixels: str
    """FFmpeg's name of the coded pixel format."""
    depth: int = 8
    """Bits per sample of the pictures that `write` takes."""
    keeps_light: ClassVar[bool] = False
    """Whether it can say on which display an HDR clip was mastered."""

    def __init__(self, file: Path, video: Video, note: Note, beside: Beside | None = None) -> None:
        self.video, self.note, self.beside = video, note, beside
        self.pixels, self.depth = self.choose(video.depth)
        self.stamps, self.tick, self.rate = self.clock()
        self.count = 0
        options = {"fflags": "+bitexact", **self.container_options()}
        self.container = av.open(f"file:{file}", "w", format=self.container_format, options=options)
        stream = self.container.add_stream(self.codec, rate=self.rate, options=self.codec_options())
        assert isinstance(stream, VideoStream)
        self.stream = stream
        stream.codec_context.thread_count = torch.get_num_threads()  # x264's bytes depend on it, not on the machine
        self.stream.height, self.stream.width = self.coded_size()
        self.stream.pix_fmt = self.pixels
        self.stream.time_base = self.stream.codec_context.time_base = self.tick
        self.tag()
        if beside is not None:
            self.stream.codec_context.sample_aspect_ratio = beside.aspect
            if beside.light and not self.keeps_light:
                self.note("its HDR mastering data is not kept; .mkv keeps it")
            beside.join(self.container, self.stream, max(-self.video.span[0], 0.0))

    @abstractmethod
    def choose(self, depth: int) -> tuple[str, int]:
        """The pixel format for a video of so many bits, and the bits that it holds."""

    def clock(self) -> tuple[NDArray[np.int64], Fraction, Fraction]:
        """Whole ticks for each frame from 0 on, seconds per tick, and the nominal rate."""
        times, start = self.video.times, self.video.span[0]
        if start < 0:
            self.note(f"its clock starts at 0 s, not {start:g} s; no format holds times before 0")
            times = times - start
        if len(times) > 1 and float(times.diff().min()) < CLOSEST:
            raise BadOutput("frames less than a microsecond apart do not fit into any file; write a folder of PNGs")
        end = None if self._end is None else self._end - min(start, 0.0)
        return ticks(times, self.beside.tick if self.beside else None, end)

    @cached_property
    def _end(self) -> float | None:
        """When the source ends, if the clip lasts until then; None where that is not known."""
        return end_of(self.video, self.beside)

    def codec_options(self) -> dict[str, str]:
        """What the codec is to do otherwise than by default, in FFmpeg's words."""
        return {}

    def container_options(self) -> dict[str, str]:
        """What the container is to do otherwise than by default, in FFmpeg's words."""
        return {}

    def coded_size(self) -> tuple[int, int]:
        """(height, width) in the file."""
        return self.video.size

    def tag(self) -> None:  # noqa: B027  # most formats need none
        """Say in the file what its numbers mean as colours."""

    def mark(self, colours: Colours) -> None:
        """Tag the stream."""
        context = self.stream.codec_context
        context.color_primaries, context.color_trc = colours.primaries, colours.transfer
        context.colorspace, context.color_range = colours.matrix, colours.range

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
        if self.beside is not None:
            self.beside.until(float(frame.pts * self.tick))
        if self._holds_the_last and self.count >= len(self.stamps) - 2:
            frame.pict_type = PictureType.P  # so that it is coded last: .mp4 has a length of its own for no other
        self.count += 1
        self._mux(self.stream.encode(frame))

    def _duration(self, index: int) -> int:
        """Ticks for which a frame is shown: until the next, or for the last one until the source's own end."""
        if index + 1 < len(self.stamps):
            return int(self.stamps[index + 1] - self.stamps[index])
        return self._usual if self._end is None else max(round((self._end - self.video.span[1]) / float(self.tick)), 1)

    @property
    def _usual(self) -> int:
        """Ticks for which the last frame is shown where nothing else is known: as many as the one before."""
        if len(self.stamps) > 1:
            return int(self.stamps[-1] - self.stamps[-2])
        return round(1 / (self.rate * self.tick))

    @cached_property
    def _holds_the_last(self) -> bool:
        """Whether the last frame is shown for another time than the one before."""
        return self._duration(len(self.stamps) - 1) != self._usual

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            index = bisect_left(self.stamps, packet.pts or 0)
            packet.duration = self._duration(index)  # not every encoder passes on that of its frames
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
                if self.beside is not None:
                    self.beside.rest()
        finally:
            self.container.close()
        if error is None:
            self.settle()

    def settle(self) -> None:  # noqa: B027  # most formats need none
        """Add to the finished file what could not be said before."""


class H264(Encoder):
    """``.mp4``: H.264, 4:2:0, BT.709 limited range where its source is not tagged otherwise.

    The index comes first, so that it plays while it loads.
    """

    container_format = "mp4"
    codec = "libx264"

    def __init__(self, file: Path, video: Video, note: Note, beside: Beside | None = None) -> None:
        self._colours = (Colours() if beside is None else beside.colours).as_yuv()
        super().__init__(file, video, note, beside)
        height, width = self.coded_size()
        if (height, width) != video.size:
            was = f"{video.size[1]}x{video.size[0]}"
            note(f"written as {width}x{height}, not {was}, since .mp4 needs even sizes; the edge is repeated")
        self._pad = ((0, height - video.size[0]), (0, width - video.size[1]), (0, 0))
        self._prepare(width, height)

    def _prepare(self, width: int, height: int) -> None:
        self._to_yuv = ToYUV420(width, height, self._colours)

    def choose(self, depth: int) -> tuple[str, int]:
        """Always 8 bits: what browsers play."""
        if depth > 8:
            self.note(f"its {depth} bits are written as 8; .mkv keeps them")
        return "yuv420p", 8

    def codec_options(self) -> dict[str, str]:
        """A quality at which a loss is hard to see."""
        return {"crf": "16"}

    def container_options(self) -> dict[str, str]:
        """The index first; and a clock that counts where the clip and its sound start as finely as they count."""
        fine = self.tick.denominator
        scale = fine * -(-1000 // fine)
        together = math.lcm(scale, *(self.beside.rates if self.beside else []))
        own = "+use_metadata_tags" if self.beside is not None and self.beside.own_tags else ""
        return {"movflags": f"+faststart{own}", "movie_timescale": str(together if together < 2**31 else scale)}

    def coded_size(self) -> tuple[int, int]:
        """The next even size."""
        height, width = self.video.size
        return height + height % 2, width + width % 2

    def tag(self) -> None:
        """As the source is tagged; BT.709 throughout if it is not."""
        self.mark(self._colours)

    def convert(self, picture: Pixels) -> Iterable[VideoFrame]:
        """Padded at the right and the bottom by repetition."""
        return [self._to_yuv(np.pad(picture, self._pad, mode="edge"))]


class FFV1(Encoder):
    """``.mkv``: FFV1 in RGB, without loss."""

    container_format = "matroska"
    codec = "ffv1"
    keeps_light = True

    def __init__(self, file: Path, video: Video, note: Note, beside: Beside | None = None) -> None:
        super().__init__(file, video, note, beside)
        self._file = file
        self._more = beside is not None and (beside.aspect != 1 or bool(beside.light))
        if self._more:
            self.stream.metadata["title"] = self.stream.metadata.get("title", "") + ROOM

    def settle(self) -> None:
        """The shape of a pixel, and the light of an HDR clip."""
        if self.beside is not None and self._more:
            describe(self._file, self.beside.aspect, self.beside.light)

    def codec_options(self) -> dict[str, str]:
        """Level 3, with checksums; level 1 where the picture is too narrow for the slices of level 3."""
        return {"level": "1"} if self.video.size[1] == 1 else {"level": "3", "slicecrc": "1"}

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
        """RGB, full range, of the source's primaries and transfer."""
        self.mark((Colours() if self.beside is None else self.beside.colours).as_rgb())

    def convert(self, picture: Pixels) -> Iterable[VideoFrame]:
        """A change of order only."""
        if self.depth == 8:
            return [VideoFrame.from_ndarray(picture, "rgb24").reformat(format="bgr0")]
        return [VideoFrame.from_ndarray(picture, self.pixels)]


def end_of(video: Video, source: Beside | None) -> float | None:
    """When a source ends, if a clip lasts until then: a step more would lie beyond the source's last frame."""
    if source is None or source.tick is None or source.end <= source.last:
        return None
    times, last = video.times, video.span[1]
    step = float(times[-1] - times[-2]) if len(times) > 1 else 0.04
    near = source.last - float(MILLISECOND) if source.tick == MILLISECOND else source.last + 1e-9
    return source.end if last + step > near and source.end > last else None
