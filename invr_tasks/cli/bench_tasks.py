"""``invr bench tasks``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from invr_core.errors import BadInput
from invr_tasks.cli.bench_shared import Kept, Missing
from invr_tasks.cli.parse import parse
from invr_tasks.cli.workers import EngineOptions

if TYPE_CHECKING:
    from invr_tasks.bench.jobs import Budget
    from invr_tasks.bench.suites import Cell
    from invr_tasks.bench.tasks import TaskBench
    from invr_tasks.engine import Crew

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
    seed: tuple[int, ...] = (0,)
    """Of the inputs and of the fits, such as 0,1,2: all is done once with each. The figures of others are for 0."""
    missing: Missing = False
    who: EngineOptions = field(default_factory=EngineOptions)


def tasks(arguments: list[str]) -> int:
    """Hold the tasks against what people use today."""
    parsed, wanted = read_tasks(arguments)
    parsed.kept.check()
    from invr_tasks.bench.records import read
    from invr_tasks.bench.tasks import missing, run_tasks

    out = parsed.kept.out
    there = read(out) if parsed.missing and out.exists() else []
    todo = missing(wanted, there)
    crew = parsed.who.crew(wanted.device, len(todo))
    if crew is not None:
        return parsed.kept.end(_spread(arguments, parsed, wanted, todo, crew))
    wanted = replace(wanted, cells=tuple(todo.values()))
    records = run_tasks(wanted, out, sheet=parsed.sheet, lpips=parsed.lpips, quiet=parsed.kept.quiet)
    return parsed.kept.end([2 for record in records if "failed" in record])


def read_tasks(arguments: Sequence[str]) -> tuple[TasksCommand, TaskBench]:
    """What `invr bench tasks` is asked for.

    Args:
        arguments: what follows it.
    """
    parsed = parse(TasksCommand, "invr bench tasks", arguments)
    parsed.who.check()
    budget = parsed.spent.budget()
    if parsed.frames is not None and parsed.frames < 1:
        raise BadInput(f"--frames must be at least 1, got {parsed.frames}")
    if parsed.lpips is not None:
        from invr_tasks.perceptual import backbone_path

        backbone_path(parsed.lpips)
    from invr_tasks.bench.suites import cells
    from invr_tasks.bench.tasks import TaskBench

    chosen = cells(parsed.suite, parsed.clips, parsed.task, parsed.clip, parsed.setting)
    return parsed, TaskBench(
        suite=parsed.suite,
        cells=tuple(replace(cell, seed=seed) for cell in chosen for seed in dict.fromkeys(parsed.seed)),
        methods=parsed.methods,
        budget=budget,
        frames=parsed.frames,
        device=parsed.kept.device,
    )


def _spread(
    arguments: Sequence[str], parsed: TasksCommand, wanted: TaskBench, todo: Mapping[int, Cell], crew: Crew
) -> list[int]:
    """The cells by a crew, each record kept as soon as it comes; the exit code of each that failed."""
    from invr_tasks.bench.records import append
    from invr_tasks.bench.tasks import check
    from invr_tasks.cli.bench_spread import CELL, spread

    check(wanted, parsed.kept.out, parsed.sheet)
    failed = list[int]()
    for done in spread(CELL, arguments, {index: cell.title() for index, cell in todo.items()}, crew, parsed.kept.quiet):
        for record in done.answer or []:
            append(parsed.kept.out, record)
            if "failed" in record:
                failed.append(2)
        if done.failed is not None:
            failed.append(done.code)
    return failed
