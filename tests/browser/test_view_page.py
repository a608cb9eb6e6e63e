"""The viewer in a real browser: scrub finer than frames, play, switch parts, zoom, wipe; judged by the pixels."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from invr_core.oracle import MovingDisc
from invr_core.query import Query, Region
from invr_tasks.pixels import to_bytes
from invr_tasks.task import as_video

pytest.importorskip("uvicorn", reason="the viewer's libraries come with the extra `view`")

from invr_tasks.view.app import viewer
from invr_tasks.view.opened import Opened
from invr_tasks.view.serve import listen

SPAN = (0.0, 2.0)
NOTES = ("Not there: <b>part-0002</b>.", "Not fitted: 1.00 to 2.00 s.")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A disc of 160x90 whose source is the same scene, inverted."""
    import uvicorn

    rep = MovingDisc((90, 160), SPAN)
    source = as_video(rep, Query(torch.linspace(*SPAN, 11, dtype=torch.float64))).map(lambda frames: 1 - frames)
    with listen(0) as held:
        port = held.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(viewer(Opened("disc.invr", rep, source, NOTES), port), log_level="error")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]})
        thread.start()
        yield f"http://127.0.0.1:{port}/"
        server.should_exit = True
        thread.join()


@pytest.fixture
def view(page: Any, address: str) -> Any:
    page.set_viewport_size({"width": 680, "height": 700})
    page.goto(address)
    until(page, "sides.every((side) => side.shown && !side.busy)")
    return page


def until(view: Any, expression: str) -> None:
    """Wait for it. Playwright's own wait evaluates text within the page, which the page's policy forbids."""
    for _ in range(600):
        if view.evaluate(expression):
            return
        view.wait_for_timeout(50)
    raise AssertionError(f"this did not come true: {expression}")


def settle(view: Any) -> None:
    """Wait until what is wanted is shown, in full size."""
    until(
        view,
        "performance.now() - movedAt > 250 && sides.every((s) => !s.visible() || (!s.busy && s.asked === s.query()))",
    )


