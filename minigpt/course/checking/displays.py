"""What a learner's code displays during a check is counted as printed, and reaches no notebook.

A forked child that sends it to the notebook writes kilobytes of warnings into the lab's terminal.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO
from unittest.mock import patch


@contextlib.contextmanager
def displays_printed(printed: TextIO) -> Iterator[None]:
    """Write what is displayed inside to `printed`, as text: pictures, HTML, widgets, plots."""
    shell = _shell()
    if shell is None:  # there, display() prints
        yield
        return

    def publish(data: dict, *args: Any, **more: Any) -> None:
        printed.write(f"{data.get('text/plain', '(a display)')}\n")

    with contextlib.ExitStack() as stack:
        stack.enter_context(patch.object(shell.display_pub, "publish", publish))
        stack.enter_context(patch.object(shell.display_pub, "clear_output", lambda *a, **k: None))
        yield


def mute_kernel() -> None:
    """Let this process, a fork of a kernel, send nothing: widgets talk to the notebook directly."""
    if kernel := getattr(_shell(), "kernel", None):
        kernel.session.send = lambda *args, **more: None


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None
