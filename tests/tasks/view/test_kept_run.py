"""A run that is kept, viewed: its parts as one clip, the source that it names beside it, and what is missing of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import torch

from invr_core.errors import BadFile
from invr_core.query import Query
from invr_core.storage import load
from invr_core.video import Video
from invr_tasks.page.parts import Parts
from invr_tasks.view.found import find
from invr_tasks.view.joined import HELD, Joined
from invr_tasks.view.opened import Opened, open_all

RUN = ("run", "fakeslow", "in.mkv", "out.mkv", "--no-shots", "--device", "cpu", "--quiet")


@pytest.fixture
def source(invr: Any, make_video: Callable[..., Video]) -> Path:
    make_video(frames=24, smooth=True).save("in.mkv")
    return Path("in.mkv")


@pytest.fixture
def kept(invr: Any, source: Path, fits: Any) -> Path:
    """A run of three pieces of 24 frames, which overlap."""
    assert invr(*RUN, "--piece", "10", "--keep", "RUN") == (0, "", "")
    return Path("RUN")


@pytest.fixture
def opened(kept: Path) -> Opened:
    return open_all("RUN", None, "cpu")


def asked(rep: Any, time: float) -> torch.Tensor:
    picture: torch.Tensor = rep(Query(torch.tensor([time], dtype=torch.float64)))
    return picture


def change(run: Path, **entries: Any) -> None:
    """Give the record of a run other entries."""
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **entries}))


# ------------------------------------------------------------------ the parts as one clip
def test_the_parts_are_one_clip_beside_the_input_of_the_run(opened: Opened) -> None:
    facts = opened.facts()
    assert facts["name"] == "RUN" and facts["span"] == pytest.approx([0, 23 / 25]) and facts["notes"] == []
    assert facts["frames"] == pytest.approx([frame / 25 for frame in range(24)])
    assert "source" in facts["parts"] and opened.source is not None and len(opened.source) == 24
    assert len(opened.png(opened.read({"t": "0.5"}))) > 100


def test_each_instant_is_answered_by_its_part_and_an_overlap_fades(kept: Path, opened: Opened) -> None:
    files = sorted(kept.glob("part-*.invr"))
    parts = [load(file) for file in files]
    assert len(parts) == 3
    ends = [(rep.geometry.times[0], rep.geometry.times[-1]) for rep in parts]
    for (begin, last), after, rep, following in zip(ends, ends[1:], parts, parts[1:], strict=False):
        assert begin < after[0] < last < after[1]
        alone = (begin + after[0]) / 2 if begin == 0 else (ends[0][1] + after[0]) / 2  # in no other one
        assert torch.equal(asked(opened.rep, alone), asked(rep, alone))
        for share in (0.0, 0.25, 1.0):
            time = after[0] + share * (last - after[0])
            mixed = torch.lerp(asked(rep, time), asked(following, time), share)
            assert torch.allclose(asked(opened.rep, time), mixed, atol=1e-5)
            assert not torch.allclose(asked(rep, time), asked(following, time), atol=1e-3)
    assert torch.equal(asked(opened.rep, 23 / 25), asked(parts[-1], 23 / 25))


def test_two_parts_at_most_are_held_and_loaded_when_they_are_asked_for(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def noted(path: Path, device: str) -> Any:
        loaded.append(path.name)
        return load(path, device)

    monkeypatch.setattr("invr_tasks.view.joined.load", noted)
    joined = Joined(sorted(kept.glob("*.invr")), "cpu")
    assert loaded == ["part-0001.invr"]
    for frame in (0, 3, 0, 23, 22, 0):
        asked(joined, frame / 25)
        assert len(joined._held) <= HELD
    assert loaded == ["part-0001.invr", "part-0003.invr"]
    asked(joined, 12 / 25)
    asked(joined, 23 / 25)
    assert loaded[2:] == ["part-0002.invr", "part-0003.invr"] and len(joined._held) == HELD


def test_motion_is_that_of_one_part_even_where_a_step_leads_out_of_it() -> None:
    class Moving:
        def __init__(self, span: tuple[float, float]) -> None:
            self.span, self.seen = span, list[tuple[float, float]]()

        def motion(self, t0: torch.Tensor, t1: torch.Tensor) -> Any:
            self.seen.append((round(float(t0), 6), round(float(t1), 6)))
            assert self.span[0] <= float(t0) <= float(t1) <= self.span[1]
            return type("Motion", (), {"flow": torch.zeros(1, 2, 4, 4), "confidence": torch.ones(1, 1, 4, 4)})()

    joined = Joined.__new__(Joined)  # of two shots, with a cut half-way between 1.0 and 1.2
    first, second = Moving((0.0, 1.0)), Moving((1.2, 2.0))
    joined.span, joined._fades, joined._part = (0.0, 2.0), [(1.1, 1.1)], lambda which: (first, second)[which]  # type: ignore
    for begin in (0.5, 0.95, 1.05, 1.9):
        t0 = torch.tensor([begin], dtype=torch.float64)
        joined.motion(t0, (t0 + 0.2).clamp(max=2.0))
    assert first.seen == [(0.5, 0.7), (0.8, 1.0)]
    assert second.seen == [(1.2, 1.4), (1.9, 2.0)]


def test_between_two_shots_the_nearer_end_is_shown(invr: Any, source: Path, fits: Any) -> None:
    assert invr(*RUN[:4], "--cuts", "0.48", *RUN[5:], "--keep", "RUN") == (0, "", "")
    rep = open_all("RUN", None, "cpu").rep
    before, after = (load(file) for file in sorted(Path("RUN").glob("*.invr")))
    assert before.span[1] == pytest.approx(0.44) and after.span[0] == pytest.approx(0.48)
    assert torch.equal(asked(rep, 0.455), asked(before, before.span[1]))
    assert torch.equal(asked(rep, 0.465), asked(after, after.span[0]))
    assert not torch.equal(asked(rep, 0.455), asked(rep, 0.465))
    assert "motion" not in Parts(rep, 0.04).names  # HNeRV knows none


def test_a_run_of_one_part_is_that_file_with_its_source(invr: Any, source: Path, fits: Any) -> None:
    assert invr(*RUN, "--keep", "RUN") == (0, "", "")
    opened = open_all("RUN", None, "cpu")
    assert not isinstance(opened.rep, Joined) and opened.source is not None and not opened.notes
    found = find(Path("RUN"))
    assert found.files == (Path("RUN/part-0001.invr"),) and found.clip == Path.cwd() / "in.mkv"


# ------------------------------------------------------------------ what is missing
def test_of_a_run_that_is_not_finished_what_is_there_is_shown(kept: Path) -> None:
    for number in (1, 3):
        (kept / f"part-000{number}.invr").unlink()
    (kept / "part-0003.checkpoint").touch()
    opened = open_all("RUN", None, "cpu")
    numbers, gaps = opened.notes
    assert numbers == "Not there: part-0001, part-0003; not fitted yet, or too short to be fitted."
    alone = load(kept / "part-0002.invr")
    first, last = alone.span
    assert gaps.startswith(f"Not fitted: 0.00 to {first - 0.04:.2f} s, {last + 0.04:.2f} to 0.92 s; the nearest part")
    assert opened.rep.span == pytest.approx((0, 23 / 25)) and opened.facts()["notes"] == [numbers, gaps]
    for time, there in ((0.0, first), (0.5, 0.5), (23 / 25, last)):
        assert torch.equal(asked(opened.rep, time), asked(alone, there))


def test_where_nothing_is_fitted_yet_it_says_how_to_go_on(invr: Any, kept: Path) -> None:
    for file in kept.glob("*.invr"):
        file.unlink()
    assert "no part of this run is fitted yet; `invr resume RUN` goes on with it" in invr.refuses("view", "RUN")


def test_parts_of_two_sizes_are_no_clip(kept: Path, make_video: Callable[..., Video], fits: Any, invr: Any) -> None:
    make_video(24, 32, 48).save("large.mkv")
    invr(*RUN[:2], "large.mkv", "large_out.mkv", *RUN[4:], "--piece", "10", "--keep", "LARGE")
    (Path("LARGE") / "part-0002.invr").replace(kept / "part-0002.invr")
    rep = open_all("RUN", None, "cpu").rep
    with pytest.raises(BadFile, match=r"part-0002\.invr: its frames are not as large as those of part-0001\.invr"):
        asked(rep, 0.5)


# ------------------------------------------------------------------ the source, and what a stranger may write
def test_a_source_that_has_changed_or_is_gone_is_not_shown(kept: Path, source: Path) -> None:
    os.utime(source, ns=(0, 0))
    opened = open_all("RUN", None, "cpu")
    assert opened.source is None and "source" not in opened.names
    assert opened.notes == (
        f"The clip of this run, {Path.cwd() / 'in.mkv'}, has changed since, and is not shown; --source names another.",
    )
    assert opened.rep.span == pytest.approx((0, 23 / 25)) and len(opened.frames) == 24
    source.rename("moved.mkv")
    assert "in.mkv, is not there any more; --source names" in open_all("RUN", None, "cpu").notes[0]
    moved = open_all("RUN", "moved.mkv", "cpu")
    assert moved.source is not None and moved.notes == ()


def test_the_record_of_a_stranger_opens_no_other_file(kept: Path, source: Path) -> None:
    Path("secret.txt").write_text("secret")
    os.mkfifo("pipe")
    inputs = json.loads((kept / "run.json").read_text())["inputs"]
    for name in ("secret.txt", "pipe", "/dev/zero", "x" * 5000, "a\0b", "\ud800", "\x1b[2J"):
        change(kept, inputs={name: inputs["in.mkv"]}, command=["--rep=secret.txt", "import os"])
        opened = open_all("RUN", None, "cpu")
        assert opened.source is None and len(opened.notes) == 1
        json.dumps(opened.facts(), ensure_ascii=False).encode()
        assert "\x1b" not in opened.notes[0]
    change(kept, inputs={})
    assert "names no input" in open_all("RUN", None, "cpu").notes[0]
    change(kept, place=5)
    with pytest.raises(BadFile, match="damaged"):
        open_all("RUN", None, "cpu")


# ------------------------------------------------------------------ tasks
@pytest.fixture
def page(opened: Opened) -> Iterator[Any]:
    """A client of the viewer, which may write into ``out``."""
    pytest.importorskip("starlette", reason="the viewer's libraries come with the extra `view`")
    pytest.importorskip("httpx2", reason="the client comes with the extra `test`")
    from starlette.testclient import TestClient

    from invr_tasks.view.app import viewer
    from invr_tasks.view.jobs import Jobs

    Path("out").mkdir()
    jobs = Jobs(opened, Path("RUN"), Path("in.mkv"), Path("out"), "cpu")
    home = "http://127.0.0.1:8123"
    yield TestClient(viewer(opened, 8123, jobs=jobs), base_url=home, headers={"origin": home})
    jobs.cancel()


def ended(page: Any, **asked: Any) -> dict[str, Any]:
    """The state of a task that was begun, once it has ended."""
    assert page.post("/job", json={"options": {}, "format": ".mkv", **asked}).status_code == 200
    for _ in range(3000):
        state: dict[str, Any] = page.get("/job").json()
        if state["state"] != "running":
            return state
        sleep(0.04)
    raise AssertionError("it does not end")


def test_a_task_is_run_on_all_parts_each_answered_by_its_own(page: Any, kept: Path) -> None:
    assert "fakeslow" in {task["name"] for task in page.get("/tasks").json()["tasks"]}
    state = ended(page, task="fakeslow")
    assert state["state"] == "done", state
    assert Path("out/in-fakeslow.mkv").read_bytes() == Path("out.mkv").read_bytes()
    assert page.get(f"/frame?t=0.36&part={state['part']}").status_code == 200


def test_on_a_run_that_is_not_finished_a_task_says_why_not(page: Any, kept: Path) -> None:
    (kept / "part-0002.invr").unlink()
    state = ended(page, task="fakeslow")
    assert (
        state["state"] == "failed" and "is not fitted throughout" in state["text"] and "`invr resume " in state["text"]
    )
    assert list(Path("out").iterdir()) == []


def test_the_command_gives_tasks_the_run(invr: Any, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvicorn", reason="the viewer's libraries come with the extra `view`")
    given: list[Any] = []
    monkeypatch.setattr("invr_tasks.view.jobs.Jobs", lambda *arguments: given.append(arguments))
    monkeypatch.setattr("invr_tasks.view.serve.serve", lambda *arguments: None)
    Path("out").mkdir()
    assert invr("view", "RUN", "--device", "cpu", "--out", "out")[0] == 0
    assert given[0][1:] == (Path("RUN"), Path.cwd() / "in.mkv", Path("out"), "cpu")
