"""What a file holds beside its pictures, carried over to what is written from it: sound, subtitles, titles, tags."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import ArgumentError, FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from invr_core.errors import BadFile
from invr_core.io.colours import Colours
from invr_core.io.decode import pictures_of
from invr_core.io.notes import Note
from invr_core.io.probe import look
from invr_core.io.reading import Reading

if TYPE_CHECKING:
    from av.container.core import Chapter

_BRANDS = {"major_brand", "minor_version", "compatible_brands", "encoder", "handler_name", "vendor_id"}
_OF_THE_FILE = _BRANDS | {"name", "timecode", "duration", "number_of_frames", "number_of_bytes", "bps"}
"""Keys that say how a file is made, and not what it shows."""
_TITLES = {"title", "artist", "album_artist", "composer", "album", "track", "disc", "genre", "copyright", "grouping"}
_TEXTS = {"comment", "lyrics", "description", "synopsis", "keywords"}
_SERIES = {"show", "network", "episode_id", "episode_sort", "season_number"}
_SHOWN = _TITLES | _TEXTS | _SERIES
"""Keys that players show, and that an ``.mp4`` has a place for which they know."""
_PLACED = _SHOWN | {"date", "location", "creation_time", "media_type", "hd_video", "gapless_playback", "compilation"}
"""All keys that an ``.mp4`` has a place for. Source: FFmpeg's ``movenc.c``."""


class Beside:
    """A source file, opened again to copy what is not pictures; a context manager.

    Sound and subtitles are copied packet by packet, never coded anew. They keep their stamps, and so do the pictures,
    so both stay as they were to each other.

    Args:
        path: the file that the pictures came from.
        audio: whether its sound is wanted.
        note: is told, in one line each, what cannot be carried over.
        same_clock: whether what is written is on its clock; if not, nothing that is on it is copied.

    Raises:
        BadFile: if it cannot be read as a video.
    """

    def __init__(self, path: Path, audio: bool, note: Note, same_clock: bool = True) -> None:
        self.path, self._audio, self._note = path, audio, note
        try:
            with ExitStack() as opened:
                self._reading = opened.enter_context(Reading(path))
                self._source = self._reading.container
                self._pictures = pictures_of(self._source, path)
                self._chapters = self._source.chapters()
                seen = look(path)
                self._open = opened.pop_all()
        except (OSError, FFmpegError) as error:
            raise BadFile(f"{path} cannot be read again, for its sound ({error.strerror or error})") from error
        context = self._pictures.codec_context
        self.colours = Colours(
            int(context.color_primaries), int(context.color_trc), int(context.colorspace), int(context.color_range)
        )
        self.tick = self._pictures.time_base
        self.aspect, self.light, self.last, self.end = seen.aspect, seen.light, seen.last, seen.end
        self._firsts = seen.firsts
        sound: list[Stream] = list(self._source.streams.audio) if audio else []
        self._wanted = [s for s in [*sound, *self._source.streams.subtitles] if s.codec_context is not None]
        if not same_clock:
            self._leave_timed()
        self._copies: dict[int, Any] = {}
        self._latest: dict[int, int] = {}
        self._waiting: Iterator[Packet[Any]] = iter(())
        self._next: Packet[Any] | None = None
        self._lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def has_sound(self) -> bool:
        """Whether there is sound that is wanted."""
        return any(isinstance(stream, AudioStream) for stream in self._wanted)

    @property
    def rates(self) -> list[int]:
        """Samples per second of each sound of which that is known: a stream without a packet may have none."""
        return [stream.rate for stream in self._wanted if isinstance(stream, AudioStream) and stream.rate]

    @property
    def own_tags(self) -> bool:
        """Whether an ``.mp4`` is to list tags under their own names, as phones do.

        Only then has it a place for all of them, but few players look there for a title, so that keeps its usual one.
        """
        given = self._source.metadata
        return bool(_unusual(given)) and _SHOWN.isdisjoint(key.lower() for key in given)

    def _leave_timed(self) -> None:
        """Want nothing that keeps the time of the source, and tell what there was."""
        kinds = {"sound" if isinstance(stream, AudioStream) else "subtitles": None for stream in self._wanted}
        left = [*kinds, *(["chapters"] if self._chapters else [])]
        if left:
            self._note(f"not kept of {self.path.name}, whose clock is another: {', '.join(left)}")
        self._wanted, self._chapters = [], []

    def join(self, target: OutputContainer, pictures: VideoStream, shift: float) -> None:
        """Add what the target can hold: streams, chapters, titles. To be called before its first packet.

        Args:
            target: that is being written.
            pictures: the stream of it that is the clip.
            shift: seconds by which the clip's clock was moved.
        """
        format = target.format.name
        _describe(self._source.metadata, target.metadata)
        _describe(self._pictures.metadata, pictures.metadata)
        for stream in self._wanted:
            what = f"the {'sound' if isinstance(stream, AudioStream) else 'subtitles'} ({stream.codec_context.name})"
            if not _holds(format, stream, self._firsts.get(stream.index)):
                self._note(f"{what} of {self.path.name} cannot be kept in this format; .mkv takes most")
                continue
            copy = self._copies[stream.index] = target.add_stream_from_template(stream)
            copy.disposition = stream.disposition
            _describe(stream.metadata, copy.metadata)
        left = self._left_out(target)
        if left:
            self._note(f"not kept of {self.path.name}: {', '.join(left)}")
        if self._chapters:
            target.set_chapters([_later(chapter, shift) for chapter in self._chapters])
        self._shift, self._target = shift, target
        self._keeps_early = format != "matroska" or format in self._source.format.name
        self._copied = 0
        self._reading.progress = lambda: f"{self._copied} packets of its sound and subtitles came before"
        self._waiting = self._reading.each(self._packets())
        self._next = next(self._waiting, None)

    def _left_out(self, target: OutputContainer) -> list[str]:
        """Copy attached files, such as fonts of subtitles, and name all that is not copied."""
        left = []
        for stream in self._source.streams:
            name = None if stream in self._wanted or stream == self._pictures else self._name(stream)
            if name and not (stream.type == "attachment" and _attached(stream, target)):
                left.append(name)
        unusual = _unusual(self._source.metadata)
        if unusual and target.format.name == "mp4" and not self.own_tags:
            some = " ".join(key[:40] for key in unusual[:3])
            more = f" and {len(unusual) - 3} more" if len(unusual) > 3 else ""
            left.append(f"the tags {some}{more}, for which an .mp4 with a title has no place")
        return list(dict.fromkeys(left))

    def _name(self, stream: Stream) -> str | None:
        """What to call a stream that is not copied; None for one that nobody misses."""
        if stream.type == "video":
            return "its cover" if stream.disposition & Disposition.attached_pic else "another video"
        if stream.type == "attachment":
            return "the attached files"
        if stream.type in ("audio", "subtitle"):
            unwanted = stream.codec_context is not None or (stream.type == "audio" and not self._audio)
            return None if unwanted else f"{'sound' if stream.type == 'audio' else 'subtitles'} of an unknown kind"
        if "timecode" in stream.metadata:
            return "the time code"
        titles = self._chapters and getattr(stream, "name", None) == "bin_data"
        return None if titles else "a data track"  # those of chapters are copied as chapters

    def until(self, seconds: float) -> None:
        """Copy what is due before an instant of the written clip."""
        while self._next is not None and self._due(self._next) < seconds:
            self._copy(self._next)
            self._next = next(self._waiting, None)

    def rest(self) -> None:
        """Copy all that is left."""
        self.until(float("inf"))
        if self._lost:
            self._note(f"{self._lost} damaged packets of sound or subtitles of {self.path.name} are left out")

    def _packets(self) -> Iterator[Packet[Any]]:
        """Those to be copied, in the order of the file."""
        if not self._copies:
            return
        try:
            for packet in self._reading.packets():
                if not packet.size or packet.stream.index not in self._copies:
                    continue
                stamp = _stamp(packet)
                if stamp is None or packet.is_corrupt or stamp < self._latest.get(packet.stream.index, stamp):
                    self._lost += 1
                else:
                    self._latest[packet.stream.index] = stamp
                    self._copied += 1
                    yield packet
        except FFmpegError:
            self._note(f"{self.path.name} is damaged: its sound and subtitles are copied as far as they can be read")

    def _due(self, packet: Packet[Any]) -> float:
        return float((_stamp(packet) or 0) * packet.time_base) + self._shift

    def _copy(self, packet: Packet[Any]) -> None:
        moved = round(self._shift / packet.time_base)
        packet.dts = (_stamp(packet) or 0) + moved
        packet.pts = packet.dts if packet.pts is None else packet.pts + moved
        if packet.dts < 0 and not self._keeps_early and packet.stream.codec_context.name != "opus":
            # Matroska would move all of the clip to make room for what a coder needs to get going
            if packet.dts + (packet.duration or 0) / 2 <= 0:
                return
            packet.dts = packet.pts = 0
        packet.stream = self._copies[packet.stream.index]
        try:
            self._target.mux(packet)
        except ArgumentError:
            self._lost += 1


