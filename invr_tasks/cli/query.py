"""``invr query FILE.invr OUTPUT --fps 120 | --times 0.1,0.25``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from invr_core.errors import BadInput, Unsupported
from invr_tasks.cli.options import Device, Flag, Output
from invr_tasks.cli.parse import Rectangle, Size, UsageError, parse

if TYPE_CHECKING:
    from invr_core.query import Query
    from invr_core.representation import Representation


@dataclass(frozen=True)
class QueryCommand:
    """Ask what was fitted for frames: any instants, size, part and region."""

    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE.invr")]
    """what was fitted"""
    output: Output
    fps: float | None = None
    """Frames per second, over the whole span."""
    times: tuple[float, ...] | None = None
    """Instants in seconds, increasing, within the span; instead of --fps."""
    size: Size | None = None
    """Width and height of the whole frame, in pixels; left out, the native ones."""
    part: Annotated[str, tyro.conf.arg(metavar="NAME")] = "full"
    """What to show: full, or another part that the model has, such as structured."""
    region: Rectangle | None = None
    """The rectangle to show, in fractions of the frame; left out, all of it."""
    device: Device = "auto"
    """Where to compute; auto takes CUDA where there is one."""
    quiet: Flag = False
    """Show no progress."""


def query(arguments: list[str]) -> int:
    """Render what was fitted, and write it."""
    parsed = parse(QueryCommand, "invr query", arguments)
    if (parsed.fps is None) == (parsed.times is None):
        raise UsageError("say which instants: --fps 120 or --times 0.1,0.25 (one of them)")
    started = time.monotonic()
    from invr_core.io import save_video
    from invr_core.storage import load
    from invr_tasks.cli.files import check_outputs
    from invr_tasks.cli.progress import Reporter
    from invr_tasks.cli.wrote import wrote
    from invr_tasks.stores import whole
    from invr_tasks.task import as_video

    check_outputs([parsed.file], parsed.output)
    rep = load(parsed.file, parsed.device)
    video = as_video(rep, _asked(parsed, rep))
    with Reporter(parsed.quiet) as reporter, whole(parsed.output) as here:
        save_video(reporter.watched(video), here[parsed.output], reporter.note)
    wrote(parsed.quiet, parsed.output, video, time.monotonic() - started)
    return 0


def _asked(parsed: QueryCommand, rep: Representation) -> Query:
    """The query, checked before anything is rendered."""
    import torch

    from invr_core.memory import require_picture
    from invr_core.query import Query, Region, at_rate
    from invr_tasks.run import within

    if parsed.times is None:
        times = at_rate(rep.span, parsed.fps or 0.0)
    else:
        times = torch.tensor(parsed.times, dtype=torch.float64)
    region = None if parsed.region is None else Region(*parsed.region)
    asked = Query(times, parsed.size, region, parsed.part)
    if not bool((times[1:] > times[:-1]).all()):
        raise BadInput("--times must increase")
    within(times, rep.span, parsed.file)
    if parsed.part not in rep.parts:
        raise Unsupported(f"{parsed.file} has no part {parsed.part!r}; it has {', '.join(sorted(rep.parts))}")
    require_picture(rep.size, parsed.size or rep.size, rep.device)
    return asked
