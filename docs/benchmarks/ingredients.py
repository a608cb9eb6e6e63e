"""What each ingredient of a task is worth: the answer whole, with one left out, by the network alone, and for nothing.

    python docs/benchmarks/ingredients.py CLIPS --frames 17 --steps 150 >> docs/benchmarks/ingredients.jsonl

One fit for each setting of each clip of the suite "development"; all answers are from that fit, so that they differ in
nothing else. PSNR in dB, over the hole where there is one. CLIPS is the folder of the suite's clips. A JSON line each.

With ``--share``, what more or fewer parameters do: so many for each sample of the clip, and nothing left out.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from invr_core.threads import SPINS

os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # as the command line does, before torch is imported

import torch
from invr_interpolation import bends, mixing, pairs, paths

from invr_core.fitting import FitConfig
from invr_core.models.cwrnn import config
from invr_core.representation import Representation
from invr_core.sampling import sample
from invr_core.video import Video
from invr_tasks import registry
from invr_tasks.bench.cases import Case, make_case, setting_of
from invr_tasks.bench.suites import cells
from invr_tasks.metrics import compare
from invr_tasks.operators import crop_to
from invr_tasks.provenance import provenance
from invr_tasks.run import renewed, run
from invr_tasks.task import Task, as_video

CLIPS = ("bunny:320x160", "carphone", "city")
SETTINGS = ("x2", "boxes", "static", "moving", "gauss25", "gauss50", "x2_bicubic", "x2_area")
Without = Callable[[], AbstractContextManager[Any]]


def one_kind(kind: str, kernel: str = "bicubic") -> Without:
    """Interpolation along one kind of paths alone, by one kernel; a frame too small for it has the fitted path."""

    def alone(video: Video, rep: Representation) -> dict[tuple[str, str], float]:
        return {(kind if kind in kinds(video) else "fitted", kernel): 1.0}

    def kinds(video: Video) -> set[str]:
        gap = pairs.Gap(pairs.Pair.of(video, 0, 1), float(video.times[:2].mean()))
        nowhere = torch.zeros(1, 2, *video.size)
        return set(paths.candidates(gap, pairs.Path(nowhere, nowhere)))

    return lambda: patch("invr_interpolation.worth", alone)


def bicubic_alone(video: Video, rep: Representation) -> dict[tuple[str, str], float]:
    """What the kinds of paths are worth by the one kernel."""
    with patch("invr_interpolation.mixing.KERNELS", paths.KERNELS[:1]):
        return mixing.worth(video, rep)


def both_show(video: Video, rep: Representation) -> dict[tuple[str, str], float]:
    """The same without what only one of two frames shows."""
    return {name: share for name, share in mixing.worth(video, rep).items() if name[0] != paths.ALONE}


def straight(pair: pairs.Pair, patch: int) -> bends.Bends:
    """What `bends` would find of motion that never changes."""
    none = torch.zeros_like(pair.matched(patch)[0])
    return bends.Bends(none, none, none[..., :1, :1])


def nothing_common(change: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """What most of a picture would have in common if its camera moved evenly."""
    return change.new_zeros(1, 2, 1, 1)


def bicubic_lookup(twice: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What `sample_doubled` would be without the pixels halfway."""
    return sample(twice[..., ::2, ::2], positions, "bicubic")


def _both(*each: AbstractContextManager[Any]) -> ExitStack:
    stack = ExitStack()
    for one in each:
        stack.enter_context(one)
    return stack


def _pilot(noisy: torch.Tensor, pilot: torch.Tensor, here: int, level: float) -> torch.Tensor:
    return pilot[here : here + 1]


