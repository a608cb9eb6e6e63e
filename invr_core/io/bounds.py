"""What a file of pictures may claim: a plain file, a frame that fits, and nothing that leads to other files."""

from __future__ import annotations

import math
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
