"""What learner's code sends in place of its results is not taken for them."""

import os
import struct
import sys

import pytest
import torch

from minigpt.course import diagnose
from minigpt.course.checking import fork
from minigpt.course.checking.fork import send
from minigpt.course.checking.running import run
from minigpt.course.checking.seeing import fresh_torch

forked = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")


def into_the_pipe(write):
    """Find the pipe of this run, as a forger may, and write into it: no other pipe is touched."""
    frame = sys._getframe()
    while "writer" not in frame.f_locals:
        frame = frame.f_back
    write(frame.f_locals["writer"])


@forked
def test_a_forged_end_before_the_last_case_is_no_pass():
    def forges(q, k):
        into_the_pipe(lambda pipe: send(pipe, {"printed": ""}))
        os._exit(0)

    diagnosis = diagnose("attention_weights", forges)
    assert not diagnosis.passed and "ended" in diagnosis.message


@forked
def test_a_forged_end_after_one_right_case_is_no_pass():
    def once(T, calls=[]):  # noqa: B006
        calls.append(T)
        if len(calls) == 2:
            into_the_pipe(lambda pipe: send(pipe, {"printed": "all is well"}))
            os._exit(0)
        return torch.ones(T, T, dtype=torch.bool).tril()

    diagnosis = diagnose("causal_mask", once)
    assert not diagnosis.passed and "ended" in diagnosis.message


@forked
def test_a_message_that_claims_to_be_endless_is_not_waited_for():
    def claims(value, case):
        into_the_pipe(lambda pipe: os.write(pipe, struct.pack("<Q", 2**60) + b"x" * 1000))
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
