"""Seconds per step, seconds per rendered frame and peak memory of a model on a clip, as one JSON line on stdout.

    python docs/benchmarks/cost.py CLIP --size 640x320 --steps 20 >> docs/benchmarks/cost.jsonl

The clip is cropped to the shape of the size and shrunk by area. One model and size a run: peak memory is the process's.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from itertools import pairwise

from invr_core.threads import SPINS

os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # as the command line does, before torch is imported

import torch

from invr_core import FitConfig, Observation, Query, Video, fit
from invr_core.models import registry
from invr_tasks.bench.rss import peak
from invr_tasks.operators import crop_to
from invr_tasks.provenance import provenance


def main() -> None:
    """Measure, and print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip")
    parser.add_argument("--size", default="320x160")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--model", default="cwrnn")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    clip = crop_to(Video.open(options.clip)[: options.frames], (height, width))
    clip = Video.of(torch.cat([(clip.read([i]) * 255).round().to(torch.uint8) for i in range(len(clip))]), clip.times)
    opened = peak()
    seconds: list[float] = []
    rep = fit(
        Observation(clip),
        registry.get(options.model)(),
        FitConfig(steps=options.steps),
        on_step=lambda progress: seconds.append(progress.seconds),
    )
    steps = sorted(b - a for a, b in pairwise(seconds))
    begun = time.perf_counter()
    for index in range(min(len(clip), 20)):
        rep(Query(clip.times[index : index + 1]))
    rendered = time.perf_counter() - begun
    print(
        json.dumps(
            {
                "clip": os.path.basename(options.clip),
                "size": options.size,
                "frames": len(clip),
                "model": options.model,
                "parameters": rep.info["parameters"],
                "batch": rep.config.recipe.batch,
                "median_seconds_per_step": round(steps[len(steps) // 2], 4),
                "seconds_per_rendered_frame": round(rendered / min(len(clip), 20), 4),
                "peak_memory_mib": round(peak()),
                "of_which_before_the_fit_mib": round(opened),
                "provenance": provenance(0, rep.device),
            }
        )
    )


if __name__ == "__main__":
    main()
