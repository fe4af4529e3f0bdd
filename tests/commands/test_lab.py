"""`minigpt lab`: lesson 00 in JupyterLab, served until Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from minigpt import cli
from minigpt.commands import lab
from tests.commands.running import no_signals, refused


@pytest.fixture
def course(tmp_path, monkeypatch) -> Path:
    """A checkout with nothing in it but an empty lesson 00."""
    (tmp_path / "notebooks").mkdir()
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / lab.FIRST_LESSON).write_text(json.dumps(notebook), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_lab_opens_lesson_00_of_the_checkout_one_is_in_with_this_python(course, monkeypatch):
    assert lab.find_course() == course
    monkeypatch.setattr(lab, "is_root", lambda: False)
    monkeypatch.setattr(lab, "has_display", lambda: True)
    command = lab.lab_command(course, ["--port=9"])
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert command[-1] == "--port=9"
    assert not {"--allow-root", "--no-browser"} & set(command)
    monkeypatch.setattr(lab, "is_root", lambda: True)
    monkeypatch.setattr(lab, "has_display", lambda: False)
    assert {"--allow-root", "--no-browser"} < set(lab.lab_command(course, []))


def test_lab_finds_the_checkout_that_the_package_lies_in(tmp_path, monkeypatch):
    checkout = Path(cli.__file__).parents[1]
    monkeypatch.chdir(tmp_path)
    assert (checkout / lab.FIRST_LESSON).is_file()
    assert lab.find_course() == checkout


def test_lab_says_so_when_there_are_no_notebooks(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab, "PACKAGE", tmp_path / "a" / "b")
    assert "carries no notebooks" in refused(capsys, "lab")


def test_a_screen_is_where_the_system_says(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for platform, found in (("linux", False), ("darwin", True), ("win32", True)):
        monkeypatch.setattr(sys, "platform", platform)
        assert lab.has_display() is found
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert lab.has_display()


@no_signals
def test_lab_serves_until_ctrl_c(course):
    command = [sys.executable, "-m", "minigpt", "lab", "--no-browser", "--ServerApp.port=0"]
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(course), "HOME": str(course)}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,  # its own group, so that Ctrl-C reaches all of it, and only it
    ) as process:
        printed = b""
        while b"Use Control-C" not in printed and process.poll() is None:
            printed += process.stdout.readline()
        # That line comes before the server listens, for answers and for Ctrl-C: wait until it does.
        address, deadline = re.search(rb"http://127\S+", printed)[0].decode(), time.time() + 60
        try:
            while time.time() < deadline:
                with suppress(URLError):
                    urlopen(address, timeout=60).close()
                    break
                time.sleep(0.2)
        finally:
            os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert b"/lab/tree/notebooks/00_start_here.ipynb?token=" in printed
    assert process.returncode == 130
    assert b"Traceback" not in printed + rest


def test_a_server_that_missed_ctrl_c_is_ended_all_the_same(course, monkeypatch):
    class Server:
        def __init__(self, command, env):
            self.answers = [KeyboardInterrupt(), subprocess.TimeoutExpired(command, 5), 0]

        def wait(self, timeout=None):
            answer = self.answers.pop(0)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        def terminate(self):
            ended.append(self)

        def poll(self):
            return 0

    ended = []
    monkeypatch.setattr(lab.subprocess, "Popen", Server)
    assert cli.main(["lab"]) == 130
    assert len(ended) == 1
