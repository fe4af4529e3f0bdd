"""A JupyterLab of our own, and what a learner does in it."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import time

import pytest

SECONDS = 1000  # milliseconds
SETTINGS = {
    # All cells on the page at once, so that the test can see them without scrolling.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "apputils-extension/themes": {"theme": "JupyterLab Light"},
}


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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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


@contextlib.contextmanager
def running_lab(home, folder):
    """Start a JupyterLab on a folder, without anybody's settings, and stop it in the end."""
    port = free_port()
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
        wait_for_server(server, port, home / "log")
        yield Lab(f"http://127.0.0.1:{port}", folder)
    finally:
        server.terminate()
        server.wait(timeout=30)
