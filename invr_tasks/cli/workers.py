"""Who does the work: the options of `invr run`, `batch` and `bench` that say so."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from invr_core.errors import BadInput
from invr_tasks.cli.blame import say

if TYPE_CHECKING:
    from invr_tasks.engine import Crew


@dataclass(frozen=True)
class EngineOptions:
    """Who does the work, where it is of several pieces."""

    engine: Literal["local", "ray"] = "local"
    """Processes of this machine, or a Ray cluster; that needs invr[ray]."""
    address: Annotated[str | None, tyro.conf.arg(metavar="HOST:PORT|auto")] = None
    """Of a Ray cluster that is running; left out, --engine ray starts one of this machine alone."""
    workers: int | None = None
    """Pieces at once at the most; left out, one for each GPU, on a CPU one, with Ray as many as there is room for."""
    threads: int | None = None
    """Of each worker; left out, its share of the cores, with Ray 1. The same number gives the same bytes."""

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            BadInput: naming the options.
        """
        for name, value in (("--workers", self.workers), ("--threads", self.threads)):
            if value is not None and value < 1:
                raise BadInput(f"{name} must be at least 1, got {value}")
        if self.address is not None and self.engine != "ray":
            raise BadInput(f"--address {self.address} is of a Ray cluster; give --engine ray, too, or leave it out")

    @property
    def asked(self) -> bool:
        """Whether anything is said about it."""
        return self != EngineOptions()

    def crew(self, device: str, pieces: int) -> Crew | None:
        """Who does so many pieces on a device; None where this process does them one after the other.

        Raises:
            BadInput: if there are fewer GPUs than workers, or a single GPU is asked for.
            DeviceUnavailable: if the device is not on this machine; of a cluster that is seen later.
        """
        from invr_tasks.engine import Crew

        if self.engine == "ray":
            self._refuse_single(device)
            gpus = {"cpu": False, "cuda": True}.get(device)
            return Crew("ray", self.workers, self.threads or 1, gpus, self.address)
        cards = _cards(device)
        if not self.asked and (len(cards) < 2 or pieces < 2):
            return None
        workers = self.workers or max(len(cards), 1)
        if workers > 1:
            self._refuse_single(device)
        if cards and workers > len(cards):
            raise BadInput(f"--workers {workers}: there are {len(cards)} GPUs; give no more workers, or --device cpu")
        cores = _cores()
        threads = self.threads or max(cores // workers, 1)
        if workers * threads > cores:
            say("warning", f"{workers} workers of {threads} threads each share {cores} cores; fewer would be as fast")
        return Crew("local", workers, threads, bool(cards))

    def _refuse_single(self, device: str) -> None:
        if device.startswith("cuda:"):
            raise BadInput(f"--device {device} is one GPU for all workers; give --device cuda: each has its own")


def _cards(device: str) -> range:
    """The GPUs that workers can share out among them; none where the work is done on the CPU, or on a named GPU."""
    if device == "cpu" or device.startswith("cuda:"):
        return range(0)
    import torch

    from invr_core.device import resolve

    return range(torch.cuda.device_count() if resolve(device).type == "cuda" else 0)


def _cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
