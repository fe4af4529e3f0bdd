"""Run a learner's code on cases, whatever it does: it may loop, print, crash or change torch.

On Linux each run happens in a forked child (`fork.py`). Elsewhere, and beside a GPU, it runs in a
thread (`thread.py`), and torch's settings are put back. Both return the same plain data.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

from minigpt.course.checking.fork import run_in_fork
from minigpt.course.checking.seeing import Outcome
from minigpt.course.checking.thread import run_in_thread


def run(call: Callable, obj: Any, cases: list[dict]) -> tuple[list[Outcome], str]:
    """Run `call(obj, case)` for every case, and return the outcomes and what was printed.

    A run that had to be stopped has an error for the case it was in, and no outcome after it.
    """
    # Beside a GPU one backward pass starts a thread for it, and no fork may compute gradients then.
    forks = sys.platform == "linux" and not torch.cuda.is_available()
    return (run_in_fork if forks else run_in_thread)(call, obj, cases)
