"""The lessons in a real JupyterLab, in a real browser, unplugged: they run, and the map plays."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

playwright = pytest.importorskip(
    "playwright.sync_api", reason="No Playwright here. Get it with: pip install playwright"
)
expect = playwright.expect

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
# The lessons with a map to play with; all others are run by nbval alone.
LESSONS = [
    path.stem
    for path in sorted(NOTEBOOKS.glob("*.ipynb"))
    if "Map(" in path.read_text(encoding="utf-8")
]
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    # All cells on the page at once, so that the test can see them without scrolling.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "apputils-extension/themes": {"theme": "JupyterLab Light"},
}
SECONDS = 1000  # milliseconds


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Copies of the lessons: what a browser saves must not change the repository."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name in LESSONS:
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", folder)
    return folder


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory):
    """The address of a JupyterLab of our own, without anybody's settings."""
    home, port = tmp_path_factory.mktemp("jupyter"), free_port()
    for name, values in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }
    environment = {**os.environ, **{name: str(home / place) for name, place in places.items()}}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    command += ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    with open(home / "log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_for_server(server, port, home / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_for_server(server, port, log):
    for _ in range(300):
        if server.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="module")
def browser(chromium):
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


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


def is_local(url):
    return url.startswith(("http://127.0.0.1:", "data:", "blob:"))


def is_complaint(message):
    # JupyterLab asks its server for files that need not exist; the answer is no script's error.
    return message.type == "error" and "Failed to load resource" not in message.text


def open_lesson(page, lab, name):
    page.goto(f"{lab}/lab/tree/{name}.ipynb?reset")
    page.get_by_text(re.compile(r"\| Idle$")).wait_for(timeout=60 * SECONDS)


def choose_from_menu(page, menu, *names):
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{menu}$")).click()
    for name in names:
        # The newest menu is the submenu that has just opened.
        page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{name}$")).last.click()


def run_all(page, path):
    """Run every cell as a learner does, save, and return the notebook that was saved."""
    before = path.stat().st_mtime_ns
    choose_from_menu(page, "Kernel", "Restart Kernel and Run All Cells…")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    waiting = page.locator(".jp-CodeCell .jp-InputPrompt", has_text="*")
    expect(waiting).not_to_have_count(0)
    expect(waiting).to_have_count(0, timeout=180 * SECONDS)  # run, or given up after an error
    page.keyboard.press("Control+s")
    for _ in range(100):
        with contextlib.suppress(nbformat.reader.NotJSONError):  # half written
            saved = nbformat.read(path, as_version=4)
            if path.stat().st_mtime_ns != before:
                return saved
        time.sleep(0.1)
    pytest.fail("the notebook was not saved")


def errors_in(notebook):
    """Return what a learner would see as an error: a traceback, or anything written to stderr."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    wrong = [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    return [output.get("text") or f"{output.ename}: {output.evalue}" for output in wrong]


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_runs_to_its_end_and_the_map_plays(page, lab, folder, name):
    open_lesson(page, lab, name)
    # Before anything has run, the reader sees the picture of each map.
    maps = sum("Map(" in cell.source for cell in code_cells(folder / f"{name}.ipynb"))
    pictures = page.locator(".jp-CodeCell", has_text="Map(").locator("img[src^='data:image/png']")
    assert pictures.count() >= maps > 0

    saved = run_all(page, folder / f"{name}.ipynb")
    assert errors_in(saved) == []
    assert all(cell.execution_count for cell in saved.cells if cell.cell_type == "code")

    expect(page.locator(".attention-map")).to_have_count(maps)
    the_map = page.locator(".attention-map").last
    the_map.scroll_into_view_if_needed()
    check_mouse(the_map)
    check_arrow_keys(page, the_map)
    check_that_letters_stay_inside(page, the_map)
    check_theme(page, the_map)


def code_cells(path):
    notebook = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def says(the_map, text):
    expect(the_map.locator(".am-readout")).to_contain_text(text)


def check_mouse(the_map):
    tokens = the_map.locator(".am-token")
    tokens.nth(2).hover()
    says(the_map, "Token 2, ")
    expect(tokens.nth(2)).to_have_attribute("aria-selected", "true")
    tokens.nth(3).click()  # pins
    tokens.nth(1).hover()
    says(the_map, "Token 3, ")
    tokens.nth(3).click()  # lets go
    the_map.locator(".am-head").last.click()
    heads = the_map.locator(".am-head")
    expect(heads.last).to_have_attribute("aria-checked", "true")
    where = heads.last.get_attribute("aria-label").capitalize()
    says(the_map, where)
    # The square: its first row and last column are the future.
    square = the_map.locator(".am-square")
    box = square.bounding_box()
    square.hover(position={"x": box["width"] - 3, "y": 3})
    says(the_map, "is the future: hidden")


def check_arrow_keys(page, the_map):
    text, heads = the_map.locator(".am-text"), the_map.locator(".am-head")
    text.focus()
    page.keyboard.press("Home")
    says(the_map, "Token 0, ")
    page.keyboard.press("ArrowRight")
    says(the_map, "Token 1, ")
    heads.last.focus()
    page.keyboard.press("ArrowLeft")
    chosen = heads.nth(heads.count() - 2)
    expect(chosen).to_have_attribute("aria-checked", "true")
    expect(chosen).to_be_focused()
    the_map.locator(".am-square").focus()
    page.keyboard.press("ArrowDown")
    says(the_map, "Token 2, ")
    page.keyboard.press("ArrowLeft")
    says(the_map, "token 0, ")


def check_that_letters_stay_inside(page, the_map):
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    the_map.locator(".am-text").focus()
    page.keyboard.type("abj")
    page.wait_for_timeout(300)
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    expect(the_map.locator(".am-text")).to_be_focused()


def check_theme(page, the_map):
    light = the_map.evaluate("node => getComputedStyle(node).color")
    choose_from_menu(page, "Settings", "Theme", "JupyterLab Dark")
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    page.wait_for_function(
        "([node, light]) => getComputedStyle(node).color !== light",
        arg=[the_map.element_handle(), light],
    )
    choose_from_menu(page, "Settings", "Theme", "JupyterLab Light")
    page.locator("body[data-jp-theme-light=true]").wait_for(state="attached")
