"""How much memory this process holds, and has held at its peak."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")


def peak() -> float:
    """The most that has been resident since this program began, in MiB.

    On Linux it is the kernel's ``VmHWM``. What `resource` tells is no less than its parent's, so it is only taken where
    there is nothing else.
    """
    told = _told("VmHWM")
    if told is not None:
        return told
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage / (2**20 if sys.platform == "darwin" else 2**10)


def resident() -> float | None:
    """What is resident now, in MiB; None where that cannot be told."""
    return _told("VmRSS")


def anonymous() -> float | None:
    """The part of `resident` that is no file mapped into memory, which the system could drop."""
    return _told("RssAnon")


def peak_on(device: torch.device) -> float | None:
    """The most that tensors have taken on a GPU, in MiB; None on a CPU."""
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None


def _told(name: str) -> float | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 2**10 for line in lines if line.startswith(f"{name}:")), None)
