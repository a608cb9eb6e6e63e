"""What the benchmarks' commands share: the length of a fit, where records go, and the page at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from invr_core.errors import BadInput, Unsupported
from invr_tasks.cli.options import Device, Flag

if TYPE_CHECKING:
    from invr_tasks.bench.jobs import Budget

Missing = Annotated[Flag, tyro.conf.arg(help="Leave out what FILE.jsonl has records of already.")]


@dataclass(frozen=True)
class Kept:
    """Where the fits run, and what is kept."""

    out: Annotated[Path, tyro.conf.arg(metavar="FILE.jsonl")]
    """File that the records are added to."""
    device: Device = "auto"
    """Where to compute; auto takes CUDA where there is one."""
    page: Annotated[Path | None, tyro.conf.arg(metavar="PAGE.md")] = None
    """Also write all records of the file as a page, with its plots beside it; needs invr[bench]."""
    quiet: Flag = False
    """Show no progress."""

    def check(self) -> None:
        """Refuse, before the work, what could not be kept; see `check_page`."""
        check_page(self.page)

    def end(self, failed: Sequence[int] = ()) -> int:
        """Write the page, if one is wanted; see `end`."""
        return end([self.out], self.page, self.quiet, failed)


@dataclass(frozen=True)
class Length:
    """How long each fit is."""

    seconds: float | None = None
    """Wall-clock seconds of each fit; what the measuring takes does not count."""
    epochs: float | None = None
    """Passes over the clip of each fit, instead of --seconds."""
    steps: int | None = None
    """Steps of each fit, instead of --seconds."""

    def budget(self) -> Budget:
        """The one that was given.

        Raises:
            BadInput: unless it is exactly one.
        """
        from invr_tasks.bench.jobs import Budget

        amounts = {"seconds": self.seconds, "epochs": self.epochs, "steps": self.steps}
        given = [Budget(unit, amount) for unit, amount in amounts.items() if amount is not None]
        if len(given) != 1:
            raise BadInput("give one of --seconds, --epochs and --steps: how long each fit is")
        return given[0]


def end(
    records: Sequence[Path], page: Path | None, quiet: bool, failed: Sequence[int] = (), peers: Path | None = None
) -> int:
    """Write the page, if one is wanted.

    Args:
        records: files that it shows.
        page: to write.
        quiet: do not say so.
        failed: for each fit or method that has, the exit code that it deserves.
        peers: a file of figures of others, shown beside ours.

    Raises:
        PiecesFailed: if any have.
    """
    if page is not None:
        from invr_tasks.bench.page import write_page
        from invr_tasks.bench.records import read

        beside = None
        if peers is not None:
            from invr_tasks.bench.scoreboard import read_peers

            beside = read_peers(peers)
        written_files = write_page([record for path in records for record in read(path)], page, beside)
        if not quiet:
            print(f"wrote {', '.join(map(str, written_files))}")
    if failed:
        from invr_tasks.engine import PiecesFailed

        raise PiecesFailed(f"{len(failed)} of the fits failed; their records say why", failed)
    return 0


def check_page(page: Path | None) -> None:
    """Refuse, before the work, a page that could not be written.

    Raises:
        BadInput: if it is not named as Markdown.
        Unsupported: without matplotlib.
        BadOutput: if the place cannot be written to.
    """
    if page is None:
        return
    if page.suffix != ".md":
        raise BadInput(f"{page}: a page is Markdown; give a name that ends in .md (--page)")
    from importlib.util import find_spec

    from invr_tasks.bench.records import check_writable

    if find_spec("matplotlib") is None:
        raise Unsupported("a page needs matplotlib for its plots; pip install 'invr[bench]', or leave out --page")
    check_writable(page)
