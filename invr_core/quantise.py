"""A network's numbers in 4 to 16 bits each, entropy-coded: what an ``.invr`` file of fewer than 32 bits holds.

A tensor of two axes or more is cut into *channels*: one for each output channel of a convolution, one for each node
and channel of a grid. A channel is quantised evenly between its least and greatest number, so a number comes back at
most half a step, ``(greatest - least) / (2^bits - 1) / 2``, off; a channel of one value comes back as it is. Vectors
(biases) and whole numbers are few and stay exact.

The codes are packed by LZMA of the standard library, by context of the code before. On a fitted clip this came within
1 % of the entropy under a model of spatial neighbours, and ahead of Brotli and Zstandard, with and without prediction
from neighbours in space or time: see ``docs/decisions/0004-invr-file.md``.
"""

from __future__ import annotations

import lzma
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from invr_core.errors import BadFile, BadInput, BadOutput

FULL_BITS, LEAST_BITS, MOST_BITS = 32, 4, 16
"""Bits a parameter of a file that is exact, and the range of one that is not."""
CHANNEL = 64
"""Numbers that the channels of a tensor have at least where its second axis separates them too."""
FREE, RATIO = 16 << 20, 32
"""A file may promise this many bytes of numbers in any case, and beyond that so many for each of its own bytes."""
_FILTERS: list[dict[str, Any]] = [
    {"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 20, "lc": 4, "lp": 0, "pb": 0},
]


def check_bits(bits: int) -> None:
    """Refuse a number of bits that no file has.

    Raises:
        BadInput: unless it is 32, or 4 to 16.

    Example:
        >>> check_bits(8)
    """
    if type(bits) is not int or not (bits == FULL_BITS or LEAST_BITS <= bits <= MOST_BITS):
        raise BadInput(
            f"bits must be {FULL_BITS} (exact) or a whole number from {LEAST_BITS} to {MOST_BITS}, got {bits!r}"
        )


@dataclass(frozen=True, eq=False)
class Quantised:
    """A tensor as codes.

    Args:
        low, step: (channels, 1) float32: code ``q`` means ``low + q * step``.
        codes: (channels, n) uint16.
    """

    low: NDArray[np.float32]
    step: NDArray[np.float32]
    codes: NDArray[np.uint16]

    def values(self) -> NDArray[np.float64]:
        """(channels, n): what the codes mean."""
        with np.errstate(invalid="ignore"):  # a stranger's scales may be anything; `load` refuses what they make
            low, step = self.low.astype(np.float64), self.step.astype(np.float64)
            return low + self.codes.astype(np.float64) * step


def channels_of(shape: tuple[int, ...]) -> int:
    """How many channels a tensor is cut into; 0 for one that is kept exact.

    Example:
        >>> channels_of((24, 12, 3, 3)), channels_of((5, 4, 40, 80)), channels_of((24,))
        (24, 20, 0)
    """
    if len(shape) < 2 or 0 in shape:
        return 0
    separate = math.prod(shape[2:]) >= CHANNEL
    return math.prod(shape[: 2 if separate else 1])


def quantise(values: NDArray[np.float64], bits: int) -> Quantised:
    """Cut each channel's range into even steps.

    Args:
        values: (channels, n), finite, n at least 1.
        bits: a code, `LEAST_BITS` to `MOST_BITS`.
    """
    levels = 2**bits - 1
    least, greatest = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    low = _float32(least, -np.inf)
    step = _float32((greatest - low) / levels, np.inf)
    divisor = np.where(step > 0, step, 1).astype(np.float64)
    codes = np.rint((values - low) / divisor).clip(0, levels).astype(np.uint16)
    return Quantised(low, step, codes)


def _float32(values: NDArray[np.float64], toward: float) -> NDArray[np.float32]:
    """The nearest float32 on one side, so that a channel's range is covered."""
    with np.errstate(over="ignore"):  # what is next to the greatest number is computed, too, where it is not needed
        near = values.astype(np.float32)
        short = near > values if toward < 0 else near < values
        return np.where(short, np.nextafter(near, np.float32(toward)), near)


def pack(tensors: Mapping[str, Tensor], bits: int) -> Tensor:
    """The numbers of a network as one run of bytes; the same tensors give the same bytes.

    Args:
        tensors: contiguous, on the CPU, by name.
        bits: a code, `LEAST_BITS` to `MOST_BITS`.

    Returns:
        (n,) uint8.

    Raises:
        BadOutput: if they are so uniform that `unpack` would not believe the file.
    """
    exact, scales, codes = [], [], []
    for name in sorted(tensors):
        tensor = tensors[name]
        channels = _channels(tensor)
        if channels:
            found = quantise(tensor.to(torch.float64).numpy().reshape(channels, -1), bits)
            scales += [found.low.ravel(), found.step.ravel()]
            codes.append(found.codes.ravel())
        else:
            exact.append(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    plain = b"".join(exact) + _planes(_joined(scales, "<f4")) + _code_bytes(_joined(codes, "<u2"), bits)
    packed = lzma.compress(plain, lzma.FORMAT_RAW, filters=_FILTERS)
    if len(plain) > _most(len(packed)):
        raise BadOutput("almost all of its numbers are the same, which is no fitted clip; save it with bits=32")
    return torch.frombuffer(bytearray(packed), dtype=torch.uint8)


def unpack(payload: Tensor, expected: Mapping[str, Tensor], bits: int) -> dict[str, Tensor]:
    """The numbers that `pack` made a payload of. It may be a stranger's: it never grows beyond what is expected.

    Args:
        payload: (n,) uint8.
        expected: tensors of the shapes and types that shall come out; they may be on the ``meta`` device.
        bits: a code, `LEAST_BITS` to `MOST_BITS`.

    Raises:
        BadFile: if the payload is damaged, or anything but exactly what is expected.
    """
    layout = _Layout(expected, bits)
    plain = np.frombuffer(_decompressed(payload.numpy().tobytes(), layout.size), np.uint8)
    scales = plain[layout.exact : layout.codes].reshape(4, -1).T.copy().view("<f4").ravel()
    codes = _codes_of(plain[layout.codes :], bits)
    found, at, scale, code = {}, 0, 0, 0
    for name in sorted(expected):
        like, channels = expected[name], _channels(expected[name])
        if channels:
            low, step = scales[scale : scale + 2 * channels].reshape(2, channels, 1)
            values = Quantised(low, step, codes[code : code + like.numel()].reshape(channels, -1)).values()
            found[name] = torch.from_numpy(values.reshape(tuple(like.shape))).to(like.dtype)
            scale, code = scale + 2 * channels, code + like.numel()
        else:
            size = like.numel() * like.element_size()
            raw = torch.from_numpy(plain[at : at + size].copy())
            found[name] = (raw.view(like.dtype) if size else raw.to(like.dtype)).reshape(like.shape)
            at += size
    return found


class _Layout:
    """Where things lie in a payload that is no longer packed: offsets in bytes.

    Exact tensors come first, then all channels' ``low`` and ``step``, then the codes; each in the order of names.
    """

    def __init__(self, tensors: Mapping[str, Tensor], bits: int) -> None:
        channels = {name: _channels(tensor) for name, tensor in tensors.items()}
        kept = [tensor for name, tensor in tensors.items() if not channels[name]]
        coded = sum(tensor.numel() for name, tensor in tensors.items() if channels[name])
        self.exact = sum(tensor.numel() * tensor.element_size() for tensor in kept)
        self.codes = self.exact + 8 * sum(channels.values())
        self.size = self.codes + coded * (1 if bits <= 8 else 2)


def _channels(tensor: Tensor) -> int:
    return channels_of(tuple(tensor.shape)) if tensor.is_floating_point() else 0


def _most(packed: int) -> int:
    """How many bytes a payload of this many may become."""
    return max(FREE, RATIO * packed)


def _decompressed(packed: bytes, size: int) -> bytes:
    """Exactly ``size`` bytes; the decompressor stops one byte after them, whatever it is fed."""
    if size > _most(len(packed)):
        raise BadFile(f"{len(packed):,} bytes cannot hold the {size:,} that its config asks for")
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    try:
        plain = decompressor.decompress(packed, max_length=size + 1)
    except lzma.LZMAError as cause:
        raise BadFile("damaged: what it holds cannot be unpacked") from cause
    if len(plain) != size or not decompressor.eof or decompressor.unused_data:
        raise BadFile("what it holds unpacks to more or less than its config asks for")
    return plain


def _joined(pieces: list[NDArray[Any]], kind: str) -> NDArray[Any]:
    return np.concatenate(pieces).astype(kind) if pieces else np.empty(0, kind)


def _planes(numbers: NDArray[Any]) -> bytes:
    """All first bytes, then all second ones and so on: bytes of a kind pack better together."""
    return numbers.view(np.uint8).reshape(-1, numbers.itemsize).T.tobytes()


def _code_bytes(codes: NDArray[np.uint16], bits: int) -> bytes:
    """Codes of up to 8 bits as they are; of longer ones their first 8 bits, then all the rest."""
    rest = max(bits - 8, 0)
    first = (codes >> rest).astype(np.uint8).tobytes()
    return first + (codes & (2**rest - 1)).astype(np.uint8).tobytes() if rest else first


def _codes_of(plain: NDArray[np.uint8], bits: int) -> NDArray[np.uint16]:
    """The codes that `_code_bytes` wrote."""
    rest = max(bits - 8, 0)
    if not rest:
        return plain.astype(np.uint16)
    first, last = plain.reshape(2, -1).astype(np.uint16)
    return np.bitwise_or(np.left_shift(first, rest, dtype=np.uint16), last, dtype=np.uint16)
