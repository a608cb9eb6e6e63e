"""Tasks run from the viewer in a real browser, with clicks: chosen, filled in, watched, cancelled, and compared."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from invr_core.fitting import FitConfig, fit
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Observation
from invr_core.oracle import MovingDisc
from invr_core.query import Query
from invr_tasks.page.parts import fitting, frame_at
from invr_tasks.task import as_video

pytest.importorskip("uvicorn", reason="the viewer's libraries come with the extra `view`")

from invr_core.io import open_video
from invr_tasks.cli import main
from invr_tasks.view.app import viewer
from invr_tasks.view.jobs import Jobs
from invr_tasks.view.opened import open_all
from invr_tasks.view.serve import listen

Served = tuple[str, Path]


@contextmanager
def serving(fitted: Path, clip: Path, out: Path) -> Iterator[Served]:
    """The address of a viewer, and the folder of the answers."""
    import uvicorn

    opened = open_all(str(fitted), str(clip), "cpu")
    jobs = Jobs(opened, fitted, clip, out, "cpu")
    with listen(0) as held:
        port = held.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(viewer(opened, port, jobs=jobs), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]})
        thread.start()
        yield f"http://127.0.0.1:{port}/", out
        jobs.cancel()
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Its address, and the folder of the answers: a disc of 96x64 in 6 frames, fitted badly."""
    folder = tmp_path_factory.mktemp("viewed")
    out = folder / "answers"
    out.mkdir()
    video = as_video(MovingDisc((64, 96)), Query(torch.linspace(0, 1, 6, dtype=torch.float64)))
    video.save(folder / "disc.mkv")
    small = HNeRV(strides=(4, 4), width=6.5, lower_width=4, embedding=4)
    fit(Observation(video), small, FitConfig(steps=1, device="cpu")).save(folder / "disc.invr")
    with serving(folder / "disc.invr", folder / "disc.mkv", out) as found:
        yield found


@pytest.fixture
def view(page: Any, served: Served) -> Any:
    page.set_viewport_size({"width": 900, "height": 1100})
    page.goto(served[0])
    until(page, lambda: page.locator("#form").is_visible())
    return page


def until(view: Any, true: Callable[[], bool]) -> None:
    for _ in range(2400):
        if true():
            return
        view.wait_for_timeout(50)
    raise AssertionError(f"this did not come true; the page says: {view.locator('#tasks').inner_text()}")


def choose(view: Any, task: str, **filled: str) -> None:
    view.get_by_label("task", exact=True).select_option(task)
    for name, value in filled.items():
        view.get_by_label(name, exact=True).fill(value)


def test_a_task_is_chosen_run_and_held_against_the_source(view: Any, served: Served) -> None:
    assert str(served[1]) in view.locator("#how").inner_text()
    choose(view, "interpolate", factor="3")
    assert view.get_by_label("fps").input_value() == "" and "a factor" in view.locator("#field-fps-about").inner_text()
    view.get_by_label("written as").select_option(".mkv")
    view.get_by_role("button", name="start").click()
    until(view, lambda: "wrote" in view.locator("#job-text").inner_text())
    answer = open_video(served[1] / "disc-interpolate.mkv")
    assert len(answer) == 16
    until(view, lambda: view.locator("#right").input_value() == "1: disc-interpolate.mkv")
    assert view.locator("#left").input_value() == "source"
    view.locator("#time").fill("70")  # between two given frames
    time = view.evaluate("view.t")
    settled = "performance.now() - movedAt > 250 && sides.every((s) => !s.busy && s.shown && s.asked === s.query())"
    until(view, lambda: bool(view.evaluate(settled)))
    encoded = view.evaluate("stage.toDataURL()").partition(",")[2]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")).astype(int)
    middle = shown.shape[1] // 2
    expected = fitting(frame_at(answer, time)[0], (shown.shape[0], shown.shape[1])).astype(int)
    assert np.abs(shown - expected)[:, middle + 30 :].mean() < 1
    assert view.locator("#right-tag").inner_text() == "1: disc-interpolate.mkv"
    view.reload()  # the answer is still there for who comes back
    until(view, lambda: view.locator("#right").input_value() == "1: disc-interpolate.mkv")


def test_a_long_one_says_what_is_left_and_is_cancelled(view: Any, served: Served) -> None:
    before = sorted(served[1].iterdir())
    choose(view, "interpolate", factor="4000")
    view.get_by_role("button", name="start").click()
    until(view, lambda: " left" in view.locator("#job-text").inner_text())
    assert "rendering: frame " in view.locator("#job-text").inner_text()
    assert float(view.locator("#progress").get_attribute("value")) < 100
    assert view.get_by_role("button", name="start").is_disabled()
    view.get_by_role("button", name="cancel").click()
    until(view, lambda: "cancelled; nothing was written" in view.locator("#job-text").inner_text())
    assert sorted(served[1].iterdir()) == before
    assert view.get_by_role("button", name="start").is_enabled() and not view.locator("#progress").is_visible()


def test_what_is_wrong_is_said_beside_the_form(view: Any, faults: list[str]) -> None:
    choose(view, "inpaint")
    view.get_by_role("button", name="start").click()
    assert view.evaluate("document.querySelector('#field-box:invalid') !== null")  # the browser asks for it
    view.locator("#field-box").fill("1" * 300)
    view.get_by_role("button", name="start").click()
    until(view, lambda: "at most 200" in view.locator("#job-text").inner_text())
    assert view.locator("#job").get_attribute("class") == "failed" and view.locator("#field-box").is_visible()
    assert len(faults) == 1 and "400" in faults.pop()  # the browser's own word of the refusal
    for width in (900, 480):
        view.set_viewport_size({"width": width, "height": 900})
        assert view.evaluate("document.documentElement.scrollWidth") <= width


def test_a_task_is_run_on_a_run_of_several_parts(page: Any, tmp_path: Path) -> None:
    clip, kept, out = tmp_path / "disc.mkv", tmp_path / "RUN", tmp_path / "answers"
    out.mkdir()
    as_video(MovingDisc((32, 48)), Query(torch.linspace(0, 1, 12, dtype=torch.float64))).save(clip)
    options = ["--no-shots", "--piece", "8", "--steps", "2", "--params", "20k", "--device", "cpu", "--quiet"]
    assert main(["run", "interpolate", str(clip), str(tmp_path / "a.mkv"), "--keep", str(kept), *options]) == 0
    assert len(list(kept.glob("part-*.invr"))) == 2
    with serving(kept, clip, out) as (address, _):
        page.goto(address)
        until(page, lambda: page.locator("#form").is_visible())
        choose(page, "interpolate")
        page.get_by_label("written as").select_option(".mkv")
        page.get_by_role("button", name="start").click()
        until(page, lambda: "wrote" in page.locator("#job-text").inner_text())
        until(page, lambda: page.locator("#right").input_value() == "1: disc-interpolate.mkv")
        page.goto("about:blank")  # or it would go on asking a viewer that has gone
    assert (out / "disc-interpolate.mkv").read_bytes() == (tmp_path / "a.mkv").read_bytes()
