"""Run one case of a check in this process, and return what was seen of it as plain data.

What both ways of running share stands here: the limits, the outcome, torch as it is after a start.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import random
import site
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch

from minigpt.course.checking.plain_data import plain
from minigpt.course.exercise.calls.functions import BESIDE
from minigpt.files import PACKAGE

SECONDS = 3  # of computing, for all cases of a check together; a right answer needs a fraction
WAIT = 12  # seconds on the clock, for code that sleeps
PRINTED = 2_000  # characters kept of what the learner's code prints
ENDLESS = f"it was still running after {SECONDS} seconds"
OURS = str(PACKAGE) + os.sep
PLACES = ("stdlib", "purelib", "platlib")
LIBRARIES = tuple({*map(sysconfig.get_path, PLACES), site.getusersitepackages()})

_running = ContextVar("_running", default=False)  # is this code inside an answer that is checked?

Outcome = dict[str, Any]  # {"seen": {...}, perhaps "beside"} or {"error": {...}}, plain data


class TooLong(BaseException):
    """Raised inside learner's code that runs too long. No `except Exception` catches it."""


class CalledCheck(BaseException):
    """Raised where learner's code calls check() while it is checked; no known mistake does."""


def refuse_inside() -> None:
    """Raise CalledCheck if the caller was called by an answer that is being checked."""
    if _running.get():
        raise CalledCheck


@contextlib.contextmanager
def fresh_torch() -> Iterator[None]:
    """Use torch's own defaults, one thread and fixed seeds inside; put back what was outside.

    Two threads that wait for each other beside a busy neighbour take 100 times as long as one.
    """
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    device = torch.get_default_device()
    if device.type != "cpu":
        torch.set_default_device("cpu")
    threads, states = torch.get_num_threads(), (torch.get_rng_state(), np.random.get_state())
    chance = random.getstate()
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    if threads != 1:
        torch.set_num_threads(1)
    torch.random.default_generator.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(chance)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def message_of(error: BaseException) -> str:
    """Return the text of an exception, also of one that cannot be told."""
    try:
        return str(error)[:1000]
    except Exception as another:
        return f"(its __str__ raises {type(another).__name__})"


def describe_error(error: BaseException) -> dict[str, Any]:
    """Return an exception as plain data, with the learner's own line if it passed through one."""
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith((OURS, "<frozen", *LIBRARIES)):
            continue
        text = linecache.getline(frame.filename, frame.lineno).strip()
        line = {"number": frame.lineno, "text": text, "function": frame.name}
    message = ENDLESS if isinstance(error, TooLong) else message_of(error)
    return {"type": type(error).__name__, "message": message, "line": line}


def see(call: Callable, obj: Any, case: dict) -> Outcome:
    """Run one case in this process, with torch as it is after a fresh start."""
    with fresh_torch():
        outside = _running.set(True)
        try:
            seen = call(obj, case)
            beside = {BESIDE: seen.pop(BESIDE)} if BESIDE in seen else {}
            return {"seen": {name: plain(value) for name, value in seen.items()}, **beside}
        except BaseException as error:  # also SystemExit, KeyboardInterrupt and TooLong
            return {"error": describe_error(error)}
        finally:
            _running.reset(outside)


def stopped(outcome: Outcome) -> bool:
    """Say whether a run ended with this outcome because it took too long."""
    return outcome.get("error", {}).get("type") == TooLong.__name__


def too_long() -> Outcome:
    """Return the outcome of a case that had to be stopped from outside."""
    return {"error": {"type": TooLong.__name__, "message": ENDLESS, "line": None}}


class Bounded(io.TextIOBase):
    """A stdout that keeps the beginning and counts the lines."""

    def __init__(self) -> None:
        self.kept, self.lines = "", 0

    def write(self, text: str) -> int:
        self.kept += text[: PRINTED - len(self.kept)]
        self.lines += text.count("\n")
        return len(text)

    def summary(self) -> str:
        more = self.lines - self.kept.count("\n")
        return self.kept + (f"\n... and {more:,} more lines" if more else "")
