"""``invr bench motion``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from invr_tasks.cli.bench_shared import Kept, Length
from invr_tasks.cli.parse import Count, UsageError, parse, written


def _pair(text: str) -> tuple[int, int]:
    try:
        first, second = (int(number) for number in text.split(","))
    except ValueError:
        raise UsageError(f"{text!r} is not two indices of frames such as 3,4") from None
    return first, second


@dataclass(frozen=True)
class MotionCommand:
    """Fit a clip, and hold its motion against the true one, beside OpenCV's DIS and no motion at all; also as it is
    before the fit, and with no motion to start from.
    """

    clip: str
    """A video file or a folder of images; all frames are fitted, at their own size."""
    truth: Annotated[Path, tyro.conf.arg(metavar="FILE.flo")]
    """The true motion, in the format of the Middlebury benchmark."""
    between: Annotated[tuple[int, int], written("I,J", _pair)]
    """The frame whose pixels are followed, and the one that they are followed to, counted from 0."""
    kept: Kept
    length: Length
    params: Count | None = None
    """How many parameters; left out, it depends on the clip."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME")] = "cwrnn"
    """The architecture; `invr models` lists them."""
    seed: int = 0
    """Of the fits."""
    picture: Annotated[Path | None, tyro.conf.arg(metavar="FILE.png")] = None
    """Also show every motion by the colour wheel, side by side."""


def motion(arguments: list[str]) -> int:
    """Score the motion of a fit."""
    parsed = parse(MotionCommand, "invr bench motion", arguments)
    budget = parsed.length.budget()
    parsed.kept.check()
    from invr_tasks.bench.motion import MotionBench, motion_sections, run_motion

    wanted = MotionBench(
        clip=parsed.clip,
        truth=parsed.truth,
        between=parsed.between,
        budget=budget,
        params=parsed.params,
        model=parsed.model,
        seed=parsed.seed,
        device=parsed.kept.device,
    )
    records = run_motion(wanted, parsed.kept.out, picture=parsed.picture, quiet=parsed.kept.quiet)
    if not parsed.kept.quiet:
        print("\n\n".join(motion_sections(records)))
    return parsed.kept.end()
