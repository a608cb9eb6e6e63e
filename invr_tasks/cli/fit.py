"""``invr fit INPUT FILE.invr``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated

import tyro

from invr_tasks.cli.options import Bits, FitOptions, Flag, Input
from invr_tasks.cli.parse import parse


@dataclass(frozen=True)
class FitCommand:
    """Fit a clip into one .invr file, to be asked by `invr query` or `invr run TASK --rep`."""

    input: Input
    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE.invr")]
    """where to keep what is fitted"""
    fit: FitOptions
    bits: Bits = 32
    """Of each parameter in the file: 32 is exact, 8 a fifth of the size for a loss that is hard to see, any from 4 to
    16."""
    quiet: Flag = False
    """Show no progress."""


def fit(arguments: list[str]) -> int:
    """Fit a clip, and keep what is fitted."""
    parsed = parse(FitCommand, "invr fit", arguments)
    started = time.monotonic()
    parsed.fit.check()
    from invr_core.device import resolve
    from invr_core.fitting import fit as fit_clip
    from invr_core.io import open_video
    from invr_core.observation import Observation
    from invr_core.quantise import check_bits
    from invr_core.shots import find_cuts
    from invr_tasks.cli.files import check_outputs
    from invr_tasks.cli.progress import Reporter
    from invr_tasks.run import default_model

    check_bits(parsed.bits)
    check_outputs([parsed.input], rep=parsed.file)
    resolve(parsed.fit.device)
    with Reporter(parsed.quiet) as reporter:
        model = default_model(parsed.fit.model, parsed.fit.params)
        video = open_video(parsed.input, on_note=reporter.note)
        cuts = find_cuts(video)
        if cuts:
            where = ",".join(f"{float(video.times[index]):.10g}" for index in cuts)
            reporter.note(f"{parsed.input} has cuts at {where} s; it is fitted as one shot, which suits it badly")
        rep = fit_clip(Observation(video), model, parsed.fit.config(), on_step=reporter.on_step)
        if rep.info.get("interrupted"):
            reporter.note("stopped; keeping what is fitted so far")
        rep.save(parsed.file, parsed.bits)
    if not parsed.quiet:
        height, width = rep.size
        print(
            f"wrote {parsed.file}: {len(video)} frames of {width}x{height}, {rep.span[0]:g} to {rep.span[1]:g} s, "
            f"in {time.monotonic() - started:.1f} s"
        )
    return 0
