"""Every command with its options and defaults, as kept in `cli_surface.txt`: none goes, comes or changes unannounced.

What is kept is what the help says, without its wording: for `run`, of each of our four tasks; for `batch`,
which takes the same, of one.

To accept a change: ``python tests/architecture/test_cli_surface.py``, then look at the difference, and say it in the
changelog. What may change in which release is in ``docs/guides/versions.md``.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from invr_tasks import cli
from invr_tasks.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).with_name("cli_surface.txt")
UPDATE = f"python {Path(__file__).resolve().relative_to(ROOT)}"
OURS = ("denoise", "inpaint", "interpolate", "upscale")


def surface() -> list[str]:
    """One line for each command, and below it one for each thing that it takes."""
    lines = re.findall(r"^Exit codes: .*", cli.__doc__ or "", re.MULTILINE)
    benchmarks = re.findall(r"^  (\w+) ", said_by("bench", "--help").partition("benchmarks:")[2], re.MULTILINE)
    for command in sorted(COMMANDS):
        inner = {"batch": ["inpaint"], "bench": sorted(benchmarks), "run": OURS}.get(command, [""])
        for words in ([command, word] if word else [command] for word in inner):
            lines += [f"invr {' '.join(words)}", *(f"    {taken}" for taken in taken_by(said_by(*words, "--help")))]
    return lines


def said_by(*words: str) -> str:
    """What a command line prints on a terminal that is just not wide enough for two columns."""
    said = io.StringIO()
    with mock.patch.dict(os.environ, {"COLUMNS": "129"}), contextlib.redirect_stdout(said):
        assert main(list(words)) == 0, words
    return said.getvalue()


def taken_by(text: str) -> Iterator[str]:
    """Of a help: each argument and option, what it takes, and its default."""
    entries: list[str] = []
    for line in (line.strip("│ ") for line in text.splitlines()):
        if re.match(r"--?[a-z]|[A-Z]{2,}(\.\w+)?( …)?( {2,}|$)", line):
            entries.append(line)
        elif entries:
            entries[-1] += f"  {line}"
    for entry in entries:
        name = re.split(r" {2,}", entry)[0]
        given = re.findall(r"\((default: (?:[^()]|\([^()]*\))*|required|repeatable)\)", entry)
        if name != "-h, --help":
            yield " ".join([name, *(" ".join(each.split()) for each in given[-1:])])


def test_the_command_line_is_what_was_announced() -> None:
    found, kept = surface(), SNAPSHOT.read_text(encoding="utf-8").splitlines()
    difference = "\n".join(difflib.unified_diff(kept, found, "announced", "found", lineterm="", n=1))
    assert not difference, (
        f"the command line changed; if that is meant: {UPDATE}, and a line in CHANGELOG.md\n{difference}"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("--steps INT  How many. (default: 3)", "--steps INT  How many. (default: 4)"),
        ("--steps INT  How many. (default: 3)", "--step INT  How many. (default: 3)"),
        ("--steps INT  How many. (default: 3)", "--steps FLOAT  How many. (default: 3)"),
        ("--steps INT  How many. (default: 3)", "--steps INT  How many. (required)"),
        ("INPUT  a video (required)", "CLIP  a video (required)"),
        ("--kind {a,b}\n      Which. (default: a)", "--kind {a,b,c}\n      Which. (default: a)"),
    ],
)
def test_a_change_is_seen_and_another_wording_is_none(before: str, after: str) -> None:
    assert list(taken_by(before)) != list(taken_by(after))
    assert list(taken_by(before)) == list(taken_by(re.sub("How many|a video|Which", "Other words", before)))


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join(surface()) + "\n", encoding="utf-8")
    print(f"written: {SNAPSHOT.relative_to(ROOT)}; now `git diff` it, and say the change in CHANGELOG.md")
