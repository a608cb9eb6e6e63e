"""What the file of an image declares before it is decoded: its size, and how many pictures it holds."""

from __future__ import annotations

import re
import struct

SEVERAL = 2
"""Pictures of a file up to which they are counted: more than one is too many."""
MOST_SCANS = 100
"""Passes over a JPEG that its file may ask for; encoders make ten, and each goes over the whole picture."""
_MOST_PIECES = 1 << 16
"""Chunks or segments before or between what is looked for."""
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]", re.DOTALL)
"""Of a segment; not the bytes that look like one within what is coded."""


def png_size(data: bytes) -> tuple[int, int]:
    """(height, width) of a PNG.

    Raises:
        ValueError: if it is too short.
    """
    if len(data) < 24:
        raise ValueError("no picture")
    width, height = struct.unpack(">II", data[16:24])
    return int(height), int(width)


def png_pictures(data: bytes) -> int:
    """How many pictures a PNG says that it holds, more than one if it is animated.

    Raises:
        ValueError: if it is cut off before the first, or has very many chunks before it.
    """
    at, count = 8, 1
    for _ in range(_MOST_PIECES):
        if at + 12 > len(data) or data[at + 4 : at + 8] == b"IDAT":
            return count
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"acTL":
            count = int.from_bytes(data[at + 8 : at + 12], "big")
        at += 12 + length
    raise ValueError("no picture")


def tiff_pages(data: bytes) -> list[tuple[int, int]]:
    """(height, width) of each page of a TIFF, of the first `SEVERAL` only: pages can lie on top of each other.

    Raises:
        ValueError: if its pages lead nowhere, or go round in a circle.
    """
    order = "<" if data.startswith(b"II") else ">"
    sizes: list[tuple[int, int]] = []
    seen: set[int] = set()
    try:
        (place,) = struct.unpack_from(f"{order}I", data, 4)
        while place and place not in seen and len(sizes) < SEVERAL:
            seen.add(place)
            (count,) = struct.unpack_from(f"{order}H", data, place)
            sides = {256: 0, 257: 0}
            for entry in range(count):
                tag, kind, _, value = struct.unpack_from(f"{order}HHI4s", data, place + 2 + 12 * entry)
                if tag in sides:
                    sides[tag] = struct.unpack(f"{order}I" if kind == 4 else f"{order}Hxx", value)[0]
            sizes.append((sides[257], sides[256]))
            (place,) = struct.unpack_from(f"{order}I", data, place + 2 + 12 * count)
    except struct.error as cause:
        raise ValueError("no picture") from cause
    if (place and len(sizes) < SEVERAL) or not sizes:
        raise ValueError("no picture")
    return sizes


def jpeg_scans(data: bytes) -> int:
    """Passes over the picture that a JPEG asks for, up to its end; what follows, as in motion photos, is not looked at.

    Raises:
        ValueError: if it has very many segments.
    """
    at, count = 2, 0
    for _ in range(_MOST_PIECES):
        marker = _MARKER.search(data, at)
        if marker is None or marker[0] == b"\xff\xd9":
            return count
        count += marker[0] == b"\xff\xda"
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    raise ValueError("no picture")
