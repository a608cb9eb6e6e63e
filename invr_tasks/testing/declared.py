"""What a task says of itself: its class and its options."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING
from typing import Any

from invr_core.checking import expect
from invr_core.errors import InvrError
from invr_tasks.cli.options import task_command, task_config
from invr_tasks.cli.parse import parse
from invr_tasks.registry import API
from invr_tasks.task import Task
from invr_tasks.testing.made import untyped
from invr_tasks.testing.values import is_list, plausible


def the_class_states_what_it_is(task: Task[Any]) -> None:
    """Its `api`, `inputs`, `needs`, `minimum_frames`, and a frozen dataclass as `Config`."""
    kind = type(task)
    api = getattr(kind, "api", None)
    expect(api == API, f"api is {api!r}, this invr supports {API}; write `api = {API}` in the class")
    inputs = kind.inputs
    expect(isinstance(inputs, tuple) and inputs[:1] == ("video",), f"inputs are {inputs!r}; the first must be 'video'")
    expect(len(set(inputs)) == len(inputs), f"inputs are {inputs!r}; each must have a name of its own")
    expect(isinstance(kind.needs, frozenset) and "full" in kind.needs, f"needs is {kind.needs!r}, not a frozenset")
    expect(kind.minimum_frames >= 1, f"minimum_frames is {kind.minimum_frames}, expected at least 1")
    expect(kind.channels is None or kind.channels >= 1, f"channels is {kind.channels}, expected at least 1, or None")
    frozen = getattr(kind.Config, "__dataclass_params__", None)
    expect(bool(frozen and frozen.frozen), f"{kind.Config.__name__} must be a dataclass(frozen=True)")
    expect(isinstance(task.config, kind.Config), f"config is {task.config!r}, expected a {kind.Config.__name__}")


def options_are_explained(task: Task[Any]) -> None:
    """``invr run NAME --help`` says what the task does, what each option means, and what it is if it is not given."""
    kind = type(task)
    summary = inspect.cleandoc(vars(kind).get("__doc__") or "").split("\n")[0]
    expect(bool(summary), f"the class {kind.__name__} has no docstring; `invr run NAME --help` begins with it")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        parse(task_command(kind, kind.__name__), "invr run", ["--help"])
    for field in dataclasses.fields(kind.Config):
        flag = re.escape(_flag(field.name))
        found = re.search(rf"^ +{flag}(?![\w-])[^\n]*?\s{{2,}}(.*)$", said.getvalue(), re.MULTILINE)
        expect(found is not None, f"the help does not show {_flag(field.name)}")
        unsaid = found is None or not found[1] or found[1].startswith(("(default", "(required", "(optional"))
        expect(not unsaid, f"{_flag(field.name)} has no docstring; write one under the field {field.name}")
        shown = re.split(r"\n +--", said.getvalue()[found.start() + 1 :] if found else "", maxsplit=1)[0]
        expect(
            "(default:" in shown or field.default is MISSING,
            f"the help does not show the default of {_flag(field.name)}",
        )


def options_survive_a_round_trip(task: Task[Any]) -> None:
    """Written as JSON or on a command line and read again, the options are what they were, whatever they are."""
    for config in _configs(task):
        written = json.dumps(dataclasses.asdict(config))
        read = type(config)(**untyped(json.loads(written)))
        expect(read == config, f"{config} comes back from JSON as {read}")
        words = ["in", "out", *(f"--{name}=of-this-name" for name in task.inputs[1:]), *_words(config)]
        told = task_config(type(task), parse(task_command(type(task), "task"), "invr run", words).task)
        expect(told == config, f"{config} comes back from the command line as {told}")


def _configs(task: Task[Any]) -> Iterator[Any]:
    """The task's own options, and others that it takes."""
    yield task.config
    others = [(name, value) for name, value in plausible(task.config) if getattr(task.config, name) != value]
    for name, value in others:
        with contextlib.suppress(InvrError):
            yield dataclasses.replace(task.config, **{name: value})


def _words(config: Any) -> Iterator[str]:
    """Options as they are typed; None cannot be typed, and is what is meant by leaving an option out."""
    for field in dataclasses.fields(config):
        flag, value = _flag(field.name), getattr(config, field.name)
        if isinstance(value, bool):
            yield flag if value else flag.replace("--", "--no-", 1)
        elif isinstance(value, tuple):
            yield from (
                [f"{flag}={','.join(map(str, value))}"]
                if is_list(config, field.name)
                else (
                    flag,
                    *map(str, value),
                )
            )
        elif value is not None:
            yield f"{flag}={value}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
