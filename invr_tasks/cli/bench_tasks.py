"""``invr bench tasks``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from invr_core.errors import BadInput
from invr_tasks.cli.bench_shared import Kept
from invr_tasks.cli.parse import parse

if TYPE_CHECKING:
    from invr_tasks.bench.jobs import Budget

Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME,…")]


@dataclass(frozen=True)
class Spent:
    """How long each fit of ours is; left out, fit and rendering take 3 s together for each frame of 640x320."""

    seconds: float | None = None
    """Wall-clock seconds of each fit, instead; rendering comes on top."""
    steps: int | None = None
    """Steps of each fit, instead."""

    def budget(self) -> Budget | None:
        """The one that was given, or None.

        Raises:
            BadInput: if both are, or it is not positive.
        """
        from invr_tasks.bench.jobs import Budget

        amounts = {"seconds": self.seconds, "steps": self.steps}
        given = [Budget(unit, amount) for unit, amount in amounts.items() if amount is not None]
        if len(given) > 1:
            raise BadInput("give --seconds or --steps, not both")
        return given[0] if given else None


@dataclass(frozen=True)
class TasksCommand:
    """Run the installed tasks, naive answers and strong classical methods on the same bytes, and score them all."""

    suite: Annotated[str, tyro.conf.arg(metavar="NAME")]
    """Which clips and settings: shipped (small, needs no file), or development (needs --clips)."""
    kept: Kept
    spent: Spent
    clips: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder that holds the clips of the suite."""
    task: Names = ()
    """Only these tasks."""
    clip: Names = ()
    """Only these clips, such as bunny or, of one size, bunny:320x160."""
    setting: Names = ()
    """Only these settings, such as x2,gauss25."""
    methods: Names = ()
    """Only these methods, such as ours,blend."""
    frames: int | None = None
    """At the most so many frames of each clip, its first ones."""
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Also a contact sheet for each setting of each clip, in this folder."""
    lpips: Annotated[Path | None, tyro.conf.arg(metavar="FILE.pth")] = None
    """Weights of torchvision's AlexNet, for LPIPS; left out, they are looked for in PyTorch's cache."""
    seed: int = 0
    """Of the inputs and of the fits; the figures of others are for 0."""


def tasks(arguments: list[str]) -> int:
    """Hold the tasks against what people use today."""
    parsed = parse(TasksCommand, "invr bench tasks", arguments)
    budget = parsed.spent.budget()
    if parsed.frames is not None and parsed.frames < 1:
        raise BadInput(f"--frames must be at least 1, got {parsed.frames}")
    parsed.kept.check()
    if parsed.lpips is not None:
        from invr_tasks.perceptual import backbone_path

        backbone_path(parsed.lpips)
    from invr_tasks.bench.suites import cells
    from invr_tasks.bench.tasks import TaskBench, run_tasks

    wanted = TaskBench(
        suite=parsed.suite,
        cells=tuple(cells(parsed.suite, parsed.clips, parsed.task, parsed.clip, parsed.setting)),
        methods=parsed.methods,
        budget=budget,
        frames=parsed.frames,
        seed=parsed.seed,
        device=parsed.kept.device,
    )
    records = run_tasks(wanted, parsed.kept.out, sheet=parsed.sheet, lpips=parsed.lpips, quiet=parsed.kept.quiet)
    return parsed.kept.end(sum("failed" in record for record in records))
