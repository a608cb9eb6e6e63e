"""`.ci/lock.txt` has a hash for each thing that CI installs, in the version that `constraints.txt` says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / ".ci" / "lock.txt"
PROJECTS = [ROOT, *sorted(ROOT.glob("plugins/*/")), *sorted(ROOT.glob("examples/plugins/*/"))]
ELSEWHERE = {"torch"}
"""Whose build differs from place to place."""

pytestmark = pytest.mark.skipif(not LOCK.exists(), reason="not a checkout: there is no .ci/lock.txt")


def entries() -> list[tuple[Requirement, str]]:
    """Each requirement of the lock, and the text of its hashes."""
    blocks = re.findall(r"^([a-z0-9].*?) \\\n((?:    --hash=.*\n)+)", LOCK.read_text(), re.MULTILINE)
    return [(Requirement(head), hashes) for head, hashes in blocks]


def pinned() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for requirement, _ in entries():
        found.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier))
    return found


def test_every_line_is_a_pin_with_hashes() -> None:
    made = entries()
    assert len(made) > 100
    assert all(str(one.specifier).startswith("==") and one.url is None for one, _ in made)
    assert all(re.fullmatch(r"(    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", hashes) for _, hashes in made)
    rest = [line for line in LOCK.read_text().splitlines() if not line.startswith(("#", "    --hash="))]
    assert len(rest) == len(made)


def test_the_versions_are_those_of_the_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    asked = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert len(asked) > 20
    found = pinned()
    other = {
        one.name: found.get(canonicalize_name(one.name))
        for one in asked
        if one.name not in ELSEWHERE and found.get(canonicalize_name(one.name)) != {str(one.specifier)}
    }
    assert other == {}, "give .ci/lock"


def test_all_that_our_packages_ask_for_is_there() -> None:
    names, found = set(), pinned()
    for project in PROJECTS:
        told = tomllib.loads((project / "pyproject.toml").read_text())
        extras = told["project"].get("optional-dependencies", {}).values()
        for text in [
            *told["project"]["dependencies"],
            *told["build-system"]["requires"],
            *(t for e in extras for t in e),
        ]:
            names.add(canonicalize_name(Requirement(text).name))
    ours = {name for name in names if name == "invr" or name.startswith("invr-")}
    assert len(names) > 20 and names - ours - ELSEWHERE - found.keys() == set(), "give .ci/lock"


def test_nothing_of_cuda_comes_with_it() -> None:
    assert [name for name in pinned() if name.startswith(("nvidia", "cuda", "triton")) or name in ELSEWHERE] == []
