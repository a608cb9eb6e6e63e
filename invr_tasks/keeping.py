"""The folder of a run that is kept: what was asked, what is fitted so far, and the state of the fit that is running.

It holds ``run.json``, a ``.invr`` file for each part that is fitted, the last two states of the one that is not, and
what was rendered of an answer that is not finished.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Self

from invr_core.atomic import LOCKS, atomic_file, lock
from invr_core.checkpoint import Checkpoints
from invr_core.errors import BadFile, BadInput, BadOutput
from invr_core.fitted import Fitted
from invr_core.io.notes import Note, silent
from invr_core.io.pictures import list_pictures
from invr_core.representation import Representation
from invr_core.storage import SUFFIX, load
from invr_tasks.rendered import Rendered

RECORD = "run.json"
FORMAT = 1
HEAD = 1 << 20
"""Bytes of a file's beginning that are compared; together with its length and its time they tell that it changed."""
LONGEST_RECORD = 1 << 24
"""Bytes that a record may have."""


@dataclass
class Kept:
    """One run in its folder. Nothing is written before `begin`.

    Args:
        folder: of the run.
        command: what follows ``invr run``.
        place: the folder that the command was given in.
        inputs: path of each file that is read -> what it was like; see `fingerprint`.
        versions: of the libraries that the run was begun with.
        tell: is told, in a line, what becomes of what was kept.
    """

    folder: Path
    command: tuple[str, ...]
    place: str
    inputs: Mapping[str, Any]
    versions: Mapping[str, str]
    tell: Note = silent
    _lock: IO[bytes] | None = None

    @classmethod
    def new(cls, folder: str, command: Sequence[str], inputs: Sequence[str]) -> Self:
        """A run that has not begun.

        Raises:
            BadOutput: if something is in that place already, or cannot be put there.
            BadFile: if an input cannot be read.
        """
        path = Path(folder)
        if (path / RECORD).exists():
            raise BadOutput(f"{folder} holds a run already: `invr resume {folder}` goes on with it, or name another")
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise BadOutput(f"{folder} exists, and is no empty folder; name another one to keep the run in")
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
            raise BadOutput(f"{folder}: the folder {path.parent} is missing, or not yours to write to; choose another")
        prints = {name: fingerprint(Path(name)) for name in inputs}
        return cls(path.resolve(), tuple(command), os.getcwd(), prints, _versions())

    @classmethod
    def open(cls, folder: str) -> Self:
        """A run that has begun, whose inputs are as they were.

        Raises:
            BadFile: if there is none, or its record is damaged.
            BadInput: if an input has changed, or another process is at work on it.
        """
        found = read_record(Path(folder))
        kept = cls(Path(folder).resolve(), *(found[name] for name in ("command", "place", "inputs", "versions")))
        for name, before in kept.inputs.items():
            _require_same(Path(kept.place) / name, before, folder)
        kept._claim()
        for left in kept.folder.glob(".*.part*"):  # what a process was writing when it was killed
            left.unlink()
        return kept

    @classmethod
    def shared(cls, folder: str, tell: Note = silent) -> Self:
        """The run of another process, which has begun it and holds it: to `keep` a part of it."""
        return cls(Path(folder).resolve(), (), os.getcwd(), {}, {}, tell)

    def begin(self) -> None:
        """Write down what was asked, unless that is done; to be called before the first fit.

        Raises:
            BadOutput: if it cannot be written.
        """
        if self._lock is not None:
            return
        record = {
            "format": FORMAT,
            "command": self.command,
            "place": self.place,
            "inputs": self.inputs,
            "versions": self.versions,
        }
        with atomic_file(self.folder / RECORD) as private:
            private.write_text(json.dumps(record, indent=1), encoding="utf-8")
        self._claim()

    @property
    def begun(self) -> bool:
        """Whether there is something that can be gone on with."""
        return self._lock is not None

    @property
    def again(self) -> str:
        """The command that goes on with it."""
        task = ["--task", self.command[0]] if ":" in self.command[0] else []
        return shlex.join(["invr", "resume", str(self.folder), *task])

    def holds(self, part: int) -> bool:
        """Whether something is kept of a part that was fitted."""
        return self._file(part).exists()

    def fitted(self, part: int, device: str) -> Fitted | None:
        """What was fitted to a part, if that is done."""
        path = self._file(part)
        if not path.exists():
            return None
        try:
            return load(path, device)
        except BadFile as cause:
            self.tell(f"{cause}; that part is fitted again")
            return None

    def keep(self, part: int, rep: Representation) -> None:
        """Keep what was fitted to a part, to the bit, instead of the states that led to it.

        Raises:
            BadOutput: if it cannot be written.
        """
        rep.save(self._file(part))
        self.checkpoints(part).clear()

    def checkpoints(self, part: int) -> Checkpoints:
        """Where the fit of a part keeps its state."""
        return Checkpoints(self._file(part).with_suffix(".checkpoint"), self.tell)

    @cached_property
    def rendered(self) -> Rendered:
        """What was rendered of the answer."""
        return Rendered(self.folder, self.tell)

    def remark(self) -> None:
        """Tell what may change the numbers."""
        other = [f"{name} {was}" for name, was in self.versions.items() if _versions().get(name) != was]
        if other:
            self.tell(f"this run was begun with {', '.join(other)}; what is fitted now may differ in its last digits")

    def _file(self, part: int) -> Path:
        return self.folder / f"part-{part + 1:04d}{SUFFIX}"

    def _claim(self) -> None:
        """Hold the run for this process; the system lets go of it when the process ends, however it ends."""
        record = (self.folder / RECORD).open("rb")
        if LOCKS and not lock(record.fileno()):
            record.close()
            raise BadInput(f"another process is at work on {self.folder}; wait for it, or end it first")
        self._lock = record


