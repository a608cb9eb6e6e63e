"""What is installed and whether it works: libraries, devices, codecs, and every plugin, each looked at by itself."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import chain
from typing import Literal

from packaging.requirements import Requirement

from invr_core.discovery import DiscoveryWarning, Offer, normalized
from invr_core.errors import BadInput, Unsupported
from invr_tasks.loading import tried

ENCODERS = ("libx264", "ffv1", "gif")
"""Of FFmpeg, that the outputs need."""
DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4", "prores", "ffv1", "png", "mjpeg")
"""Of FFmpeg, that most clips need."""
LITTLE_SPACE = 1 << 30
"""Bytes of memory, or of disk for temporary files, that a fit may soon use up."""


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
    looks: dict[str, Callable[[], Iterator[Finding]]] = {
        "environment": _environment,
        "library": _libraries,
        "device": _devices,
        "codec": _codecs,
        "lpips weights": _lpips,
        "plugins": _plugins,
    }
    findings = chain.from_iterable(_guarded(name, look) for name, look in looks.items())
    return list(dict.fromkeys(findings))  # tasks and models meet the same unreadable metadata


def _guarded(name: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except Exception as cause:
        yield Finding(name, f"{type(cause).__name__}: {cause}; install invr again, or report it", ok=False)


# ------------------------------------------------------------------ the machine
def _environment() -> Iterator[Finding]:
    kind = "virtual environment" if sys.prefix != sys.base_prefix else "no virtual environment"
    yield Finding("python", f"{platform.python_version()} on {platform.platform()}; {kind} ({sys.prefix})")
    folder = tempfile.gettempdir()
    yield _space("disk", shutil.disk_usage(folder).free, f"for long clips, in {folder}", "set TMPDIR to another folder")


def _devices() -> Iterator[Finding]:
    import torch

    from invr_core.memory import available

    free = available(torch.device("cpu"))
    yield Finding("device", f"cpu, {torch.get_num_threads()} threads")
    if free is not None:
        yield _space("memory", free, "for a fit", "close other programs, or fit fewer frames or smaller ones")
    if torch.version.cuda is None:
        yield Finding("device", f"no GPU will be used: torch {torch.__version__} is built without CUDA")
    elif not torch.cuda.is_available():
        yield Finding("device", f"no GPU: torch is built for CUDA {torch.version.cuda}, but finds no driver or device")
    for index in range(torch.cuda.device_count()):
        yield from _guarded("device", partial(_gpu, index))


def _gpu(index: int) -> Iterator[Finding]:
    import torch

    free, total = torch.cuda.mem_get_info(index)
    torch.zeros(8, device=f"cuda:{index}").sum().item()  # a driver too old for this torch fails here
    name = torch.cuda.get_device_name(index)
    yield Finding("device", f"cuda:{index} {name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")


def _space(name: str, free: int, purpose: str, mend: str) -> Finding:
    detail = f"{free / 2**30:.1f} GiB free {purpose}"
    return Finding(name, detail if free >= LITTLE_SPACE else f"{detail}; {mend}", optional=free < LITTLE_SPACE)


# ------------------------------------------------------------------ libraries
def _libraries() -> Iterator[Finding]:
    try:
        yield Finding("invr", version("invr"))
        needed = _needed("invr")
    except PackageNotFoundError:
        yield Finding("invr", "run from its source; to install it, in a checkout: pip install -e .", ok=False)
        return
    for requirement in needed:
        fault = _fault(requirement)
        yield Finding(requirement.name, fault or version(requirement.name), ok=not fault)


def _needed(distribution: str) -> list[Requirement]:
    """What a distribution says that it needs here, without its extras."""
    stated = [Requirement(line) for line in requires(distribution) or []]
    return [each for each in stated if each.marker is None or each.marker.evaluate({"extra": ""})]


def _fault(requirement: Requirement) -> str:
    """Why a requirement is not met, and what to do; "" if it is met."""
    wanted = f"{requirement.name}{requirement.specifier}"
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed; pip install '{wanted}'"
    if requirement.specifier.contains(found, prereleases=True):
        return ""
    return f"{requirement.name} is {found}, but {wanted} is needed; pip install '{wanted}'"


def _codecs() -> Iterator[Finding]:
    import av

    ours = f"FFmpeg in av {av.__version__}"
    for name in ENCODERS:
        if _has(name, "w"):
            yield Finding("codec", f"{name} ({ours})")
        else:
            yield Finding("codec", f"{ours} cannot encode {name}; pip install -U --force-reinstall av", ok=False)
    lacking = [name for name in DECODERS if not _has(name, "r")]
    if lacking:
        yield Finding("codec", f"{ours} cannot read {', '.join(lacking)}; pip install -U av", optional=True)
    else:
        yield Finding("codec", f"reads {', '.join(DECODERS)} and more")


def _has(codec: str, mode: Literal["r", "w"]) -> bool:
    import av

    try:
        av.Codec(codec, mode)
    except ValueError:  # PyAV's UnknownCodecError is one
        return False
    return True


def _lpips() -> Iterator[Finding]:
    from invr_tasks.perceptual import Lpips, backbone_path

    try:
        path = backbone_path()
        Lpips(path)
    except (BadInput, Unsupported) as reason:
        yield Finding("lpips weights", f"left out of scores: {reason}", optional=True)
    else:
        yield Finding("lpips weights", f"ready (AlexNet from {path})")


# ------------------------------------------------------------------ plugins
def _plugins() -> Iterator[Finding]:
    from invr_core.models import registry as models
    from invr_tasks import registry as tasks

    found = [("task", offer) for offer in (yield from _listed(tasks.installed))]
    if not found:
        yield Finding("task", tasks.describe_installed([]), ok=False)
    found += [("model", offer) for offer in (yield from _listed(models.installed))]
    if not any(kind == "model" for kind, _ in found):
        yield Finding("model", "none is installed; install invr again: pip install -e .", ok=False)
    for (kind, offer), fault in zip(found, tried(found), strict=True):
        yield _plugin(kind, offer, fault, [other for its, other in found if its == kind])


def _listed(installed: Callable[[], list[Offer]]) -> Generator[Finding, None, list[Offer]]:
    """What is installed; what discovery warned of is found."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DiscoveryWarning)
        offers = installed()
    for warning in caught:
        yield Finding("discovery", str(warning.message), optional=True)
    return offers


def _plugin(kind: str, offer: Offer, fault: str, offers: list[Offer]) -> Finding:
    """One plugin: it loads, what it needs is there, and its name is its own."""
    name = f"{kind} {offer.name}"
    faults = _faults(offer)
    if fault:
        mend = "; ".join(faults) or f"mend, upgrade or remove it: pip uninstall {offer.distribution}"
        return Finding(name, f"{fault}; {mend}", ok=False)
    rivals = [other for other in offers if other.name == offer.name and other is not offer]
    if rivals:
        faults.append(f"also offered by {', '.join(each.distribution for each in rivals)}: ask for {offer.qualified}")
    detail = "; ".join([f"{offer.distribution} {offer.version} ({offer.value})", *faults])
    return Finding(name, detail, optional=bool(faults))


def _faults(offer: Offer) -> list[str]:
    """What a plugin's distribution needs and has not."""
    if normalized(offer.distribution) == "invr":
        return []
    try:
        return [fault for fault in map(_fault, _needed(offer.distribution)) if fault]
    except Exception as cause:  # a stranger's metadata
        return [f"what it needs cannot be read ({type(cause).__name__}: {cause}); reinstall {offer.distribution}"]
