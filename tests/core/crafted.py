"""Files of ``.mp4`` and ``.mkv`` box by box, so that they can claim anything: what no writer would write."""

from __future__ import annotations

import struct
from collections.abc import Sequence

FRAME = bytes(16 * 16 * 3)
"""One picture of `mp4` and `mkv`: 16x16, raw, black."""


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of an ``.mp4``."""
    held = b"".join(parts)
    return struct.pack(">I", 8 + len(held)) + kind + held


def numbers(*values: int) -> bytes:
    """32 bits each."""
    return struct.pack(f">{len(values)}I", *values)


def _full(kind: bytes, *parts: bytes) -> bytes:
    return box(kind, bytes(4), *parts)


_MATRIX = numbers(65536, 0, 0, 0, 65536, 0, 0, 0, 0x40000000)
_PICTURES = box(
    b"raw ",
    bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">HH", 16, 16) + numbers(0x480000, 0x480000, 0),
    struct.pack(">H", 1) + bytes(32) + struct.pack(">Hh", 24, -1),
)
_PLAIN_SOUND = box(
    b"sowt", bytes(6) + struct.pack(">H", 1) + bytes(8) + struct.pack(">HHHH", 1, 16, 0, 0) + numbers(8000 << 16)
)


def track(
    number: int,
    at: int,
    *,
    samples: int = 1,
    size: int = len(FRAME),
    times: Sequence[tuple[int, int]] = ((1, 1),),
    chunk: int = 1,
    edits: Sequence[tuple[int, int]] = (),
    sound: bool = False,
    more: bytes = b"",
) -> bytes:
    """A track whose samples are all of one size.

    Args:
        number: of the track.
        at: where the samples are.
        samples: how many it claims.
        size: bytes of each.
        times: runs of samples that last equally long: how many, and ticks.
        chunk: samples that its one chunk claims.
        edits: ticks and start of each part of an edit list.
        sound: plain sound, not pictures.
        more: within the description of the samples.
    """
    entry = _PLAIN_SOUND if sound else _PICTURES
    entry = struct.pack(">I", len(entry) + len(more)) + entry[4:] + more
    table = box(
        b"stbl",
        _full(b"stsd", numbers(1), entry),
        _full(b"stts", numbers(len(times)), *(numbers(*run) for run in times)),
        _full(b"stsc", numbers(1, 1, chunk, 1)),
        _full(b"stsz", numbers(size, samples)),
        _full(b"stco", numbers(1, at)),
    )
    source = box(b"dinf", _full(b"dref", numbers(1), box(b"url ", numbers(1))))
    inner = box(b"minf", _full(b"smhd" if sound else b"vmhd", bytes(4 if sound else 8)), source, table)
    kind = _full(b"hdlr", numbers(0), b"soun" if sound else b"vide", bytes(13))
    head = box(b"tkhd", numbers(3, 0, 0, number, 0, 0), bytes(16), _MATRIX, numbers(16 << 16, 16 << 16))
    parts = [numbers(*edit, 65536) for edit in edits]
    listed = box(b"edts", _full(b"elst", numbers(len(parts)), *parts)) if parts else b""
    return box(b"trak", head, listed, box(b"mdia", _full(b"mdhd", numbers(0, 0, 8000, 0, 0)), kind, inner))


def mp4(*tracks: bytes, data: bytes = FRAME, runs: Sequence[int] = ()) -> bytes:
    """A file of tracks, whose samples begin at byte 36; after them, fragments that claim so many samples each."""
    head = _full(b"mvhd", numbers(0, 0, 8000, 0, 0x10000), bytes(12), _MATRIX, bytes(24), numbers(9))
    pieces = [
        box(b"moof", _full(b"mfhd", numbers(1)), box(b"traf", box(b"tfhd", numbers(0, 1)), box(b"trun", numbers(0, n))))
        for n in runs
    ]
    extends = box(b"mvex", _full(b"trex", numbers(1, 1, 1, 1, 0))) if runs else b""
    return (
        box(b"ftyp", b"qt  " + numbers(0) + b"qt  qt  ")
        + bytes.fromhex("00000008")
        + b"wide"
        + box(b"mdat", data)
        + box(b"moov", head, *tracks, extends)
        + b"".join(pieces)
    )


DATA = 40
"""Where the samples of `mp4` begin."""


def element(kind: str, *parts: bytes) -> bytes:
    """An element of an ``.mkv``; its kind in hexadecimal."""
    held = b"".join(parts)
    return bytes.fromhex(kind) + (len(held) | 1 << 56).to_bytes(8, "big") + held


def number(kind: str, value: int) -> bytes:
    """A whole number of four bytes."""
    return element(kind, value.to_bytes(4, "big"))


def mkv(*more: bytes, blocks: Sequence[bytes] = (b"\x81\0\0\x80" + FRAME,)) -> bytes:
    """A file of one track of raw pictures, with more elements before its blocks."""
    head = element("1a45dfa3", element("4282", b"matroska"), element("4287", b"\4"), element("4285", b"\2"))
    shape = element("e0", number("b0", 16), number("ba", 16), element("2eb524", b"RGB\x18"))
    one = element("ae", number("d7", 1), number("73c5", 1), number("83", 1), element("86", b"V_UNCOMPRESSED"), shape)
    cluster = element("1f43b675", number("e7", 0), *(element("a3", block) for block in blocks))
    return head + element("18538067", element("1654ae6b", one), *more, cluster)


def chapters(count: int, down: bool = True) -> bytes:
    """So many of them; FFmpeg compares each with all before it where their numbers fall."""
    marks = (
        number("73c4", count - i if down else i + 1) + number("91", i + 1) + number("92", i + 2) for i in range(count)
    )
    return element("1043a770", element("45b9", *(element("b6", mark) for mark in marks)))


def tags(count: int) -> bytes:
    """So many of different names; FFmpeg compares each with all before it."""
    named = (element("67c8", element("45a3", b"K%d" % i), element("4487", b"v")) for i in range(count))
    return element("1254c367", element("7373", *named))


def attachments(count: int, size: int = 10) -> bytes:
    """So many files within the file."""
    one = element("466e", b"a.ttf"), element("4660", b"font/ttf"), element("465c", bytes(size))
    return element("1941a469", *(element("61a7", *one, number("46ae", i + 1)) for i in range(count)))
