"""``invr bench tasks``: a whole run on a small suite, its records, its page and its sheets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from standins import Own

from invr_core.errors import BadFile, BadInput, InvrError
from invr_core.oracle import PanningTexture
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks import registry
from invr_tasks.bench import suites, tasks
from invr_tasks.bench.answers import EACH_FRAME, OURS, AnswerJob, allowed, run_answer
from invr_tasks.bench.cases import make_case
from invr_tasks.bench.jobs import Budget
from invr_tasks.bench.page import write_page
from invr_tasks.bench.processes import alone, here
from invr_tasks.bench.records import read
from invr_tasks.bench.scoreboard import Peer, read_peers, tasks_sections
from invr_tasks.bench.suites import Entry, Suite
from invr_tasks.bench.tasks import TaskBench, run_tasks
from invr_tasks.task import Source

SIZE = (32, 48)
ASKED = ("interpolate x2", "inpaint static", "denoise sp10", "upscale x2_area")


class Honest(Own):
    """Answers as its naive answer; stands in for the installed task."""

    def render(self, rep: Any, source: Source) -> Video:
        return source.video


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Clips of a suite "tiny": a pan of 9 frames, without and with what makes it another size."""
    times = torch.linspace(0, 0.1, 9, dtype=torch.float64)
    frames = torch.cat([PanningTexture(SIZE)(Query(times[i : i + 1])) for i in range(9)]).clamp(0, 1)
    Video.of(frames).save(tmp_path / "clips" / "pan.mkv")
    tiny = Suite((Entry("pan", "pan.mkv", SIZE, ASKED), Entry("late", "pan.mkv", (16, 24), ASKED[3:], (2, 9))))
    monkeypatch.setattr(suites, "suites", lambda: {"tiny": tiny})
    return tmp_path / "clips"


@pytest.fixture
def bench(folder: Path) -> Callable[..., TaskBench]:
    def make(settings: tuple[str, ...] = (), clips: tuple[str, ...] = ("pan",), **changes: Any) -> TaskBench:
        cells = tuple(suites.cells("tiny", folder, (), clips, settings))
        return TaskBench(**{"suite": "tiny", "cells": cells, "budget": Budget("steps", 2), "device": "cpu", **changes})

    return make


def installed() -> None:
    for name in ("interpolate", "denoise"):
        try:
            registry.get(name)
        except registry.UnknownTask:
            pytest.skip(f"the task {name} is not installed")


def test_a_run_has_a_record_for_each_method_with_all_that_is_measured(
    bench: Callable[..., TaskBench], tmp_path: Path
) -> None:
    installed()
    said: list[str] = []
    out = tmp_path / "r.jsonl"
    made = run_tasks(bench(("x2", "sp10")), out, sheet=tmp_path / "sheets", work=here, tell=said.append)
    assert json.loads(json.dumps(made)) == read(out)
    assert all("failed" not in record for record in made)
    by_name = {(record["setting"], record["method"]): record for record in made}
    assert [name for setting, name in by_name if setting == "sp10"] == ["none", "median 3x3", "detect + telea", OURS]
    for setting, scored in (("x2", 4), ("sp10", 9)):
        same = [record for record in made if record["setting"] == setting]
        assert len({record["input"] for record in same}) == 1 and {record["scored"] for record in same} == {scored}
        assert all(0 < record["ssim"] <= 1 and 0 < record["psnr"] <= 100 for record in same)
        assert len({record["warping_error_truth"] for record in same}) == 1
        assert all(record["provenance"]["versions"]["torch"] and record["version"] for record in same)
    ours = by_name["sp10", OURS]
    assert (ours["steps"], ours["budget"], ours["family"], ours["size"]) == (2, {"steps": 2}, "ours", "48x32")
    assert ours["fit_seconds"] > 0 and ours["seconds"] >= ours["fit_seconds"]
    assert ours["seconds_per_frame"] == pytest.approx(ours["seconds"] / 9, abs=1e-5)
    assert by_name["sp10", "none"]["budget"] is None and by_name["sp10", "none"]["fit_seconds"] is None
    assert by_name["x2", "DIS medium + warp"]["psnr"] > by_name["x2", "blend"]["psnr"]
    assert by_name["sp10", "detect + telea"]["psnr"] > by_name["sp10", "none"]["psnr"] + 10
    assert by_name["sp10", "none"]["warping_error"] > 10 * by_name["sp10", "none"]["warping_error_truth"]
    assert any("sp10, ours: " in line for line in said) and any("LPIPS" in line for line in said)
    sheets = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert sheets == ["pan-48x32-denoise-sp10.png", "pan-48x32-interpolate-x2.png"]
    with Image.open(tmp_path / "sheets" / sheets[0]) as picture:
        assert picture.width > 5 * 480 and picture.height > 8 * 300
        assert len(set(np.asarray(picture).reshape(-1, 3)[::997].sum(1).tolist())) > 50