def canvas(view: Any) -> np.ndarray[Any, Any]:
    """The canvas, (H, W, 3)."""
    settle(view)
    encoded = view.evaluate("stage.toDataURL()").partition(",")[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")).astype(int)


def expected(shape: tuple[int, ...], time: float, zoom: int = 1, part: str = "full") -> np.ndarray[Any, Any]:
    """What the representation says, at that size."""
    start = (1 - 1 / zoom) / 2
    region = Region(start, start, 1 / zoom, 1 / zoom)
    times = torch.tensor([time], dtype=torch.float64)
    picture = MovingDisc((90, 160), SPAN)(Query(times, (shape[0] * zoom, shape[1] * zoom), region, part))
    return to_bytes(picture)[0].astype(int)


def wipe(view: Any, percent: int) -> None:
    view.locator("#wipe").fill(str(percent))


def scrub(view: Any, position: int) -> float:
    """To a position of the slider; the instant that is then shown."""
    view.locator("#time").fill(str(position))
    return float(view.evaluate("view.t"))


def test_it_begins_with_the_source_beside_the_fit(view: Any) -> None:
    shown = canvas(view)
    assert shown.shape[1] > 600 and abs(shown.shape[0] / shown.shape[1] - 90 / 160) < 0.01
    full, half = expected(shown.shape, 0.0), shown.shape[1] // 2
    assert np.abs(shown - full)[:, half + 30 :].mean() < 1
    assert np.abs(shown - (255 - full))[:, : half - 30].mean() < 6  # the source is enlarged from 160x90
    assert view.title() == "disc.invr – invr"
    assert view.locator("#remarks li").all_text_contents() == list(NOTES)


def test_scrubbing_is_finer_than_the_frames(view: Any) -> None:
    wipe(view, 0)
    steps = [scrub(view, position) for position in (203, 204)]
    assert steps == pytest.approx([0.812, 0.816])  # frames are 0.2 s apart
    shown = canvas(view)
    assert np.abs(shown - expected(shown.shape, 0.816)).mean() < 0.05
    assert min(np.abs(shown - expected(shown.shape, time)).mean() for time in (0.8, 0.812)) > 0.1
    assert "0.8160 s · frame 4.08" in view.locator("#clock").text_content()


def test_many_moves_end_at_the_last_one(view: Any) -> None:
    wipe(view, 0)
    for position in range(0, 400, 7):
        time = scrub(view, position)
    shown = canvas(view)
    assert np.abs(shown - expected(shown.shape, time)).mean() < 1


def test_it_plays_and_stops(view: Any) -> None:
    view.get_by_label("speed").select_option(label="1/4")
    view.locator("#play").click()
    until(view, "view.t > 0.1")
    first = view.evaluate("view.t")
    until(view, f"view.t !== {first}")
    view.locator("#play").click()
    assert view.locator("#play").text_content() == "▶ play"
    wipe(view, 0)
    stopped = view.evaluate("view.t")
    shown = canvas(view)
    assert view.evaluate("view.t") == stopped and 0.1 < stopped < 2
    assert np.abs(shown - expected(shown.shape, stopped)).mean() < 1


def test_parts_can_be_switched(view: Any) -> None:
    wipe(view, 100)
    for part in ("structured", "full"):
        view.locator("#left").select_option(part)
        shown = canvas(view)
        assert np.abs(shown - expected(shown.shape, 0.0, part=part)).mean() < 1
        assert view.locator("#left-tag").text_content() == part
    view.locator("#left").select_option("residual")
    assert abs(canvas(view).mean() - 128) < 20
    view.locator("#left").select_option("motion")
    assert canvas(view).std() > 10 and "pixels in full colour" in view.locator("#told").text_content()


def test_zoom_is_rendered_at_the_zoomed_size(view: Any) -> None:
    wipe(view, 0)
    view.get_by_role("button", name="Zoom in").click()
    shown = canvas(view)
    assert view.locator("#zoom").text_content() == "2×"
    assert np.abs(shown - expected(shown.shape, 0.0, zoom=2)).mean() < 1
    assert view.evaluate("sides[1].shown.picture.width") == shown.shape[1]  # pixel by pixel, not enlarged
    view.get_by_role("button", name="whole frame").click()
    assert np.abs(canvas(view) - expected(shown.shape, 0.0)).mean() < 1


def test_zoomed_the_wheel_zooms_on_and_the_frame_is_dragged(view: Any) -> None:
    wipe(view, 0)
    box = view.locator("#stage").bounding_box()
    view.mouse.move(box["x"] + 10, box["y"] + 10)
    for _ in range(5):
        view.mouse.wheel(0, -100)
    until(view, "view.zoom > 3")
    corner = view.evaluate("window_()")
    assert corner["x"] < 0.02 and corner["y"] < 0.04
    view.mouse.move(box["x"] + 500, box["y"] + 200)
    view.mouse.down()
    view.mouse.move(box["x"] + 300, box["y"] + 100, steps=4)
    view.mouse.up()
    assert view.evaluate("window_()")["x"] > corner["x"] + 0.04


def test_the_wipe_is_dragged_on_the_picture(view: Any) -> None:
    box = view.locator("#stage").bounding_box()
    view.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 50)
    view.mouse.down()
    view.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 60, steps=4)
    view.mouse.up()
    assert float(view.locator("#wipe").input_value()) == pytest.approx(25, abs=1)
    shown = canvas(view)
    full, edge = expected(shown.shape, 0.0), round(shown.shape[1] * 0.25)
    assert np.abs(shown - full)[:, edge + 30 :].mean() < 1 < 20 < np.abs(shown - full)[:, : edge - 30].mean()


def test_the_keyboard_is_enough(view: Any) -> None:
    view.locator("#stage").focus()
    for key in ("ArrowRight", "ArrowRight", "+"):
        view.keyboard.press(key)
    assert view.evaluate("[view.t, view.zoom]") == pytest.approx([0.04, 1.25])
    view.keyboard.press("End")
    assert view.evaluate("view.t") == 2
    view.keyboard.press("0")
    view.get_by_role("button", name="To the given frame before").press("Enter")
    assert view.evaluate("[view.t, view.zoom]") == pytest.approx([1.8, 1])


@pytest.mark.parametrize("width", [1280, 480])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_on_the_screen(view: Any, width: int, scheme: Any) -> None:
    view.set_viewport_size({"width": width, "height": 900})
    view.emulate_media(color_scheme=scheme)
    until(view, f"stage.width <= {width}")
    assert canvas(view).std() > 10
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    assert view.locator("#trouble").text_content() == ""


def test_without_a_folder_for_them_no_task_is_offered(view: Any) -> None:
    until(view, "document.getElementById('how').textContent.includes('--out FOLDER')")
    assert not view.locator("#form").is_visible()


def test_when_the_viewer_is_gone_the_page_says_so(view: Any, faults: list[str]) -> None:
    view.context.set_offline(True)
    scrub(view, 100)
    until(view, "document.getElementById('trouble').textContent.includes('does not answer')")
    assert faults
    faults.clear()
