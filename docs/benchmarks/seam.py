"""Whether a seam shows where pieces overlap: a clip in short pieces and as one, against the truth, as a JSON line each.

    nice python docs/benchmarks/seam.py >> docs/benchmarks/seam.jsonl

Every second frame of the clip that ships is given, the others are asked for. ``step`` is the mean change from one of
these to the next, in levels of 255: a seam would be a larger one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from invr_core.threads import SPINS

os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # as the command line does, before torch is imported

import torch
from invr_interpolation import Interpolate

from invr_core import FitConfig, Video
from invr_tasks.pieces import parts_of
from invr_tasks.provenance import provenance
from invr_tasks.shots import run_shots
from invr_tasks.task import Source

CLIP = Path(__file__).parents[2] / "examples" / "data" / "bunny.mp4"
STEPS = 120


def main() -> None:
    """Run both, and print the lines."""
    clip = Video.open(CLIP)
    given = clip[::2]
    for piece in (16, len(given)):
        answer = run_shots(
            Interpolate(), Source(given), piece=piece, fit_config=FitConfig(steps=STEPS, device="cpu")
        ).video
        between = range(1, len(answer), 2)
        shown = torch.cat([answer.read([index]) for index in between])
        truth = clip.read(between)
        psnr = -10 * torch.log10((shown - truth).square().mean((1, 2, 3)))
        record = {
            "clip": CLIP.name,
            "given": len(given),
            "parts": [(part.begin, part.end) for part in parts_of(len(given), (), piece)],
            "steps": STEPS,
            "psnr_mean": round(float(psnr.mean()), 2),
            "psnr": rounded(psnr),
            "step": rounded(changes(shown)),
            "step_of_the_truth": rounded(changes(truth)),
            "provenance": provenance(0, "cpu"),
        }
        print(json.dumps(record), flush=True)


def changes(frames: torch.Tensor) -> torch.Tensor:
    """From each frame to the next, in levels of 255."""
    return 255 * (frames[1:] - frames[:-1]).abs().mean((1, 2, 3))


def rounded(values: torch.Tensor) -> list[float]:
    """For the record."""
    return [round(float(value), 2) for value in values]


if __name__ == "__main__":
    main()
