"""The options of our four tasks on the command line: read from their classes, by the door that is open to all."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from itertools import pairwise
from typing import Any

import pytest

from invr_tasks import registry

TASKS = ("interpolate", "inpaint", "denoise", "upscale")


def docstrings(config: type[Any]) -> dict[str, str]:
    """Field -> the string under it."""
    body = ast.parse(inspect.getsource(config)).body[0].body  # type: ignore[attr-defined]
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr)
    }


@pytest.mark.parametrize("name", TASKS)
def test_the_help_shows_each_field_with_its_docstring_and_default(invr: Any, name: str) -> None:
    code, out, err = invr("run", name, "--help")
    text = " ".join(out.replace("│", " ").split())
    task = registry.get(name)
    assert (code, err) == (0, "") and (inspect.getdoc(task) or "?") in text
    fields = dataclasses.fields(task.Config)
    assert fields
    for field in fields:
        meaning = " ".join(docstrings(task.Config)[field.name].split())
        shown = text.partition(f" --{field.name} ")[2]
        assert meaning in shown, f"--{field.name} is shown without: {meaning}"
        assert shown.partition(meaning)[2].startswith(f" (default: {field.default})"), f"the default of --{field.name}"


@pytest.mark.parametrize(
    ("name", "option", "unit"),
    [
        ("interpolate", "times", "seconds"),
        ("interpolate", "fps", "Frames per second"),
        ("interpolate", "factor", "Frames shown per given frame"),
        ("inpaint", "reach", "frames"),
        ("denoise", "reach", "frames"),
        ("upscale", "scale", "Factor"),
        ("upscale", "reach", "frames"),
    ],
)
def test_numbers_are_shown_with_their_unit(invr: Any, name: str, option: str, unit: str) -> None:
    text = " ".join(invr("run", name, "--help")[1].replace("│", " ").split())
    assert unit in text.partition(f" --{option} ")[2].partition("(default")[0]


@pytest.mark.parametrize(
    ("name", "option", "value", "allowed"),
    [
        ("interpolate", "factor", "0", "a whole number of at least 1"),
        ("interpolate", "factor", "1.5", "is not a whole number"),
        ("interpolate", "fps", "0", "a positive number"),
        ("interpolate", "fps", "nan", "a positive number"),
        ("interpolate", "times", "0.1,x", "a list of numbers"),
        ("inpaint", "reach", "-1", "at least 0 frames"),
        ("inpaint", "holes", "round", "('static', 'boxes', 'moving')"),
        ("denoise", "reach", "-1", "at least 0 frames"),
        ("denoise", "noise", "pink", "('auto', 'gaussian', 'poisson', 'salt-pepper', 'mixed')"),
        ("upscale", "scale", "0", "a number of at least 1"),
        ("upscale", "reach", "-1", "at least 0 frames"),
        ("upscale", "kernel", "box", "('area', 'bicubic', 'gaussian')"),
    ],
)
def test_a_wrong_value_is_refused_with_its_option_and_range(
    invr: Any, name: str, option: str, value: str, allowed: str
) -> None:
    mask = ["--mask", "m.png"] if name == "inpaint" else []
    message = invr.refuses("run", name, "a.mp4", "b.mp4", *mask, f"--{option}", value)
    assert f"--{option}" in message and allowed in message
