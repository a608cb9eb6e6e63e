"""``invr resume RUN``."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from invr_core.errors import BadInput
from invr_tasks.cli.options import Flag
from invr_tasks.cli.parse import parse

if TYPE_CHECKING:
    from invr_tasks.keeping import Kept


@dataclass(frozen=True)
class ResumeCommand:
    """Go on with a run that was kept (`invr run … --keep RUN`) and did not come to its end."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """the folder that the run was kept in"""
    task: str | None = None
    """The run's task once more, where that is code by its place (`./mine.py:Task`): a folder chooses none by itself."""
    quiet: Flag = False
    """Show no progress."""


def resume(arguments: list[str]) -> int:
    """Do the same command once more, but for what is fitted already."""
    parsed = parse(ResumeCommand, "invr resume", arguments)
    from invr_tasks.cli.run import go
    from invr_tasks.keeping import Kept

    kept = Kept.open(parsed.run)
    _require_chosen(kept, parsed.task)
    command = [word for word in kept.command if word != "--quiet"]  # whoever goes on may want to see more, or less
    with contextlib.ExitStack() as there:
        try:
            there.enter_context(contextlib.chdir(kept.place))
        except OSError as cause:
            raise BadInput(
                f"this run was begun in {kept.place}, which cannot be entered ({cause.strerror}); make it again"
            ) from cause
        return go([*command, *(["--quiet"] if parsed.quiet else [])], kept)


def _require_chosen(kept: Kept, again: str | None) -> None:
    """Refuse code that is named by the folder and not by whoever resumes it: the folder may be a stranger's."""
    task = kept.command[0]
    if again not in (None, task):
        raise BadInput(f"{kept.folder} is a run of {task!r}, not of {again!r}")
    if ":" in task and again is None:
        raise BadInput(
            f"{kept.folder} is a run of {task!r}, which is code that it names; if that is yours: `{kept.again}`"
        )
