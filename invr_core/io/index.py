"""What the index of an ``.mp4`` or ``.mov`` may claim: FFmpeg makes room for all before it looks for any of it."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from invr_core.errors import BadFile

FREE = 1 << 20
"""Samples that any file may claim. FFmpeg takes 40 bytes for each."""
_TABLE = 1 << 26
"""Bytes of one table, or of a packed index, that are looked at; what has more is refused."""
_PIECE = 160
"""Samples of plain sound that FFmpeg takes for one, at the least."""
_ENDLESS = 1 << 62
_BOXES = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex", b"udta", b"wave", b"hoov"}
"""Those that hold others; FFmpeg takes ``free`` and ``hoov`` for ``moov`` in files that were not finished."""
_BOXES |= {b"free", b"dinf", b"tapt", b"meta", b"cmov"}
_READ = {b"hdlr", b"stts", b"stsz", b"stz2", b"stco", b"co64", b"stsc", b"elst", b"trun", b"stsd", b"cmvd"}
_STRAY = re.compile(rb"stsz|stz2|stsc|elst|trun")
"""What has no place in a description of samples; FFmpeg would read it there, too."""


@dataclass
class _Track:
    """What the boxes of one track say."""

    sound: bool = False
    even: bool = False
    """Whether each of its samples lasts one tick: sound that is not coded, which is indexed by its chunks."""
    samples: int = 0
    chunks: int = 0
    runs: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    """First chunk, from 1 on, and samples of a chunk, for each run of like chunks."""
    edits: int = 1

    @property
    def entries(self) -> int:
        """What FFmpeg makes room for: each part of an edit list may repeat the whole."""
        if not (self.sound and self.even):
            return self.samples * self.edits
        first = np.append(self.runs[:, 0], self.chunks + 1)
        return int((np.diff(first).clip(0) * np.ceil(self.runs[:, 1] / _PIECE)).sum()) * self.edits


def require_index(path: Path) -> None:
    """Refuse an index that claims more samples than the file can hold; other kinds of files have none of the kind.

    Raises:
        BadFile: if it does.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        claimed = _claimed(file, 0, size)
    if claimed > max(FREE, size):
        raise BadFile(
            f"{path} claims more pictures and pieces of sound than its {size:,} bytes can hold; it is damaged, or made "
            "to take all memory. Convert it with a program that writes a new index"
        )


def _claimed(file: BinaryIO, begin: int, end: int) -> int:
    """Samples that the boxes between two places claim together."""
    total = 0
    track = _Track()
    stack = [_boxes(file, begin, end)]
    while stack:
        kind, start, stop = next(stack[-1], (b"", 0, 0))
        if not kind:
            stack.pop()
        elif kind in _BOXES and len(stack) < 12:
            if kind == b"trak":
                total, track = total + track.entries, _Track()
            stack.append(_boxes(file, start + (4 if kind == b"meta" else 0), stop))
        else:
            total += _read(file, kind, start, stop, track)
    return total + track.entries


def _boxes(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of what each box holds, as FFmpeg goes through them."""
    while end - begin >= 8:
        file.seek(begin)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind, inner = int.from_bytes(head[:4], "big"), head[4:8], begin + 8
        if size == 1 and len(head) == 16:
            size, inner = int.from_bytes(head[8:], "big"), begin + 16
        stop = end if size == 0 else min(begin + size, end)
        if stop < inner:
            return
        yield kind, inner, stop
        begin = stop


def _read(file: BinaryIO, kind: bytes, start: int, stop: int, track: _Track) -> int:
    """Note what a box says of its track; give what it claims beside."""
    if kind not in _READ:
        return 0
    if stop - start > _TABLE and kind in (b"stsc", b"stsd", b"cmvd"):
        return _ENDLESS
    file.seek(start)
    held = file.read(stop - start if kind in (b"stsc", b"stsd", b"cmvd") else 16).ljust(16, b"\0")
    one, two, three = struct.unpack_from(">3I", held, 4)
    match kind:
        case b"hdlr":
            track.sound |= held[8:12] == b"soun"
        case b"stts":
            track.even = one == 1 and three == 1
        case b"stsz" | b"stz2":
            track.samples = max(track.samples, two)
        case b"stco" | b"co64":
            track.chunks = max(track.chunks, one)
        case b"stsc":
            whole = np.frombuffer(held[8 : 8 + (len(held) - 8) // 12 * 12], ">u4").reshape(-1, 3)
            track.runs = whole[:one, :2].astype(np.float64)
        case b"elst":
            track.edits = max(track.edits, one)
        case b"trun":
            return int(one)
        case b"stsd":
            return _ENDLESS if _STRAY.search(held) else 0
        case b"cmvd":
            return _packed(held[4:])
    return 0


def _packed(data: bytes) -> int:
    """What an index claims that is packed, as QuickTime wrote it once."""
    try:
        held = zlib.decompressobj().decompress(data, _TABLE)
    except zlib.error:
        return 0
    return _ENDLESS if len(held) == _TABLE else _claimed(io.BytesIO(held), 0, len(held))
