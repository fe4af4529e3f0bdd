"""What learner's code sends in place of its results is not taken for them."""

import os
import struct
from contextlib import suppress

import pytest
import torch

from minigpt.course import diagnose
from minigpt.course.checking import fork
from minigpt.course.checking.fork import send
from minigpt.course.checking.running import run
from minigpt.course.checking.seeing import fresh_torch

forked = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")


def pipes():
    """Yield the file descriptors above the standard three that can be written to."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        with suppress(FileNotFoundError):  # the one that the list was read with
            if descriptor > 2 and "pipe:" in os.readlink(f"/proc/self/fd/{descriptor}"):
                yield descriptor


def to_every_pipe(write):
    for descriptor in [*pipes()]:
        with suppress(OSError):
            write(descriptor)


@forked
def test_a_forged_end_before_the_last_case_is_no_pass():
    def forges(q, k):
        to_every_pipe(lambda pipe: send(pipe, {"printed": ""}))
        os._exit(0)

    diagnosis = diagnose("attention_weights", forges)
    assert not diagnosis.passed and "ended" in diagnosis.message


@forked
def test_a_forged_end_after_one_right_case_is_no_pass():
    def once(T, calls=[]):  # noqa: B006
        calls.append(T)
        if len(calls) == 2:
            to_every_pipe(lambda pipe: send(pipe, {"printed": "all is well"}))
            os._exit(0)
        return torch.ones(T, T, dtype=torch.bool).tril()

    diagnosis = diagnose("causal_mask", once)
    assert not diagnosis.passed and "ended" in diagnosis.message


@forked
def test_a_message_that_claims_to_be_endless_is_not_waited_for():
    def claims(value, case):
        to_every_pipe(lambda pipe: os.write(pipe, struct.pack("<Q", 2**60) + b"x" * 1000))
        os._exit(0)

    outcomes, _ = run(claims, None, [{}, {}])
    assert outcomes[0]["error"]["type"] == "TooLarge"
    assert f"{fork.MOST:,} bytes" in outcomes[0]["error"]["message"]


def test_more_outcomes_than_cases_are_not_taken(monkeypatch):
    monkeypatch.setattr(
        "minigpt.course.checking.running.run_in_fork", lambda *_: ([{"seen": {}}] * 5, "")
    )
    monkeypatch.setattr(
        "minigpt.course.checking.running.run_in_thread", lambda *_: ([{"seen": {}}] * 5, "")
    )
    assert len(run(None, None, [{}, {}])[0]) == 2


def test_a_check_computes_on_one_thread_and_gives_the_others_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with fresh_torch():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
