"""The frames of an answer that a run which is kept has rendered, so that a kill costs some seconds of rendering.

They lie in the folder of the run, without loss. Of each few seconds of rendering there is a ``.mkv`` file, one more
where the task tells how sure it is, and then a record, without which the others count for nothing.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from invr_core.atomic import atomic_file
from invr_core.errors import BadFile, BadOutput
from invr_core.io import open_video
from invr_core.io.graph import Pixels
from invr_core.io.notes import Note, silent
from invr_core.video import Video
from invr_tasks.pixels import to_bytes

EVERY = 15.0
"""Seconds of rendering from one file to the next: with `invr_core.checkpoint.EVERY`, a kill costs a minute."""
MOST = 64 << 20
"""Bytes of frames that wait in memory to be kept."""
MOST_FRAMES = 10_000
"""Of one record."""
SPARE = 1 << 30
"""Bytes that are left free beside the frames that are kept: the answer needs some, too."""
LONGEST_RECORD = 1 << 20
"""Bytes of a record."""
_STEM = "rendered-{:07d}"
_RATE = 25.0
"""Frames per second of the files, which tell no times."""


class Sure(Protocol):
    """Notes how sure an answer is while its frames are read, in order; see `invr_tasks.cli.noted.Noted`."""

    @property
    def pictured(self) -> bool:
        """Whether pictures of it are wanted, too."""

    @property
    def last(self) -> tuple[float, Pixels | None]:
        """Of the frame that was read last: how sure it is, and as a picture, (H, W, 1), if one is wanted."""

    def restore(self, index: int, value: float, picture: Pixels | None) -> None:
        """Note what was noted of a frame before."""


@dataclass(frozen=True)
class Block:
    """The record of a few frames that were rendered one after the other.

    Args:
        first: number of the first.
        frames: how many.
        size: (height, width).
        depth: bits per sample.
        sure: how sure the answer is of each; empty where it was not asked.
        pictured: whether that is kept as pictures, too.
    """

    first: int
    frames: int
    size: tuple[int, int]
    depth: int
    sure: tuple[float, ...] = ()
    pictured: bool = False

    @property
    def stem(self) -> str:
        """What the names of its files begin with."""
        return _STEM.format(self.first)


class Rendered:
    """What was rendered of an answer, from its first frame on, in the folder of a run.

    Frames are kept in 8 bits, or in 16 where the answer has more than 8. Where there is no room for them, that is told,
    and no more are kept.

    Args:
        folder: of the run.
        tell: is told, in a line, what becomes of what is kept.
    """

    def __init__(self, folder: Path, tell: Note = silent) -> None:
        self._folder, self._tell = folder, tell
        self._blocks = list(_chain(folder))
        self._next = sum(block.frames for block in self._blocks)
        self._rows: list[Pixels] = []
        self._noted: list[tuple[float, Pixels | None]] = []
        self._since, self._full, self._depth = time.monotonic(), False, 8
        self._opened: tuple[Block, Video, Video | None] | None = None

    @property
    def form(self) -> Block | None:
        """Size, depth and confidence of the answer, as the record of its first frames has them; None without one."""
        return self._blocks[0] if self._blocks else None

    def through(self, video: Video, noted: Sure | None = None) -> Video:
        """The same answer: what is kept of it is not rendered again, and what is rendered is kept.

        Args:
            video: the answer, to be read in order; it is not read where a frame is kept.
            noted: of the answer; it is told of frames that are kept, too.

        Returns:
            frames as they are kept: rounded to their depth.
        """
        self._depth, self._since = video.depth, time.monotonic()
        this = (video.size, video.depth, noted is not None, noted is not None and noted.pictured)
        for block in self._blocks:
            if (block.size, block.depth, bool(block.sure), block.pictured) != this:
                self._forget(block, f"{self._folder / block.stem}.json is not of this answer")
                break

        def one(index: int) -> Tensor:
            kept = self._kept(index, noted)
            return self._add(index, video.read([index]), noted) if kept is None else kept[:, : video.channels]

        return replace(video, read=lambda indices: torch.cat([one(range(len(video))[i]) for i in indices]))

    def clear(self) -> None:
        """Remove all, once the answer is in place."""
        for path in self._folder.glob("rendered-*"):
            path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whether the answer was finished or not: what waits to be kept is."""
        self._keep()

    def _kept(self, index: int, noted: Sure | None) -> Tensor | None:
        """A frame that was rendered before."""
        block = next((block for block in self._blocks if block.first <= index < block.first + block.frames), None)
        if block is None:
            return None
        place = index - block.first
        try:
            video, sure = self._open(block)
            frame = video.read([place])
            picture = None if sure is None else _samples(sure.read([place])[:, :1], 8)[0]
        except BadFile as cause:
            self._forget(block, str(cause))
            return None
        if noted is not None:
            noted.restore(index, block.sure[place], picture)
        return frame

    def _open(self, block: Block) -> tuple[Video, Video | None]:
        """The frames of a block, and how sure they are; those of the last one stay open.

        Raises:
            BadFile: if they are damaged, or not what the record says.
        """
        if self._opened is None or self._opened[0] != block:
            self._opened = None
            path = self._folder / block.stem
            video = open_video(path.with_suffix(".mkv"))
            sure = open_video(_of_sure(path)) if block.pictured else None
            if any((len(each), each.size) != (block.frames, block.size) for each in (video, sure or video)):
                raise BadFile(f"{path}.json does not say what is kept beside it")
            self._opened = block, video, sure
        return self._opened[1:]

    def _forget(self, block: Block, why: str) -> None:
        """Neither this block counts any more nor one that follows it."""
        self._tell(f"{why}; rendered again from frame {block.first} on")
        self._blocks = [other for other in self._blocks if other.first < block.first]
        self._next, self._opened = block.first, None

    def _add(self, index: int, frame: Tensor, noted: Sure | None) -> Tensor:
        """Note a frame that was rendered just now."""
        samples = _samples(frame, 16 if self._depth > 8 else 8)
        if index == self._next and not self._full:
            self._next += 1
            self._rows.append(samples[0])
            self._noted += [noted.last] if noted else []
            room = min(MOST // samples.nbytes, MOST_FRAMES)
            if time.monotonic() - self._since >= EVERY or len(self._rows) >= room:
                self._keep()
        return _frames(samples)

    def _keep(self) -> None:
        """Put what waits into files, the record last."""
        rows, noted, self._rows, self._noted = self._rows, self._noted, [], []
        if rows and not self._full:
            values, pictures = tuple(value for value, _ in noted), [each for _, each in noted if each is not None]
            height, width, _ = rows[0].shape
            block = Block(self._next - len(rows), len(rows), (height, width), self._depth, values, bool(pictures))
            try:
                self._write(block, rows, pictures)
            except BadOutput as cause:
                self._full = True
                self._tell(f"frames that are rendered from here on are not kept, and would be again: {cause}")
        self._since = time.monotonic()

    def _write(self, block: Block, rows: Sequence[Pixels], pictures: Sequence[Pixels]) -> None:
        path, size = self._folder / block.stem, 2 * len(rows) * rows[0].nbytes
        free = shutil.disk_usage(self._folder).free
        if free < size + SPARE:
            raise BadOutput(f"{self._folder} has {free / 2**30:.1f} GiB free, and {SPARE >> 30} GiB are left alone")
        _clip(rows).save(path.with_suffix(".mkv"))
        if pictures:
            _clip(pictures).save(_of_sure(path))
        with atomic_file(path.with_suffix(".json")) as private:
            private.write_text(json.dumps(asdict(block)), encoding="utf-8")


def _chain(folder: Path) -> Iterator[Block]:
    """The blocks of a folder that follow one another from frame 0 on, by their records."""
    first = 0
    while True:
        block = _record((folder / _STEM.format(first)).with_suffix(".json"))
        if block is None or block.first != first:
            return
        yield block
        first += block.frames


def _record(path: Path) -> Block | None:
    """A record, which may come from a stranger; None where there is none, or it makes no sense."""
    try:
        if path.stat().st_size > LONGEST_RECORD:
            return None
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        (height, width), sure = found["size"], tuple(float(value) for value in found["sure"])
        first, frames, depth = (int(found[name]) for name in ("first", "frames", "depth"))
        block = Block(first, frames, (int(height), int(width)), depth, sure, found["pictured"] is True)
    except (OSError, ValueError, RecursionError, KeyError, TypeError, OverflowError):
        return None
    whole = block.frames > 0 and min(block.size) > 0 and all(0 <= value <= 1 for value in sure)
    return block if whole and len(sure) in (0, block.frames) and (sure or not block.pictured) else None


def _of_sure(path: Path) -> Path:
    return path.with_name(f"{path.name}-confidence.mkv")


def _samples(frames: Tensor, bits: int) -> Pixels:
    """(n, C, H, W) in [0, 1] as (n, H, W, C) whole numbers of 8 or 16 bits, rounded as when a clip is written."""
    if bits == 8:
        return to_bytes(frames)
    whole = (frames.detach().clamp(0, 1) * (2**bits - 1)).round().permute(0, 2, 3, 1).cpu().numpy()
    return np.asarray(whole, np.uint16)


def _frames(samples: Pixels) -> Tensor:
    """The inverse of `_samples`."""
    scale = np.float32(np.iinfo(samples.dtype).max)
    return torch.from_numpy(samples.astype(np.float32) / scale).permute(0, 3, 1, 2).contiguous()


def _clip(rows: Sequence[Pixels]) -> Video:
    times = torch.arange(len(rows), dtype=torch.float64) / _RATE
    height, width, channels = rows[0].shape

    def read(indices: Sequence[int]) -> Tensor:
        return _frames(np.stack([rows[index] for index in indices]))

    return Video(times, (height, width), read, channels, 8 * rows[0].itemsize)
