"""Frames as a decoder gives them, to RGB.

FFmpeg's own filters do it, with the matrix and the range named outright: what PyAV's `reformat` makes of a frame's
tags changed between its versions.
"""

from __future__ import annotations

import struct
from typing import cast

import numpy as np
from av.buffer import Buffer
from av.video.frame import VideoFrame

from invr_core.errors import BadFile
from invr_core.io.colours import MATRICES, RANGES, UNTAGGED, Matrix
from invr_core.io.graph import Chain, Pixels, samples

_TURNS = {
    90: ("transpose=dir=0", "vflip"),
    180: ("hflip", "vflip"),
    270: ("transpose=dir=0", "hflip"),
}
"""The filters that turn a frame by so many degrees, counter-clockwise."""
_DEEP = (9, 10, 12, 14, 16)


def depth_of(frame: VideoFrame) -> int:
    """Bits per sample, from 8 to 16."""
    return min(16, max(8, *(component.bits for component in frame.format.components)))


class ToRGB:
    """Turns the frames of a stream into RGB, upright.

    8-bit frames become what plain FFmpeg makes of them, to the bit: untagged ones are BT.601 limited range, tagged
    ones keep to their tags. Deeper YUV is only brought to full chroma by FFmpeg and then put through the matrix here,
    since FFmpeg's own 16-bit RGB is too dark by one part in 256.

    Args:
        name: of the file, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._key: tuple[object, ...] = ()
        self._chain: Chain | None = None

    def __call__(self, frame: VideoFrame) -> Pixels:
        """(H, W, 3) uint8, or uint16 over the full range for more than 8 bits.

        Raises:
            BadFile: if the frame is not opaque.
        """
        turn = upright(frame)
        key = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range, turn)
        if key != self._key or self._chain is None:
            filters = [*turn, _scale(frame), f"format={_target(frame)}"]
            self._chain = Chain(frame.width, frame.height, frame.format.name, filters)
            self._key = key
        converted = self._chain(frame)
        if not _deep_yuv(frame):
            return opaque(converted.to_ndarray(), self._name)
        picture = _matrix(converted, MATRICES.get(int(frame.colorspace), UNTAGGED), int(frame.color_range) == 2)
        return opaque(picture, self._name)


def opaque(picture: Pixels, name: str) -> Pixels:
    """The colours of an (H, W, 3 or 4) picture whose alpha, if any, hides nothing.

    Raises:
        BadFile: if it does.
    """
    if picture.shape[2] == 4 and picture[..., 3].min() < np.iinfo(picture.dtype).max:
        raise transparent(name)
    return picture[..., :3]


def transparent(name: str) -> BadFile:
    """What is raised for a file that is not opaque."""
    return BadFile(f"{name} has transparent pixels, and a video has none; flatten it onto a background first")


def upright(frame: VideoFrame) -> tuple[str, ...]:
    """The filters that show a frame as its display matrix asks; slanted ones are left out."""
    return _turn(frame) or ()


def slanted(frame: VideoFrame) -> bool:
    """Whether a frame's display matrix asks for a turn by other than quarters."""
    return _turn(frame) is None


def _turn(frame: VideoFrame) -> tuple[str, ...] | None:
    """The filters of a display matrix; None for a slanted one. A slant of less than a degree is none."""
    try:
        side = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # something else beside the frame is of a kind that PyAV does not know, and all of it is hidden
        return _TURNS.get(frame.rotation % 360, None if frame.rotation % 360 else ())
    if side is None:
        return ()
    a, b, _, c, d = struct.unpack("=9i", bytes(cast(Buffer, side)))[:5]
    along, across = max(abs(a), abs(d)), max(abs(b), abs(c))
    if min(along, across) > max(along, across) / 64:
        return None
    if across > along:
        steps = [("transpose=dir=0", True), ("hflip", c < 0), ("vflip", b < 0)]
    else:
        steps = [("hflip", a < 0), ("vflip", d < 0)]
    return tuple(step for step, wanted in steps if wanted)


def _deep_yuv(frame: VideoFrame) -> bool:
    return depth_of(frame) > 8 and not frame.format.is_rgb


def _target(frame: VideoFrame) -> str:
    """The format that holds a frame whole, with its alpha if it has any."""
    format, depth = frame.format, depth_of(frame)
    clear = format.has_palette or any(component.is_alpha for component in format.components)
    if _deep_yuv(frame):
        bits = next(bits for bits in _DEEP if depth <= bits)
        return f"yuva444p{bits if bits != 14 else 16}le" if clear else f"yuv444p{bits}le"
    if depth > 8:
        return "rgba64le" if clear else "rgb48le"
    return "rgba" if clear else "rgb24"


def _scale(frame: VideoFrame) -> str:
    extent = RANGES.get(int(frame.color_range), "auto")
    matrix = MATRICES.get(int(frame.colorspace), UNTAGGED).name
    out = "out_range=full"
    if _deep_yuv(frame):
        out = f"out_color_matrix={matrix}:out_range={'full' if extent == 'full' else 'limited'}"
    return f"scale=in_color_matrix={matrix}:in_range={extent}:{out}:flags=bicubic"


def _matrix(frame: VideoFrame, matrix: Matrix, full: bool) -> Pixels:
    """16-bit RGB(A) of a 4:4:4 frame of more than 8 bits."""
    bits = frame.format.components[0].bits
    top, scale = float(2**bits - 1), float(2 ** (bits - 8))
    planes = [samples(plane).astype(np.float32) for plane in frame.planes]
    luma = planes[0] / top if full else (planes[0] - 16 * scale) / (219 * scale)
    blue, red = ((p - 128 * scale) / (top if full else 224 * scale) for p in planes[1:3])
    r = luma + 2 * (1 - matrix.red) * red
    b = luma + 2 * (1 - matrix.blue) * blue
    g = (luma - matrix.red * r - matrix.blue * b) / (1 - matrix.red - matrix.blue)
    picture = np.stack([r, g, b, *(alpha / top for alpha in planes[3:])], axis=2)
    whole: Pixels = np.rint(picture.clip(0, 1) * 65535).astype(np.uint16)
    return whole
