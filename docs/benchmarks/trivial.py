"""What costs nothing, beside the fits of `invr bench model`: neighbours blended, and frames kept at half the size.

    python docs/benchmarks/trivial.py CLIP --size 320x160 --frames 64 >> docs/benchmarks/trivial.jsonl

PSNR in dB, frame by frame and both rounded to 8 bits, as there: of the odd frames where the even ones are given, and of
all frames.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean

from torch.nn import functional as F

from invr_core.video import Video
from invr_tasks.baselines import blend
from invr_tasks.bench.clips import benchmark_clip
from invr_tasks.metrics import psnr
from invr_tasks.operators import interpolation_split
from invr_tasks.pixels import to_bytes
from invr_tasks.provenance import provenance


def score(shown: Video, truth: Video) -> float:
    """Mean over the frames."""
    pairs = zip(to_bytes(shown.frames()), to_bytes(truth.frames()), strict=True)
    return round(fmean(psnr(one, other) for one, other in pairs), 4)


def main() -> None:
    """Measure, and print the line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("--size", default="320x160")
    parser.add_argument("--frames", type=int, default=64)
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    clip = benchmark_clip(asked.clip, asked.frames, (height, width))
    given, unseen = interpolation_split(clip, 2)
    halved = F.interpolate(clip.frames(), scale_factor=0.5, mode="area")
    again = F.interpolate(halved, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)
    record = {
        "clip": Path(asked.clip).name,
        "size": asked.size,
        "frames": len(clip),
        "unseen_blended": score(blend(given, unseen.times), unseen),
        "numbers_halved": halved.numel(),
        "given_halved": score(Video.of(again, clip.times), clip),
        "provenance": provenance(0, "cpu"),
    }
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
