"""Whether a video file ends before it should, by its container's own word: FFmpeg itself just comes to an end."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.video.stream import VideoStream

from invr_core.io.matroska import stated_end

_MOV, _MATROSKA = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"
_HEAD = 4096
"""Bytes in which a Matroska file has said how long it is, and in which a GIF ends."""


def falls_short(path: Path, container: InputContainer, stream: VideoStream, end: float) -> bool:
    """Whether a file was cut off.

    Frames are not stored in the order in which they are shown, so that a file can reach to its last instant and still
    lack frames before it. Its bytes are counted therefore, where the container tells how many there should be.

    Args:
        path: of the file.
        container: the same, open.
        stream: its pictures, all of which have been read.
        end: the second at which the last of them ends, 0 if it is not known.
    """
    kind = container.format.name
    if kind == "gif":
        return not _tail(path).rstrip(b"\0").endswith(b";")
    size = path.stat().st_size
    if (kind == _MOV and _indexed(stream) > size) or (kind == _MATROSKA and stated_end(_head(path)) > size):
        return True
    if kind not in (_MOV, _MATROSKA) or not end:
        return False
    declared = _declared_end(stream)
    step = 1 / (stream.average_rate or Fraction(25))
    return declared is not None and end < declared - float(step) / 2


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _HEAD, 0))
        return file.read()


def _indexed(stream: VideoStream) -> int:
    """The byte up to which the index of an .mp4 reaches; 0 where PyAV does not tell."""
    return max((entry.pos + entry.size for entry in getattr(stream, "index_entries", ())), default=0)


def _declared_end(stream: VideoStream) -> float | None:
    """The second at which a stream ends by its container's own word, if that gives one."""
    if stream.duration is not None and stream.time_base is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None
