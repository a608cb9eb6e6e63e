"""`invr bench model` and `tasks` by several workers: each fit, and each setting of a clip, is a piece of work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from invr_tasks.bench.records import Record
from invr_tasks.cli.blame import say
from invr_tasks.cli.progress import Reporter
from invr_tasks.engine import Crew, Done, Piece, distribute
from invr_tasks.temporary import temporary_folder

FIT, CELL = f"{__name__}:one_fit", f"{__name__}:one_cell"


def spread(function: str, words: Sequence[str], titles: Mapping[int, str], crew: Crew, quiet: bool) -> Iterator[Done]:
    """The pieces of a benchmark as they are done, each with its own index.

    Args:
        function: `FIT` or `CELL`.
        words: what follows the name of the benchmark.
        titles: of each piece that is to be done, by its index.
        crew: who does them.
        quiet: tell nothing but errors.
    """
    indices, reporter = list(titles), Reporter(quiet)
    pieces = [Piece(titles[index], {"words": list(words), "index": index}) for index in indices]
    reporter.note(f"{len(pieces)} pieces, by {crew}")
    with closing(distribute(function, pieces, crew)) as all_done:
        for count, done in enumerate(all_done, 1):
            title = titles[indices[done.index]]
            reporter.note(f"{count}/{len(pieces)}: {title}")
            if done.failed is not None:
                say("error", f"{title}: {done.failed}")
            yield Done(indices[done.index], done.answer, done.failed, done.code)


def one_fit(words: list[str], index: int) -> Record:
    """One fit of `invr bench model`, in a worker."""
    from invr_tasks.bench.model import measure_one
    from invr_tasks.cli.bench import read_models

    parsed, wanted = read_models(words)
    return measure_one(wanted, index, quiet=parsed.kept.quiet)


def one_cell(words: list[str], index: int) -> list[Record]:
    """All methods on one setting of one clip of `invr bench tasks`, in a worker."""
    from dataclasses import replace

    from invr_tasks.bench.tasks import run_tasks
    from invr_tasks.cli.bench_tasks import read_tasks

    parsed, wanted = read_tasks(words)
    wanted = replace(wanted, cells=(wanted.cells[index],))
    with temporary_folder("invr-bench") as folder:
        options: dict[str, Any] = {"sheet": parsed.sheet, "lpips": parsed.lpips, "quiet": parsed.kept.quiet}
        return run_tasks(wanted, folder / "records.jsonl", **options)
