"""``invr new-task NAME`` and ``invr new-model NAME``."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from invr_tasks.cli.parse import parse
from invr_tasks.demo_clip import demo_clip_path
from invr_tasks.scaffold import Kind, Names, new_plugin

Name = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
Dir = Annotated[Path, tyro.conf.arg(metavar="D")]


@dataclass(frozen=True)
class NewTaskCommand:
    """Write a new task as a distribution of its own: it works as it stands, and is for you to change."""

    name: Name
    """what users will type, a Python name in lower case such as slow_motion"""
    dir: Dir = Path()
    """Where to put the new folder, invr-NAME."""


@dataclass(frozen=True)
class NewModelCommand:
    """Write a new model as a distribution of its own: it works as it stands, and is for you to change."""

    name: Name
    """what users will type after --model, a Python name in lower case such as wave_grid"""
    dir: Dir = Path()
    """Where to put the new folder, invr-NAME."""


def new_task(arguments: list[str]) -> int:
    """Write a task, and say what to do next."""
    parsed = parse(NewTaskCommand, "invr new-task", arguments)
    folder = new_plugin("task", parsed.name, parsed.dir)
    clip, shown = shlex.quote(str(demo_clip_path())), f"{parsed.name}.mp4"
    _tell("task", parsed.name, folder, f"invr run {parsed.name} {clip} {shown} --steps 50")
    return 0


def new_model(arguments: list[str]) -> int:
    """Write a model, and say what to do next."""
    parsed = parse(NewModelCommand, "invr new-model", arguments)
    folder = new_plugin("model", parsed.name, parsed.dir)
    clip, kept = shlex.quote(str(demo_clip_path())), f"{parsed.name}.invr"
    _tell("model", parsed.name, folder, f"invr fit {clip} {kept} --model {parsed.name} --steps 200")
    return 0


def _tell(kind: Kind, name: str, folder: Path, use: str) -> None:
    source = folder / "src" / Names.of(name).package / "__init__.py"
    place = str(folder) if folder.is_absolute() else f"./{folder}"
    print(
        f"wrote {folder}: a {kind} that works as it stands; change {source} into yours. Next:\n\n"
        f"  pip install -e {shlex.quote(f'{place}[test]')}\n"
        f"  pytest {shlex.quote(place)}\n"
        f"  {use}"
    )
