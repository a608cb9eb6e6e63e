"""Show the page of a run and the viewer: ``python docs/pictures/pages.py [FILE.html] [ADDRESS]`` writes their pictures.

Needs Playwright and Chromium. FILE.html is what ``invr run --report`` wrote, ADDRESS what ``invr view … --out`` says.
The pictures in this folder are of ``examples/data/bunny.mp4``, by the commands in ``docs/guides/see.md``; the page of
the run with ``--params 200k --steps 120`` in place of ``--minutes 1``.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
POSITION = "1033"
"""Of the viewer's time slider: between two frames."""
SETTLED = "performance.now() - movedAt > 250 && sides.every((side) => !side.busy && side.asked === side.query())"
"""Whether the viewer shows what is wanted, in full size."""
MOST_BYTES = 400_000
"""Of a picture."""
PATIENCE = 300_000
"""Milliseconds that the viewer may take."""


def keep(page: Page, name: str, whole: bool = False) -> None:
    """What is on the screen, or all of the page; as large as fits in its bytes."""
    seen = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    for percent in range(100, 20, -5):
        size = (seen.width * percent // 100, seen.height * percent // 100)
        out = io.BytesIO()
        seen.resize(size, Image.Resampling.LANCZOS).save(out, "JPEG", quality=85)
        if out.tell() <= MOST_BYTES:
            break
    (HERE / name).write_bytes(out.getvalue())


def show_report(page: Page, file: str) -> None:
    """The page of a run, all of it."""
    page.set_viewport_size({"width": 1180, "height": 1260})
    page.goto(Path(file).resolve().as_uri())
    keep(page, "report.jpg", whole=True)


def show_viewer(page: Page, address: str) -> None:
    """The viewer between two frames, with the tasks that it offers."""
    page.set_viewport_size({"width": 1180, "height": 790})
    page.goto(address)
    page.get_by_text("Looking for tasks").wait_for(state="detached", timeout=PATIENCE)
    page.get_by_label("task", exact=True).select_option("interpolate")
    page.locator("#time").fill(POSITION)
    page.locator("#time").blur()
    for _ in range(PATIENCE // 100):
        page.wait_for_timeout(100)
        if page.evaluate(SETTLED):
            break
    keep(page, "viewer.jpg", whole=True)


def main(*pages: str) -> None:
    """Open each, and keep what is seen."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for given in pages:
            show = show_viewer if given.startswith("http") else show_report
            show(browser.new_page(), given)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
