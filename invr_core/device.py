"""Which device to compute on, and how to make the CPU's allocator fast."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

import torch

from invr_core.errors import DeviceUnavailable


def resolve(name: str) -> torch.device:
    """The device of a name: "auto" is CUDA where there is one, else the CPU.

    Raises:
        DeviceUnavailable: if the name is unknown or the device is not on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if name == "cuda" or (name.startswith("cuda:") and name[5:].isascii() and name[5:].isdigit()):
        if not torch.cuda.is_available():
            raise DeviceUnavailable(
                f"{name} was asked for, but torch sees no CUDA device here; use --device cpu or auto"
            )
        if name != "cuda" and int(name[5:]) >= torch.cuda.device_count():
            raise DeviceUnavailable(f"{name} was asked for, but there are {torch.cuda.device_count()} CUDA devices")
        return torch.device(name)
    raise DeviceUnavailable(f"unknown device {name!r}; use auto, cpu, cuda or cuda:N")


@cache
def prepare_cpu() -> None:
    """Make this process fit fast on a CPU: numbers too small to matter count as 0, and freed memory is kept.

    Denormal numbers, which a recurrence that is nearly silent is full of, cost ten times what others do. Memory that
    is given back and mapped anew can cost half of a step; M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3) keep it
    (on Linux with glibc; elsewhere nothing is done).
    """
    torch.set_flush_denormal(True)
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            m_trim_threshold, m_mmap_threshold = -1, -3
            mallopt(m_mmap_threshold, 1 << 30)
            mallopt(m_trim_threshold, 1 << 30)
