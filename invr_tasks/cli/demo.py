"""``invr demo``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from invr_tasks.cli.options import Flag
from invr_tasks.cli.parse import parse


@dataclass(frozen=True)
class DemoCommand:
    """Fit the clip that ships with invr, run the tasks on it, and compare with naive answers."""

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("invr-demo")
    """Folder for the videos, the contact sheet and metrics.json."""
    quiet: Flag = False
    """Show no progress."""


def demo(arguments: list[str]) -> int:
    """Run the demonstration."""
    parsed = parse(DemoCommand, "invr demo", arguments)
    from invr_tasks.demo import run_demo

    run_demo(parsed.out, parsed.quiet)
    return 0
