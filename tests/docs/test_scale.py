"""The guide to many workers shows what `docs/benchmarks/scale.py` computes from what was measured."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
AGAIN = "give `python docs/benchmarks/scale.py > docs/benchmarks/scale.jsonl`, and put its --tables into the guide"


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS / "benchmarks"))
    import scale

    return scale


@pytest.fixture
def records(scale: ModuleType) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = scale.read("scale.jsonl")
    return found


def test_the_guide_shows_what_was_computed(scale: ModuleType, records: list[dict[str, Any]]) -> None:
    page = (DOCS / "guides" / "cluster.md").read_text(encoding="utf-8")
    going_in, coming_out = scale.tables(records).split("\n\n")
    assert going_in in page and coming_out in page, AGAIN


def test_it_is_computed_from_what_was_measured(scale: ModuleType, records: list[dict[str, Any]]) -> None:
    cost = scale.costs_of(records)
    for name, value in scale.recorded().items():
        assert asdict(cost)[name] == pytest.approx(value), AGAIN
    found = {(r["name"], r["workers"]): r for r in records if r["kind"] == "case"}
    cases = scale.cases()
    assert len(cases) == len(found) > 10
    for case in cases:
        told = found[case.name, case.workers]
        assert scale.formula(case, cost) == pytest.approx(told["formula"], rel=1e-3), AGAIN
        assert scale.terms(case, cost) == pytest.approx(told["terms"], rel=1e-3), AGAIN
        if case.pieces < 1000:  # more take seconds
            assert scale.simulated(case, cost) == pytest.approx(told["simulation"], rel=1e-3), AGAIN
        assert told["simulation"] == pytest.approx(told["formula"], rel=0.3)
