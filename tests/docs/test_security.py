"""The page of licences names what is installed, as locked; the audit says what it does not know."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

DOCS = Path(__file__).parents[2] / "docs"
LOCK = DOCS.parent / ".ci" / "lock.txt"
OF_THE_PAGE = {"sys_platform": "linux", "python_version": "3.11", "python_full_version": "3.11.7"}
"""Where what the page lists was installed, in the terms of the markers of the lock."""


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    monkeypatch.syspath_prepend(str(DOCS))
    import audit
    import licences

    return licences, audit


def test_the_page_names_all_that_runs_with_invr(scripts: tuple[ModuleType, ModuleType]) -> None:
    rows = scripts[0].closure()
    page = (DOCS / "licences.md").read_text(encoding="utf-8")
    running = {name for name, (_, group) in rows.items() if group in ("run", "view")}
    assert {"torch", "av", "safetensors", "starlette", "sympy"} <= running
    # what only some platforms install need not be on the page
    missing = {
        name for name in running if f"| {name} |" not in page and not name.startswith(("nvidia", "cuda", "triton"))
    }
    assert not missing, f"run `python docs/licences.py > docs/licences.md`: {sorted(missing)} are not on it"
    assert "| not said |" not in page and "GPL codecs" in page


@pytest.mark.skipif(not LOCK.exists(), reason="not a checkout: there is no .ci/lock.txt")
def test_the_page_has_the_versions_of_the_lock() -> None:
    pins = [Requirement(line) for line in re.findall(r"^([a-z0-9].*?) \\$", LOCK.read_text(), re.MULTILINE)]
    locked = {pin.name: pin.specifier for pin in pins if pin.marker is None or pin.marker.evaluate(OF_THE_PAGE)}
    page = (DOCS / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z0-9][\w.-]*) \| ([0-9]\S*) \|", page, re.MULTILINE)
    other = {name: version for name, version in rows if name in locked and version not in locked[name]}
    assert other == {}, "install what the lock says, with Python 3.11: `python docs/licences.py > docs/licences.md`"
    assert {name for name, _ in rows} - locked.keys() <= {"pip", "torch"}  # which are not in the lock


def test_the_bill_of_materials_holds_each_once(
    scripts: tuple[ModuleType, ModuleType], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["licences.py", "--sbom"])
    scripts[0].main()
    found = json.loads(capsys.readouterr().out)
    names = [component["name"] for component in found["components"]]
    assert found["bomFormat"] == "CycloneDX" and len(names) == len(set(names)) and {"torch", "av"} <= set(names)
    assert all(component["purl"].startswith("pkg:pypi/") for component in found["components"])


def test_an_audit_says_what_it_does_not_know(scripts: tuple[ModuleType, ModuleType]) -> None:
    told = scripts[1].told
    good, bad = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "version": "2", "vulns": [{"id": "CVE-1"}]}
    unknown = {"name": "c", "skip_reason": "not found"}
    assert told([good]) == "1 of 1 distributions looked up, 0 with known vulnerabilities"
    assert told([unknown]).startswith("NOT AUDITED: the service knows none of them")
    lines = told([good, bad, unknown]).splitlines()
    assert lines[1:] == ["NOT AUDITED: c", "KNOWN VULNERABILITY: b 2: CVE-1"]


def test_an_audit_without_an_answer_is_no_error(
    scripts: tuple[ModuleType, ModuleType], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts[1].sys, "executable", "/bin/false")
    scripts[1].main()
    assert capsys.readouterr().out.startswith("NOT AUDITED: ")
