"""Where a result comes from: versions, device, seed, commit and platform, as JSON values."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

LIBRARIES = (
    "invr",
    "torch",
    "numpy",
    "av",
    "kornia",
    "scikit-image",
    "opencv-python-headless",
    "safetensors",
    "lpips",
)


def provenance(seed: int | None = None, device: str | torch.device = "cpu") -> dict[str, Any]:
    """What one needs to know to make a result again.

    Args:
        seed: of the work; None if nothing in it is random.
        device: it was done on.

    Returns:
        JSON values only, and nothing of the moment: the same work on the same machine gives the same.

    Example:
        >>> provenance(seed=3)["seed"]
        3
    """
    return {
        "seed": seed,
        "device": _device(torch.device(device)),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: version_of(name) for name in LIBRARIES},
        "commit": commit(),
    }


def commit(file: Path = Path(__file__)) -> str | None:
    """The git commit of the checkout that this code is run from, with ``+`` if it was changed since.

    Args:
        file: of the code.

    Returns:
        None if git does not know the file (an installed package, or no git here).
    """
    folder = file.resolve().parent
    if _git(folder, "ls-files", "--error-unmatch", file.name) is None:
        return None
    head = _git(folder, "rev-parse", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{head}+" if head and changed else head


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({platform.machine()})"


def version_of(name: str) -> str | None:
    """The version of an installed distribution; None if it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
