"""The page of a run in a real browser: the wipe, the instants, the keyboard, light and dark, wide and narrow."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from standins import Own

from invr_core.fitting import Progress
from invr_core.oracle import MovingDisc
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks.page.joined import Sections
from invr_tasks.page.report import write_report
from invr_tasks.run import Result
from invr_tasks.shots import run_shots
from invr_tasks.task import Source, as_video


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Given is dark red, the answer is blue."""
    rep = MovingDisc((90, 160))
    clip = as_video(rep, Query(torch.linspace(0, 1, 7, dtype=torch.float64)))
    red, blue = (torch.tensor(colour).view(1, 3, 1, 1).expand(7, 3, 90, 160) for colour in ((0.6, 0, 0), (0, 0, 1.0)))
    path = tmp_path_factory.mktemp("page") / "run.html"
    given, answer = Video.of(red.contiguous(), clip.times), Video.of(blue.contiguous(), clip.times)
    write_report(path, Own(), Source(given), Result(answer, rep, 2.0))
    return path


def seen(page: Any) -> np.ndarray[Any, Any]:
    """The stage as it is shown, (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(page.locator("#stage").screenshot())).convert("RGB")).astype(int)


def edge(page: Any) -> float:
    """Where red turns to blue, as a fraction of the width, by the pixels of a row below the tags."""
    row = seen(page)[-20]
    return float((row[:, 0] > row[:, 2]).mean())


def test_the_wipe_follows_the_pointer_and_the_keys(page: Any, report: Path) -> None:
    page.goto(report.as_uri())
    assert edge(page) == pytest.approx(0.5, abs=0.02)
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 120, steps=5)
    page.mouse.up()
    assert edge(page) == pytest.approx(0.2, abs=0.02)
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 100)  # not held: nothing moves
    assert edge(page) == pytest.approx(0.2, abs=0.02)
    page.get_by_label("wipe").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert edge(page) == pytest.approx(0.3, abs=0.02)


def test_sides_and_instants_can_be_chosen(page: Any, report: Path) -> None:
    page.goto(report.as_uri())
    page.get_by_role("button", name="Swap left and right").click()
    row = seen(page)[-20]
    assert row[30, 2] > 200 and row[-30, 0] > 120
    page.get_by_label("left", exact=True).select_option("motion")
    page.get_by_label("right", exact=True).select_option("motion")
    sources = set()
    buttons = page.locator(".strip button")
    assert buttons.count() >= 3
    for number in range(buttons.count()):
        buttons.nth(number).focus()
        page.keyboard.press("Enter")
        assert buttons.nth(number).get_attribute("aria-pressed") == "true"
        assert page.locator(".strip [aria-pressed=true]").count() == 1
        sources.add(page.locator("#over").get_attribute("src"))
    assert len(sources) == buttons.count()


@pytest.mark.parametrize("width", [1280, 480])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(page: Any, report: Path, width: int, scheme: Any) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    broken = "[...document.images].filter((image) => image.src && !image.naturalWidth).length"
    assert page.evaluate(broken) == 0 and page.evaluate("document.images.length") > 20
    picture = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L")).astype(int)
    paper, ink = picture[5, 5], picture[:80]
    assert (paper > 200 and ink.min() < 60) if scheme == "light" else (paper < 60 and ink.max() > 200)


def test_without_scripts_all_pictures_are_there(browser: Any, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(report.as_uri())
    assert not tab.locator("#compare").is_visible()
    assert tab.locator(".pictures img").first.is_visible()
    context.close()


def test_the_fits_of_parts_are_drawn_one_after_the_other(
    page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = Sections()

    def fit(*arguments: Any, **options: Any) -> MovingDisc:
        for step in range(1, 61):
            sections.step(Progress(step, 60, step / 10, 0.0, 30 - 12 / step, 0.1))
        return MovingDisc((90, 160))

    monkeypatch.setattr("invr_tasks.run.fit", fit)
    source = Source(as_video(MovingDisc((90, 160)), Query(torch.linspace(0, 1, 12, dtype=torch.float64))))
    joined = run_shots(Own(), source, [4, 8], on_part=lambda part: sections.begin(), on_done=sections.add)
    joined.video.frames()
    sections.write(tmp_path / "run.html", Own(), source, joined)
    page.goto((tmp_path / "run.html").as_uri())
    drawn = page.locator("figure", has_text="The fits of the parts").locator("svg")
    frame = drawn.bounding_box()
    boxes = [line.bounding_box() for line in drawn.locator("polyline").all()]
    assert len(boxes) == 3
    for before, after in pairwise(boxes):
        assert before["x"] + before["width"] <= after["x"]
    for box in boxes:
        assert frame["x"] < box["x"] and box["x"] + box["width"] < frame["x"] + frame["width"]
        assert frame["y"] < box["y"] and box["height"] > 50
    assert (
        len({line.evaluate("line => getComputedStyle(line).stroke") for line in drawn.locator("polyline").all()}) == 1
    )
