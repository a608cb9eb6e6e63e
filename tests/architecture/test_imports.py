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
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/src/*/__init__.py"))


def imports(file: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each import of a file: the module, and the names taken from it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", tuple(alias.name for alias in node.names)


def test_the_four_plugins_are_looked_at() -> None:
    assert len(PLUGINS) >= 4


def test_the_contracts_are_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    cli = pytest.importorskip("importlinter.cli", reason="import-linter comes with the extra `dev`")
    for source in (ROOT, *ROOT.glob("plugins/*/src")):
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
    for file in ROOT.glob(f"plugins/*/src/{plugin}/**/*.py"):
        for module, names in imports(file):
            if module.split(".")[0] in ("invr_core", "invr_tasks"):
                private = [part for part in (*module.split("."), *names) if part.startswith("_")]
                assert private == [], f"{file.relative_to(ROOT)} imports {private} of {module}"


@pytest.mark.parametrize("module", ["invr_core", "invr_tasks", "invr_tasks.registry", "invr_core.models.registry"])
def test_torch_is_not_imported_by(module: str) -> None:
    code = f"import sys, {module}; assert 'torch' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
