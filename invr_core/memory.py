"""How much memory a fit will take, told before it begins."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from invr_core.errors import NotEnoughMemory
from invr_core.models.base import Geometry, ModelConfig

BYTES_PER_PIXEL = 2600
"""Of one frame in a step, forward and backward: the fine scale's activations, measured on the models we ship."""


def available(device: torch.device) -> int | None:
    """Free bytes on a device; None where that cannot be told."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pages = getattr(os, "sysconf", lambda name: 0)("SC_PHYS_PAGES")
        return int(pages * os.sysconf("SC_PAGE_SIZE")) if pages else None
    return min(free, _group_limit())


def _group_limit() -> int:
    """Bytes left to this control group (a container's limit), or a huge number."""
    root = Path("/sys/fs/cgroup")
    try:
        limit, used = (root / "memory.max").read_text().strip(), (root / "memory.current").read_text().strip()
        return int(limit) - int(used) if limit != "max" else 1 << 62
    except (OSError, ValueError):
        return 1 << 62


def estimate(model: ModelConfig, geometry: Geometry, batch: int) -> int:
    """Bytes that a fit takes at its peak: parameters with Adam's two moments and a snapshot, and one step."""
    with torch.device("meta"):
        parameters = model.build(geometry).counted()
    return parameters * 4 * 6 + batch * geometry.size[0] * geometry.size[1] * BYTES_PER_PIXEL


def require_memory(model: ModelConfig, geometry: Geometry, batch: int, device: torch.device) -> None:
    """Refuse a fit that would not fit.

    Raises:
        NotEnoughMemory: with what is needed, what is free, and a size that would fit.
    """
    free, needed = available(device), estimate(model, geometry, batch)
    if free is None or needed <= free:
        return
    height, width = geometry.size
    shrink = (free / needed) ** 0.5 * 0.95
    raise NotEnoughMemory(
        f"fitting {width}x{height} takes about {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free on "
        f"{device}; a clip of {int(width * shrink)}x{int(height * shrink)} would fit"
    )
