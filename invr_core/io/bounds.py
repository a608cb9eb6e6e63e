"""What a file of pictures may claim: a plain file, a frame that fits, and nothing that leads to other files."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import torch

from invr_core.errors import BadFile, NotEnoughMemory
from invr_core.memory import ASKED, available

MOST_PIXELS = 1 << 27
"""Of a frame: 16384 by 8192, twice either side of the largest level of H.264, HEVC and AV1."""
MOST_FRAMES = 1 << 21
"""Of a clip or a folder: 23 hours at 25 frames a second."""
DECODED = 32
"""Bytes that a pixel takes on its way from a file and when it is first read, at the most."""
MOST_BYTES = 8 * MOST_PIXELS
"""Of the file of a single image: four channels of 16 bits for each pixel."""
PLAYLISTS = {"hls", "applehttp", "dash", "concat", "concatf", "imf", "webm_dash_manifest", "sdp", "rtsp", "image2"}
"""Formats of FFmpeg that are no clip but lead to other files, which a stranger would have chosen."""


def require_plain(path: Path) -> None:
    """Refuse pipes, devices and the like, which may never end.

    Raises:
        BadFile: if it is anything but a plain file (links are followed).
    """
    if not path.is_file():
        raise BadFile(f"{path} is not a plain file; give a video file or a folder of images")


def require_image(path: Path) -> None:
    """Refuse the file of an image, which is read whole, by its size.

    Raises:
        BadFile: if it is no plain file, or larger than any picture that is offered.
        NotEnoughMemory: if it does not fit in memory here.
    """
    require_plain(path)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise BadFile(
            f"{path} has {size:,} bytes; an image of {MOST_PIXELS:,} pixels, the most that is offered, has fewer"
        )
    free = available(torch.device("cpu")) if size > ASKED else None
    if free is not None and size > free:
        raise NotEnoughMemory(f"{path} has {size / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free; shrink it")


def require_frame(height: int, width: int, name: str) -> None:
    """Refuse a frame by what its file declares, before it is decoded.

    Args:
        height: in pixels.
        width: in pixels.
        name: of the file, for messages.

    Raises:
        BadFile: if it is larger than any that is offered.
        NotEnoughMemory: if it does not fit in memory here.
    """
    pixels = height * width
    if pixels > MOST_PIXELS:
        raise BadFile(
            f"{name} claims frames of {width}x{height}; at most {MOST_PIXELS:,} pixels are offered, shrink it"
        )
    needed = pixels * DECODED
    free = available(torch.device("cpu")) if needed > ASKED else None
    if free is not None and needed > free:
        fits = math.sqrt(free / needed)
        raise NotEnoughMemory(
            f"a frame of {name}, {width}x{height}, takes about {needed / 2**30:.1f} GiB to decode and "
            f"{free / 2**30:.1f} GiB are free; {int(width * fits)}x{int(height * fits)} would fit"
        )


def declared_png(data: bytes) -> tuple[int, int]:
    """(height, width) that a PNG declares."""
    if len(data) < 24:
        raise ValueError("no picture")
    width, height = struct.unpack(">II", data[16:24])
    return int(height), int(width)


def declared_tiff(data: bytes) -> list[tuple[int, int]]:
    """(height, width) of each page that a TIFF declares.

    Raises:
        ValueError: if its pages lead nowhere, or go round in a circle.
    """
    order = "<" if data.startswith(b"II") else ">"
    sizes: list[tuple[int, int]] = []
    seen: set[int] = set()
    try:
        (place,) = struct.unpack_from(f"{order}I", data, 4)
        while place and place not in seen:
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
    if place or not sizes:
        raise ValueError("no picture")
    return sizes
