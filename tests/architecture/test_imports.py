"""Imports go one way, ``plugins -> invr_tasks -> invr_core``; what is heavy is imported late."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*ROOT.glob("plugins/*/src"), *ROOT.glob("examples/plugins/*/src")]
PLUGINS = sorted(path.parent.name for source in SOURCES for path in source.glob("*/__init__.py"))
SCRIPTS = sorted(ROOT.glob("examples/*.py"))
LONGEST = 100
"""Lines of code that an example of a plugin has at the most."""


def imports(file: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each import of a file: the module, and the names taken from it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", tuple(alias.name for alias in node.names)


def private(file: Path) -> list[str]:
    """The names with an underscore that a file imports of us."""
    taken = [(*module.split("."), *names) for module, names in imports(file) if module.startswith("invr_")]
    return [part for parts in taken for part in parts if part.startswith("_")]


def test_all_plugins_are_looked_at() -> None:
    assert len(PLUGINS) >= 6


def test_the_contracts_are_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    cli = pytest.importorskip("importlinter.cli", reason="import-linter comes with the extra `dev`")
    for source in (ROOT, *SOURCES):
        monkeypatch.syspath_prepend(str(source))
    code = cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("package", ["invr_core", "invr_tasks"])
def test_nothing_of_ours_names_a_plugin(package: str) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert files
    named = [(file.name, name) for file in files for name in PLUGINS if name in file.read_text(encoding="utf-8")]
    assert named == []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_plugins_take_no_private_name_of_another_package(plugin: str) -> None:
    files = [file for source in SOURCES for file in source.glob(f"{plugin}/**/*.py")]
    assert files
    for file in files:
        assert private(file) == [], file.relative_to(ROOT)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_examples_take_no_private_name(script: Path) -> None:
    assert private(script) == []


@pytest.mark.parametrize("plugin", ["invr_deblur", "invr_stabilize"])
def test_an_example_of_a_plugin_is_short(plugin: str) -> None:
    (file,) = (file for source in SOURCES for file in source.glob(f"{plugin}/**/*.py"))
    assert len([line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]) <= LONGEST


@pytest.mark.parametrize("module", ["invr_core", "invr_tasks", "invr_tasks.registry", "invr_core.models.registry"])
def test_torch_is_not_imported_by(module: str) -> None:
    code = f"import sys, {module}; assert 'torch' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
