"""Independent pieces of work, done by workers on this machine or on a Ray cluster: one code path, the same results.

A piece is a function, named as ``module:name``, and JSON arguments; it answers with JSON values. Both engines hand it
to `invr_tasks.engine.piece.performed` in a process of a worker, with the same number of threads.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from invr_core.errors import InvrError

RETRIES = 3
"""How often a piece is begun anew after its worker was lost."""


@dataclass(frozen=True)
class Piece:
    """One piece of work: all that is needed to do it anywhere.

    Args:
        title: for people.
        arguments: JSON values, for the function.
    """

    title: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Crew:
    """Who does the work.

    Args:
        engine: processes of this machine, or Ray.
        workers: pieces at once at the most; None for as many as the cluster has room for, which is of Ray alone.
        threads: of each worker.
        gpus: whether each worker has a GPU to itself; None for: if the cluster has any, which is of Ray alone.
        address: of a Ray cluster that is running; None to start Ray on this machine, and to end it afterwards.
    """

    engine: Literal["local", "ray"]
    workers: int | None
    threads: int
    gpus: bool | None = False
    address: str | None = None

    def __str__(self) -> str:
        workers = "as many workers as there is room for" if self.workers is None else _counted(self.workers, "worker")
        place = f" at {self.address}" if self.address else ""
        return f"{workers} of {_counted(self.threads, 'thread')}, {self.engine}{place}"


@dataclass(frozen=True)
class Done:
    """What became of a piece.

    Args:
        index: of the piece.
        answer: of the function; None if it failed.
        failed: why, in a line.
        code: the exit code that the failure deserves: 2 if the user can put it right, else 1.
    """

    index: int
    answer: Any = None
    failed: str | None = None
    code: int = 0


class PiecesFailed(InvrError):
    """Pieces of work could not be done, each for a reason that was told.

    Args:
        text: for people.
        codes: what each failure deserves, as in `Done`; a bug among them weighs more.
    """

    def __init__(self, text: str, codes: Iterable[int]) -> None:
        super().__init__(text)
        self.code = 1 if 1 in set(codes) else 2


def distribute(function: str, pieces: Sequence[Piece], crew: Crew) -> Generator[Done, None, None]:
    """Do all pieces; in the order in which they are done.

    A piece whose worker is lost is begun anew, elsewhere, up to `RETRIES` times. One that fails by itself fails alone.
    What workers say appears on stderr, with the title of the piece in front. To be closed if it is not read to its end
    (`contextlib.closing`): all that runs is then ended. Ctrl-C while it waits does so, too.

    Args:
        function: ``module:name``, which every worker can import.
        pieces: the arguments of each call.
        crew: who does it.

    Raises:
        Unsupported: without Ray, if that is asked for.
        BadInput: if the cluster is not there, or has no node that is large enough.
    """
    if not pieces:
        return (done for done in list[Done]())
    asked = ((piece.title, order(function, piece.arguments, crew.threads)) for piece in pieces)
    if crew.engine == "ray":
        from invr_tasks.engine.cluster import on_ray

        return on_ray(asked, crew)
    from invr_tasks.engine.local import here

    return here(asked, crew)


def order(function: str, arguments: Mapping[str, Any], threads: int) -> str:
    """A piece as it travels: JSON, with the folder that paths start from, and what the answer depends on."""
    from invr_tasks.engine.piece import versions

    values = {"function": function, "arguments": arguments, "threads": threads}
    return json.dumps({**values, "place": os.getcwd(), "versions": versions()})


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def outcome(index: int, told: str) -> Done:
    """What a worker told of a piece."""
    return Done(index, **json.loads(told))
