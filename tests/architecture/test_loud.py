"""What is not tested is said: reasons of skips in pytest's summary, and that there was no browser."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / ".ci" / "run"
BASH = shutil.which("bash")
needs_ci = pytest.mark.skipif(not CI.exists() or BASH is None, reason="not a checkout, or no bash: there is no .ci/run")


def browser_stage(place: Path, name: str | None) -> subprocess.CompletedProcess[str]:
    """Run that stage of CI as nobody who may install, where there is a program of that name alone."""
    assert BASH is not None
    (place / "id").write_text(f"#!{BASH}\necho 1000\n")
    for program in filter(None, ("id", name)):
        (place / program).touch()
        (place / program).chmod(0o755)
    stage = CI.read_text(encoding="utf-8").split('stage "a browser', 1)[1].split("\n", 1)[1].split("\nstage ", 1)[0]
    code = f"set -euo pipefail\nwork=.\n{stage}\necho goes on"
    return subprocess.run([BASH, "-c", code], env={"PATH": str(place)}, cwd=place, capture_output=True, text=True)


def names() -> tuple[str, ...]:
    """What the tests of the pages accept as a browser."""
    text = (ROOT / "tests" / "browser" / "conftest.py").read_text(encoding="utf-8")
    (found,) = re.findall(r"^NAMES = \((.*)\)$", text, re.M)
    return tuple(re.findall(r'"([^"]+)"', found))


def test_the_reasons_of_skips_are_shown() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "-rs" in settings["tool"]["pytest"]["ini_options"]["addopts"].split()


@needs_ci
def test_ci_says_at_its_end_that_there_was_no_browser(tmp_path: Path) -> None:
    assert "THE PAGES WERE NOT TESTED" in browser_stage(tmp_path, None).stdout
    assert CI.read_text(encoding="utf-8").rstrip().splitlines()[-1].endswith('"$left_out"')


@needs_ci
@pytest.mark.parametrize("name", names())
def test_ci_takes_what_the_tests_take_for_a_browser(tmp_path: Path, name: str) -> None:
    done = browser_stage(tmp_path, name)
    assert done.stdout.splitlines() == [str(tmp_path / name), "goes on"]