def fingerprint(path: Path) -> dict[str, Any]:
    """What tells a file, or a folder of images, from what it becomes once it is changed.

    Raises:
        BadFile: if it cannot be read.
    """
    try:
        folder = path.is_dir()
        files = list_pictures(path) if folder else [path]
        facts = [(file.name, file.stat()) for file in files]
        head = hashlib.sha256(json.dumps([(name, fact.st_size) for name, fact in facts]).encode() if folder else b"")
        for file in files[:1]:
            with file.open("rb") as opened:
                head.update(opened.read(HEAD))
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror or error}") from error
    return {
        "bytes": sum(fact.st_size for _, fact in facts),
        "modified": max((fact.st_mtime_ns for _, fact in facts), default=0),
        "head": head.hexdigest(),
    }


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a run, each entry of the type that it should have; it may come from a stranger.

    Args:
        folder: of the run.

    Raises:
        BadFile: if there is none, or it is damaged.
    """
    path = folder / RECORD
    try:
        if path.stat().st_size > LONGEST_RECORD:
            raise BadFile(f"{path} is too long to be the record of a run")
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        raise BadFile(f"{folder} holds no run; give the folder that `invr run … --keep` was told") from cause
    except OSError as cause:
        raise BadFile(f"{path} cannot be read: {cause.strerror or cause}") from cause
    except (ValueError, RecursionError) as cause:
        raise BadFile(f"{path} is damaged: it is not JSON") from cause
    form = found.get("format") if isinstance(found, dict) else None
    if form != FORMAT:
        raise BadFile(f"{path} is of format {form!r}, this invr reads {FORMAT}; use the invr that began the run")
    command = found.get("command")
    whole = (
        isinstance(command, list)
        and len(command) > 0
        and all(isinstance(word, str) for word in command)
        and isinstance(found.get("place"), str)
        and all(isinstance(found.get(name), dict) for name in ("inputs", "versions"))
    )
    if not whole:
        raise BadFile(f"{path} is damaged: an entry is missing, or not what it should be")
    return {**found, "command": tuple(command)}


def _require_same(path: Path, before: Any, folder: str) -> None:
    now = fingerprint(path)
    if now != before:
        what = [name for name, value in now.items() if not isinstance(before, dict) or before.get(name) != value]
        raise BadInput(
            f"{path} is not what it was when this run began (its {', '.join(what)} changed): what {folder} keeps is of "
            "no use for it; put the old file back, or begin anew with another --keep"
        )


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("invr", "torch")}
