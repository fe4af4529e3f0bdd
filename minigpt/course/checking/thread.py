"""Run a learner's code in a thread that is stopped after a while, where nothing can be forked."""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any

from minigpt.course.checking.displays import displays_printed
from minigpt.course.checking.seeing import (
    SECONDS,
    WAIT,
    Bounded,
    Outcome,
    TooLong,
    fresh_torch,
    see,
    stopped,
    too_long,
)


def run_in_thread(call: Callable, obj: Any, cases: list[dict]) -> tuple[list[Outcome], str]:
    """Run the cases beside this thread; return the outcomes and what was printed."""
    outcomes: list[Outcome] = []
    printed = Bounded()

    def work() -> None:
        for case in cases:
            outcomes.append(see(call, obj, case))
            if stopped(outcomes[-1]):
                return

    thread = threading.Thread(target=work, daemon=True)
    with contextlib.ExitStack() as stack:
        redirects = (contextlib.redirect_stdout, contextlib.redirect_stderr, displays_printed)
        for redirect in redirects:
            stack.enter_context(redirect(printed))
        stack.enter_context(fresh_torch())
        start, deadline = time.process_time(), time.monotonic() + WAIT
        thread.start()
        while thread.is_alive() and time.monotonic() < deadline:
            thread.join(0.05)
            if time.process_time() - start > SECONDS:  # a busy machine is not the learner's fault
                break
        patience = time.monotonic() + 1
        while thread.is_alive() and time.monotonic() < patience:
            raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
            raise_in(ctypes.c_ulong(thread.ident), ctypes.py_object(TooLong))
            thread.join(0.05)
    done = list(outcomes[: len(cases)])
    if len(done) < len(cases) and not (done and stopped(done[-1])):
        done.append(too_long())
    return done, printed.summary()
