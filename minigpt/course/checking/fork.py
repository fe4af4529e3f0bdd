"""Run a learner's code in a forked child, on Linux.

The child sees the notebook's objects as they are, and what it does to torch, to its inputs or to
the process dies with it. What it saw comes back through a pipe.
"""

from __future__ import annotations

import builtins
import faulthandler
import io
import os
import select
import signal
import struct
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from minigpt.course.checking.displays import displays_printed, mute_kernel
from minigpt.course.checking.seeing import (
    SECONDS,
    WAIT,
    Bounded,
    Outcome,
    TooLong,
    see,
    stopped,
    too_long,
)

MEMORY = 4 * 2**30  # bytes a run may ask for beyond what the notebook holds
MOST = 2**28  # bytes of one message: the largest right answer sends two million


def no_input(prompt: str = "") -> str:
    """Stand in for input(): nobody is there to answer."""
    raise RuntimeError("input() cannot be used while a check runs")


def send(writer: int, message: dict) -> None:
    """Send plain data; torch.load(weights_only=True) reads it and runs no code."""
    buffer = io.BytesIO()
    torch.save(message, buffer)
    data = struct.pack("<Q", buffer.tell()) + buffer.getvalue()
    while data:
        data = data[os.write(writer, data) :]


TOO_LARGE: Outcome = {
    "error": {"type": "TooLarge", "message": f"it sent more than {MOST:,} bytes", "line": None}
}


def receive(reader: int) -> list[dict]:
    """Return the messages of the child until it closes the pipe or the time is over."""
    deadline, data, messages = time.monotonic() + WAIT, b"", []
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([reader], [], [], left)[0]:
            break
        if not (piece := os.read(reader, 1 << 20)):
            break
        data += piece
        if len(data) >= 8 and struct.unpack("<Q", data[:8])[0] > MOST:
            return [*messages, TOO_LARGE]
        while len(data) >= 8 and len(data) >= (end := 8 + struct.unpack("<Q", data[:8])[0]):
            with torch.serialization.safe_globals([bytes]):  # which b"" is made with
                messages.append(torch.load(io.BytesIO(data[8:end]), weights_only=True))
            data = data[end:]
            if "printed" in messages[-1]:  # a process that the learner's code left running
                return messages  # holds the pipe open
    return messages


def death(status: int) -> Outcome:
    """Say why a child ended before its last case."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number in (signal.SIGKILL, signal.SIGXCPU):
        return too_long()
    how = f"by {signal.Signals(number).name}" if number else "without a word"
    message = f"it ended the whole process, {how}"
    return {"error": {"type": "Crash", "message": message, "line": None}}


def be_the_child(writer: int, call: Callable, obj: Any, cases: list[dict]) -> None:
    """Run the cases within limits of time and memory, and send what was seen."""
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
    printed = sys.stdout = sys.stderr = Bounded()
    builtins.input = no_input
    mute_kernel()
    child = os.getpid()
    for case in cases:
        with displays_printed(printed):
            outcome = see(call, obj, case)
        if os.getpid() != child:  # the learner's code forked, and this is the other one
            return
        send(writer, outcome)
        if stopped(outcome):
            break
    send(writer, {"printed": printed.summary()})


def run_in_fork(call: Callable, obj: Any, cases: list[dict]) -> tuple[list[Outcome], str]:
    """Run the cases in a child of this process; return the outcomes and what was printed."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forking beside threads. The child uses no lock of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            be_the_child(writer, call, obj, cases)
        finally:
            os._exit(0)
    os.close(writer)
    try:
        received = receive(reader)
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(reader)
    if received and "printed" in received[-1]:
        return received[:-1], received[-1]["printed"]
    return [*received, death(status)], ""
