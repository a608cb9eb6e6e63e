"""Images byte by byte, so that they can claim anything."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def chunk(kind: bytes, data: bytes) -> bytes:
    """A piece of a PNG, its checksum right."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int, colour: int, data: bytes, more: bytes = b"") -> bytes:
    """A PNG of any claims, whose checksums are right."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    )


def gif(width: int, height: int) -> bytes:
    """A GIF of any size, with one pixel in it."""
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return b"GIF89a" + screen + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00;"


def tiff(width: int, height: int, pages: int = 1, order: str = "<", kind: int = 4) -> bytes:
    """A TIFF of any claims, without pixels; its pages go round in a circle where there are none.

    Args:
        width, height: of each page.
        pages: how many.
        order: of bytes, as `struct` writes it.
        kind: of the numbers that are its sides: 3 for 16 bits, 4 for 32.
    """
    tags = [(256, kind, 1, width), (257, kind, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 10)]
    page = struct.pack(f"{order}H", len(tags))
    page += b"".join(struct.pack(f"{order}HHI{'I' if tag[1] == 4 else 'Hxx'}", *tag) for tag in tags)
    size = len(page) + 4
    nexts = [8 + size * (i + 1) for i in range(pages - 1)] + [0] if pages else [8]
    begin = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return begin + b"".join(page + struct.pack(f"{order}I", place) for place in nexts) + bytes(20)


def overlapping(pages: int) -> bytes:
    """A TIFF whose pages lie on top of each other, each with as many tags as there can be."""
    begin, apart = 8, 2 + 12 * 65535
    count = bytearray(b"\xff\xff" * (3 * pages + apart // 2 + 2))
    for page in range(pages):  # one every six bytes: its count, and far behind it where the next one is
        at = apart + 6 * page
        count[at : at + 4] = struct.pack("<I", begin + 6 * (page + 1) if page + 1 < pages else 0)
    return b"II*\0" + struct.pack("<I", begin) + bytes(count)


def animated(count: int, side: int = 9) -> bytes:
    """A deep PNG of so many pictures, each but the first of one pixel."""
    held = zlib.compress(bytes(1 + 6 * side) * side)
    control = struct.pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 25, 0, 0)
    more = chunk(b"acTL", struct.pack(">II", count, 0)) + chunk(b"fcTL", control)
    rest = b""
    for number in range(1, 2 * count - 1, 2):
        rest += chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 1, 1, 0, 0, 1, 25, 0, 0))
        rest += chunk(b"fdAT", struct.pack(">I", number + 1) + zlib.compress(bytes(7)))
    whole = png(side, side, 16, 2, b"", more).replace(chunk(b"IDAT", zlib.compress(b"")), chunk(b"IDAT", held) + rest)
    assert held in whole
    return whole


def passes(count: int) -> bytes:
    """A JPEG with its last pass repeated."""
    made = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    Image.fromarray(noise).save(made, "jpeg", progressive=True)
    data = made.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * (count - data.count(b"\xff\xda") + 1) + data[-2:]
