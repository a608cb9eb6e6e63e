"""What is installed and whether it works: libraries, devices, codecs, and every plugin, each looked at by itself."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from invr_core.discovery import Offer

LIBRARIES = ("invr", "torch", "av", "kornia", "scikit-image", "opencv-python-headless", "safetensors", "tyro", "rich")
CODECS = ("libx264", "ffv1")
"""Encoders of FFmpeg that the outputs need."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: of the thing.
        detail: what was found; if it is wrong, why and what to do.
        ok: whether it is as it should be.
        optional: whether one can do without it.
    """

    name: str
    detail: str
    ok: bool = True
    optional: bool = False

    @property
    def mark(self) -> str:
        """``ok``, ``note`` or ``WRONG``."""
        return "WRONG" if not self.ok else "note" if self.optional else "ok"


def diagnose() -> list[Finding]:
    """Look at everything; nothing that is broken keeps the rest from being looked at."""
    return [
        Finding("python", f"{platform.python_version()} on {platform.platform()}"),
        *(_library(name) for name in LIBRARIES),
        *_guarded("device", _devices),
        *_guarded("codec", _codecs),
        *_guarded("lpips", _lpips),
        *_guarded("tasks", _tasks),
        *_guarded("models", _models),
    ]


def _guarded(name: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    found: list[Finding] = []
    try:
        for finding in look():
            found.append(finding)
    except Exception as cause:
        found.append(Finding(name, f"{type(cause).__name__}: {cause}", ok=False))
    return found


def _library(name: str) -> Finding:
    try:
        return Finding(name, version(name))
    except PackageNotFoundError:
        return Finding(name, f"not installed; pip install {name}", ok=False)


def _devices() -> Iterator[Finding]:
    import torch

    yield Finding("device", f"cpu, {torch.get_num_threads()} threads")
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        yield Finding("device", f"cuda:{index} {name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")


def _codecs() -> Iterator[Finding]:
    import av

    for name in CODECS:
        try:
            av.Codec(name, "w")
        except ValueError:  # PyAV's UnknownCodecError is one
            yield Finding("codec", f"FFmpeg in av {av.__version__} cannot encode {name}; pip install -U av", ok=False)
        else:
            yield Finding("codec", f"{name} (FFmpeg in av {av.__version__})")


def _lpips() -> Iterator[Finding]:
    from invr_tasks.perceptual import lpips_status

    yield Finding("lpips", lpips_status(), optional=True)


def _tasks() -> Iterator[Finding]:
    from invr_tasks import registry

    offers = registry.installed()
    yield from (_loaded("task", offer, registry.load, offers) for offer in offers)
    if not offers:
        yield Finding("task", registry.describe_installed(offers), ok=False)


def _models() -> Iterator[Finding]:
    from invr_core.models import registry

    offers = registry.installed()
    yield from (_loaded("model", offer, registry.load, offers) for offer in offers)
    if not offers:
        yield Finding("model", "none is installed; install invr again: pip install -e .", ok=False)


def _loaded(kind: str, offer: Offer, load: Callable[[Offer], object], offers: list[Offer]) -> Finding:
    name = f"{kind} {offer.name}"
    try:
        load(offer)
    except Exception as cause:
        return Finding(name, str(cause), ok=False)
    rivals = [other.distribution for other in offers if other.name == offer.name and other is not offer]
    shared = f"; also offered by {', '.join(rivals)}: ask for {offer.qualified}" if rivals else ""
    return Finding(name, f"{offer.distribution} {offer.version} ({offer.value}){shared}", optional=bool(rivals))
