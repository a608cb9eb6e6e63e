"""The truth that a command line names: for the report and the scores alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invr_tasks.task import Source, Task
    from invr_tasks.truth import Truth


def truth_of(path: str | None, task: Task[Any], source: Source, note: Callable[[str], None]) -> Truth | None:
    """What the answer should be; None where that is not told.

    Args:
        path: a video file or a folder of images.
        task: that is going to be run.
        source: it is going to be run on.
        note: is told what the user should know of the file.

    Raises:
        BadInput: if it cannot be read, or is not of the answer's instants and size.
    """
    if path is None:
        return None
    from invr_core.io import open_video
    from invr_tasks.truth import Truth

    return Truth(task, source, open_video(path, on_note=note), clock=not Path(path).is_dir())
