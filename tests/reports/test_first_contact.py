"""The first minutes with the course: what is typed first, and what is seen."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from minigpt.commands.lab import lab_command
from minigpt.files import ASSETS

no_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


def test_the_bare_command_says_what_there_is():
    done = subprocess.run(
        [sys.executable, "-m", "minigpt"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stderr == ""
    for command in ("doctor", "generate", "train", "lab", "verify", "progress"):
        assert re.search(rf"^ +{command} ", done.stdout, re.M)


def test_an_unknown_command_is_still_an_error():
    for words in (["dance"], ["--dance"]):
        command = [sys.executable, "-m", "minigpt", *words]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 2


def test_jupyterlab_asks_for_no_news_and_looks_for_no_update():
    file = ASSETS / "jupyter" / "labconfig" / "default_setting_overrides.json"
    said = json.loads(file.read_text("utf-8"))["@jupyterlab/apputils-extension:notification"]
    assert said == {"fetchNews": "false", "checkForUpdates": False}


def test_the_browser_is_given_an_address_and_no_file_that_a_snap_may_not_read(tmp_path):
    assert "--ServerApp.use_redirect_file=False" in lab_command(tmp_path, [])


@pytest.mark.elsewhere
@no_signals
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_the_address_stands_last_and_a_request_to_end_ends_jupyterlab_too(tmp_path, number):
    for folder in ("notebooks", "exercises"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notebooks" / "00_start_here.ipynb").write_text("{}", encoding="utf-8")
    command = [sys.executable, "-m", "minigpt", "lab", "--no-browser", "--ServerApp.port=0"]
    places = {"HOME": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path / "run")}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=os.environ | places,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as lab:
        try:
            printed = ""
            while "Ctrl-C ends it" not in printed and lab.poll() is None:
                printed += lab.stdout.readline()
            assert re.search(r"open at\n\n +http://\S+/lab\?token=\w+\n\nCtrl", printed), printed
            [file] = (tmp_path / "run").glob("jpserver-*.json")
            server = json.loads(file.read_text("utf-8"))["pid"]
            lab.send_signal(getattr(signal, number))  # to the command alone
            lab.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(lab.pid, signal.SIGKILL)
        assert lab.returncode == 130
        with pytest.raises(ProcessLookupError):
            os.kill(server, 0)
