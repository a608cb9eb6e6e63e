"""A video file to frames: one decoding pass that learns every timestamp and keeps every frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from invr_core.errors import BadFile
from invr_core.io.bounds import MOST_FRAMES, MOST_PIXELS, PLAYLISTS, require_frame, require_plain
from invr_core.io.clock import mend, undo_rounding
from invr_core.io.graph import Pixels
from invr_core.io.light import dynamic
from invr_core.io.notes import Note
from invr_core.io.reading import Reading
from invr_core.io.scratch import Scratch
from invr_core.io.to_rgb import ToRGB, depth_of, slanted, transparent
from invr_core.io.whole import falls_short
from invr_core.video import Video

_HDR = {16: "PQ", 18: "HLG"}
_LOSE_SILENTLY = {"hevc", "av1", "mpeg2video", "mpeg1video"}
"""Codecs whose decoders may pass over what they cannot read without an error, and whose packets are a frame each.

Other codecs have packets without a frame (VP8, MPEG-4) or with half of one (H.264), and give an error, or a
frame that is marked.
"""


def decode(path: Path, note: Note) -> Video:
    """The frames of a video file; see `invr_core.io.open_video`."""
    require_plain(path)
    if path.stat().st_size == 0:
        raise BadFile(f"{path} is empty; give a video file or a folder of images")
    try:
        with Reading(path) as reading:
            return _Pass(reading, note).run()
    except FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise BadFile(
            f"{path} is not a video that FFmpeg can read, or is damaged beyond use ({reason}); "
            "give a video file or a folder of images"
        ) from error


def pictures_of(container: InputContainer, path: Path) -> VideoStream:
    """The stream of a file that is its clip; the cover of a sound file is none.

    Raises:
        BadFile: if there is none, or FFmpeg cannot decode it.
    """
    if container.format.name == "tty":
        raise BadFile(f"{path} is a text, not a video; give a video file or a folder of images")
    if PLAYLISTS & set(container.format.name.split(",")):
        raise BadFile(f"{path} is a list of other files, not a video; give a video file or a folder of images")
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise BadFile(f"{path} holds no video stream; give a video file or a folder of images")
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in streams else streams[0]
    if stream.codec_context is None:
        raise BadFile(f"{path} is coded in a way that this FFmpeg cannot decode; convert it first")
    return stream


class _Pass:
    """One pass over one file, and what it learns on the way."""

    def __init__(self, reading: Reading, note: Note) -> None:
        self.path, self.reading, self.note = reading.path, reading, note
        self.container, path = reading.container, reading.path
        self.stream = pictures_of(self.container, path)
        self.stream.thread_type = "AUTO"
        self.stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
        require_frame(self.stream.codec_context.height, self.stream.codec_context.width, str(path))
        self.damaged = False
        self.last, self.end = -math.inf, 0.0
        self.counts = self.stream.codec_context.codec.canonical_name in _LOSE_SILENTLY
        self.first: float | None = None
        self.lost = 0
        self.depth = 8
        self.clear = any(k.lower() == "alpha_mode" and v != "0" for k, v in self.stream.metadata.items())

    def run(self) -> Video:
        scratch = Scratch(self.path.name, self.stream.frames)
        convert = ToRGB(str(self.path))
        stamps: list[float | None] = []
        self.reading.progress = lambda: f"{len(stamps)} frames came before"
        for frame in self.reading.each(self._frames()):
            if len(stamps) == MOST_FRAMES:
                raise BadFile(f"{self.path} has more than {MOST_FRAMES:,} frames, the most that is offered; cut it")
            if not stamps:
                self.depth = depth_of(frame)
                self._remark(frame)
            require_frame(frame.height, frame.width, str(self.path))
            picture = convert(frame)
            if stamps and picture.shape != scratch.shape:
                was, now = (f"{s[1]}x{s[0]}" for s in (scratch.shape, picture.shape))
                raise BadFile(f"{self.path} changes its size from {was} to {now} at frame {len(stamps)}; cut it there")
            scratch.append(_at_depth(picture, self.depth))
            stamps.append(None if frame.pts is None else float(frame.pts * self._time_base(frame)))
        if not stamps:
            raise BadFile(f"no frame of {self.path} could be decoded; it is damaged, or not a video")
        scratch.seal()
        times = self._times(stamps)
        cut = falls_short(self.path, self.container, self.stream, self.end)
        if self.damaged or cut or self.lost > 0:
            cut = cut or max((stamp for stamp in stamps if stamp is not None), default=math.inf) < self.last
            left = "the rest is left out" if cut else "the others are left out"
            self.note(f"{self.path.name} is damaged: {len(stamps)} frames could be decoded, {left}")
        height, width, _ = scratch.shape
        return Video(torch.tensor(times, dtype=torch.float64), (height, width), scratch.read, depth=self.depth)

    def _frames(self) -> Iterator[VideoFrame]:
        """Every frame that is whole; sets `damaged` where one is not."""
        for packet in self._packets():
            try:
                frames = self.stream.decode(packet)
            except FFmpegError:
                self.damaged = True
                continue
            for frame in frames:
                self.lost -= self._counts(frame.pts)
                if frame.is_corrupt:
                    self.damaged = True
                else:
                    yield frame

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        """Every packet that is whole, then None to flush the decoder."""
        try:
            for packet in self.reading.packets():
                if packet.stream is not self.stream:
                    continue
                if packet.is_corrupt:
                    self.damaged = True
                    continue
                if packet.pts is not None and packet.duration and packet.time_base:
                    self.end = max(self.end, float((packet.pts + packet.duration) * packet.time_base))
                if packet.size:
                    if self.clear and _has_more(packet):
                        raise transparent(str(self.path))
                    self._expect(packet)
                    yield packet
        except FFmpegError:
            self.damaged = True
        yield None

    def _expect(self, packet: Packet[VideoStream]) -> None:
        """Count the frame that a packet should give; those that the container hides give none."""
        if self.first is None:
            self.first = packet.pts if packet.is_keyframe and packet.pts is not None else -math.inf
        if packet.is_discard:
            return
        if packet.pts is not None and packet.time_base:
            self.last = max(self.last, float(packet.pts * packet.time_base))
        self.lost += self._counts(packet.pts)

    def _counts(self, stamp: int | None) -> bool:
        """Whether a frame is missed if it is lost: one shown before a first key frame may need what was cut off."""
        return self.counts and (stamp is None or self.first is None or stamp >= self.first)

    def _time_base(self, frame: VideoFrame) -> Fraction:
        return frame.time_base or self.stream.time_base or Fraction(1, 1000)

    def _times(self, stamps: list[float | None]) -> list[float]:
        rate = self.stream.average_rate or self.stream.guessed_rate
        times, mended = mend(stamps, float(1 / rate) if rate else 0.04)
        if mended:
            self.note(
                f"{self.path.name} has {mended} frames without a usable timestamp; they were put between the others"
            )
        return undo_rounding(times, self.stream.average_rate, self.stream.time_base or Fraction(0))

    def _remark(self, frame: VideoFrame) -> None:
        name, ratio = self.path.name, self.stream.sample_aspect_ratio
        if ratio and ratio != 1:
            self.note(f"{name} has pixels of shape {ratio.numerator}:{ratio.denominator}; the fit takes them as square")
        if self.stream.codec_context.color_trc in _HDR:
            curve = _HDR[self.stream.codec_context.color_trc]
            self.note(f"{name} is HDR ({curve}); its values are taken as they are, without tone mapping")
        frame_by_frame = " and ".join(dynamic(frame))
        if frame_by_frame:
            self.note(
                f"{name} says frame by frame how it is to be shown ({frame_by_frame}); that is left out: what is "
                "written keeps its curve, its colour tags and, where the format can, its static mastering data"
            )
        if slanted(frame):
            self.note(f"{name} asks to be shown at a slant; that is left out, the frames are taken as they are coded")
        if frame.interlaced_frame:
            self.note(f"{name} is interlaced; its fields are not separated, deinterlace it first for better results")


def _has_more(packet: Packet[VideoStream]) -> bool:
    """Whether a packet of Matroska or WebM holds more than its picture: the alpha of VP8 and VP9, which is not decoded.

    A clip that says that it has alpha may have been flattened since. Before PyAV 16 its word must do.
    """
    has = getattr(packet, "has_sidedata", None)
    return has is None or bool(has("matroska_block_additional"))


def _at_depth(picture: Pixels, depth: int) -> Pixels:
    """A picture in as many bytes as the first of its stream: some streams change their pixel format."""
    if depth > 8:
        return picture if picture.dtype == np.uint16 else picture.astype(np.uint16) * np.uint16(257)
    return picture if picture.dtype == np.uint8 else (picture >> 8).astype(np.uint8)
