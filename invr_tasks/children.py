"""A Python process that is asked one thing. It ends when whoever asked does, however that was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from invr_core.threads import wait_briefly

Process = subprocess.Popen[str]


def ask(
    module: str,
    question: Any,
    environment: Mapping[str, str] | None = None,
    said: Callable[[str], None] | None = None,
    started: Callable[[Process], None] | None = None,
) -> tuple[int, str]:
    """Run a module in a new process, and wait for what it answers.

    Args:
        module: run as ``python -m``; it reads the question by `question`.
        question: JSON values.
        environment: variables that it has beside those of this process.
        said: is told each line of its stderr; None to let them through as they are.
        started: is told the process once it runs.

    Returns:
        its exit code, negative for a signal, and the last line of its stdout.
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    variables = {**os.environ, "PYTHONPATH": path, **(environment or {})}
    wait_briefly(variables)
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as answered,
        subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=answered,
            stderr=subprocess.PIPE if said else None,
            encoding="utf-8",
            errors="replace",
            env=variables,
        ) as process,
    ):
        try:
            if started is not None:
                started(process)
            _tell(process, question)
            if said is not None and process.stderr is not None:
                for line in process.stderr:
                    said(line.rstrip())
            code = process.wait()  # its stdin stays open until here
        except BaseException:
            process.kill()
            raise
        answered.seek(0)
        return code, (answered.read().splitlines()[-1:] or [""])[0]


def question() -> Any:
    """In the new process: what is asked. From here on it ends as soon as the one who asks is gone."""
    asked = json.loads(sys.stdin.readline())
    when_alone(lambda: os._exit(1))
    return asked


def when_alone(do: Callable[[], object]) -> None:
    """In the new process: what is done, in a thread of its own, once stdin has ended, as it does with whoever asked."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        do()

    threading.Thread(target=wait, daemon=True).start()


def _tell(process: Process, question: Any) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # a process that died at once; its exit code tells
        process.stdin.write(f"{json.dumps(question)}\n")
        process.stdin.flush()
