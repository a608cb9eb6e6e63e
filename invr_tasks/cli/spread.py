"""`invr batch` by several workers: each clip is a piece of work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing

from invr_tasks.cli.batch import Outcome, job_of, read, there_already
from invr_tasks.cli.blame import say
from invr_tasks.cli.clips import Clip
from invr_tasks.engine import Crew, Piece, distribute

CLIP = f"{__name__}:answer_clip"


def answer_clip(words: list[str], path: str, output: str) -> float | None:
    """One clip of a batch, in a worker; the seconds that it took, None if its answer is there.

    Args:
        words: what follows ``invr batch``.
        path: of the clip.
        output: of its answer.
    """
    from invr_tasks.cli.run import run_one

    began, clip = time.monotonic(), Clip(path, output)
    if clip.answered():  # by another command, or by a worker that was lost before it could say so
        return None
    task, config, parsed = read(words)
    run_one(task(config), job_of(parsed, clip), [], unfinished=False)
    return time.monotonic() - began


def spread(words: Sequence[str], clips: Sequence[Clip], crew: Crew, note: Callable[[str], None]) -> list[Outcome]:
    """All clips but those that are there already, until Ctrl-C.

    Args:
        words: what follows ``invr batch``.
        clips: of the batch.
        crew: who does them.
        note: is told what is done.
    """
    todo = [index for index, clip in enumerate(clips) if not clip.done]
    outcomes = [there_already(clip) for clip in clips]
    for index in todo:
        outcomes[index] = Outcome("not done", "stopped, or not begun; no answer is written", 130)
    pieces = [
        Piece(clips[index].path, {"words": list(words), "path": clips[index].path, "output": clips[index].output})
        for index in todo
    ]
    note(f"{len(todo)} of {len(clips)} clips, by {crew}")
    try:
        with closing(distribute(CLIP, pieces, crew)) as all_done:
            for count, done in enumerate(all_done, 1):
                clip = clips[todo[done.index]]
                if done.failed is not None:
                    outcome = Outcome("failed", done.failed, done.code)
                    say("error", f"{clip.path}: {done.failed}")
                else:
                    wrote = Outcome("written", f"wrote {clip.output}, in {done.answer or 0:.1f} s")
                    outcome = there_already(clip) if done.answer is None else wrote
                    note(f"{count}/{len(todo)}: {outcome.text}")
                outcomes[todo[done.index]] = outcome
    except KeyboardInterrupt:
        pass  # what became of each is told; what is not done says so by its code
    return outcomes
