"""Which device to compute on, and how to make the CPU's allocator fast."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


def fast_bfloat16(device: torch.device) -> bool:
    """Whether a device computes with numbers of 16 bits (bfloat16) by instructions of its own: far faster, and coarser.

    Example:
        >>> with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16(torch.device("cpu"))):
        ...     product = torch.ones(1, 3, 4, 4).mean()
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch has no public name for it
    return bool(supported and supported())


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Within it, numbers too small to matter count as 0 on the CPU; afterwards all is as it was.

    Denormal numbers, which a recurrence that is nearly silent is full of, cost ten times what others do.

    Example:
        >>> with flushed_denormals():
        ...     print(sys.float_info.min / 2)
        0.0
        >>> sys.float_info.min / 2 > 0
        True
    """
    before = sys.float_info.min / 2 == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@cache
def keep_freed_memory() -> None:
    """Ask glibc to keep freed memory instead of giving it back and mapping it anew, which can cost half of a step.

    Does nothing elsewhere than on Linux with glibc. An older one allows 32 MiB at most. Where it grants no
    threshold of mapping, that of trimming is left alone: setting it would keep the other from growing by itself.

    Source: M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of mallopt(3), which returns 1 where it grants what is asked.
    """
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            m_trim_threshold, m_mmap_threshold = -1, -3
            if mallopt(m_mmap_threshold, 1 << 30) or mallopt(m_mmap_threshold, 32 << 20):
                mallopt(m_trim_threshold, 1 << 30)
