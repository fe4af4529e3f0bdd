"""The suite's own promises: no network anywhere, and no silent skip when all is required."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import nbformat
import pytest

from minigpt.course.building.notebooks import build

OUTSIDE = "192.0.2.1"  # an address kept for documentation: nobody answers there
HERE = Path(__file__).parent


def test_a_name_is_not_looked_up():
    with pytest.raises(OSError, match="unplugged: no connection to 'example.org'"):
        urllib.request.urlopen("https://example.org")


def test_an_address_is_not_reached_by_tcp_or_udp():
    with pytest.raises(OSError, match="unplugged"):
        socket.create_connection((OUTSIDE, 80), timeout=5)
    with socket.socket(type=socket.SOCK_DGRAM) as udp, pytest.raises(OSError, match="unplugged"):
        udp.sendto(b"hello", (OUTSIDE, 53))


def test_this_machine_itself_is_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_a_process_started_by_a_test_is_unplugged_too():
    code = f"import socket; socket.create_connection(({OUTSIDE!r}, 80), timeout=5)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "unplugged" in done.stderr


def test_a_notebook_kernel_is_unplugged_too(tmp_path):
    source = tmp_path / "src" / "00_out.py"
    source.parent.mkdir()
    source.write_text(
        "# %%\nimport socket\ntry:\n"
        f"    socket.create_connection(({OUTSIDE!r}, 80), timeout=5)\n"
        "except OSError as error:\n    print(error)\n",
        encoding="utf-8",
    )
    (cell,) = nbformat.read(build(source), as_version=4).cells
    assert "unplugged" in cell.outputs[0].text


SKIPS = """
import pytest

def test_absent_part():
    pytest.skip("No fox here. Get it with: make fox")

@pytest.mark.skipif(True, reason="No hen here. Get it with: make hen")
def test_absent_part_by_mark():
    pass

@pytest.mark.elsewhere
def test_other_hardware():
    pytest.skip("No GPU here")

@pytest.mark.xfail
def test_known_fault():
    raise ValueError

def test_plain():
    pass
"""


@pytest.mark.parametrize(
    ("required", "result"),
    [
        ("0", "1 passed, 4 skipped, 1 xfailed"),
        ("1", "1 failed, 1 passed, 1 skipped, 1 xfailed, 2 errors"),
    ],
)
def test_what_is_skipped_fails_when_all_is_required(tmp_path, required, result):
    shutil.copy(HERE / "conftest.py", tmp_path)
    shutil.copytree(HERE / "unplugged", tmp_path / "unplugged")
    module = 'import pytest\npytest.importorskip("no_such_module")\n'
    (tmp_path / "test_skips.py").write_text(SKIPS, encoding="utf-8")
    (tmp_path / "test_module.py").write_text(module, encoding="utf-8")
    ini = f'[pytest]\nmarkers = elsewhere\npythonpath = "{HERE.parent.as_posix()}"\n'
    (tmp_path / "pytest.ini").write_text(ini, encoding="utf-8")
    told = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "--continue-on-collection-errors",
        ],
        cwd=tmp_path,
        env={**os.environ, "MINIGPT_REQUIRE_ALL": required},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert result in told
    for reason in (
        "No fox here. Get it",
        "No hen here. Get it",
        "could not import 'no_such_module'",
    ):
        assert (reason in told) == (required == "1")
