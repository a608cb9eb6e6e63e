"""Pieces of work that tests hold up, and that say where they are; every worker imports this."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from invr_tasks.cli import spread


def begun(name: str) -> Path:
    """Say that a piece has begun, and by which process and node."""
    ray = sys.modules.get("ray")  # a worker of Ray's has imported it; no other one needs to have it
    node = ray.get_runtime_context().get_node_id() if ray and ray.is_initialized() else "here"
    Path("begun").mkdir(exist_ok=True)
    mark = Path("begun") / f"{name}.{node}.{os.getpid()}"
    mark.touch()
    return mark


def marks() -> list[tuple[str, str, int]]:
    """What has begun: name, node and process, the oldest first."""
    files = sorted(Path("begun").glob("*.*.*"), key=lambda file: file.stat().st_mtime_ns)
    found = [file.name.split(".") for file in files]
    return [(name, node, int(process)) for name, node, process in found]


def wait_for(condition: Any, seconds: float = 240) -> Any:
    """Poll until something is true; -> what it is."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
    return value


def answer_clip(words: list[str], path: str, output: str) -> float:
    """As `invr_tasks.cli.spread.answer_clip`, once the gate is open."""
    begun(Path(path).stem)
    wait_for(Path("gate").exists)
    return spread.answer_clip(words, path, output)


def echo(value: Any) -> Any:
    """Answer with what is given, and what it was done by."""
    import cv2
    import torch

    return [value, torch.get_num_threads(), cv2.getNumThreads(), os.environ["OMP_NUM_THREADS"], os.getcwd()]


def fail(how: str) -> None:
    """Fail in one of several ways; once, or always."""
    if how == "refuse":
        Path("no such folder/file").read_text()
    if how == "bug":
        raise ZeroDivisionError("one of ours")
    if how == "exit":
        os._exit(3)
    if how == "die once" and not list(Path("begun").glob("once.*")):
        begun("once")
        os.kill(os.getpid(), 9)
    if how == "die":
        begun("always")
        os.kill(os.getpid(), 9)


def forever(name: str) -> None:
    """Never end."""
    begun(name)
    wait_for(lambda: False, 3600)
