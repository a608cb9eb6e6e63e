"""The viewer by the framework's own client: who may ask, what for, and that a detail is a crop of the whole."""

from __future__ import annotations

import asyncio
import io
import re
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from invr_core.oracle import MovingDisc
from invr_core.query import Query
from invr_tasks.task import as_video

pytest.importorskip("starlette", reason="the viewer's libraries come with the extra `view`")
pytest.importorskip("httpx2", reason="the client comes with the extra `test`")

import httpx2 as httpx
from starlette.testclient import TestClient

from invr_tasks.view.app import viewer
from invr_tasks.view.opened import MOST_PIXELS, Opened
from invr_tasks.view.turns import Superseded, Turns

PORT = 8123
HOME = f"http://127.0.0.1:{PORT}"


@pytest.fixture
def opened() -> Opened:
    """A disc of 80x60, and a source of half its size that shows the same scene, frame by frame."""
    rep = MovingDisc((60, 80), (0.0, 2.0))
    source = as_video(MovingDisc((30, 40), (0.0, 2.0)), Query(torch.linspace(0, 2, 11, dtype=torch.float64)))
    return Opened("<disc>.invr", rep, source)


@pytest.fixture
def client(opened: Opened) -> TestClient:
    return TestClient(viewer(opened, PORT), base_url=HOME, raise_server_exceptions=False)


def pixels(answer: httpx.Response) -> np.ndarray[Any, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)


# ------------------------------------------------------------------ who may ask
@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}"])
def test_this_machine_may_ask(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1",
        "127.0.0.1:80",
        f"127.0.0.1.evil.example:{PORT}",
        "",
        "[::1]:1",
    ],
)
@pytest.mark.parametrize("path", ["/", "/facts", "/frame?t=1", "/view.js", "/nothing"])
def test_another_name_is_refused_so_that_no_site_can_point_its_own_here(
    client: TestClient, host: str, path: str
) -> None:
    answer = client.get(path, headers={"host": host})
    assert answer.status_code == 421 and "for this machine alone" in answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"origin": f"https://127.0.0.1:{PORT}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_the_page_of_another_site_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.get("/frame?t=1", headers=headers)
    assert answer.status_code == 403 and "another site" in answer.json()["error"]


def test_its_own_page_may_ask(client: TestClient) -> None:
    for headers in ({"origin": HOME}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}):
        assert client.get("/facts", headers=headers).status_code == 200


def test_two_hosts_at_once_are_refused(opened: Opened) -> None:
    async def ask() -> int:
        transport = httpx.ASGITransport(viewer(opened, PORT))
        async with httpx.AsyncClient(transport=transport) as client:
            request = client.build_request("GET", HOME)
            request.headers = httpx.Headers([("host", f"127.0.0.1:{PORT}"), ("host", "evil.example")])
            return (await client.send(request)).status_code

    assert asyncio.run(ask()) == 421


def test_each_answer_forbids_what_the_page_does_not_need(client: TestClient) -> None:
    for path in ("/", "/frame?t=1", "/frame?t=x", "/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


# ------------------------------------------------------------------ no file but what it was opened on
@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/view.js/../opened.py",
        "/static/view.js",
        "/opened.py",
        "/view.js%00",
        "/etc/passwd",
        "/C:%5cwindows",
    ],
)
def test_no_path_leads_to_a_file(opened: Opened, path: str) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(viewer(opened, PORT))
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
            request = client.build_request("GET", "/")
            request.url = request.url.copy_with(raw_path=path.encode())
            return await client.send(request)

    answer = asyncio.run(ask())
    assert answer.status_code == 404 and answer.json() == {"error": "there is nothing here"}


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options"])
def test_nothing_but_reading_is_offered(client: TestClient, method: str) -> None:
    assert getattr(client, method)("/frame?t=1", headers={"origin": HOME}).status_code == 405
    assert getattr(client, method)("/frame?t=1").status_code == 403


def test_the_page_and_what_it_loads_are_served(client: TestClient) -> None:
    text = client.get("/").text
    loaded = re.findall(r'(?:src|href)="(/[^"]*)"', text)
    assert set(loaded) == {"/page.css", "/view.css", "/view.js", "/tasks.js"}
    assert all(client.get(path).status_code == 200 for path in loaded)
    assert "http" not in text