ALTERED: dict[str, dict[str, Without]] = {
    "interpolate": {
        **{f"{kind} paths alone": one_kind(kind) for kind in ("fitted", "refined", "fine", "coarse16", "coarse24")},
        "coarse24 paths alone, sinc": one_kind("coarse24", "sinc"),
        "without the sinc": lambda: patch("invr_interpolation.worth", bicubic_alone),
        "without what only one frame shows": lambda: patch("invr_interpolation.worth", both_show),
        "as if the camera moved evenly": lambda: patch("invr_interpolation.bends._common", nothing_common),
        "straight paths": lambda: patch("invr_interpolation.occlusion.bends", straight),
        "all kinds alike": lambda: patch("invr_interpolation.worth", lambda *_: {}),
    },
    "inpaint": {},
    "denoise": {
        "without groups of patches": lambda: patch("invr_denoising.noisy.cleaned", _pilot),
        "carried by bicubic lookup": lambda: patch("invr_core.transport.sample_doubled", bicubic_lookup),
        "without undoing what clipping does": lambda: patch("invr_denoising.kinds.clips", lambda *_: False),
        "without either": lambda: _both(
            patch("invr_denoising.noisy.cleaned", _pilot), patch("invr_denoising.kinds.clips", lambda *_: False)
        ),
    },
    "upscale": {
        "sharpened in the fit's start alone": lambda: patch(
            "invr_super_resolution.learned", lambda *_: torch.nn.Identity()
        ),
        "without the network's picture": lambda: patch(
            "invr_super_resolution.larger.Larger._share", lambda *_: torch.zeros(1, 1, 1, 1)
        ),
        "the network's picture wholly believed": lambda: patch(
            "invr_super_resolution.larger.Larger._share", lambda *_: torch.ones(1, 1, 1, 1)
        ),
        "without agreement among neighbours": lambda: patch(
            "invr_super_resolution.neighbourhood.Neighbourhood.agreed", lambda _, picture, mine: picture
        ),
    },
}


def answers(altered: dict[str, Without], task: Task[Any], case: Case, rep: Representation) -> dict[str, Video]:
    """The answers of a task, each by its own; the last one is whole."""
    source = case.source
    own = as_video(rep, task.plan(source))
    shown = {"naive": task.naive(source).frames(), "the network's picture": own.frames()}
    for what, without in altered.items():
        with without():
            shown[what] = renewed(task).render(rep, source).frames()
    if "mask" in source.extras:
        alone = type(task)(replace(task.config, reach=0))
        shown["guessed from around it alone"] = alone.render(rep, source).frames()
        hole = source["mask"].frames() > 0.5
        shown["the network's picture"] = torch.where(hole, shown["the network's picture"], source.video.frames())
    shown["whole"] = task.render(rep, source).frames()
    return {what: Video.of(frames, own.times) for what, frames in shown.items()}


def main() -> None:
    """Fit and answer, setting by setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--clip", default=",".join(CLIPS))
    parser.add_argument("--setting", default=",".join(SETTINGS))
    parser.add_argument("--share", type=float)
    asked = parser.parse_args()
    if asked.share:
        config.SHARE = config.PLAIN_SHARE = asked.share
    for cell in cells("development", asked.clips, (), asked.clip.split(","), asked.setting.split(",")):
        truth = crop_to(Video.open(cell.path)[: asked.frames], cell.entry.size)
        truth = Video.of((truth.frames() * 255).round().to(torch.uint8), truth.times)
        case = make_case(cell.task, cell.setting, truth)
        kind = registry.get(cell.task)
        task = kind(kind.Config(**setting_of(cell.task, cell.setting).options))
        result = run(task, case.source, fit_config=FitConfig(steps=asked.steps, device="cpu"))
        with torch.no_grad():
            found = answers({} if asked.share else ALTERED[cell.task], task, case, result.representation)
        scores = {what: round(compare(video, truth, case.judged).psnr, 2) for what, video in found.items()}
        record = {
            "clip": cell.entry.name,
            "size": list(cell.entry.size),
            "frames": len(truth),
            "task": cell.task,
            "setting": cell.setting,
            "steps": asked.steps,
            "share": asked.share,
            "parameters": result.representation.info["parameters"],
            "psnr": scores,
            "provenance": provenance(0, "cpu"),
        }
        print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
