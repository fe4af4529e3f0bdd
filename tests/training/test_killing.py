"""A run killed at any moment ends, once resumed, with the bits of one that nobody interrupted."""

import multiprocessing
import os
import random
import runpy
import signal
import sys
from dataclasses import replace

import pytest
from safetensors.torch import load_file

from minigpt.training import checkpoints
from tests.training import runs
from tests.training.runs import assert_same_bits

pytestmark = pytest.mark.thorough

CHILD = """
import os, runpy, signal, sys, torch
torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)
if log:
    for number in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
tests = runpy.run_path(runs)
model = tests["fresh_model"](dropout=0.2)
tests["train"](model, tests["toy_data"](), tests["QUICK"], checkpoint=checkpoint, resume=True,
               progress=bool(log), on_step=lambda record: report(record.step), **settings)
report("done")
"""
# A fork server imports PyTorch once for all these processes; Windows has none, so fewer there.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
KILLS = 10 if METHOD == "forkserver" else 3
KILL_SETTINGS = {
    "max_steps": 60,
    "accumulation_steps": 2,
    "checkpoint_interval": 2,
    "eval_interval": 10,
}


def launch(tmp_path, checkpoint, settings, log=""):
    """Start a training process whose steps are reported through a pipe."""
    context = multiprocessing.get_context(METHOD)
    if METHOD == "forkserver":
        context.set_forkserver_preload(
            ["minigpt.training", "minigpt.sampling", "pytest", "torch._dynamo"]
        )
    receiver, sender = context.Pipe(duplex=False)
    script = tmp_path / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    given = {
        "runs": runs.__file__,
        "checkpoint": str(checkpoint),
        "settings": settings,
        "log": str(log),
        "report": sender.send,
    }
    child = context.Process(
        target=runpy.run_path, args=(str(script),), kwargs={"init_globals": given}, daemon=True
    )
    child.start()
    sender.close()
    return child, receiver


def wait_for(receiver, wanted) -> list:
    """Read the reports of a training process until the wanted one."""
    reports = []
    while not reports or reports[-1] != wanted:
        assert receiver.poll(60), "the run stands still"
        reports.append(receiver.recv())
    return reports


def run_to_the_end(tmp_path, checkpoint, settings) -> list:
    child, receiver = launch(tmp_path, checkpoint, settings)
    reports = wait_for(receiver, "done")
    child.join(60)
    assert child.exitcode == 0
    return reports


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_killed_at_ten_random_moments_a_run_ends_with_the_same_bits(optimizer, tmp_path):
    settings = KILL_SETTINGS | {"optimizer": optimizer}
    whole = tmp_path / "whole.safetensors"
    assert run_to_the_end(tmp_path, whole, settings) == [*range(60), "done"]
    chance = random.Random(0)
    path = tmp_path / "killed.safetensors"
    for _ in range(KILLS):
        child, receiver = launch(tmp_path, path, settings)
        for _ in range(chance.randint(1, 7)):
            assert receiver.poll(60), "the run stands still"
            receiver.recv()
        child.join(chance.random() * 0.01)  # somewhere in a step, or in the middle of a save
        child.kill()
        child.join(60)
        assert child.exitcode != 0, "it was killed, it had not ended"
    remaining = run_to_the_end(tmp_path, path, settings)
    assert remaining[0] > 0, "it went on, it did not start again"
    tensors, others = load_file(whole), load_file(path)  # weights, optimizer, random states
    histories = [checkpoints.records_in(held.pop("history")) for held in (tensors, others)]
    assert_same_bits(tensors, others)
    assert len(histories[0]) == 60
    for one, other in zip(*histories):
        assert replace(one, tokens_per_second=0) == replace(other, tokens_per_second=0)


@pytest.mark.elsewhere
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no Ctrl-C to one process")
def test_ctrl_c_in_another_process_ends_it_cleanly(tmp_path):
    settings = KILL_SETTINGS | {"max_steps": 2000, "checkpoint_interval": 1000}
    path, log = tmp_path / "run.safetensors", tmp_path / "log.txt"
    child, receiver = launch(tmp_path, path, settings, log)
    wait_for(receiver, 7)
    os.kill(child.pid, signal.SIGINT)
    *_, last, _ = 7, *wait_for(receiver, "done")  # train() returned, and the program went on
    child.join(60)
    assert child.exitcode == 0
    assert 7 <= last < 1999
    assert len(checkpoints.read_history(path)) == last + 1
    words = log.read_text(encoding="utf-8")
    assert "Traceback" not in words
    assert f"Stopped after step {last + 1} of 2000; resume=True goes on from {path}." in words