# ------------------------------------------------------------------ bad numbers
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "t must be a number, got 'nothing'"),
        ("t=", "t must be a number"),
        ("t=nan", "t must be a number, got 'nan'"),
        ("t=inf", "t must be a number"),
        ("t=1e999", "t must be a number"),
        ("t=1%00", "t must be a number"),
        ("t=-0.5", "t=-0.5 lies outside the clip; give 0 to 2"),
        ("t=2.1", "outside the clip"),
        ("t=1&part=secret", "there is no part 'secret'; there are full, structured, residual, motion"),
        ("t=1&part=", "there is no part ''"),
        ("t=1&width=0", "at least 1"),
        ("t=1&width=-5", "at least 1"),
        ("t=1&width=1.5", "whole number of pixels"),
        ("t=1&width=1e300", "whole number of pixels"),
        ("t=1&width=100000", "is too large; at most 3265 pixels"),
        ("t=1&w=0", "leaves the frame"),
        ("t=1&left=0.5&w=0.6", "leaves the frame"),
        ("t=1&top=-0.1", "leaves the frame"),
        ("t=1&h=nan", "h must be a number"),
        ("t=1&left=x", "left must be a number, got 'x'"),
    ],
)
def test_a_bad_number_is_a_message(client: TestClient, query: str, message: str) -> None:
    answer = client.get(f"/frame?{query}")
    assert answer.status_code == 400 and message in answer.json()["error"]
    assert len(answer.content) < 300


def test_a_long_address_is_refused(client: TestClient) -> None:
    assert client.get(f"/frame?t=1&part={'x' * 3000}").status_code == 414


def test_the_largest_picture_is_bounded(client: TestClient) -> None:
    whole = pixels(client.get("/frame?t=1&width=3265&w=0.01&h=0.01"))
    assert whole.shape[0] * whole.shape[1] < 2000 and MOST_PIXELS >= 3265 * 3265 * 60 // 80


def test_a_fault_of_ours_shows_no_traceback(
    opened: Opened, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "png", lambda asked: 1 / 0)
    answer = client.get("/frame?t=1")
    assert answer.status_code == 500 and "Traceback" not in answer.text and "ZeroDivision" not in answer.text


# ------------------------------------------------------------------ what is shown
def test_the_facts_say_what_there_is(client: TestClient) -> None:
    facts = client.get("/facts").json()
    assert facts["name"] == "<disc>.invr" and facts["span"] == [0, 2] and facts["size"] == [60, 80]
    assert list(facts["parts"]) == ["full", "structured", "residual", "motion", "confidence", "source"]
    assert facts["step"] == pytest.approx(0.2) and len(facts["frames"]) == 11


def test_of_many_frames_each_is_known_and_some_are_marked(opened: Opened) -> None:
    opened.frames = [index / 25 for index in range(1501)]
    facts = opened.facts()
    assert facts["frames"] == opened.frames and facts["every"] == 3


@pytest.mark.parametrize("part", ["full", "structured", "residual", "motion", "confidence", "source"])
def test_a_detail_is_a_crop_of_the_whole_at_that_size(client: TestClient, part: str) -> None:
    whole = pixels(client.get(f"/frame?t=0.73&part={part}&width=240"))
    assert whole.shape == (180, 240, 3) and whole.std() > 5
    detail = pixels(client.get(f"/frame?t=0.73&part={part}&width=240&left=0.25&top=0.5&w=0.5&h=0.25"))
    assert np.array_equal(detail, whole[90:135, 60:180])


def test_each_part_is_what_the_representation_says(client: TestClient, opened: Opened) -> None:
    rep = opened.rep
    for part in ("full", "structured"):
        shown = pixels(client.get(f"/frame?t=0.73&part={part}"))
        asked = rep(Query([0.73], part=part))[0].clamp(0, 1).permute(1, 2, 0).numpy() * 255  # type: ignore[arg-type]
        assert np.abs(shown - asked).max() <= 0.5 + 1e-3
    residual = pixels(client.get("/frame?t=0.73&part=residual"))
    exact = 127.5 + 8 * 255 * rep(Query([0.73], part="residual"))[0].permute(1, 2, 0).numpy()  # type: ignore[arg-type]
    assert np.abs(residual - exact.clip(0, 255)).max() <= 0.5 + 1e-2


def test_time_is_finer_than_the_frames(client: TestClient) -> None:
    shown = [pixels(client.get(f"/frame?t={t}")) for t in (1.0, 1.02, 1.04)]
    assert not np.array_equal(shown[0], shown[1]) and not np.array_equal(shown[1], shown[2])
    near = [pixels(client.get(f"/frame?t={t}&part=source")) for t in (1.0, 1.02, 1.11)]
    assert np.array_equal(near[0], near[1]) and not np.array_equal(near[1], near[2])


def test_without_a_source_there_is_no_such_part() -> None:
    client = TestClient(viewer(Opened("a", MovingDisc()), PORT), base_url=HOME)
    assert "source" not in client.get("/facts").json()["parts"]
    assert client.get("/frame?t=0&part=source").status_code == 400


def test_what_was_overtaken_is_a_conflict_for_the_page(client: TestClient, opened: Opened) -> None:
    class Overtaken(Turns):
        async def take(self, lane: str, key: Any, work: Any) -> bytes:
            raise Superseded("something newer was asked for")

    client = TestClient(viewer(opened, PORT, Overtaken()), base_url=HOME)
    assert client.get("/frame?t=1").status_code == 409
