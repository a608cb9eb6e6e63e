"""One task at a time, run by a child process, so that the viewer goes on answering; what comes of it can be seen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from invr_core.errors import BadInput, BadOutput, InvrError
from invr_core.video import Video
from invr_tasks.view.opened import Opened

FORMATS = (".mp4", ".mkv")
PATIENCE = 5.0
"""Seconds that a child has to end by itself when it is told to."""
MOST_NOTES = 20
_PROGRESS = re.compile(r"([^:]+): +(\d+) %  (.*)")


class Busy(BadInput):
    """A task is running already."""


@dataclass
class State:
    """How far a task is.

    Args:
        state: "none", "running", "done", "failed" or "cancelled".
        task: its name.
        percent: of what it does now; None where that is not known.
        text: what it does now, what was written, or why it failed.
        notes: what the user should know.
        part: the part of what is shown under which the answer can be seen; "" while there is none.
    """

    state: str = "none"
    task: str = ""
    percent: int | None = None
    text: str = ""
    notes: list[str] = field(default_factory=list)
    part: str = ""


class Jobs:
    """Runs tasks on what is opened.

    Args:
        opened: is given the answers, as parts to look at.
        fitted: the ``.invr`` file, or a run that is kept.
        clip: the clip that it was fitted to.
        folder: where answers are written; nothing that is there is ever replaced.
        device: where to compute.

    Raises:
        BadOutput: if it is no folder that can be written to.
    """

    def __init__(self, opened: Opened, fitted: Path, clip: Path, folder: Path, device: str = "auto") -> None:
        if not folder.is_dir():
            raise BadOutput(f"--out {folder} is no folder; make it first, or name another")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise BadOutput(f"--out {folder} is not yours to write to; name another folder")
        self.folder, self._opened, self._device = folder.resolve(), opened, device
        self._fitted, self._clip = fitted.resolve(), clip.resolve()
        self._state, self._lock = State(), threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._cancelled = False

    def state(self) -> dict[str, Any]:
        """How far the last task is, as JSON values."""
        with self._lock:
            return asdict(self._state)

    def start(self, task: str, words: Sequence[str], suffix: str) -> None:
        """Begin a task.

        Args:
            task: its name.
            words: its options.
            suffix: of what it writes, one of `FORMATS`.

        Raises:
            Busy: if one is running.
            BadInput: if there is no such format.
            BadOutput: if nothing can be written.
        """
        if suffix not in FORMATS:
            raise BadInput(f"a task is written as {' or '.join(FORMATS)} here, not as {suffix[:20]!r}")
        with self._lock:
            if self._state.state == "running":
                raise Busy(f"{self._state.task} is running; wait for it, or cancel it")
            try:
                private = Path(tempfile.mkdtemp(prefix=".invr-view-", dir=self.folder))
            except OSError as error:
                raise BadOutput(f"nothing can be written to {self.folder}: {error.strerror}") from error
            output = private / f"{self._clip.stem}-{re.sub(r'[^A-Za-z0-9_-]+', '-', task)}{suffix}"
            run = [task, str(self._clip), str(output), f"--rep={self._fitted}", f"--device={self._device}", *words]
            try:
                self._child = _begun(run)
            except OSError as error:
                private.rmdir()
                raise BadOutput(f"the task cannot be begun: {error.strerror}") from error
            self._state, self._cancelled = State("running", task, text="beginning"), False
            self._thread = threading.Thread(target=self._watch, args=(self._child, output), daemon=True)
            self._thread.start()

    def cancel(self) -> None:
        """End the task that is running, if there is one, unless it has just written its answer."""
        with self._lock:
            child, thread = self._child, self._thread
            if child is None or thread is None:
                return
            self._cancelled = True
            assert child.stdin is not None
            with suppress(OSError):
                child.stdin.close()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
        thread.join(PATIENCE)

    def _watch(self, child: subprocess.Popen[str], output: Path) -> None:
        """Read what a child tells, until it ends; in a thread."""
        error = ""
        assert child.stderr is not None
        with child.stderr as lines:
            for line in lines:
                error = self._hear(line.strip()) or error
        code = child.wait()
        with self._lock:
            self._child = None
            kept = None if self._cancelled else self._placed(code, output, error)
            shutil.rmtree(output.parent, ignore_errors=True)
            if kept is None:
                cancelled = ("cancelled", "cancelled; nothing was written")
                self._state.state, self._state.text = cancelled if self._cancelled else ("failed", self._state.text)
                self._state.percent = None
                return
            self._state.percent, self._state.text = None, f"opening {kept.name}"
        self._show(kept)

    def _placed(self, code: int, output: Path, error: str) -> Path | None:
        """Where the answer is put; None, and the text says why, if there is none."""
        self._state.text = error or f"it ended with exit code {code}"
        if code != 0:
            return None
        try:
            return _put(output, self.folder)
        except OSError as cause:
            self._state.text = f"nothing can be written to {self.folder}: {cause.strerror or cause}"
            return None

    def _show(self, answer: Path) -> None:
        part, notes = "", []
        try:
            part = self._opened.add(answer.name, Video.open(answer))
        except (InvrError, OSError) as cause:
            notes.append(f"it cannot be shown here: {cause}")
        with self._lock:
            self._state.state, self._state.text, self._state.part = "done", f"wrote {answer}", part
            self._state.notes += notes

    def _hear(self, line: str) -> str:
        """Take a line in; what is wrong, if that is what it says."""
        told = line.removeprefix("invr: ")
        with self._lock:
            if found := _PROGRESS.fullmatch(line):
                self._state.percent, self._state.text = int(found[2]), f"{found[1]}: {found[3]}"
            elif told.startswith("error: "):
                return told.removeprefix("error: ")
            elif told != line and len(self._state.notes) < MOST_NOTES:
                self._state.notes.append(told)
        return ""


def _begun(run: Sequence[str]) -> subprocess.Popen[str]:
    """The child process of a task.

    Args:
        run: what follows ``invr run``.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "invr_tasks.view.child", *run],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for the viewer, which then ends it
    )


def _put(file: Path, folder: Path) -> Path:
    """Move a file into a folder under a name that is free there; two who do so at once get two names."""
    number = 1
    while True:
        target = folder / (file.name if number == 1 else f"{file.stem}-{number}{file.suffix}")
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            number += 1
            continue
        try:
            return file.replace(target)
        except OSError:
            target.unlink(missing_ok=True)
            raise
