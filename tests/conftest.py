"""What every test gets: no network, a fair share of the processor, and honest skips."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

SECONDS = 1000  # milliseconds
UNPLUGGED = Path(__file__).parent / "unplugged"
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)

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


def pytest_configure(config):
    _pull_the_plug()
    _share_the_processor()
    _hear_ctrl_c()
    # A learner's own IPython start-up files must not change what a notebook shows.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.ipython_dir = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        os.environ["IPYTHONDIR"] = config.ipython_dir.name
        config.mygpt = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        os.environ["MINIGPT_MYGPT"] = str(Path(config.mygpt.name, "mygpt"))
    config.pluginmanager.register(NobodysParts(Path(os.environ["MINIGPT_MYGPT"])))


class NobodysParts:
    """No test may touch the learner's own parts and progress; each notebook begins with none."""

    def __init__(self, tests):
        self.tests = tests

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        own = self.tests.parent / f"{item.path.parent.name}_{item.path.stem}" / "mygpt"
        is_notebook = item.path.suffix == ".ipynb"
        os.environ["MINIGPT_MYGPT"] = str(own if is_notebook else self.tests)


def _pull_the_plug():
    """Block all but loopback here, and in every process started from here (kernels included)."""
    if os.environ.get("MINIGPT_UNPLUGGED") == "1":
        return  # an xdist worker: Python read sitecustomize when it started
    os.environ["MINIGPT_UNPLUGGED"] = "1"
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(UNPLUGGED), inherited]))
    code = (UNPLUGGED / "sitecustomize.py").read_text(encoding="utf-8")
    exec(compile(code, str(UNPLUGGED / "sitecustomize.py"), "exec"), {"__name__": "sitecustomize"})