def test_what_is_in_the_hole_is_scored_apart(bench: Callable[..., TaskBench], tmp_path: Path) -> None:
    wanted = bench(("static",), methods=("none", "telea r3"))
    none, telea = run_tasks(wanted, tmp_path / "r.jsonl", quiet=True, work=here)
    assert none["psnr_hole"] < 12 < telea["psnr_hole"] < telea["psnr"]
    assert telea["psnr_worst_frame"] <= telea["psnr_hole"]


def test_a_clip_whose_clock_no_millisecond_meets_is_scored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """33 frames at 30000/1001 a second; the file that an answer is kept in counts milliseconds."""
    frames = torch.rand(33, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    Video.of(frames, fps=30000 / 1001).save(folder / "film.mkv")
    film = Suite((Entry("film", "film.mkv", (16, 24), ("interpolate x2",)),))
    monkeypatch.setattr(suites, "suites", lambda: {"tiny": film})
    cells = tuple(suites.cells("tiny", folder))
    (made,) = run_tasks(
        TaskBench("tiny", cells, ("blend",), Budget("steps", 2), device="cpu"),
        tmp_path / "r.jsonl",
        quiet=True,
        work=here,
    )
    assert "failed" not in made and made["scored"] == 16


def test_frames_of_a_suite_and_of_the_user(bench: Callable[..., TaskBench], tmp_path: Path) -> None:
    wanted = bench((), ("late",), methods=("bicubic",))
    (whole,) = run_tasks(wanted, tmp_path / "r.jsonl", quiet=True, work=here)
    assert (whole["frames"], whole["first_frame"], whole["size"]) == (7, 2, "24x16")
    (fewer,) = run_tasks(replace(wanted, frames=3), tmp_path / "r.jsonl", quiet=True, work=here)
    assert fewer["frames"] == 3 and fewer["scored"] == 3


def test_a_method_that_fails_is_a_record_and_the_others_go_on(bench: Callable[..., TaskBench], tmp_path: Path) -> None:
    def work(name: str, **arguments: Any) -> Any:
        if arguments["method"] == "median 3x3":
            raise InvrError("it fell over")
        return here(name, **arguments)

    wanted = bench(("sp10",), methods=("none", "median 3x3", "detect + telea"))
    made = run_tasks(wanted, tmp_path / "r.jsonl", quiet=True, work=work)
    assert [record.get("failed") for record in made] == [None, "it fell over", None]
    assert made == read(tmp_path / "r.jsonl")
    section, detail = tasks_sections(made)
    assert "median" not in section + detail
    page, *_ = write_page(made, tmp_path / "p.md")
    assert "| pan, 48x32, denoise, sp10, median 3x3 | 0 | it fell over |" in page.read_text()


def test_in_a_process_of_its_own_it_is_the_same(folder: Path, tmp_path: Path) -> None:
    job = AnswerJob(str(folder / "pan.mkv"), "denoise", "sp10", "detect + telea", str(tmp_path / "a.mkv"), quiet=True)
    there = alone("answer", **job.as_dict())
    ours = here("answer", **replace(job, answer=str(tmp_path / "b.mkv")).as_dict())
    assert there["input"] == ours["input"]
    assert torch.equal(Video.open(tmp_path / "a.mkv").frames(), Video.open(tmp_path / "b.mkv").frames())


# ------------------------------------------------------------------------ length of the fit
def test_what_rendering_takes_is_left_out_of_the_fit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rehearsal tells how long a frame takes; the clock is set by hand, a second a frame that is rendered."""
    lengths: list[Any] = []
    tasks: list[Any] = []
    now = [0.0]

    class Slow(Honest):
        def render(self, rep: Any, source: Source) -> Video:
            def read(indices: Any) -> torch.Tensor:
                now[0] += 0.001 * len(list(indices))
                return source.video.read(indices)

            return replace(source.video, read=read)

    def fake_run(task: Any, source: Source, *, fit_config: Any, on_step: Any = None) -> Any:
        lengths.append(fit_config)
        tasks.append(task)
        return type("Result", (), {"video": task.render(None, source)})()

    monkeypatch.setattr(registry, "get", lambda name: Slow)
    monkeypatch.setattr("invr_tasks.bench.answers.run", fake_run)
    monkeypatch.setattr("invr_tasks.bench.answers.time.perf_counter", lambda: now[0])
    clip = Video.open(folder / "pan.mkv")
    job = AnswerJob(str(folder / "pan.mkv"), "denoise", "sp10", OURS, str(tmp_path / "a.mkv"), device="cpu", quiet=True)
    told = run_answer(job)
    rehearsal, real = lengths
    assert tasks[0] is not tasks[1], "what the rehearsal has learned would not be paid for"
    assert rehearsal.steps == 1 and real.steps is None
    assert allowed(clip) == pytest.approx(EACH_FRAME * 9 * 32 * 48 / (640 * 320))
    assert real.minutes * 60 == pytest.approx(allowed(clip) - 0.009)
    assert told["render_seconds"] == pytest.approx(0.009)
    lengths.clear()
    run_answer(replace(job, budget=Budget("seconds", 12)))
    assert [config.minutes for config in lengths] == [0.2]


# ------------------------------------------------------------------------------ refused
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ("blendd",)}, "there is no method 'blendd'. Did you mean 'blend'?"),
        ({"frames": 2}, "a step of 2 needs at least 3 frames"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(
    bench: Callable[..., TaskBench], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    def never(work: str, **arguments: Any) -> Any:
        pytest.fail("it was answered")

    wanted = bench(**{"methods": ("blend", "none"), **changes})
    with pytest.raises(BadInput, match=re.escape(message)):
        run_tasks(wanted, tmp_path / "r.jsonl", quiet=True, work=never)
    assert not (tmp_path / "r.jsonl").exists()


def test_a_clip_that_is_shorter_than_the_suite_has_it_is_refused(
    bench: Callable[..., TaskBench], folder: Path, tmp_path: Path
) -> None:
    wanted = bench((), ("late",), methods=("bicubic",))
    Video.of(torch.zeros(4, 3, *SIZE)).save(folder / "pan.mkv")
    with pytest.raises(BadInput, match=r"pan\.mkv has 4 frames, the suite needs 9"):
        run_tasks(wanted, tmp_path / "r.jsonl", quiet=True, work=here)


def test_an_unknown_method_of_a_job_is_refused(folder: Path, tmp_path: Path) -> None:
    job = AnswerJob(str(folder / "pan.mkv"), "denoise", "sp10", "blend", str(tmp_path / "a.mkv"))
    with pytest.raises(InvrError, match="no method 'blend' for denoise sp10"):
        run_answer(job)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--suite"),
        (["--suite", "shiped"], "Did you mean 'shipped'"),
        (["--suite", "development"], "brings no clips"),
        (["--suite", "development", "--clips", "nowhere"], "nowhere/bunny/bigbuckbunny.mp4"),
        (["--suite", "shipped", "--seconds", "3", "--steps", "3"], "--seconds or --steps, not both"),
        (["--suite", "shipped", "--steps", "0"], "--steps must be a positive whole number, got 0"),
        (["--suite", "shipped", "--frames", "0"], "--frames must be at least 1, got 0"),
        (["--suite", "shipped", "--task", "denoize"], "Did you mean 'denoise'"),
        (["--suite", "shipped", "--methods", "magic"], "there is no method 'magic'"),
        (["--suite", "shipped", "--lpips", "none.pth"], "no file none.pth"),
        (["--suite", "shipped", "--page", "p.html"], "a page is Markdown"),
    ],
)
def test_a_command_line_that_cannot_be_is_one_line(refuses: Any, arguments: list[str], message: str) -> None:
    assert message in refuses("bench", "tasks", "--out", "r.jsonl", *arguments)


def test_the_command(invr: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="a page asks for it")
    monkeypatch.setattr(tasks, "alone", here)
    options = ["--suite", "tiny", "--clips", str(folder), "--task", "upscale", "--methods", "bicubic,lanczos4"]
    code, out, err = invr("bench", "tasks", *options, "--out", "r.jsonl", "--page", "p.md", "--sheet", "s")
    assert code == 0, err
    assert "late 24x16, upscale x2_area, lanczos4: " in out and len(read(Path("r.jsonl"))) == 4
    assert Path("p.md").read_text().count("### ") == 2 and len(list(Path("s").iterdir())) == 2
    Path("peers.csv").write_text(
        "clip,size,task,setting,method,version,psnr,psnr_hole,ssim,sec_per_frame,n_scored\n"
        "pan,48x32,sr,x2_area,Good,-,77.125,,0.9,1,9\npan,48x32,sr,x2_area,Bad,-,7,,0.9,1,9\n"
        "late,24x16,sr,x2_area,Else,-,99,,0.9,1,132\n"
    )
    assert invr("bench", "page", "r.jsonl", "--page", "q.md", "--peers", "peers.csv")[0] == 0
    page = Path("q.md").read_text()
    assert "77.12 (Good)" in page and "Bad" not in page and "Else" not in page


def test_each_seed_is_an_input_of_its_own_and_is_not_done_twice(
    invr: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "alone", here)
    options = ["--suite", "tiny", "--clips", str(folder), "--setting", "sp10", "--methods", "none", "--out", "r.jsonl"]
    code, out, err = invr("bench", "tasks", *options, "--seed", "0,1,1", "--sheet", "s")
    assert code == 0, err
    assert "pan 48x32, denoise sp10, none: " in out and "pan 48x32, denoise sp10, seed 1, none: " in out
    assert {path.stem for path in Path("s").iterdir()} == {"pan-48x32-denoise-sp10", "pan-48x32-denoise-sp10-seed-1"}
    assert invr("bench", "tasks", *options, "--seed", "2,1,0", "--missing")[0] == 0
    made = read(Path("r.jsonl"))
    assert [record["seed"] for record in made] == [0, 1, 2] == [record["provenance"]["seed"] for record in made]
    assert len({record["input"] for record in made}) == 3


# ----------------------------------------------------------------------------- scoreboard
def record(method: str, family: str, psnr: float, **changes: Any) -> dict[str, Any]:
    values = {
        "kind": "tasks", "suite": "tiny", "clip": "pan", "frames": 9, "size": "48x32", "task": "denoise",
        "setting": "gauss25", "method": method, "family": family, "seed": 0, "budget": None, "device": "cpu",
        "psnr": psnr, "psnr_hole": None, "ssim": 0.9, "lpips": None, "psnr_worst_frame": psnr - 1,
        "warping_error": 0.002, "warping_error_truth": 0.001, "scored": 9, "seconds_per_frame": 0.5,
    }  # fmt: skip
    return {**values, **changes}


def test_the_summary_holds_ours_against_the_best() -> None:
    made = [record("none", "naive", 20.0), record("nlm", "classical", 30.0), record("tv", "classical", 28.0)]
    made.append(record(OURS, "ours", 31.5))
    summary, detail = tasks_sections(made)
    assert "| pan 48x32, gauss25 | 20.00 (none) | 30.00 (nlm) | 31.50 | +1.50 | 0.50 |" in summary
    assert "Above the best in the mean: +1.50 dB" in summary
    methods = [line.split(" | ")[0].strip("| ") for line in detail.splitlines() if line.startswith("| ")]
    assert methods == ["method", OURS, "nlm", "tv", "none"]
    assert "LPIPS" not in detail and "| 2.000 | 1.000 |" in detail
    peers = {("pan", "48x32", "denoise", "gauss25"): Peer("V-BM3D", 32.25, 9)}
    assert "| 32.25 (V-BM3D) | 31.50 | -0.75 |" in tasks_sections(made, peers)[0]
    other_frames = {key: replace(peer, scored=10) for key, peer in peers.items()}
    assert "| – | 31.50 | +1.50 |" in tasks_sections(made, other_frames)[0]


def test_holes_count_where_there_are_some_and_each_length_has_a_row() -> None:
    hole = {"task": "inpaint", "setting": "static"}
    made = [record("telea", "classical", 45.0, psnr_hole=25.0, **hole)]
    made += [record(OURS, "ours", 44.0, psnr_hole=26.0 + n, budget={"steps": n}, **hole) for n in (1, 2)]
    summary = tasks_sections(made)[0]
    assert "over the pixels of the hole. Above the best in the mean: +2.50 dB" in summary
    assert "| 27.00 | +2.00 |" in summary and "| 28.00 | +3.00 |" in summary


def test_of_several_seeds_the_mean_is_shown_and_the_gain_is_of_equal_seeds() -> None:
    made = [record("none", "naive", 20.0), record("tv", "classical", 28.0), record("nlm", "classical", 28.5)]
    made += [record("tv", "classical", 31.0, seed=1), record(OURS, "ours", 30.0), record(OURS, "ours", 31.5, seed=1)]
    made += [record(OURS, "ours", 90.0, seed=2)]  # nothing was done beside it
    peers = {("pan", "48x32", "denoise", "gauss25"): Peer("V-BM3D", 32.25, 9)}
    summary, detail = tasks_sections(made, peers)
    row = "| 20.00 (none) | 29.50 (tv) | – | 50.50 (30.00 to 90.00) | +1.00 (+0.50 to +1.50) | 0.50 |"
    assert row in summary and "in the mean: +1.00 dB. Of several seeds the mean" in summary
    lines = [line.strip("| ").split(" | ") for line in detail.splitlines() if line.startswith("| ")]
    assert [(line[0], line[-1]) for line in lines] == [
        ("method", "seeds"),
        (OURS, "0, 1, 2"),
        ("tv", "0, 1"),
        ("nlm", "0"),
        ("none", "0"),
    ]


def test_without_ours_the_others_are_shown() -> None:
    summary = tasks_sections([record("none", "naive", 20.0)])[0]
    assert "| 20.00 (none) | – | – | – | – |" in summary and "in the mean" not in summary


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has no column clip, size, task"),
        ("clip,size,task,setting,method,psnr,psnr_hole,n_scored\na,1x1,sr,x2,m,many,,3\n", "cannot be read as figures"),
        ("clip,size,task,setting,method,psnr,psnr_hole,n_scored\na,1x1,sr,x2,m,nan,,3\n", "a PSNR of nan"),
        ("clip,size,task,setting,method,psnr,psnr_hole,n_scored\na,1x1,sr,x2,m,3\n", "cannot be read as figures"),
        (None, "cannot be read as figures"),
    ],
)
def test_broken_figures_of_peers_are_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "peers.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadFile, match=message):
        read_peers(path)


def test_an_answer_that_lacks_a_judged_frame_is_a_failure(bench: Callable[..., TaskBench], tmp_path: Path) -> None:
    def work(name: str, **arguments: Any) -> Any:
        told = here(name, **arguments)
        shown = Video.open(arguments["answer"])
        shown[:2].save(arguments["answer"])
        return told

    (made,) = run_tasks(bench(("sp10",), methods=("none",)), tmp_path / "r.jsonl", quiet=True, work=work)
    assert "has no frame at" in made["failed"]


def test_the_given_frames_pass_through_the_warping_error(folder: Path) -> None:
    from invr_tasks.bench.scoring import score_answer
    from invr_tasks.bench.warping import paths

    truth = Video.open(folder / "pan.mkv")
    case = make_case("interpolate", "x2", truth)
    assert case.judged is not None
    asked = truth[[1, 3, 5, 7]]
    scored = score_answer("perfect", "naive", asked, case, truth, paths(truth), None)
    assert scored.counts == 100 and scored.figures["warping_error"] == scored.figures["warping_error_truth"]
    dark = score_answer("dark", "naive", asked.map(lambda frames: frames * 0.8), case, truth, paths(truth), None)
    assert dark.figures["warping_error"] > 10 * scored.figures["warping_error"]
