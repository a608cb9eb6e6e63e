"""One piece of work, where it is done: told by JSON, and answered by JSON, whatever happens."""

from __future__ import annotations

import json
import os
import platform
import sys
from contextlib import redirect_stdout
from importlib import import_module
from importlib.metadata import version
from typing import Any

from invr_core.errors import BadInput
from invr_core.threads import wait_briefly


def performed(order: str) -> str:
    """Do a piece.

    Args:
        order: of `invr_tasks.engine.order`.

    Returns:
        ``{"answer": …}``, or ``{"failed": a line, "code": …}``, as JSON.
    """
    from invr_tasks.cli.blame import blame, one_line

    asked = json.loads(order)
    try:
        _prepare(asked["place"], asked["threads"], asked["versions"])
        module, _, name = asked["function"].partition(":")
        with redirect_stdout(sys.stderr):  # where all workers are heard
            told: dict[str, Any] = {"answer": getattr(import_module(module), name)(**asked["arguments"])}
    except Exception as error:
        code, text = blame(error)
        told = {"failed": one_line(text), "code": code}
    sys.stderr.flush()
    return json.dumps(told)


def versions() -> dict[str, str]:
    """Of what the bytes of an answer depend on."""
    return {name: version(name) for name in ("invr", "torch")}


def _prepare(place: str, threads: int, wanted: dict[str, str]) -> None:
    """Make this process a worker like all others.

    Raises:
        BadInput: if it cannot be.
    """
    if versions() != wanted:
        theirs = ", ".join(f"{name} {number}" for name, number in wanted.items())
        raise BadInput(f"{platform.node()} has {versions()}, and the command was given with {theirs}")
    try:
        os.chdir(place)
    except OSError as cause:
        raise BadInput(
            f"{platform.node()} has no folder {place} ({cause.strerror}); all nodes need the same shared folders"
        ) from cause
    os.environ["OMP_NUM_THREADS"] = str(threads)
    wait_briefly(os.environ)
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
