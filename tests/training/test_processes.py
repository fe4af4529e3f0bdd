"""Processes find each other, stop together, and say in words who is gone; nothing is lost."""

import os
import random
import re
import signal
import socket
import sys
import time

import numpy as np
import pytest
import torch

from minigpt.training import processes, train
from minigpt.training.checkpoints import read_history
from minigpt.training.meeting import place_in_environment
from minigpt.training.processes import ALONE, World, in_words, joined
from tests.training.runs import QUICK, fresh_model, toy_data
from tests.training.test_parallel import alone, assert_same_run
from tests.training.worlds import METHOD, a_run, free_port, start, together

pytestmark = pytest.mark.thorough

# --- Finding each other -------------------------------------------------------------------------


def test_without_torchrun_a_process_is_alone(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with joined() as world:
        assert world is ALONE
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")  # torchrun --nproc-per-node 1
    with joined() as world:
        assert world is ALONE
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"RANK": "two"}, "RANK is 'two'; it must be a whole number"),
        ({"RANK": "2"}, "RANK is 2; with WORLD_SIZE=2 it must be below 2"),
        ({"MASTER_PORT": ""}, "MASTER_PORT is not; torchrun sets all"),
        ({"MINIGPT_TIMEOUT": "soon"}, "MINIGPT_TIMEOUT is 'soon'"),
    ],
)
def test_an_environment_that_torchrun_did_not_leave_is_refused(environment, words, monkeypatch):
    ours = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in (ours | environment).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=words), joined():
        pass


def test_the_place_is_read_from_the_environment(monkeypatch):
    place = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "a"}
    for name, value in (place | {"MASTER_PORT": "5"}).items():
        monkeypatch.setenv(name, value)
    assert place_in_environment() == (3, 4, 1)


def test_a_process_that_never_comes_is_told():
    [first, second] = start(a_run, 2, environment={"MINIGPT_TIMEOUT": "2"})
    second.child.kill()
    error = first.last()
    assert isinstance(error, ConnectionError)
    assert "process 0 of 2 waited at 127.0.0.1:" in str(error)
    assert "did not meet the others in 2 seconds" in str(error)


def test_a_port_in_use_is_told():
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        first, second = start(a_run, 2, port=port, environment={"MINIGPT_TIMEOUT": "3"})
        error = first.last()
        second.child.kill()
    assert isinstance(error, ConnectionError)
    assert f"the port of 127.0.0.1:{port} is in use" in str(error)
    assert "torchrun --master-port" in str(error)


def test_an_address_that_nobody_has_is_told():
    [_, second] = start(addressed, 2, environment={"MINIGPT_TIMEOUT": "2"})
    error = second.last()
    assert isinstance(error, ConnectionError) and "no.such.host.invalid" in str(error)


def addressed(report) -> None:
    os.environ["MASTER_ADDR"] = "no.such.host.invalid"
    a_run(report)


def test_a_batch_too_small_for_all_is_refused_before_anything_changes(tmp_path):
    path = tmp_path / "run.safetensors"
    for error in together(a_run, 3, batch_size=2, checkpoint=path):
        assert isinstance(error, ValueError)
        assert "batch_size is 2; 3 processes need at least 3" in str(error)
    assert not path.exists()


def test_what_the_first_refuses_all_refuse(tmp_path):
    path = tmp_path / "run.safetensors"
    path.write_bytes(b"a run of somebody's")
    errors = together(a_run, 2, checkpoint=path)
    assert [type(e) for e in errors] == [ValueError] * 2 and str(errors[0]) == str(errors[1])
    assert "holds a run already" in str(errors[0])


def twice_in_a_group_of_its_own(report) -> None:
    torch.distributed.init_process_group("gloo")
    for _ in range(2):
        a_run(report, max_steps=4)
    assert torch.distributed.is_initialized(), "who did not make it does not end it"
    torch.distributed.destroy_process_group()


def twice(report) -> None:
    for _ in range(2):
        a_run(report, max_steps=4)
        assert not torch.distributed.is_initialized()


@pytest.mark.parametrize("work", [twice, twice_in_a_group_of_its_own])
def test_a_process_may_make_several_runs_and_may_have_joined_by_itself(work):
    expected = alone(max_steps=4)
    for last in together(work, 2):
        assert_same_run(expected, last)


# --- Stopping -----------------------------------------------------------------------------------


