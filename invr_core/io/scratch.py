"""Decoded frames at rest: in memory up to a cap, beyond it in an anonymous file, from which they are read one by one.

The file is not mapped into memory: what has been looked at would count as the process's own until the kernel wants it
back, and the need for memory would grow with the clip.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from invr_core.errors import NotEnoughMemory
from invr_core.io.graph import Pixels

CAP = 64 * 2**20
"""Bytes of decoded frames that are kept in memory; a longer clip goes to the temporary folder."""
RESERVE = 256 * 2**20
"""Bytes that are left free in the temporary folder."""


OVERHEAD = 128
"""Bytes that a frame in memory takes beside its samples."""


class Scratch:
    """Frames written once, in order, and then read at random.

    Args:
        name: of the clip, for messages.
        expected: how many frames there will be, if that is known.
        cap: bytes that may stay in memory.

    Example:
        >>> scratch = Scratch("clip")
        >>> scratch.append(np.full((2, 3, 3), 255, np.uint8))
        >>> scratch.seal()
        >>> scratch.read([0, 0]).shape
        torch.Size([2, 3, 2, 3])
    """

    def __init__(self, name: str, expected: int = 0, cap: int = CAP) -> None:
        self._name = name
        self._expected = expected
        self._cap = cap
        self._file: IO[bytes] | None = None
        self._count = 0
        self._frames: list[Pixels] = []
        self._shape: tuple[int, ...] = ()
        self._dtype: np.dtype[np.integer[Any]] = np.dtype(np.uint8)

    def __len__(self) -> int:
        return self._count

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, 3) of every frame; empty before the first."""
        return self._shape

    def append(self, frame: Pixels) -> None:
        """Add a frame: (H, W, 3) uint8 or uint16, all of one shape and type.

        Raises:
            NotEnoughMemory: if neither memory nor the temporary folder holds it.
        """
        frame = np.ascontiguousarray(frame)
        if not self._count:
            self._shape, self._dtype = frame.shape, frame.dtype
        assert frame.shape == self._shape and frame.dtype == self._dtype
        self._count += 1
        if self._file is None and self._count * (frame.nbytes + OVERHEAD) <= self._cap:
            self._frames.append(frame)
            return
        if self._file is None:
            self._spill(frame.nbytes)
        self._write([frame])

    def _spill(self, size: int) -> None:
        self._require(max(self._expected, self._count) * size)
        self._file = tempfile.TemporaryFile(prefix="invr-")  # noqa: SIM115 (lives as long as the mapping)
        self._write(self._frames)
        self._frames = []

    def _require(self, size: int) -> None:
        free = shutil.disk_usage(tempfile.gettempdir()).free - RESERVE
        if size > free:
            raise NotEnoughMemory(
                f"the decoded frames of {self._name} take {size / 2**30:.1f} GiB or more, and {tempfile.gettempdir()} "
                f"has {max(free, 0) / 2**30:.1f} GiB to spare; free some, set TMPDIR to a larger disk, or cut the clip"
            )

    def _write(self, frames: Sequence[Pixels]) -> None:
        assert self._file is not None
        for frame in frames:
            self._require(frame.nbytes)
            try:
                self._file.write(frame.data)
            except OSError as error:
                raise NotEnoughMemory(
                    f"the decoded frames of {self._name} do not fit into {tempfile.gettempdir()} ({error.strerror}); "
                    "free some, or set TMPDIR to a larger disk"
                ) from error

    def seal(self) -> None:
        """End writing; from here on frames are read."""
        if self._file is not None:
            self._file.flush()

    def read(self, indices: Sequence[int]) -> Tensor:
        """Frames at any indices: (n, 3, H, W) float32 in [0, 1]."""
        picked = np.empty((len(indices), *self._shape), np.float32)
        for place, index in enumerate(indices):
            picked[place] = self._fetch(index) if self._file else self._frames[index]
        picked /= np.iinfo(self._dtype).max
        return torch.from_numpy(picked).permute(0, 3, 1, 2).contiguous()

    def _fetch(self, index: int) -> Pixels:
        assert self._file is not None
        frame = np.empty(self._shape, self._dtype)
        read = os.preadv(self._file.fileno(), [frame.data], range(self._count)[index] * frame.nbytes)
        if read != frame.nbytes:
            raise OSError(errno.EIO, f"the temporary file of {self._name} has lost frames")
        return frame
