"""Benchmarks by several workers: the same records, in the order in which they come, and none made twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from invr_core.errors import InvrError
from invr_tasks.bench import tasks
from invr_tasks.bench.jobs import Budget
from invr_tasks.bench.model import ModelBench, run_models
from invr_tasks.bench.processes import here
from invr_tasks.bench.records import read
from invr_tasks.bench.variants import Variant
from invr_tasks.engine import Done

SAME = ("kind", "suite", "clip", "frames", "size", "task", "setting", "method", "psnr", "ssim", "device", "budget")


@pytest.fixture
def bench(disc_file: Path) -> ModelBench:
    variants = (Variant("cwrnn"), Variant("hnerv"))
    return ModelBench(str(disc_file), (24_000,), Budget("steps", 6), variants, seeds=(0, 7), device="cpu")


class Spread:
    """Answers the last fit first; the others if it is asked to."""

    def __init__(self, bench: ModelBench, record: Callable[..., dict[str, Any]], most: int = 99) -> None:
        self.jobs, self.record, self.most = bench.jobs(""), record, most
        self.asked: list[int] = []

    def __call__(self, titles: Mapping[int, str]) -> Iterator[Done]:
        self.asked = list(titles)
        assert all(self.jobs[place].title() == title for place, title in titles.items())
        for place in sorted(titles, reverse=True)[: self.most]:
            job = self.jobs[place]
            answer = self.record(
                job.model, params=job.params, seed=job.seed, budget={"steps": 6}, device="cpu", options={}
            )
            about = ("kind", "clip", "frames", "size", "fps", "peer")
            yield Done(place, {name: value for name, value in answer.items() if name not in about})
        if self.most < len(titles):
            raise KeyboardInterrupt


def test_fits_come_in_any_order_and_wait_for_their_peer(bench: ModelBench, record: Any, tmp_path: Path) -> None:
    out, spread = tmp_path / "r.jsonl", Spread(bench, record)
    records = run_models(bench, out, quiet=True, spread=spread)
    assert spread.asked == [0, 1, 2, 3]
    assert [(one["model"], one["seed"]) for one in records] == [("hnerv", 7), ("cwrnn", 7), ("hnerv", 0), ("cwrnn", 0)]
    assert [one["peer"] is None for one in records] == [True, False, True, False]
    assert read(out) == records and {one["clip"] for one in records} == {"disc.mkv"}


def test_what_has_come_is_kept_when_it_is_stopped_and_not_done_again(
    bench: ModelBench, record: Any, tmp_path: Path
) -> None:
    out = tmp_path / "r.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run_models(bench, out, quiet=True, spread=Spread(bench, record, 1))
    (kept,) = read(out)
    assert (kept["model"], kept["seed"], kept["peer"]) == ("cwrnn", 7, None)
    spread = Spread(bench, record)
    assert len(run_models(bench, out, quiet=True, there=read(out), spread=spread)) == 3
    assert spread.asked == [0, 1, 2]
    assert run_models(bench, out, quiet=True, there=read(out), spread=spread) == []


def test_a_fit_whose_worker_is_lost_is_a_record_that_says_so(bench: ModelBench, record: Any, tmp_path: Path) -> None:
    def lost(titles: Mapping[int, str]) -> Iterator[Done]:
        yield from (Done(place, failed="its worker was lost", code=1) for place in titles)

    records = run_models(bench, tmp_path / "r.jsonl", quiet=True, spread=lost)
    assert [one["failed"] for one in records] == ["its worker was lost"] * 4
    again = run_models(bench, tmp_path / "r.jsonl", quiet=True, there=records, spread=Spread(bench, record))
    assert len(again) == 4  # a failure is tried again


def test_settings_by_two_workers_are_scored_as_by_one(invr: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--suite", "shipped", "--frames", "3", "--task", "denoise", "--setting", "gauss25,sp10"]
    words += ["--methods", "none", "--device", "cpu", "--quiet"]
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "alone", here)
        assert invr("bench", "tasks", *words, "--out", "one.jsonl")[0] == 0
    crew = ["--workers", "2", "--threads", "1"]
    assert invr("bench", "tasks", *words, "--out", "two.jsonl", *crew)[0] == 0
    one, two = (
        sorted(({name: record[name] for name in SAME} for record in read(Path(name))), key=lambda r: r["setting"])
        for name in ("one.jsonl", "two.jsonl")
    )
    assert one == two and len(two) == 2

    monkeypatch.setattr("invr_tasks.cli.bench_spread.distribute", lambda *_: (_ for _ in [].copy()))
    monkeypatch.setattr(tasks, "alone", never)
    assert invr("bench", "tasks", *words, "--out", "two.jsonl", "--missing") == (0, "", "")
    assert invr("bench", "tasks", *words, "--out", "two.jsonl", "--missing", *crew) == (0, "", "")
    assert len(read(Path("two.jsonl"))) == 2
    Path("two.jsonl").write_text(Path("two.jsonl").read_text().replace('"device": "cpu"', '"device": "cuda"'))
    invr("bench", "tasks", *words, "--out", "two.jsonl", "--missing")  # what was measured elsewhere is not there
    assert [record.get("failed") is None for record in read(Path("two.jsonl"))] == [True, True, False, False]


def never(work: str, **arguments: Any) -> dict[str, Any]:
    raise InvrError("this was there already")
