"""Where a clip is cut and how many parts it is fitted in, as `invr run` is told or finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from invr_core.errors import BadInput

if TYPE_CHECKING:
    from invr_core.video import Video
    from invr_tasks.cli.preview import Preview
    from invr_tasks.task import Source, Task


def cuts_of(
    task: Task[Any], source: Source, parsed: Any, preview: Preview | None, note: Callable[[str], None]
) -> tuple[tuple[int, ...], int]:
    """The cuts that are given, or found, in the clip or its excerpt, and the number of parts; told, with the pieces.

    Those around a shot that is hidden altogether are left out.

    Raises:
        BadInput: if no part is long enough to be fitted, and something is to be kept of one.
        BadOutput: if a part cannot be saved.
    """
    from invr_core.shots import cuts_at, find_cuts
    from invr_tasks.cli.files import check_outputs
    from invr_tasks.cli.parts import numbered
    from invr_tasks.part_jobs import seen_cuts
    from invr_tasks.pieces import parts_of

    video, minimum = source.video, task.minimum_frames
    cuts: tuple[int, ...] = ()
    if not parsed.clip.no_shots:
        given = parsed.clip.cuts
        if preview is not None and given is not None:
            given = preview.cuts(given)
        cuts = seen_cuts(task, source, find_cuts(video) if given is None else cuts_at(video, given))
    parts = parts_of(len(video), cuts, parsed.clip.piece, minimum)
    pieces = len(parts) - len(cuts) - 1
    if cuts:
        shots = f"{parsed.input} has {len(cuts) + 1} shots, with cuts at {_seconds(video, cuts)} s"
        note(f"{shots}; each is fitted by itself (--no-shots fits them as one, --cuts says where they are)")
    if pieces:
        long = f"{parsed.input} has {len(video)} frames, and is fitted in {len(parts)} parts"
        note(
            f"{long} of at most {max(map(len, parts))}, which overlap within a shot (--piece says how long they may be)"
        )
    if (parsed.file.save_rep or parsed.report) and max(map(len, parts)) < minimum:
        raise BadInput(f"no part of {parsed.input} has the {minimum} frames that this task needs, so nothing is fitted")
    if len(parts) > 1 and parsed.file.save_rep:
        files = [numbered(parsed.file.save_rep, number + 1, len(parts)) for number in range(len(parts))]
        for file in files:
            check_outputs([], rep=file)
        note(f"each part is saved by itself: {files[0]} to {files[-1]}")
    return cuts, len(parts)


def _seconds(video: Video, cuts: tuple[int, ...]) -> str:
    return ",".join(f"{round(float(video.times[index]), 3):.10g}" for index in cuts)