def run_until_told(report, checkpoint) -> None:
    settings = {"checkpoint": checkpoint, "max_steps": 100_000, "eval_interval": 1000}
    a_run(report, **settings)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_one_of_them_stops_all_after_the_same_step(tmp_path, number, rank):
    path = tmp_path / "run.safetensors"
    children = start(run_until_told, 2, checkpoint=path)
    while children[0].say() < 5:
        pass
    os.kill(children[rank].child.pid, number)
    (history, _), (others, _) = (process.last() for process in children)
    assert history == others and 6 <= len(history) < 100_000
    assert len(read_history(path)) == len(history)


def test_an_error_of_one_leaves_the_others_with_words_not_with_a_wait(tmp_path):
    first, second = start(failing, 2, checkpoint=tmp_path / "run.safetensors")
    assert "on purpose" in str(first.last())
    error = second.last()
    assert isinstance(error, ConnectionError) and "process 0 of 2" in str(error)


def failing(report, checkpoint) -> None:
    def watch(record):
        if record.step == 5:
            raise ValueError("on purpose")

    try:
        train(fresh_model(), toy_data(), QUICK, on_step=watch, checkpoint=checkpoint)
    except Exception as error:
        report(error)
        os._exit(2)  # as the command ends: at once


def test_a_loss_that_blows_up_ends_all_alike_and_gives_sharded_weights_back():
    reports = together(blowing_up, 2)
    assert [type(error) for error, _ in reports] == [FloatingPointError] * 2
    assert all(whole for _, whole in reports)


def blowing_up(report) -> None:
    model = fresh_model()
    size = model.num_parameters()
    try:
        train(model, toy_data(), QUICK, sharded=True, max_lr=1e30, optimizer="adamw")
    except FloatingPointError as error:
        report((error, model.num_parameters() == size))


# --- Losing one ---------------------------------------------------------------------------------


@pytest.mark.skipif(METHOD != "forkserver", reason="ten times two new processes take minutes here")
@pytest.mark.parametrize("sharded", [False, True], ids=["data-parallel", "sharded"])
def test_one_killed_at_ten_random_moments_leaves_a_run_that_ends_as_if_undisturbed(
    tmp_path, sharded
):
    path, chance = tmp_path / "run.safetensors", random.Random(0)
    settings = {"max_steps": 60, "checkpoint_interval": 2, "eval_interval": 10,
                "accumulation_steps": 2, "optimizer": "adamw", "sharded": sharded}  # fmt: skip
    again = {"checkpoint": path, "resume": True} | settings
    for _ in range(10):
        children = start(a_run, 2, environment={"MINIGPT_TIMEOUT": "20"}, **again)
        for _ in range(chance.randint(1, 5)):
            children[0].say()
        time.sleep(chance.random() * 0.02)  # somewhere in a step, or in the middle of a save
        victim = chance.randrange(2)
        children[victim].child.kill()
        error = children[1 - victim].last()
        assert isinstance(error, ConnectionError), error
        assert f"process {victim} of 2 (counted from 0) is gone" in str(error)
        if path.exists():
            assert f"holds the first {len(read_history(path))} steps" in str(error)
    history, weights = together(a_run, 2, **again)[0]
    assert len(history) == 60
    assert_same_run(alone(**settings), (history, weights))


def test_who_is_missing_is_found_among_many(tmp_path):
    children = start(run_until_told, 3, checkpoint=tmp_path / "run.safetensors")
    while children[0].say() < 5:
        pass
    children[1].child.kill()
    errors = [children[rank].last() for rank in (0, 2)]
    for error in errors:
        assert isinstance(error, ConnectionError)
        named = re.match(r"process(es)? ([\d, ]+) of 3 \(counted from 0\)", str(error))
        assert "1" in named[2], error  # with another perhaps, if that waited for the first


def test_only_a_lost_connection_is_called_one(monkeypatch):
    world = World(0, 2, 0, None)
    with pytest.raises(RuntimeError, match="shapes"), in_words(world, str):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied, or restored")
    lost = RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer. More")
    with (
        pytest.raises(ConnectionError, match="process 1 of 2.*; go on"),
        in_words(world, lambda: "go on"),
    ):
        raise lost
    with pytest.raises(RuntimeError), in_words(ALONE, str):
        raise lost
    assert processes.joined_as == []


def test_ports_are_free_and_arrays_travel():
    assert free_port() != free_port()
    [(history, weights)] = together(a_run, 1, max_steps=4)
    assert len(history) == 4 and all(isinstance(w, np.ndarray) for w in weights.values())
