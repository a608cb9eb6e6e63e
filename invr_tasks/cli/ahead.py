"""`invr run` by several workers: each part of the clip is fitted as a piece of work, and kept where the run is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from invr_core.errors import BadInput
from invr_tasks.cli.blame import say

if TYPE_CHECKING:
    from invr_tasks.engine import Crew
    from invr_tasks.keeping import Kept
    from invr_tasks.shots import Ahead
    from invr_tasks.task import Source

PART = f"{__name__}:keep_part"


def crew_of(parsed: Any, kept: Kept | None) -> Crew | None:
    """Who fits the parts of a clip; None where this process does.

    Raises:
        BadInput: if workers are asked for, and there is no folder that they could keep parts in, or nothing to fit.
    """
    shared = parsed.file.keep is not None or kept is not None
    unused = [f"--{name}" for name, given in (("rep", parsed.file.rep), ("preview", parsed.preview)) if given]
    if parsed.who.asked and (unused or not shared):
        hint = f"leave {unused[0]} out" if unused else "give --keep RUN, a folder that all of them see"
        raise BadInput(f"workers fit the parts of a clip, and keep them with the run; {hint} (--engine, --workers)")
    return parsed.who.crew(parsed.fit.device, 2) if shared and not unused else None


def fitting_ahead(
    words: Sequence[str], kept: Kept, cuts: Sequence[int], crew: Crew, note: Callable[[str], None]
) -> Ahead:
    """What has parts fitted by a crew.

    Args:
        words: what follows ``invr run``.
        kept: the run.
        cuts: as they were found, or given.
        crew: who does it.
        note: is told what is done.
    """

    def ahead(parts: Sequence[tuple[int, str]]) -> None:
        from invr_tasks.engine import Done, Piece, PiecesFailed, distribute

        shared = {"words": list(words), "folder": str(kept.folder), "cuts": list(cuts)}
        pieces = [Piece(title or "the clip", {**shared, "which": which}) for which, title in parts]
        note(f"{len(pieces)} parts to fit, by {crew}")
        failed = list[Done]()
        with closing(distribute(PART, pieces, crew)) as all_done:
            for count, done in enumerate(all_done, 1):
                title = pieces[done.index].title
                if done.failed is None:
                    note(f"{count}/{len(pieces)}: fitted {title}")
                else:
                    failed.append(done)
                    say("error", f"{title}: {done.failed}")
        if failed:
            titles = "; ".join(pieces[done.index].title for done in failed)
            raise PiecesFailed(
                f"{len(failed)} of {len(pieces)} parts could not be fitted ({titles}); the others are kept, "
                f"and `{kept.again}` goes on from them",
                (done.code for done in failed),
            )

    return ahead


def keep_part(words: list[str], folder: str, cuts: list[int], which: int) -> None:
    """Fit one part in a worker, and keep it.

    Args:
        words: what follows ``invr run``.
        folder: of the run.
        cuts: first frame of each shot but the first.
        which: part, from 0 on.
    """
    from invr_tasks.cli.progress import Reporter
    from invr_tasks.keeping import Kept
    from invr_tasks.run import default_model
    from invr_tasks.shots import fit_part

    task, parsed, source = _opened(tuple(words))
    reporter = Reporter(parsed.quiet)
    fit_part(
        which,
        task,
        source,
        cuts,
        keep=Kept.shared(folder, reporter.note),
        piece=parsed.clip.piece,
        model=default_model(parsed.fit.model, parsed.fit.params),
        fit_config=parsed.fit.config(),
        on_step=reporter.on_step,
        on_part=lambda part: reporter.part(part.title),
    )


@lru_cache(maxsize=1)
def _opened(words: tuple[str, ...]) -> tuple[Any, Any, Source]:
    """The task, its options and its source, read once for all parts that a worker is given of one clip."""
    from invr_core.io.notes import silent
    from invr_tasks import registry
    from invr_tasks.cli.files import further_inputs, open_source
    from invr_tasks.cli.options import task_command, task_config
    from invr_tasks.cli.parse import parse

    name, *rest = words
    kind = registry.get(name)
    parsed: Any = parse(task_command(kind, name), f"invr run {name}", rest)
    task = kind(task_config(kind, parsed.task))
    return task, parsed, open_source(parsed.input, further_inputs(task, parsed), silent)
