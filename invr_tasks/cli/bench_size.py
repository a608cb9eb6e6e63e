"""``invr bench size``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from invr_tasks.cli.bench_shared import Kept, Length
from invr_tasks.cli.parse import Count, Size, parse


@dataclass(frozen=True)
class SizeCommand:
    """Fit a clip, store it with fewer and fewer bits, and count the bytes beside those that x264 and x265 need for
    the same PSNR.
    """

    clip: str
    """A video file or a folder of images."""
    kept: Kept
    length: Length
    params: Count | None = None
    """How many parameters; left out, it depends on the clip."""
    size: Size | None = None
    """The largest centred crop of this shape, shrunk to it by area; left out, the clip's own size."""
    frames: int | None = None
    """The first frames of the clip; left out, all."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME")] = "cwrnn"
    """The architecture; `invr models` lists them."""
    bits: tuple[int, ...] = (32, 16, 8, 6)
    """Bits of each parameter, one file for each."""
    presets: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME,…")] = ("medium", "slow")
    """Of x264 and x265."""
    seed: int = 0
    """Of the fit."""


def size(arguments: list[str]) -> int:
    """Count bytes against PSNR."""
    parsed = parse(SizeCommand, "invr bench size", arguments)
    budget = parsed.length.budget()
    parsed.kept.check()
    from invr_tasks.bench.size import SizeBench, run_size, size_section

    wanted = SizeBench(
        clip=parsed.clip,
        params=parsed.params,
        budget=budget,
        model=parsed.model,
        bits=parsed.bits,
        presets=parsed.presets,
        size=parsed.size,
        frames=parsed.frames,
        seed=parsed.seed,
        device=parsed.kept.device,
    )
    record = run_size(wanted, parsed.kept.out, parsed.kept.quiet)
    if not parsed.kept.quiet:
        print(size_section(record))
    return parsed.kept.end()
