"""A real browser, headless: Chromium driven by Playwright. Where it is missing, its tests are skipped, loudly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Ended after each module: while Playwright runs, no other test of this process can run an event loop."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="THE PAGES ARE NOT TESTED IN A BROWSER: playwright comes with the extra `dev`"
    )
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("THE PAGES ARE NOT TESTED IN A BROWSER: there is no Chromium; `apt-get install chromium` brings it")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What a page complains of; nothing, at the end of a test."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def page(browser: Any, faults: list[str]) -> Iterator[Any]:
    """A tab that loads nothing from anywhere but this machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: faults.append(str(error)))
    yield tab
    context.close()
