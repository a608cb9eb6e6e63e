"""Tasks run from the viewer, by the framework's own client: what is offered, who may begin one, what comes of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from invr_core.errors import BadInput
from invr_core.io import open_video

pytest.importorskip("starlette", reason="the viewer's libraries come with the extra `view`")
pytest.importorskip("httpx2", reason="the client comes with the extra `test`")

from starlette.testclient import TestClient

from invr_tasks.view import serve
from invr_tasks.view.app import viewer
from invr_tasks.view.jobs import Jobs
from invr_tasks.view.offered import Field, Form
from invr_tasks.view.opened import MOST_ANSWERS, Opened, open_all

PORT = 8123
HOME = f"http://127.0.0.1:{PORT}"
OWN = {"origin": HOME}
SLEEPY = """
import time
from dataclasses import replace

from fake_tasks import Slow


class Sleepy(Slow):
    \"\"\"Never done.\"\"\"

    def render(self, rep, source):
        return replace(source.video, read=lambda indices: [time.sleep(0.02) for _ in range(10**6)])
"""


@pytest.fixture
def opened(stored: str, clip: str) -> Opened:
    return open_all(stored, clip, "cpu")


@pytest.fixture
def out(invr: Any) -> Path:
    Path("out").mkdir()
    return Path("out")


@pytest.fixture
def jobs(opened: Opened, stored: str, clip: str, out: Path) -> Iterator[Jobs]:
    made = Jobs(opened, Path(stored), Path(clip), out, "cpu")
    yield made
    made.cancel()


@pytest.fixture
def client(opened: Opened, jobs: Jobs) -> TestClient:
    return TestClient(viewer(opened, PORT, jobs=jobs), base_url=HOME, headers=OWN)


def form(task: str, suffix: str = ".mkv", **options: str) -> dict[str, Any]:
    return {"task": task, "options": options, "format": suffix}


def ended(client: TestClient, seen: Callable[[dict[str, Any]], None] = lambda state: None) -> dict[str, Any]:
    """The state of the job once it has ended."""
    for _ in range(3000):
        state: dict[str, Any] = client.get("/job").json()
        seen(state)
        if state["state"] != "running":
            return state
        time.sleep(0.04)
    raise AssertionError("it does not end")


# ------------------------------------------------------------------ what is offered
def test_each_task_that_is_allowed_has_a_form_of_its_options(client: TestClient) -> None:
    found = client.get("/tasks").json()
    tasks = {task["name"]: task for task in found["tasks"]}
    assert found["out"] == str(Path("out").resolve()) and found["formats"] == [".mp4", ".mkv"]
    assert tasks["fakeslow"]["about"] == "Tasks [for] tests" and tasks["fakeslow"]["doubt"] == ""
    factor, gain, times = tasks["fakeslow"]["fields"]
    assert (factor["name"], factor["kind"], factor["default"]) == ("factor", "text", "2")
    assert factor["about"] == "Times as many frames; at least 2." and not factor["required"]
    assert (gain["default"], times["default"]) == ("1.0", "")
    assert [(field["name"], field["required"]) for field in tasks["fakefill"]["fields"]] == [
        ("box", True),
        ("dilate", False),
    ]
    assert "needs the part fine" in found["others"]["fakefine"] and "fakefine" not in tasks


def test_what_is_refused_as_it_stands_comes_last_and_says_why(client: TestClient) -> None:
    tasks = client.get("/tasks").json()["tasks"]
    doubts = [bool(task["doubt"]) for task in tasks]
    assert doubts == sorted(doubts) and not all(doubts)
    for task in tasks:
        if task["name"] == "upscale":  # what was fitted is as large as the clip
            assert "is of 24x16, the task Upscale needs 48x32 here" in task["doubt"]


def test_an_answer_can_be_no_other_option() -> None:
    asked = Form(
        "x",
        "",
        (
            Field("kind", "choice", "a", "", ("a", "b")),
            Field("very_fast", "flag", "true", ""),
            Field("slow", "flag", "", ""),
            Field("n", "text", "1", ""),
        ),
        "",
    )
    assert asked.words({}) == [] and asked.words({"kind": "a", "very_fast": "true", "slow": "", "n": " "}) == []
    words = asked.words({"kind": "b", "very_fast": "", "slow": "true", "n": "--save-rep=x"})
    assert words == ["--kind=b", "--no-very-fast", "--slow", "--n=--save-rep=x"]
    with pytest.raises(BadInput, match="has no option 'save_rep'"):
        asked.words({"save_rep": "x"})


# ------------------------------------------------------------------ who may begin one
def test_without_a_folder_the_page_says_how_to_allow_it(opened: Opened) -> None:
    client = TestClient(viewer(opened, PORT), base_url=HOME, headers=OWN)
    assert "--out FOLDER" in client.get("/tasks").json()["how"]
    for answer in (client.post("/job", json=form("fakeslow")), client.post("/cancel", json={}), client.get("/job")):
        assert answer.status_code == 400 and "--out FOLDER" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/job", "/cancel"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://127.0.0.1:{PORT + 1}"},
        {"origin": HOME, "sec-fetch-site": "cross-site"},
        {"origin": HOME, "host": "evil.example"},
    ],
)
def test_nobody_else_begins_or_cancels(opened: Opened, jobs: Jobs, path: str, headers: dict[str, str]) -> None:
    client = TestClient(viewer(opened, PORT, jobs=jobs), base_url=HOME)
    assert client.post(path, json=form("fakeslow"), headers=headers).status_code in (403, 421)
    assert jobs.state()["state"] == "none"


def test_asking_changes_nothing(client: TestClient, jobs: Jobs) -> None:
    assert client.get("/job?task=fakeslow").json()["state"] == "none"
    assert client.get("/cancel").status_code == 405
    assert jobs.state()["state"] == "none"


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (form("nothing"), "no task 'nothing' is offered here"),
        (form("fakefine"), "no task 'fakefine' is offered here"),
        (form("./evil.py:Evil"), "no task './evil.py:Evil' is offered"),
        (form("fakeslow", save_rep="x.invr"), "has no option 'save_rep'"),
        (form("fakeslow", factor="2\n3"), "plain letters"),
        (form("fakeslow", factor="2" * 300), "at most 200"),
        (form("fakefill"), "--box must be filled in"),
        (form("fakeslow", "/../x.mkv"), "written as .mp4 or .mkv here"),
        (form("fakeslow", ".gif"), "written as .mp4 or .mkv here"),
        ({"task": "fakeslow"}, "a form is JSON"),
        ({"task": "fakeslow", "options": {"factor": 2}, "format": ".mkv"}, "all of them texts"),
        (["fakeslow"], "a form is JSON"),
        (form("x" * 20_000), "10000 letters"),
    ],
)
def test_a_bad_form_is_a_message(client: TestClient, jobs: Jobs, out: Path, sent: Any, message: str) -> None:
    answer = client.post("/job", json=sent)
    assert answer.status_code == 400 and message in answer.json()["error"] and len(answer.content) < 400
    assert jobs.state()["state"] == "none" and list(out.iterdir()) == []


def test_a_form_is_nothing_but_json(client: TestClient) -> None:
    text = '{"task": "fakeslow", "options": {}, "format": ".mkv"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert client.post("/job", content=text, headers={"content-type": kind}).status_code == 400
    assert client.post("/job", content="[" * 9000, headers={"content-type": "application/json"}).status_code == 400


# ------------------------------------------------------------------ what comes of it
def test_a_task_is_run_and_seen_and_nothing_is_replaced(client: TestClient, out: Path) -> None:
    (out / "in-fakeslow.mkv").write_text("precious")
    assert client.post("/job", json=form("fakeslow", factor="3")).json()["state"] == "running"
    percents: list[int] = []
    state = ended(client, lambda now: percents.append(now["percent"]) if now["percent"] is not None else None)
    assert state["state"] == "done", state
    assert percents == sorted(percents) and "in-fakeslow-2.mkv" in state["text"]
    assert (out / "in-fakeslow.mkv").read_text() == "precious"
    assert sorted(path.name for path in out.iterdir()) == ["in-fakeslow-2.mkv", "in-fakeslow.mkv"]
    assert len(open_video(out / "in-fakeslow-2.mkv")) == 10
    assert state["part"] in client.get("/facts").json()["parts"]
    shown = client.get("/frame", params={"t": 0.04, "part": state["part"], "width": 24})
    assert shown.status_code == 200 and shown.headers["content-type"] == "image/png"


def test_what_is_refused_is_a_line_and_leaves_nothing(client: TestClient, out: Path) -> None:
    client.post("/job", json=form("fakeslow", factor="1"))
    state = ended(client)
    assert state["state"] == "failed" and state["text"] == "--factor 1: must be at least 2, got 1"
    assert list(out.iterdir()) == [] and state["part"] == ""


def test_one_runs_at_a_time_the_viewer_answers_and_it_can_be_cancelled(
    client: TestClient, out: Path, install: Callable[..., Path]
) -> None:
    install("sleepy", {"sleepy": "sleepy_task:Sleepy"}, {"sleepy_task": SLEEPY})
    assert client.post("/job", json=form("sleepy")).status_code == 200
    busy = client.post("/job", json=form("fakeslow"))
    assert busy.status_code == 409 and "sleepy is running; wait for it, or cancel it" in busy.json()["error"]
    assert client.get("/frame?t=0.05").status_code == 200
    (private,) = out.iterdir()
    assert private.stat().st_mode & 0o077 == 0
    began = time.monotonic()
    assert client.post("/cancel", json={}).json()["state"] == "cancelled"
    assert time.monotonic() - began < 30 and list(out.iterdir()) == []
    assert client.post("/cancel", json={}).json()["state"] == "cancelled"


def test_of_many_answers_the_last_are_shown(opened: Opened, clip: str) -> None:
    parts = [opened.add("same.mp4", open_video(clip)) for _ in range(MOST_ANSWERS + 2)]
    assert len(set(parts)) == len(parts) and opened.names[-MOST_ANSWERS:] == tuple(parts[2:])
    assert "source" in opened.names


# ------------------------------------------------------------------ the command
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "out"], "--out is for what tasks write, and a task needs the clip: name it with --source"),
        (["--source", "in.mkv", "--out", "nowhere"], "--out nowhere is no folder; make it first"),
        (["--source", "in.mkv", "--out", "in.mkv"], "--out in.mkv is no folder"),
    ],
)
def test_what_cannot_be_allowed_is_one_line(
    invr: Any, stored: str, out: Path, arguments: list[str], message: str
) -> None:
    assert message in invr.refuses("view", stored, *arguments)


def test_what_runs_ends_with_the_viewer(opened: Opened, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[str] = []
    monkeypatch.setattr(jobs, "cancel", lambda: ends.append("cancelled"))
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: ends.append("served"))
    held = socket.socket()
    held.bind((serve.HOST, 0))
    serve.serve(opened, held, False, lambda text: None, jobs)
    assert ends == ["served", "cancelled"]
