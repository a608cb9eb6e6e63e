"""A look through a file whose streams are to be copied: how it is shown, when it ends, what streams begin with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from invr_core.io.bounds import MOST_PIXELS, require_frame
from invr_core.io.decode import pictures_of
from invr_core.io.light import Light
from invr_core.io.reading import Reading
from invr_core.io.to_rgb import upright

_SIGN_OF_LIFE = 1000
"""Packets of pictures after which it is told that the look goes on; to tell it takes as long as to read one."""


@dataclass
class Seen:
    """What one look through a file has shown.

    Args:
        aspect: width of a pixel to its height, as it is shown.
        light: of an HDR clip.
        last: when the last frame begins, in seconds.
        end: when the last frame ends, in seconds.
        firsts: the first packet of each stream but of pictures, by the stream's index, where it has any.
    """

    aspect: Fraction = Fraction(1)
    light: Light = field(default_factory=Light)
    last: float = 0.0
    end: float = 0.0
    firsts: dict[int, Packet[Any]] = field(default_factory=dict)


def look(path: Path) -> Seen:
    """Go through a file once; of its pictures only the first is decoded.

    Raises:
        BadFile: if it holds no pictures or too large ones, or nothing comes of it.
        FFmpegError: if it cannot be opened.
    """
    seen = Seen()
    with Reading(path) as reading:
        stream = pictures_of(reading.container, path)
        stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
        require_frame(stream.codec_context.height, stream.codec_context.width, str(path))
        reading.progress = lambda: "no frame came"
        first = next(reading.each(_first(reading, stream)), None)
        ratio = stream.sample_aspect_ratio or Fraction(1)
        turned = first is not None and any(step.startswith("transpose") for step in upright(first))
        seen.aspect = 1 / ratio if turned else ratio
        seen.light = Light() if first is None else Light.of(first)
    with Reading(path) as reading:
        reading.progress = lambda: f"it was read as far as {seen.end:.3f} s"
        for _ in reading.each(_through(reading, pictures_of(reading.container, path), seen)):
            pass
    return seen


def _first(reading: Reading, stream: VideoStream) -> Iterator[VideoFrame]:
    """The frames of a stream; what cannot be decoded is passed over."""
    for packet in reading.packets():
        if packet.stream is stream:
            try:
                yield from stream.decode(packet)
            except FFmpegError:
                continue


def _through(reading: Reading, stream: VideoStream, seen: Seen) -> Iterator[None]:
    """Note what comes by, up to the end or to where it cannot be read."""
    told, later = seen.last, 0
    try:
        for packet in reading.packets():
            if packet.size and packet.stream.type != "video":
                seen.firsts.setdefault(packet.stream.index, packet)
            if packet.stream is stream and packet.pts is not None and packet.time_base:
                seen.last = max(seen.last, float(packet.pts * packet.time_base))
                seen.end = max(seen.end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                later += seen.last > told
                if later >= _SIGN_OF_LIFE:
                    told, later = seen.last, 0
                    yield
    except FFmpegError:
        return
