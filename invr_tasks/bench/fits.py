"""Fit once, and tell all about it: quality against steps and seconds, at seen and unseen instants, time, memory."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import torch

from invr_core.device import resolve
from invr_core.fitting import Progress, fit
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.bench import rss
from invr_tasks.bench.jobs import LOSSES, Budget, Job
from invr_tasks.bench.records import Record
from invr_tasks.metrics import psnr
from invr_tasks.operators import interpolation_split
from invr_tasks.pixels import to_bytes
from invr_tasks.provenance import provenance


def frame_psnrs(rep: Representation, clip: Video, indices: Sequence[int]) -> list[float]:
    """PSNR of the representation's own render, frame by frame, both rounded to 8 bits (`invr_tasks.metrics.psnr`).

    Args:
        rep: of the clip's size.
        clip: the truth.
        indices: of its frames.

    Returns:
        dB.
    """
    found = []
    with torch.no_grad():
        for index in indices:
            picture = torch.nan_to_num(rep(Query(clip.times[index : index + 1])))
            found.append(psnr(to_bytes(picture)[0], to_bytes(clip.read([index]))[0]))
    return found


def spread_out(count: int, frames: int) -> list[int]:
    """So many of a clip's frames, evenly spread, or all if it has fewer.

    Example:
        >>> spread_out(3, 9), spread_out(3, 2)
        ([1, 4, 7], [0, 1])
    """
    count = min(count, frames)
    return [int((i + 0.5) * frames / count) for i in range(count)]


def moments(budget: Budget, total: int | None, looks: int) -> list[float]:
    """When to look, in seconds if the clock decides, else in steps: even by their logarithm, the end left out.

    Args:
        budget: of the fit.
        total: its steps; None where the clock decides.
        looks: how many, at the most.

    Example:
        >>> moments(Budget("steps", 1000), 1000, 3)
        [1.0, 10.0, 100.0]
        >>> moments(Budget("seconds", 200), None, 2)
        [1.0, 14.142]
    """
    end, first = (budget.amount, budget.amount / 200) if total is None else (float(total), 1.0)
    spaced = [first * (end / first) ** (i / max(looks, 1)) for i in range(looks)]
    rounded = [round(at, 3) if total is None else float(round(at)) for at in spaced]
    return [at for at in dict.fromkeys(rounded) if at < end]


class Watch:
    """Looks at a fit now and then; to be given to it as ``on_step``, made just before it.

    Args:
        sets: frames to take the mean PSNR of, by the name that it gets in the curve.
        when: the moments; in seconds if ``by_clock``, else in steps.
        by_clock: see there.
        per_epoch: steps a pass.
        title, quiet: what to tell, on stderr.
    """

    def __init__(
        self,
        sets: dict[str, tuple[Video, list[int]]],
        when: list[float],
        by_clock: bool,
        per_epoch: float,
        title: str,
        quiet: bool,
    ) -> None:
        self.sets, self.when, self.by_clock, self.per_epoch = sets, list(when), by_clock, per_epoch
        self.title, self.quiet = title, quiet
        self.curve: list[Record] = []
        self.notes: list[str] = []
        self.step, self.seconds, self.setup = 0, 0.0, math.nan
        self.anonymous = 0.0
        self.looked_cpu = 0.0
        self._called, self._cpu = time.monotonic(), time.process_time()

    def __call__(self, progress: Progress) -> None:
        """Note the time; look, if it is due."""
        if not self.step:
            self.setup = time.monotonic() - self._called - progress.seconds
        self.step, self.seconds = progress.step, self.setup + progress.seconds
        self.anonymous = max(self.anonymous, rss.anonymous() or 0.0)
        if progress.note:
            self.notes.append(progress.note)
        if self.due():
            before = time.process_time()
            self.look(progress.live())
            self.looked_cpu += time.process_time() - before

    def due(self) -> bool:
        """Whether a moment has come; those that are past are done with."""
        at = self.seconds if self.by_clock else float(self.step)
        late = [moment for moment in self.when if moment <= at]
        self.when = self.when[len(late) :]
        return bool(late)

    def look(self, rep: Representation) -> None:
        """Add a point to the curve: the state of things after the last step."""
        point: Record = {
            "step": self.step,
            "epoch": round(self.step / self.per_epoch, 4),
            "seconds": round(self.seconds, 4),
        }
        for name, (clip, indices) in self.sets.items():
            point[name] = round(fmean(frame_psnrs(rep, clip, indices)), 4)
        self.curve = [*(other for other in self.curve if other["step"] != self.step), point]
        if not self.quiet:
            shown = ", ".join(f"{name} {point[name]:.2f} dB" for name in self.sets)
            print(f"{self.title}: step {self.step}, {self.seconds:.1f} s, {shown}", file=sys.stderr, flush=True)

    def cpu_seconds(self) -> float:
        """Processor time since this was made, without the looks."""
        return time.process_time() - self._cpu - self.looked_cpu


def run_fit(job: Job) -> Record:
    """Do one fit and measure it. For honest memory, in a process of its own (`invr_tasks.bench.processes`).

    Returns:
        what is said in docs/benchmarks of a record, but for the clip's name, the decoding and the peer.

    Raises:
        InvrError: if it cannot be done, or fails.
    """
    device = resolve(job.device)
    config = job.config()
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # imports a second's worth of modules when first made
    libraries = rss.peak()
    clip = Video.open(job.clip)
    given, asked = interpolation_split(clip, 2) if job.given == "even" else (clip, None)
    sets = {"psnr": (given, spread_out(job.watched, len(given)))}
    if asked is not None:
        sets["psnr_unseen"] = (asked, spread_out(job.watched, len(asked)))
    fit_config = job.fit_config(len(given))
    per_epoch = len(given) / job.batch(len(given))
    when = moments(job.budget, fit_config.steps, job.looks)
    observation = Observation(given, distance=LOSSES[job.loss()])
    load, before = _load(), rss.resident()
    watch = Watch(sets, when, fit_config.steps is None, per_epoch, job.title(), job.quiet)
    rep = fit(observation, config, fit_config, on_step=watch)
    cpu = watch.cpu_seconds()
    memory = {
        "libraries_mib": _round(libraries),
        "before_mib": _round(before),
        "peak_mib": _round(rss.peak()),
        "anonymous_mib": _round(watch.anonymous or None),
        "gpu_mib": _round(rss.peak_on(rep.device)),
    }
    watch.look(rep)
    seen = frame_psnrs(rep, given, range(len(given)))
    unseen = None if asked is None else frame_psnrs(rep, asked, range(len(asked)))
    if job.rep is not None:
        rep.save(Path(job.rep))
    return {
        "model": job.model,
        "variant": job.variant,
        "options": dict(job.options),
        "params": job.params,
        "parameters": rep.info["parameters"],
        "seed": job.seed,
        "given": job.given,
        "budget": {job.budget.unit: job.budget.amount},
        "loss": job.loss(),
        "batch": job.batch(len(given)),
        "steps": watch.step,
        "epochs": round(watch.step / per_epoch, 4),
        "seconds": round(watch.seconds, 4),
        "setup_seconds": round(watch.setup, 4),
        "cpu_seconds": round(cpu, 4),
        "psnr": round(fmean(seen), 4),
        "psnr_worst_frame": round(min(seen), 4),
        "psnr_unseen": None if unseen is None else round(fmean(unseen), 4),
        "psnr_unseen_worst_frame": None if unseen is None else round(min(unseen), 4),
        "curve": watch.curve,
        "curve_frames": {name: indices for name, (_, indices) in sets.items()},
        "memory": memory,
        "notes": watch.notes,
        "config": asdict(rep.config),
        "load_before": load,
        "provenance": provenance(job.seed, device),
    }


def _load() -> float | None:
    """How busy the machine is: processes that run or wait for a processor, mean over a minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
