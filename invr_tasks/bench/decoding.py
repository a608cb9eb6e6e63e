"""How fast a stored clip is shown, in sequence and at random instants, and how much memory that takes."""

from __future__ import annotations

import copy
import time
from statistics import fmean, median

import torch

from invr_core.fitted import Fitted
from invr_core.query import Query
from invr_core.storage import load
from invr_tasks.bench import rss
from invr_tasks.bench.records import Record

PASSES = 3
"""How often the sequence is shown, for the median; the first one, which warms up, is not counted."""
AT_MOST = 30.0
"""Seconds after which no further pass begins."""
RANDOM_INSTANTS = 9


def run_decode(path: str, device: str = "auto", seed: int = 0) -> Record:
    """Show a stored clip. For honest memory, in a process of its own.

    Each pass, and each random instant, begins with a copy that has shown nothing yet: nothing is remembered.

    Args:
        path: of the ``.invr`` file.
        device: where to.
        seed: of the random instants, anywhere in the span.

    Returns:
        ``frames_per_second`` and ``seconds_per_frame`` of all given instants in sequence, median over the passes;
        ``random_frame_seconds``, median over `RANDOM_INSTANTS`; ``random_ratio`` of the two; memory of one pass in MiB.
    """
    before = rss.peak()
    rep = load(path, device)
    instants = torch.tensor(rep.geometry.times, dtype=torch.float64)
    _show(rep, instants)
    memory = {"decode_libraries_mib": round(before, 1), "decode_peak_mib": round(rss.peak(), 1)}
    on_gpu = rss.peak_on(rep.device)
    fresh = load(path, device)
    passes: list[float] = []
    began = time.perf_counter()
    while len(passes) < PASSES and (not passes or time.perf_counter() - began < AT_MOST):
        passes.append(_show(copy.deepcopy(fresh), instants))
    generator = torch.Generator().manual_seed(seed)
    first, last = rep.span
    places = first + (last - first) * torch.rand(RANDOM_INSTANTS, dtype=torch.float64, generator=generator)
    alone = [_show(copy.deepcopy(fresh), place[None]) for place in places]
    each = median(passes) / len(instants)
    return {
        "frames_per_second": round(1 / each, 3),
        "seconds_per_frame": round(each, 6),
        "sequence_seconds": [round(seconds, 4) for seconds in passes],
        "random_frame_seconds": round(median(alone), 6),
        "random_frame_mean_seconds": round(fmean(alone), 6),
        "random_ratio": round(median(alone) / each, 3),
        **memory,
        "decode_gpu_mib": None if on_gpu is None else round(on_gpu, 1),
    }


def _show(rep: Fitted, instants: torch.Tensor) -> float:
    """Seconds that it takes to show these, one after the other; the frames stay on the device and are dropped."""
    began = time.perf_counter()
    with torch.no_grad():
        for index in range(len(instants)):
            rep(Query(instants[index : index + 1]))
    if rep.device.type == "cuda":
        torch.cuda.synchronize(rep.device)
    return time.perf_counter() - began