def _stamp(packet: Packet[Any]) -> int | None:
    """When a packet is decoded, in its own ticks."""
    return packet.pts if packet.dts is None else packet.dts


def _holds(format: str, stream: Stream, packet: Packet[Any] | None) -> bool:
    """Whether a kind of file takes a stream: its first packet is tried, as some are refused at the end only."""
    try:
        with av.open(io.BytesIO(), "w", format=format) as trial:
            copy: Any = trial.add_stream_from_template(stream)
            trial.start_encoding()
            if packet is not None:
                packet.stream = copy
                trial.mux(packet)
    except (FFmpegError, ValueError):
        return False
    return True


def _attached(stream: Stream, target: OutputContainer) -> bool:
    """Whether a file within a file could be copied: into .mkv, by PyAV 16 or later."""
    given: Any = stream
    if target.format.name != "matroska" or not hasattr(target, "add_attachment") or not given.data:
        return False
    target.add_attachment(given.name or "file", given.mimetype or "application/octet-stream", given.data)
    return True


def _unusual(given: dict[str, str]) -> list[str]:
    """The tags for which an ``.mp4`` has no usual place; "location-eng" says again what "location" does."""
    known = _OF_THE_FILE | _PLACED
    return [
        key
        for key in given
        if not {key.lower(), key.lower().rpartition("-")[0]} & known and not key.startswith("_STATISTICS")
    ]


def _later(chapter: Chapter, shift: float) -> Chapter:
    moved = round(shift / (chapter["time_base"] or Fraction(1, 1000)))
    return {**chapter, "start": chapter["start"] + moved, "end": chapter["end"] + moved}


def _describe(given: dict[str, str], kept: dict[str, str]) -> None:
    """Copy what a file says of itself, without how it was made."""
    kept.update({k: v for k, v in given.items() if k.lower() not in _OF_THE_FILE and not k.startswith("_STATISTICS")})
    if "name" in given and "title" not in given:  # what QuickTime calls the title of a stream
        kept["title"] = given["name"]
