"""``invr view FILE.invr|RUN``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from invr_core.errors import BadInput
from invr_tasks.cli.options import Device, Flag
from invr_tasks.cli.parse import parse
from invr_tasks.cli.printed import printable


@dataclass(frozen=True)
class ViewCommand:
    """Look at what was fitted, in a browser on this machine: any instant, part and detail, and the source beside it."""

    file: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE.invr|RUN")]
    """what was fitted, a folder that holds one such file, as `invr demo` leaves, or a run (`--keep RUN`)"""
    source: Annotated[str | None, tyro.conf.arg(metavar="CLIP")] = None
    """The clip to wipe against; left out, that of the run, or given.* in the folder, if it is there."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Let the page run tasks, and write what comes of them into this folder, beside what is there."""
    port: int = 0
    """Of 127.0.0.1; 0 takes any that is free."""
    no_browser: Flag = False
    """Only say the address."""
    device: Device = "auto"
    """Where to compute; auto takes CUDA where there is one."""


def view(arguments: list[str]) -> int:
    """Serve the viewer until Ctrl-C."""
    parsed = parse(ViewCommand, "invr view", arguments)
    from invr_tasks.view.serve import listen, require, serve

    require()
    with listen(parsed.port) as held:
        from invr_tasks.view.found import find
        from invr_tasks.view.jobs import Jobs
        from invr_tasks.view.opened import open_found

        found = find(Path(parsed.file), parsed.source)
        if parsed.out is not None and found.clip is None:
            raise BadInput("--out is for what tasks write, and a task needs the clip: name it with --source")
        opened = open_found(found, parsed.device)
        for note in opened.notes:
            print(f"invr: {printable(note)}", file=sys.stderr)
        fitted, clip = found.files[0].parent if found.kept else found.files[0], found.clip
        jobs = Jobs(opened, fitted, clip, Path(parsed.out), parsed.device) if parsed.out and clip else None
        serve(opened, held, not parsed.no_browser, lambda text: print(text, flush=True), jobs)
    return 0
