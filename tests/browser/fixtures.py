"""A browser, a page that must keep to this machine, a JupyterLab, and an explorer played in it."""

import os
from pathlib import Path

import pytest

from tests.browser.chromium import FLAGS, find_chromium
from tests.browser.explorers import play
from tests.browser.lab import running_lab

DOCS = Path(__file__).parents[2] / "docs"
# JupyterLab asks its server for files that need not exist, and its debugger a kernel that is just
# being replaced: what it says about that is no script's error.
HARMLESS = ("Failed to load resource", "Could not restore the debugger state")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium-like browser."""
    if path := find_chromium():
        return path
    pytest.skip("No Chromium here. Get it with: sudo apt-get install chromium (or set CHROMIUM)")


@pytest.fixture(scope="module")  # Playwright's loop must not be open in other modules' tests
def browser(chromium):
    """A Chromium without a window, driven by Playwright."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="No Playwright here. Get it with: pip install playwright"
    )
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


def is_local(url):
    return url.startswith(("http://127.0.0.1:", "data:", "blob:", "file:"))


def is_complaint(message):
    return message.type == "error" and not any(words in message.text for words in HARMLESS)


@pytest.fixture
def page(browser):
    """A fresh tab, which must ask nobody but this machine and report no error of a script."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    outside, errors = [], []
    page.on("request", lambda request: is_local(request.url) or outside.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: is_complaint(message) and errors.append(message.text))
    yield page
    page.close()
    assert not outside
    assert not errors


@pytest.fixture
def played(page, tmp_path):
    """Open an explorer in a page of its own with Python behind it, without Jupyter: quick."""
    return lambda widget: play(widget, page, tmp_path / "page.html")


@pytest.fixture
def photograph():
    """Keep a picture of an element for the README, if MINIGPT_SCREENSHOTS=1 asks for it."""

    def keep(element, name):
        if os.environ.get("MINIGPT_SCREENSHOTS") == "1":
            element.page.set_viewport_size({"width": 1200, "height": 1600})
            element.page.mouse.move(0, 0)
            element.screenshot(path=DOCS / f"{name}.png")

    return keep


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A JupyterLab of our own."""
    home, folder = tmp_path_factory.mktemp("jupyter"), tmp_path_factory.mktemp("notebooks")
    with running_lab(home, folder) as lab:
        yield lab
