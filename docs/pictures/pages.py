"""Show the page of a run and the viewer: ``python docs/pictures/pages.py FILE.html ADDRESS`` writes two pictures.

Needs Playwright and Chromium. FILE.html is what ``invr run --report`` wrote, ADDRESS what ``invr view`` says.
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


def keep(page: Page, name: str) -> None:
    """What is on the screen."""
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(HERE / name, quality=85)


def main(report: str, address: str) -> None:
    """Open both, and keep what is seen."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1180, "height": 1260})
        page.goto(Path(report).resolve().as_uri())
        keep(page, "report.jpg")
        page.set_viewport_size({"width": 1180, "height": 790})
        page.goto(address)
        page.locator("#time").fill(POSITION)
        page.wait_for_timeout(4000)
        keep(page, "viewer.jpg")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
