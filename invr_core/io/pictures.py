"""Still images: one file, or a folder of them as a video."""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import torch
from cv2.utils import logging
from PIL import Image, ImageOps

from invr_core.errors import BadFile
from invr_core.io.bounds import MOST_FRAMES, require_frame, require_image
from invr_core.io.declared import MOST_SCANS, jpeg_scans, png_pictures, png_size, tiff_pages
from invr_core.io.graph import Pixels
from invr_core.io.scratch import Scratch
from invr_core.io.to_rgb import opaque
from invr_core.video import Video

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
FPS = 25.0
"""The clock of images, which have none of their own."""

_PNG, _JPEG, _TIFF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", (b"II*\0", b"MM\0*")


def open_pictures(path: Path) -> Video:
    """The images of a folder in natural order, or one image file, as a video of 25 frames per second.

    Raises:
        BadFile: if there is none, one cannot be read, or they differ in size or depth.
    """
    files = list_pictures(path) if path.is_dir() else [path]
    if not files:
        raise BadFile(f"{path} holds no images; a folder must hold PNG, JPEG, TIFF or WebP files")
    if len(files) > MOST_FRAMES:
        raise BadFile(f"{path} holds more than {MOST_FRAMES:,} images, the most that is offered; take some of them")
    scratch = Scratch(path.name, len(files))
    depth = 8
    for file in files:
        picture = read_picture(file)
        if len(scratch) == 0:
            depth = picture.dtype.itemsize * 8
        _require_alike(picture, scratch.shape, depth, file, files[0])
        scratch.append(picture)
    scratch.seal()
    times = torch.arange(len(files), dtype=torch.float64) / FPS
    return Video(times, (scratch.shape[0], scratch.shape[1]), scratch.read, depth=depth)


def list_pictures(folder: Path) -> list[Path]:
    """The images of a folder in natural order (2 before 10); hidden files are left out."""
    files = [f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith(".") and f.is_file()]
    return sorted(files, key=lambda file: (natural(file.name), file.name))


def natural(name: str) -> list[tuple[int, str]]:
    """By this, names sort in natural order: 2 before 10."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)]


def _require_alike(picture: Pixels, shape: tuple[int, ...], depth: int, file: Path, first: Path) -> None:
    if shape and picture.shape != shape:
        raise BadFile(
            f"{file} is {picture.shape[1]}x{picture.shape[0]}, but {first.name} is {shape[1]}x{shape[0]}; "
            "all images of a folder must have one size"
        )
    if picture.dtype.itemsize * 8 != depth:
        raise BadFile(
            f"{file} has {picture.dtype.itemsize * 8} bits, but {first.name} has {depth}; "
            "all images of a folder must have one depth"
        )


def read_picture(path: Path) -> Pixels:
    """One image: (H, W, 3) uint8 or uint16 sRGB; grey is repeated.

    Raises:
        BadFile: if it cannot be read whole, holds several pictures, is not opaque, or is not of 8 or 16 bits.
    """
    require_image(path)
    data = path.read_bytes()
    deep = (data.startswith(_PNG) and data[24:25] == b"\x10") or data.startswith(_TIFF)
    try:
        return opaque(_deep(data, path) if deep else _shallow(data, path), str(path))
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError, cv2.error) as error:
        raise BadFile(f"{path} cannot be read as an image; it is damaged, or not what its name says") from error


def _shallow(data: bytes, path: Path) -> Pixels:
    """8-bit images, by Pillow: it refuses truncated files and turns them upright."""
    with _at_any_size(), Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
        require_frame(image.height, image.width, str(path))
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            raise _several(path)
        if data.startswith(_JPEG) and jpeg_scans(data) > MOST_SCANS:
            raise BadFile(f"{path} is drawn in more than {MOST_SCANS} passes, made to take for ever; save it anew")
        image.load()
        upright: Image.Image = image
        with suppress(struct.error):  # what says how it was held is damaged: most pictures are upright
            upright = ImageOps.exif_transpose(image)
        return np.asarray(upright.convert("RGBA" if upright.has_transparency_data else "RGB"))


def _several(path: Path) -> BadFile:
    return BadFile(f"{path} holds several pictures; convert it to a video or to single images")


@contextmanager
def _at_any_size() -> Iterator[None]:
    """Pillow warns of large pictures; which are too large is told by `require_frame`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _deep(data: bytes, path: Path) -> Pixels:
    """16-bit PNG and all TIFF, by OpenCV: Pillow would cut them to 8 bits."""
    if data.startswith(_PNG):
        size, count = png_size(data), png_pictures(data)
    else:
        pages = tiff_pages(data)
        size, count = pages[0], len(pages)
    if count > 1:
        raise _several(path)
    require_frame(*size, str(path))
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        picture: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        logging.setLogLevel(level)
    if picture is None:
        raise ValueError("no picture")
    if picture.dtype not in (np.uint8, np.uint16):
        raise BadFile(f"{path} has {picture.dtype} samples; images must have 8 or 16 bits")
    if picture.ndim == 2:
        return np.repeat(picture[..., None], 3, axis=2)
    return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB)
