"""The `minigpt` command, run here or in a process of its own."""

import subprocess
import sys

import pytest

from minigpt import cli

TINY = [
    *("--steps", "6", "--batch-size", "2", "--block-size", "16", "--vocab-size", "280"),
    *("--n-layer", "1", "--n-head", "2", "--n-embd", "16", "--device", "cpu"),
    *("--precision", "fp32", "--optimizer", "adamw"),
]
SENTENCES = [
    "The fox found the red kite by the river. ",
    "小狐狸在河边找到了红色的风筝。",
    "🦊 + 🪁 = naïveté! ",
]
no_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="Ctrl-C cannot be sent to one process on Windows"
)


def minigpt(*arguments: str, code: int = 0, **options) -> subprocess.CompletedProcess:
    """Run the command in a process of its own; bytes in, bytes out."""
    command = [sys.executable, "-m", "minigpt", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=100, **options)
    assert done.returncode == code, done.stderr.decode("utf-8", "replace")
    return done


def refused(capsys, *arguments: str) -> str:
    """Run a command that must end with exit code 2 and one line; return the line."""
    capsys.readouterr()
    assert cli.main([*arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("minigpt: error: ") and "Traceback" not in err
    return err
