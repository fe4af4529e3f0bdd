"""Run a learner's code on cases, whatever it does: it may loop, print, crash or change torch.

On Linux each run happens in a forked child: it sees the notebook's objects as they are, and what it
does to torch, to its inputs or to the process dies with it. Elsewhere (and beside a GPU: one
backward pass starts a thread for it, and no fork may compute gradients after that) it runs in a
thread that is stopped after a while, and torch's settings are put back. Both return the same plain
data.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import faulthandler
import io
import linecache
import os
import random
import select
import signal
import site
import struct
import sys
import sysconfig
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from minigpt.files import PACKAGE

SECONDS = 3  # of computing, for all cases of a check together; a right answer needs a fraction
WAIT = 12  # seconds on the clock, for code that sleeps
MEMORY = 4 * 2**30  # bytes a run may ask for beyond what the notebook holds
PRINTED = 2_000  # characters kept of what the learner's code prints
ENDLESS = f"it was still running after {SECONDS} seconds"
OURS = str(PACKAGE) + os.sep
PLACES = ("stdlib", "purelib", "platlib")
LIBRARIES = tuple({*map(sysconfig.get_path, PLACES), site.getusersitepackages()})

Outcome = dict[str, Any]  # {"seen": {...}} or {"error": {...}}, plain data


class TooLong(BaseException):
    """Raised inside learner's code that runs too long. No `except Exception` catches it."""


def run(call: Callable, obj: Any, cases: list[dict]) -> tuple[list[Outcome], str]:
    """Run `call(obj, case)` for every case, and return the outcomes and what was printed.

    A run that had to be stopped has an error for the case it was in, and no outcome after it.
    """
    forks = sys.platform == "linux" and not torch.cuda.is_available()
    return (_run_in_fork if forks else _run_in_thread)(call, obj, cases)


def see(call: Callable, obj: Any, case: dict) -> Outcome:
    """Run one case in this process, with torch as it is after a fresh start."""
    with fresh_torch():
        try:
            return {"seen": {name: plain(value) for name, value in call(obj, case).items()}}
        except BaseException as error:  # also SystemExit, KeyboardInterrupt and TooLong
            return {"error": _describe(error)}


def stopped(outcome: Outcome) -> bool:
    """Say whether a run ended with this outcome because it took too long."""
    return outcome.get("error", {}).get("type") == TooLong.__name__


def plain(value: Any) -> Any:
    """Return a value as plain data. Of anything else only its type is kept.

    >>> plain((np.float64(0.5), {"a": object()}))
    (0.5, {'a': {'type': 'object'}})
    """
    if isinstance(value, Tensor):
        if value.is_sparse or value.is_nested or value.is_meta:
            return {"type": "Tensor (sparse, nested or meta)"}
        return value.detach().as_subclass(Tensor).cpu().clone().contiguous()
    if isinstance(value, (np.number, np.bool_)):
        return value.item()
    if isinstance(value, (list, tuple)):
        return (list if isinstance(value, list) else tuple)(map(plain, value))
    if isinstance(value, dict):
        return {_plain_key(key): plain(item) for key, item in value.items()}
    if type(value) is int and value.bit_length() > 1000:  # no float is as large
        return {"type": "int, with over 300 digits"}
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    return {"type": type(value).__name__}


def _plain_key(key: Any) -> Any:
    try:
        hash(kept := plain(key))
    except TypeError:
        return f"<{type(key).__name__}>"
    return kept


@contextlib.contextmanager
def fresh_torch() -> Iterator[None]:
    """Use torch's own defaults and a fixed seed inside; put back what was there outside."""
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    device = torch.get_default_device()
    if device.type != "cpu":
        torch.set_default_device("cpu")
    threads, states = torch.get_num_threads(), (torch.get_rng_state(), np.random.get_state())
    chance = random.getstate()
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.random.default_generator.manual_seed(0)
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