def _share_the_processor():
    """Give each xdist worker its share of the cores, before torch starts its threads."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        threads = max(1, (os.cpu_count() or 1) // workers)
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)


def _hear_ctrl_c():
    """Undo what a job in the background inherits: a deaf ear for Ctrl-C, and all its processes."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if (
        report.skipped
        and not hasattr(report, "wasxfail")
        and not item.get_closest_marker("elsewhere")
    ):
        _fail_if_all_is_required(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    if report.skipped:
        _fail_if_all_is_required(report)
    return report


def _fail_if_all_is_required(report):
    """With MINIGPT_REQUIRE_ALL=1 (as .ci/run sets it) a test skipped for an absent part fails."""
    if os.environ.get("MINIGPT_REQUIRE_ALL") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"MINIGPT_REQUIRE_ALL is set, and this was skipped. {reason}"


def pytest_terminal_summary(terminalreporter):
    """Show the confusion matrix: for each exercise, which wrong answer was taken for which."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    properties = [p for report in reports for p in getattr(report, "user_properties", ())]
    mutants = [value for name, value in properties if name == "mutants"]
    if mutants:
        terminalreporter.section("mutants of the solutions that no case can tell from them")
        for exercise, _, survivors in mutants:
            for what in survivors:
                terminalreporter.line(f"{exercise}: {what}")
        count, left = sum(m[1] for m in mutants), sum(len(m[2]) for m in mutants)
        terminalreporter.line(f"{count - left} of {count} rejected, {(count - left) / count:.1%}")
    found = [value for name, value in properties if name == "confusion"]
    if not found:
        return
    terminalreporter.section("confusion matrix: rows are what was wrong, columns what was named")
    for exercise, cells in found:
        right = sum(count for wrong, said, count in cells if wrong == said)
        total = sum(count for _, _, count in cells)
        kinds = len({wrong for wrong, _, _ in cells})
        terminalreporter.line(f"{exercise}: {kinds} wrong answers, {right}/{total} on the diagonal")
        for wrong, said, count in cells:
            if wrong != said:
                terminalreporter.line(f"    {wrong} was taken for {said}: {count} times")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium-like browser."""
    if path := find_chromium():
        return path
    pytest.skip("No Chromium here. Get it with: sudo apt-get install chromium (or set CHROMIUM)")


def find_chromium():
    """Look for a Chromium-like browser; CHROMIUM names one that is not on the PATH."""
    names = [name for name in (os.environ.get("CHROMIUM"), *BROWSERS) if name]
    return next(filter(None, map(shutil.which, names)), None)


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


@pytest.fixture
def page(browser):
    """A fresh tab, which must ask nobody but this machine and report no error of a script."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    outside, errors = [], []
    page.on("request", lambda request: _is_local(request.url) or outside.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: _is_complaint(message) and errors.append(message.text))
    yield page
    page.close()
    assert not outside
    assert not errors


def _is_local(url):
    return url.startswith(("http://127.0.0.1:", "data:", "blob:", "file:"))


# JupyterLab asks its server for files that need not exist, and its debugger a kernel that is just
# being replaced: what it says about that is no script's error.
HARMLESS = ("Failed to load resource", "Could not restore the debugger state")


def _is_complaint(message):
    return message.type == "error" and not any(words in message.text for words in HARMLESS)


# In place of the page's own lines: what was chosen and what is asked goes to Python, and what
# Python answers and changed comes back.
ALONE = """  save_changes() {},
  send() {}, // nobody answers
"""
PYTHON_BEHIND = """  save_changes() { model.send(null); },
  async send(message) {
    const isView = (value) => value instanceof DataView;
    const view = (bytes) => new DataView(Uint8Array.from(bytes).buffer);
    model.sent ??= { ...content.state };
    const chosen = Object.entries(state).filter(([name, value]) =>
      !isView(value) && value !== model.sent[name]);
    Object.assign(model.sent, Object.fromEntries(chosen));
    const { replies, changed } = await window.ask(message, Object.fromEntries(chosen));
    for (const [name, value] of Object.entries(changed)) {
      model.sent[name] = isView(state[name]) ? view(value) : value;
      model.set(name, model.sent[name]);
    }
    for (const [reply, buffers] of replies) {
      listeners.get("msg:custom")?.forEach((listener) => listener(reply, buffers.map(view)));
    }
  },
"""


@pytest.fixture
def played(page, tmp_path):
    """Open an explorer in a page of its own with Python behind it, without Jupyter: quick."""

    def play(widget):
        def ask(message, chosen):
            replies = []
            widget.send = lambda reply, buffers=(): replies.append([reply, [*map(list, buffers)]])
            known.update(chosen)
            widget.set_state(chosen)
            if message:
                widget._answer(widget, message, [])
            changed = {name: v for name, v in widget._state().items() if known[name] != v}
            known.update(changed)
            for name, value in changed.items():
                changed[name] = list(value) if isinstance(value, bytes) else value
            return {"replies": replies, "changed": changed}

        known = widget._state()
        path = tmp_path / "page.html"
        widget.to_html(path)
        html = path.read_text(encoding="utf-8")
        assert ALONE in html
        path.write_text(html.replace(ALONE, PYTHON_BEHIND), encoding="utf-8", newline="\n")
        page.expose_function("ask", ask)
        page.goto(path.as_uri())
        return page.locator(".xp")

    return play


@pytest.fixture
def photograph():
    """Keep a picture of an element for the README, if MINIGPT_SCREENSHOTS=1 asks for it."""

    def keep(element, name):
        if os.environ.get("MINIGPT_SCREENSHOTS") == "1":
            element.page.set_viewport_size({"width": 1200, "height": 1600})
            element.page.mouse.move(0, 0)
            element.screenshot(path=Path(__file__).parents[1] / "docs" / f"{name}.png")

    return keep


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A JupyterLab of our own."""
    home, folder = tmp_path_factory.mktemp("jupyter"), tmp_path_factory.mktemp("notebooks")
    with running_lab(home, folder) as lab:
        yield lab


@contextlib.contextmanager
def running_lab(home, folder):
    """Start a JupyterLab on a folder, without anybody's settings, and stop it in the end."""
    port = _free_port()
    for name, values in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    # Where nbgrader is installed, its buttons are not what a learner sees.
    pages = home / "config" / "labconfig" / "page_config.json"
    pages.parent.mkdir(parents=True)
    pages.write_text('{"disabledExtensions": {"@jupyter/nbgrader": true}}', encoding="utf-8")
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }
    from minigpt.commands.lab import lab_environment  # as `minigpt lab` opens it

    own = {name: str(home / place) for name, place in places.items()}
    environment = {**lab_environment(), **own}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    command += ["--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    with open(home / "log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_for_server(server, port, home / "log")
        yield Lab(f"http://127.0.0.1:{port}", folder)
    finally:
        server.terminate()
        server.wait(timeout=30)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for_server(server, port, log):
    for _ in range(300):
        if server.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')}")


class Lab:
    """A running JupyterLab: its address, its folder of notebooks, and what a learner does in it."""

    def __init__(self, address, folder):
        self.address, self.folder = address, folder

    def write(self, name, *cells):
        """Write a notebook of code cells; without a kernelspec a dialog would ask for one."""
        import nbformat.v4 as v4

        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        cells = [v4.new_code_cell(code, id=f"cell-{i}") for i, code in enumerate(cells)]
        notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
        path = self.folder / f"{name}.ipynb"
        path.write_text(v4.writes(notebook), encoding="utf-8")
        return path

    def open(self, page, name):
        page.goto(f"{self.address}/lab/tree/{name}.ipynb?reset")
        page.get_by_text(re.compile(r"\| Idle$")).wait_for(timeout=60 * SECONDS)

    def choose_from_menu(self, page, menu, *names):
        page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{menu}$")).click()
        for name in names:
            # The newest menu is the submenu that has just opened.
            page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{name}$")).last.click()

    def set_theme(self, page, theme):
        """Choose "Light" or "Dark"."""
        self.choose_from_menu(page, "Settings", "Theme", f"JupyterLab {theme}")
        light = str(theme == "Light").lower()
        page.locator(f"body[data-jp-theme-light={light}]").wait_for(state="attached")

    def run_all(self, page, name):
        """Run every cell as a learner does, save, and return the notebook that was saved."""
        from playwright.sync_api import expect

        self.choose_from_menu(page, "Kernel", "Restart Kernel and Run All Cells…")
        page.get_by_role("button", name="Confirm Kernel Restart").click()
        waiting = page.locator(".jp-CodeCell .jp-InputPrompt", has_text="*")
        expect(waiting).not_to_have_count(0)
        expect(waiting).to_have_count(0, timeout=180 * SECONDS)  # run, or given up after an error
        return self.save(page, name)

    def save(self, page, name):
        """Save the open notebook and return what is then on disk."""
        import nbformat

        path = self.folder / f"{name}.ipynb"
        before = path.stat().st_mtime_ns
        self.choose_from_menu(page, "File", "Save Notebook")
        for _ in range(300):
            with contextlib.suppress(nbformat.reader.NotJSONError):  # half written
                saved = nbformat.read(path, as_version=4)
                if path.stat().st_mtime_ns != before:
                    return saved
            time.sleep(0.1)
        pytest.fail("the notebook was not saved")


@pytest.fixture
def compiler():
    """Whatever torch.compile needs is here; otherwise the test is skipped."""
    from minigpt.speed import check_compiler

    try:
        check_compiler()
    except OSError as error:
        pytest.skip(str(error))
