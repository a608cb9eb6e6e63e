"""How much memory a fit, or a picture, will take, told before it begins."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import NamedTuple

import torch

from invr_core.errors import NotEnoughMemory
from invr_core.models.base import Geometry, ModelConfig

BYTES_PER_PIXEL = 1500
"""Of one frame in a step, forward and backward: activations, as measured on the models we ship (docs/benchmarks)."""

AT_ONCE = 1 << 19
"""Pixels of a step: more of large frames take more memory, and fit worse with the same work (log of benchmarks)."""
SIZES = 200
"""How many smaller sizes are tried until a clip would fit."""

RENDERED, SHOWN, ASKED = 400, 48, 1 << 30
"""Bytes a pixel of a picture that a network renders (260 and 360 were measured, cwrnn and hnerv at 1920x1080), and of
one that is resized and written; and the need, in bytes, from which on it is asked what is free."""

CARRIED, CARRIED_CHANNEL, DOUBLED_CHANNEL = 64, 12, 32
"""Bytes a pixel of each frame that is carried to an instant, and of each of its channels (84 in all were measured for 3
channels, without what a network adds to find the motion); and what a channel adds that is kept twice as fine, and read:
four float32 each, by reckoning."""


def available(device: torch.device) -> int | None:
    """Free bytes on a device; None where that cannot be told."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # of this process, unused
        return int(torch.cuda.mem_get_info(device)[0]) + held
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pages = getattr(os, "sysconf", lambda name: 0)("SC_PHYS_PAGES")
        return int(pages * os.sysconf("SC_PAGE_SIZE")) if pages else None
    return min(free, _group_limit())


def _group_limit() -> int:
    """Bytes left to this process by its control groups (of a container, a job, a service), or a huge number."""
    return min(_left(group, accounts) for accounts in (_UNIFIED, _LEGACY) for group in accounts.groups())


class _Accounts(NamedTuple):
    """Where a version of control groups keeps its books; ``prefix`` is of what `memory.stat` says of a whole group."""

    root: Path
    controller: str
    limit: str
    used: str
    prefix: str

    def groups(self) -> Iterator[Path]:
        """The group of this process, and all that it lies in; within a container, those that can be seen."""
        own = PurePath()
        with suppress(OSError, ValueError):
            for line in Path("/proc/self/cgroup").read_text().splitlines():
                _, controllers, path = line.split(":", 2)
                if self.controller in controllers.split(","):
                    own = PurePath(path.lstrip("/"))
        return (self.root / group for group in (own, *own.parents))


_UNIFIED = _Accounts(Path("/sys/fs/cgroup"), "", "memory.max", "memory.current", "")
_LEGACY = _Accounts(Path("/sys/fs/cgroup/memory"), "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_")


def _left(group: Path, accounts: _Accounts) -> int:
    """Bytes left to one group, or a huge number."""
    try:
        limit, used = (int((group / name).read_text()) for name in (accounts.limit, accounts.used))
    except (OSError, ValueError):  # there are no such books, or there is no limit ("max")
        return 1 << 62
    return limit - used + _group_files(group, accounts.prefix)


def _group_files(group: Path, prefix: str) -> int:
    """Bytes of files that the group has read or written: they count as used, and are dropped when in the way."""
    try:
        told = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return int(told[f"{prefix}active_file"]) + int(told[f"{prefix}inactive_file"])
    except (OSError, ValueError, KeyError):
        return 0


@contextmanager
def within_memory(said: str) -> Iterator[None]:
    """What an allocator says where there is no more, in our words.

    Args:
        said: what does not fit, and what to do.

    Raises:
        NotEnoughMemory: saying so.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as cause:
        if not isinstance(cause, MemoryError | torch.OutOfMemoryError) and "allocate" not in str(cause):
            raise
        raise NotEnoughMemory(said) from cause


def estimate(model: ModelConfig, geometry: Geometry, batch: int) -> int:
    """Bytes that a fit takes at its peak: parameters with Adam's two moments and a snapshot, and one step."""
    return _of_parameters(model, geometry) + batch * geometry.size[0] * geometry.size[1] * BYTES_PER_PIXEL


