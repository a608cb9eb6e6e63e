"""How nearly the answer of upscaling, shrunk again, gives back the input, beside bicubic enlargement: a line for each.

    nice python docs/benchmarks/given_back.py > docs/benchmarks/given_back.jsonl

Nine frames of the shipped clip at 160x80, each factor and kernel, 20 steps of fit. Of the difference from the input:
root mean square and the largest, in levels of 255; and the root mean square once the answer is rounded to bytes, as a
file has it.
"""

from __future__ import annotations

import json

import torch
from invr_super_resolution import Upscale, UpscaleConfig
from torch import Tensor

from invr_core.fitting import FitConfig
from invr_core.video import Video
from invr_tasks.demo_clip import demo_clip_path
from invr_tasks.operators import crop_to, downscale, shrink
from invr_tasks.provenance import provenance
from invr_tasks.run import run
from invr_tasks.task import Source

SCALES, KERNELS = (1.5, 2, 3, 4), ("area", "bicubic", "gaussian")


def main() -> None:
    """Measure, and print the lines."""
    clip = downscale(crop_to(Video.open(demo_clip_path())[:9], (160, 320)), 2)
    given = Video.of(clip.frames(), clip.times)
    for scale in SCALES:
        for kernel in KERNELS:
            task = Upscale(UpscaleConfig(scale=scale, kernel=kernel))
            answer = run(task, Source(given), fit_config=FitConfig(steps=20, device="cpu")).video.frames()
            small = shrink(size=given.size, kernel=kernel)

            def off(shown: Tensor, small: torch.nn.Module = small) -> Tensor:
                return 255 * (small(shown) - given.frames()).abs()

            bicubic = task.naive(Source(given)).frames()
            record = {
                "scale": scale,
                "kernel": kernel,
                "rms": round(float(off(answer).square().mean().sqrt()), 4),
                "largest": round(float(off(answer).max()), 4),
                "rms_bytes": round(float(off((answer * 255).round() / 255).square().mean().sqrt()), 4),
                "rms_bicubic": round(float(off(bicubic).square().mean().sqrt()), 4),
                "provenance": provenance(0, "cpu"),
            }
            print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
