"""`minigpt lab`: open the course in JupyterLab."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from minigpt.files import ASSETS, PACKAGE, read_text

FIRST_LESSON = Path("notebooks", "00_start_here.ipynb")
PATIENCE = 5  # seconds that the server may take to end after Ctrl-C


def find_course() -> Path:
    """Return the folder that holds `notebooks/`: where you are, or else where the package lies.

    Raises FileNotFoundError if neither has the lessons.
    """
    for folder in (Path.cwd(), PACKAGE.resolve().parent):
        if (folder / FIRST_LESSON).is_file():
            return folder
    raise FileNotFoundError(
        f"no lessons here: {FIRST_LESSON} is neither in {Path.cwd()} nor beside the package. The "
        "package alone carries no notebooks; get the whole repository and run this in its folder"
    )


def has_display() -> bool:
    """Say whether a browser could open a window here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def is_root() -> bool:
    """Say whether we run as root, which Jupyter refuses unless told; Windows has no root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def lab_command(folder: Path, options: list[str], notebook: Path = FIRST_LESSON) -> list[str]:
    """Return the command line that opens a notebook of a folder in this Python's JupyterLab."""
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={folder}",  # all of the course: the exercises are one click away
        f"--LabApp.default_url=/lab/tree/{notebook.as_posix()}",
        "--ServerApp.answer_yes=True",  # one Ctrl-C ends it
        "--ServerApp.use_redirect_file=False",  # a browser that is a snap may not read such a file
    ]
    if is_root():
        command.append("--allow-root")
    if not has_display():
        command.append("--no-browser")
    return command + options


def lab_environment() -> dict[str, str]:
    """Return the environment for JupyterLab: our defaults stand behind the user's own settings.

    Widgets are saved with their notebook, so that one opened again shows them as they were.
    """
    ours = str(ASSETS / "jupyter")
    paths = [ours, os.environ.get("JUPYTER_CONFIG_PATH")]
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, paths))}


def address_of(server: subprocess.Popen) -> str | None:
    """Return the address of a server with its token, once it listens; None before."""
    from jupyter_core.paths import jupyter_runtime_dir  # slow to import

    try:
        file = Path(jupyter_runtime_dir(), f"jpserver-{server.pid}.json")
        about = json.loads(read_text(file))
        socket.create_connection((about["hostname"], about["port"]), timeout=1).close()
    except (OSError, ValueError):
        return None
    return f"{about['url']}lab?token={about['token']}"


def announce(server: subprocess.Popen) -> None:
    """Print the address when the server answers: below its log, where it is seen."""
    while server.poll() is None:
        if address := address_of(server):
            print(f"\nThe course is open at\n\n    {address}\n\nCtrl-C ends it.", flush=True)
            return
        time.sleep(0.2)


def serve(command: list[str]) -> int:
    """Run JupyterLab until Ctrl-C, or until the system asks to end; return its exit code."""
    server = subprocess.Popen(command, env=lab_environment())

    def end(*_) -> None:
        server.terminate()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    threading.Thread(target=announce, args=[server], daemon=True).start()
    try:
        return server.wait()
    except KeyboardInterrupt:
        # At Ctrl-C the server has heard it too, and is shutting its kernels down.
        try:
            server.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:  # heard too early, when it was still starting up
            server.terminate()
            server.wait()
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def run(args: argparse.Namespace) -> int:
    """Serve the lessons; every option behind `lab` goes to JupyterLab."""
    return serve(lab_command(find_course(), args.options))