def _describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as plain data, with the learner's own line if it passed through one."""
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith((OURS, "<frozen", *LIBRARIES)):
            continue
        text = linecache.getline(frame.filename, frame.lineno).strip()
        line = {"number": frame.lineno, "text": text, "function": frame.name}
    message = ENDLESS if isinstance(error, TooLong) else _message(error)
    return {"type": type(error).__name__, "message": message, "line": line}


def _message(error: BaseException) -> str:
    try:
        return str(error)[:1000]
    except Exception as another:
        return f"(its __str__ raises {type(another).__name__})"


class _Bounded(io.TextIOBase):
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


def _no_input(prompt: str = "") -> str:
    raise RuntimeError("input() cannot be used while a check runs")


# --- In a forked child ---


def _run_in_fork(call: Callable, obj: Any, cases: list[dict]) -> tuple[list[Outcome], str]:
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forking beside threads. The child uses no lock of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _be_the_child(writer, call, obj, cases)
        finally:
            os._exit(0)
    os.close(writer)
    try:
        received = _receive(reader)
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(reader)
    if received and "printed" in received[-1]:
        return received[:-1], received[-1]["printed"]
    return [*received, {"error": _death(status)}], ""


def _be_the_child(writer: int, call: Callable, obj: Any, cases: list[dict]) -> None:
    import resource  # Unix only, as is this function

    def stop(signum: int, frame: Any) -> None:
        raise TooLong

    signal.set_wakeup_fd(-1)  # the notebook's event loop must not hear of our signals
    signal.signal(signal.SIGXCPU, stop)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 3))
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    faulthandler.disable()  # a crash of the learner's code is told in words
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    torch.set_num_threads(1)  # OpenMP's other threads were not forked
    torch.set_num_threads = lambda count: None  # and waiting for more would never end
    printed = sys.stdout = sys.stderr = _Bounded()
    builtins.input = _no_input
    child = os.getpid()
    for case in cases:
        outcome = see(call, obj, case)
        if os.getpid() != child:  # the learner's code forked, and this is the other one
            return
        _send(writer, outcome)
        if stopped(outcome):
            break
    _send(writer, {"printed": printed.summary()})


def _send(writer: int, message: dict) -> None:
    """Send plain data; torch.load(weights_only=True) reads it and runs no code."""
    buffer = io.BytesIO()
    torch.save(message, buffer)
    data = struct.pack("<Q", buffer.tell()) + buffer.getvalue()
    while data:
        data = data[os.write(writer, data) :]


def _receive(reader: int) -> list[dict]:
    """Return the messages of the child until it closes the pipe or the time is over."""
    deadline, data, messages = time.monotonic() + WAIT, b"", []
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([reader], [], [], left)[0]:
            break
        if not (piece := os.read(reader, 1 << 20)):
            break
        data += piece
        while len(data) >= 8 and len(data) >= (end := 8 + struct.unpack("<Q", data[:8])[0]):
            with torch.serialization.safe_globals([bytes]):  # which b"" is made with
                messages.append(torch.load(io.BytesIO(data[8:end]), weights_only=True))
            data = data[end:]
            if "printed" in messages[-1]:  # a process that the learner's code left running
                return messages  # holds the pipe open
    return messages


def _death(status: int) -> dict[str, Any]:
    """Say why a child ended before its last case."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number in (signal.SIGKILL, signal.SIGXCPU):
        return {"type": TooLong.__name__, "message": ENDLESS, "line": None}
    how = f"by {signal.Signals(number).name}" if number else "without a word"
    return {"type": "Crash", "message": f"it ended the whole process, {how}", "line": None}


# --- In a thread, where there is no fork ---


def _run_in_thread(call: Callable, obj: Any, cases: list[dict]) -> tuple[list[Outcome], str]:
    outcomes: list[Outcome] = []
    printed = _Bounded()

    def work() -> None:
        for case in cases:
            outcomes.append(see(call, obj, case))
            if stopped(outcomes[-1]):
                return

    thread = threading.Thread(target=work, daemon=True)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), fresh_torch():
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
        done.append({"error": {"type": TooLong.__name__, "message": ENDLESS, "line": None}})
    return done, printed.summary()
