"""The page of licences names what is installed; the audit says what it does not know."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


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
