"""Whether the confidence of an answer means what it says: against the true error, a JSON line for each setting.

    nice python docs/benchmarks/confidence.py [CLIPS] --steps 100 >> docs/benchmarks/confidence.jsonl

On the clip that ships, and on the clips of the suite "development" where CLIPS is the folder that holds them. In each
line: Spearman's rank correlation of confidence and square error, negative where confidence means something, per pixel
(a sample) and per frame; PSNR of the surer and of the less sure half of the pixels; and for each tenth of the pixels,
the least sure last, the error expected and the error measured, root mean square, in levels of 255. For inpainting the
pixels are those of the holes; for interpolation the frames that were not given.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from invr_core.threads import SPINS

os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # as the command line does, before torch is imported

import torch
from scipy.stats import spearmanr
from torch import Tensor

from invr_core.fitting import FitConfig
from invr_core.video import Video
from invr_tasks import registry
from invr_tasks.bench.cases import Case, make_case, setting_of
from invr_tasks.bench.suites import Cell, cells
from invr_tasks.confidence import expected_error, of_frames
from invr_tasks.operators import crop_to
from invr_tasks.provenance import provenance
from invr_tasks.run import run

SETTINGS = ("x2", "moving", "static", "gauss25", "sp10", "x2_area")
SAMPLE = 4000
"""Pixels of a frame that are looked at, at the most."""

LEAST = 1e-10
"""Mean square error that PSNR is taken of at the least: 100 dB where nothing is wrong."""


def frames_of(case: Case, answer: Video, confidence: Video, truth: Video) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """For each frame that is judged, of the pixels that are: confidence, square error; and confidence of the frame."""
    for index, instant in enumerate(answer.times):
        true = int((truth.times - instant).abs().argmin())
        weight = torch.ones(truth.size, dtype=torch.bool)
        if case.judged is not None:
            distance, place = (case.judged.times - instant).abs().min(0)
            if float(distance) > 1e-6:
                continue
            weight = case.judged.read([int(place)])[0, 0] > 0.5
        if bool(weight.any()):
            error = (answer.read([index]) - truth.read([true])).square().mean(1)[0][weight]
            sure = confidence.read([index])
            yield sure[0, 0][weight], error, of_frames(sure[0, 0][weight].view(1, 1, 1, -1))


def figures(found: list[tuple[Tensor, Tensor, Tensor]]) -> dict[str, Any]:
    """Of all frames together."""
    generator = torch.Generator().manual_seed(0)
    sampled = []
    for sure, error, _ in found:
        chosen = torch.randperm(len(sure), generator=generator)[:SAMPLE]
        sampled.append((sure[chosen], error[chosen]))
    sure, error = (torch.cat(each).double() for each in zip(*sampled, strict=True))
    order = sure.argsort(descending=True, stable=True)
    expected, measured = expected_error(sure[order]).square(), error[order]
    half = len(order) // 2
    by_frame = [(float(frame), float(wrong.mean())) for _, wrong, frame in found]
    return {
        "frames": len(found),
        "spearman_pixels": rounded(spearmanr(sure, error).statistic, 3),
        "spearman_frames": rounded(spearmanr(*zip(*by_frame, strict=True)).statistic, 3),
        "psnr_surer_half": rounded(-10 * measured[:half].mean().clamp(min=LEAST).log10(), 2),
        "psnr_other_half": rounded(-10 * measured[half:].mean().clamp(min=LEAST).log10(), 2),
        "expected": [levels(part) for part in expected.chunk(10)],
        "measured": [levels(part) for part in measured.chunk(10)],
        "expected_all": levels(expected),
        "measured_all": levels(measured),
    }


def levels(square: Tensor) -> float:
    """Root mean square, in levels of 255."""
    return rounded(255 * square.mean().sqrt(), 2)


def rounded(value: Any, digits: int) -> float:
    """For the record."""
    return round(float(value), digits)


def measured(cell: Cell, frames: int, steps: int) -> dict[str, Any]:
    """One setting of one clip."""
    first, last = cell.entry.frames
    last = min(first + frames, last if last is not None else first + frames)
    truth = crop_to(Video.open(cell.path)[first:last], cell.entry.size)
    truth = Video.of((truth.frames() * 255).round().to(torch.uint8), truth.times)
    case = make_case(cell.task, cell.setting, truth)
    kind = registry.get(cell.task)
    task = kind(kind.Config(**setting_of(cell.task, cell.setting).options))
    result = run(task, case.source, fit_config=FitConfig(steps=steps, device="cpu"), confidence=True)
    assert result.confidence is not None
    began = time.process_time()
    found = list(frames_of(case, result.video, result.confidence, truth))
    asked = time.process_time() - began
    plain = task.render(result.representation, case.source)
    began = time.process_time()
    for index in range(len(plain)):
        plain.read([index])
    return {
        "clip": cell.entry.name,
        "size": list(cell.entry.size),
        "task": cell.task,
        "setting": cell.setting,
        "steps": steps,
        **figures(found),
        "seconds_asked": rounded(asked, 1),
        "seconds_not_asked": rounded(time.process_time() - began, 1),
        "provenance": provenance(0, "cpu"),
    }


def main() -> None:
    """Measure, and print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="?")
    parser.add_argument("--frames", type=int, default=49)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--clip", default="", help="only these of the folder, by their names in the suite")
    parser.add_argument("--setting", default=",".join(SETTINGS))
    asked = parser.parse_args()
    settings = asked.setting.split(",")
    if asked.clips is None:
        chosen = cells("shipped", None, (), (), settings)
    else:
        chosen = cells("development", asked.clips, (), list(filter(None, asked.clip.split(","))), settings)
    for cell in chosen:
        print(json.dumps(measured(cell, asked.frames, asked.steps)), flush=True)


if __name__ == "__main__":
    main()
