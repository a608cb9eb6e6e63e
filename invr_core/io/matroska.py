"""What Matroska says of pictures and PyAV cannot: the shape of a pixel, and the light of an HDR clip.

PyAV hands neither to FFmpeg's writer. So the track is first given a long name, and when the file is finished the room
of that name is used: nothing behind it moves.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from mmap import mmap
from pathlib import Path

from invr_core.errors import BadOutput
from invr_core.io.light import Light

ROOM = "." * 220
"""What is put behind the name of the track; more than all that is said here takes."""
_SEGMENT, _TRACKS, _ENTRY, _CRC, _VOID = 0x18538067, 0x1654AE6B, 0xAE, 0xBF, 0xEC
_NAME, _TYPE, _VIDEO, _COLOUR = 0x536E, 0x83, 0xE0, 0x55B0
_WIDTH, _HEIGHT, _SHOWN_WIDTH, _SHOWN_HEIGHT, _SHOWN_UNIT = 0xB0, 0xBA, 0x54B0, 0x54BA, 0x54B2
_ASPECT = 3
"""The unit of what is shown that means: these two numbers are but a ratio."""
_MAX_CLL, _MAX_FALL, _MASTERING, _CHROMA, _BRIGHTEST, _DARKEST = 0x55BC, 0x55BD, 0x55D0, 0x55D1, 0x55D9, 0x55DA
Data = bytes | mmap
"""Of a file, or a file itself."""


@dataclass(frozen=True)
class _Element:
    """An element of a file.

    Args:
        kind: its identifier.
        begin: of what it holds, in bytes of the file.
        end: of what it holds.
    """

    kind: int
    begin: int
    end: int


def describe(file: Path, aspect: Fraction, light: Light) -> None:
    """Say it of the first track of pictures of a finished file, whose name ends in `ROOM`.

    Args:
        file: written by FFmpeg.
        aspect: width of a pixel to its height.
        light: of an HDR clip.

    Raises:
        BadOutput: if the file is not as it is expected.
    """
    unexpected = f"{file.name}: its tracks are not where they are written"
    if not file.stat().st_size:
        raise BadOutput(unexpected)
    with file.open("r+b") as opened, mmap(opened.fileno(), 0) as whole:  # read where it is looked at, and no further
        try:
            segment = next(element for element in _within(whole, 0, len(whole)) if element.kind == _SEGMENT)
            tracks = next(element for element in _within(whole, segment.begin, len(whole)) if element.kind == _TRACKS)
            inner = list(_within(whole, tracks.begin, tracks.end))
            entry = next(e for e in inner if e.kind == _ENTRY and _value(whole, e, _TYPE) == 1)
        except (StopIteration, IndexError) as cause:
            raise BadOutput(unexpected) from cause
        whole[entry.begin : entry.end] = _with(whole, entry, aspect, light)
        if inner[0].kind == _CRC:
            checked = zlib.crc32(whole[inner[0].end : tracks.end])
            whole[inner[0].begin : inner[0].end] = struct.pack("<I", checked)


def stated_end(head: bytes) -> int:
    """The byte up to which a file should reach by its own word; 0 if it does not say, as what is sent while it is made.

    Args:
        head: what the file begins with: at least the header, and where its segment begins.
    """
    try:
        header, segment = islice(_within(head, 0, 1 << 62), 2)
    except (ValueError, IndexError):
        return 0
    wide = segment.begin - header.end - 4  # bytes of the size itself, behind the four of the identifier
    unknown = segment.end - segment.begin == (1 << 7 * wide) - 1
    return 0 if segment.kind != _SEGMENT or unknown else segment.end


def _with(data: Data, entry: _Element, aspect: Fraction, light: Light) -> bytes:
    """What a track holds, with more said in as many bytes."""
    parts = []
    for element in _within(data, entry.begin, entry.end):
        held = data[element.begin : element.end]
        if element.kind == _NAME:
            name = held.removesuffix(ROOM.encode())
            parts += [_made(_NAME, name)] if name else []
        elif element.kind == _VIDEO:
            parts.append(_made(_VIDEO, _video(data, element, aspect, light)))
        elif element.kind != _VOID:
            parts.append(_made(element.kind, held))
    said = b"".join(parts)
    left = entry.end - entry.begin - len(said)
    return said + bytes([_VOID]) + (left - 9 | 1 << 56).to_bytes(8, "big") + bytes(left - 9)


def _video(data: Data, video: _Element, aspect: Fraction, light: Light) -> bytes:
    parts, colour = [], b""
    for element in _within(data, video.begin, video.end):
        if element.kind == _COLOUR:
            colour = data[element.begin : element.end]
        elif element.kind not in (_SHOWN_WIDTH, _SHOWN_HEIGHT, _SHOWN_UNIT):
            parts.append(_made(element.kind, data[element.begin : element.end]))
    width, height = _value(data, video, _WIDTH) * aspect, Fraction(_value(data, video, _HEIGHT))
    if aspect != 1 and width.denominator == 1:
        parts += [_number(_SHOWN_WIDTH, int(width)), _number(_SHOWN_HEIGHT, int(height))]
    elif aspect != 1:
        shape = width / height
        parts += [_number(_SHOWN_WIDTH, shape.numerator), _number(_SHOWN_HEIGHT, shape.denominator)]
        parts.append(_number(_SHOWN_UNIT, _ASPECT))
    colour += _light(light)
    return b"".join(parts) + (_made(_COLOUR, colour) if colour else b"")


def _light(light: Light) -> bytes:
    mastering = b""
    for place, value in enumerate(value for point in light.primaries or () for value in point):
        mastering += _made(_CHROMA + place, struct.pack(">d", value / 50_000))
    for kind, value in zip((_BRIGHTEST, _DARKEST), light.luminance or (), strict=False):
        mastering += _made(kind, struct.pack(">d", value / 10_000))
    levels = zip((_MAX_CLL, _MAX_FALL), light.level or (), strict=False)
    return b"".join(_number(kind, value) for kind, value in levels) + (
        _made(_MASTERING, mastering) if mastering else b""
    )


def _within(data: Data, begin: int, end: int) -> Iterator[_Element]:
    """The elements from one byte to another; one that reaches beyond ends there."""
    while begin < end:
        long = 9 - data[begin].bit_length()
        kind, at = int.from_bytes(data[begin : begin + long], "big"), begin + long
        wide = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + wide], "big") & (1 << 7 * wide) - 1
        yield _Element(kind, at + wide, min(at + wide + size, end))
        begin = at + wide + size


def _value(data: Data, within: _Element, kind: int) -> int:
    """A whole number in an element; 0 if it is not there."""
    found = [e for e in _within(data, within.begin, within.end) if e.kind == kind]
    return int.from_bytes(data[found[0].begin : found[0].end], "big") if found else 0


def _made(kind: int, held: bytes) -> bytes:
    wide = next(wide for wide in range(1, 9) if len(held) < (1 << 7 * wide) - 1)
    return kind.to_bytes((kind.bit_length() + 7) // 8, "big") + (len(held) | 1 << 7 * wide).to_bytes(wide, "big") + held


def _number(kind: int, value: int) -> bytes:
    return _made(kind, value.to_bytes(max((value.bit_length() + 7) // 8, 1), "big"))
