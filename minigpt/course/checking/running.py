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

ENDED = "it ended before its last case"


def run(call: Callable, obj: Any, cases: list[dict]) -> tuple[list[Outcome], str]:
    """Run `call(obj, case)` for every case, and return the outcomes and what was printed.

    A run that had to be stopped has an error for the case it was in, and no outcome after it.
    """
    # Beside a GPU one backward pass starts a thread for it, and no fork may compute gradients then.
    forks = sys.platform == "linux" and not torch.cuda.is_available()
    outcomes, printed = (run_in_fork if forks else run_in_thread)(call, obj, cases)
    if len(outcomes) < len(cases) and "error" not in (outcomes or [{}])[-1]:
        # Less was seen than there is: whatever the learner's code sent in its place is no end.
        outcomes = [*outcomes, {"error": {"type": "Crash", "message": ENDED, "line": None}}]
    return outcomes[: len(cases)], printed
