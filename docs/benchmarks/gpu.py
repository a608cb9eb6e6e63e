"""All that is asked of a GPU, in one command of less than ten minutes, as JSON lines.

    python docs/benchmarks/gpu.py bigbuckbunny.mp4 --out docs/benchmarks/gpu.jsonl

First where the time of a step goes, with 32-bit and with mixed 16-bit arithmetic (bfloat16 by autocast): what is
arithmetic, what moves memory, and when the device waits. Then the fits at 1280x640, the largest first, each with PSNR
against time, and frames a second from the file. If the largest would not end within the minutes that are left, it is
cut short; of the others, those are named and left out. Nothing else depends on this; ``--device cpu`` with a small size
tries it out.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from invr_core import FitConfig, Observation, Video, fit
from invr_core.device import fast_bfloat16, resolve
from invr_core.fitting import Progress
from invr_core.models import registry
from invr_tasks.bench.clips import benchmark_clip
from invr_tasks.bench.jobs import Budget
from invr_tasks.bench.model import ModelBench, run_models
from invr_tasks.bench.records import append
from invr_tasks.bench.variants import Variant
from invr_tasks.provenance import provenance
from invr_tasks.run import default_model

MODEL = "cwrnn"
COUNTS = (3_000_000, 1_500_000, 750_000, 350_000)
WARM, WATCHED = 10, 20
"""Steps before the watched ones, and those."""
ARITHMETIC = (
    "conv",
    "gemm",
    "gemv",
    "nvjet",
    "cutlass",
    "cudnn",
    "wgrad",
    "dgrad",
    "fprop",
    "matmul",
    "addmm",
    "bmm",
    "::mm",
)
"""What the names of kernels (and, on a CPU, of operators) that multiply matrices hold."""
LAYOUT = ("nchwtonhwc", "nhwctonchw")
"""What those of cuDNN hold that only move numbers."""
AROUND = 75.0
"""Seconds that starting a fit, looking at it, scoring and decoding it take, at a guess."""
PEER_PSNR = 37.43
"""What HNeRV has at 3 M, in dB: its time is looked for in the curve."""


class Watched:
    """Given to a fit as ``on_step``: profiles its steps from `WARM` on, and takes the time of as many more."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.began, self.psnr = device, 0.0, 0.0
        self.profiled = self.bare = 0.0
        gpu = [ProfilerActivity.CUDA] if device.type == "cuda" else []
        self.profiler = profile(activities=[ProfilerActivity.CPU, *gpu])

    def __call__(self, progress: Progress) -> None:
        """A step is done."""
        if progress.step in (WARM, WARM + WATCHED, WARM + 2 * WATCHED) and self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        if progress.step == WARM:
            self.profiler.start()
        elif progress.step == WARM + WATCHED:
            self.profiled = time.perf_counter() - self.began
            self.profiler.stop()
        elif progress.step == WARM + 2 * WATCHED:
            self.bare = time.perf_counter() - self.began
            self.psnr = progress.psnr
        if progress.step in (WARM, WARM + WATCHED):
            self.began = time.perf_counter()


def busy(events: Iterable[FunctionEvent], device: torch.device) -> dict[str, float]:
    """Seconds of kernels (on a CPU, of operators by themselves) that multiply matrices, and of all others."""
    seconds = {"arithmetic": 0.0, "memory": 0.0}
    for event in events:
        own = event.self_device_time_total if device.type == "cuda" else event.self_cpu_time_total
        kernel = event.device_type.name == "CUDA" and not event.is_user_annotation  # those span kernels and gaps
        if device.type == "cpu" or kernel:
            name = event.name.lower()
            heavy = any(part in name for part in ARITHMETIC) and not any(part in name for part in LAYOUT)
            seconds["arithmetic" if heavy else "memory"] += own / 1e6
    return seconds


def where_time_goes(clip: Video, params: int, device: torch.device, mixed: bool) -> dict[str, Any]:
    """Some steps of a fit, watched."""
    watch = Watched(device)
    around = torch.autocast(device.type, torch.bfloat16) if mixed else nullcontext()
    with around:
        rep = fit(
            Observation(clip),
            default_model(MODEL, params),
            FitConfig(steps=WARM + 2 * WATCHED, device=str(device)),
            on_step=watch,
        )
    spent = busy(watch.profiler.events() or [], device)
    shares = {name: round(seconds / watch.profiled, 3) for name, seconds in spent.items()}
    return {
        "kind": "step",
        "size": f"{clip.size[1]}x{clip.size[0]}",
        "frames": len(clip),
        "parameters": rep.info["parameters"],
        "arithmetic": "bfloat16" if mixed else "float32",
        "steps": WATCHED,
        "seconds_per_step": round(watch.bare / WATCHED, 5),
        "seconds_per_step_profiled": round(watch.profiled / WATCHED, 5),
        "share": {**shares, "waiting": round(max(1 - sum(shares.values()), 0.0), 3)} if any(spent.values()) else None,
        "psnr_of_recent_batches": round(watch.psnr, 3),
        "provenance": provenance(0, device),
    }


def main() -> None:
    """Measure, and append each line as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", default="1280x640")
    parser.add_argument("--frames", type=int, default=132)
    parser.add_argument("--epochs", type=float, default=300)
    parser.add_argument("--params", type=lambda text: tuple(map(int, text.split(","))), default=COUNTS)
    parser.add_argument("--minutes", type=float, default=9.5)
    parser.add_argument("--device", default="cuda")
    asked = parser.parse_args()
    began, device = time.monotonic(), resolve(asked.device)
    width, height = map(int, asked.size.split("x"))
    clip = benchmark_clip(asked.clip, asked.frames, (height, width))
    clip = Video.of(clip.frames(), clip.times)
    each = math.inf
    for mixed in (False, True) if device.type == "cuda" and fast_bfloat16(device) else (False,):
        try:
            line = where_time_goes(clip, asked.params[0], device, mixed)
        except Exception as error:  # the fits are worth more than this
            print(f"{'bfloat16' if mixed else 'float32'}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        append(asked.out, line)
        print(json.dumps(line), flush=True)
        if not mixed:
            each = asked.epochs * len(clip) / registry.get(MODEL).recipe.batch * line["seconds_per_step"]
    for params in asked.params:
        left = 60 * asked.minutes - (time.monotonic() - began) - AROUND
        budget = Budget("epochs", asked.epochs)
        if each > left:
            print(f"{params:,} parameters: a fit takes {each:.0f} s, {left:.0f} s are left", file=sys.stderr)
            if params != asked.params[0]:
                continue
            budget = Budget("seconds", max(left, 1.0))
        bench = ModelBench(
            clip=asked.clip,
            params=(params,),
            budget=budget,
            variants=(Variant(MODEL),),
            size=(height, width),
            frames=asked.frames,
            device=asked.device,
        )
        for record in run_models(bench, asked.out):
            reached = next((point for point in record.get("curve", ()) if point["psnr"] >= PEER_PSNR), None)
            if reached:
                print(f"{PEER_PSNR} dB, on the watched frames, after {reached['seconds']:.1f} s", flush=True)


if __name__ == "__main__":
    main()