def _of_parameters(model: ModelConfig, geometry: Geometry) -> int:
    with torch.device("meta"):
        return model.build(geometry).counted() * 4 * 6


def frames_a_step(model: ModelConfig, size: tuple[int, int], frames: int, wanted: int | None = None) -> int:
    """How many frames a step of a fit looks at: those wanted, else as many as the model likes, but few of large ones.

    Args:
        model: the architecture.
        size: (H, W) of the clip.
        frames: that it has; no step looks at more.
        wanted: by whoever fits; None where nobody says.
    """
    return min(wanted or max(min(model.recipe.batch, AT_ONCE // math.prod(size)), 1), frames)


def require_memory(model: ModelConfig, geometry: Geometry, batch: int, device: torch.device) -> None:
    """Refuse a fit that would not fit.

    Raises:
        NotEnoughMemory: with what is needed, what is free, and a size that would fit.
    """
    free, needed = available(device), estimate(model, geometry, batch)
    if free is None or needed <= free:
        return
    raise NotEnoughMemory(
        f"fitting {geometry.size[1]}x{geometry.size[0]} takes about {needed / 2**30:.1f} GiB and "
        f"{free / 2**30:.1f} GiB are free on {device}; {_what_fits(free, batch, model, geometry)}"
    )


def _what_fits(free: int, batch: int, model: ModelConfig, geometry: Geometry) -> str:
    parameters, frames = _of_parameters(model, geometry), len(geometry.times)
    chosen = batch != frames_a_step(model, geometry.size, frames)
    for shrunk in range(1, SIZES):
        height, width = (int(side * (1 - shrunk / SIZES)) for side in geometry.size)
        if min(height, width) > 0:
            at_once = batch if chosen else frames_a_step(model, (height, width), frames)
            if parameters + at_once * height * width * BYTES_PER_PIXEL <= free:
                return f"a clip of {width}x{height} would fit"
    return f"its {parameters // 24:,} parameters alone take too much: give fewer parameters (--params)"


def require_picture(native: tuple[int, int], shown: tuple[int, int], device: torch.device) -> None:
    """Refuse a picture that would not fit: its size may be a stranger's, and the machine is shared.

    Args:
        native: (H, W) of the fitted clip, in pixels.
        shown: (H, W) that is asked for, in pixels.
        device: where it is computed.

    Raises:
        NotEnoughMemory: with what is needed and what is free.
    """
    needed = math.prod(native) * RENDERED + math.prod(shown) * SHOWN
    free = available(device) if needed > ASKED else None
    if free is None or needed <= free:
        return
    height, width = shown
    left = free - math.prod(native) * RENDERED
    shrink = (max(left, 0) / (math.prod(shown) * SHOWN)) ** 0.5
    fits = f"{int(width * shrink)}x{int(height * shrink)} would fit" if left > SHOWN else "none of this clip would fit"
    raise NotEnoughMemory(
        f"a frame of {width}x{height} takes about {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free; {fits}"
    )


def require_carried(
    frames: int, size: tuple[int, int], channels: int, device: torch.device, *, doubled: bool = False
) -> None:
    """Refuse to bring so many frames to one instant that they would not fit.

    Args:
        frames: how many are brought.
        size: (H, W) that they are brought to, in pixels.
        channels: of each.
        device: where it is computed.
        doubled: whether each is looked up in a copy twice as fine.

    Raises:
        NotEnoughMemory: with what is needed, what is free, and how many frames would fit.
    """
    each = math.prod(size) * (CARRIED + channels * (CARRIED_CHANNEL + doubled * DOUBLED_CHANNEL))
    free = available(device) if frames * each > ASKED else None
    if free is None or frames * each <= free:
        return
    raise NotEnoughMemory(
        f"bringing {frames} frames of {size[1]}x{size[0]} together takes about {frames * each / 2**30:.1f} GiB and "
        f"{free / 2**30:.1f} GiB are free on {device}; {free // each} would fit: let the task reach less far, or give "
        "a smaller clip"
    )
