"""What a run says, and how Ctrl-C ends it: after the step, saved, to go on bit for bit."""

import signal
import sys

import pytest
import torch

from minigpt.devices import describe_device
from minigpt.training import checkpoints, train
from tests.training.runs import (
    QUICK,
    assert_same_bits,
    fresh_model,
    interrupt_at,
    interrupt_twice_at,
    weights_of,
    without_speed,
)

# --- What it says -----------------------------------------------------------------------------


def test_progress_false_prints_nothing(data, capfd):
    train(fresh_model(), data, QUICK, progress=False)
    assert capfd.readouterr() == ("", "")


def test_progress_names_the_device_the_loss_the_speed_and_the_time_left(data, capfd):
    train(fresh_model(), data, QUICK)
    out, err = capfd.readouterr()
    assert out.strip() == f"Training on {describe_device(torch.device('cpu'), 'fp32')}."
    assert "12/12" in err
    assert "loss=" in err
    assert "tokens/s=" in err
    assert "val=" in err


# --- Ctrl-C -----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_ctrl_c_ends_after_the_step_saves_and_the_run_goes_on_bit_for_bit(
    data, optimizer, tmp_path, capfd
):
    settings = {"optimizer": optimizer, "accumulation_steps": 2}
    whole = fresh_model(dropout=0.2)
    expected = train(whole, data, QUICK, progress=False, **settings)
    path = tmp_path / "run.safetensors"
    settings |= {"checkpoint": path}
    model = fresh_model(dropout=0.2)
    history = train(model, data, QUICK, on_step=interrupt_at(5), **settings)
    assert len(history) == len(checkpoints.read_history(path)) == 6
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not model.training
    words = capfd.readouterr().out
    assert f"Stopped after step 6 of 12; resume=True goes on from {path}." in words
    other = fresh_model(seed=99, dropout=0.2)  # its own weights are replaced
    history = train(other, data, QUICK, resume=True, progress=False, **settings)
    assert_same_bits(weights_of(other), weights_of(whole))
    assert without_speed(history) == without_speed(expected)


def test_ctrl_c_without_a_checkpoint_keeps_the_weights_so_far(data, capfd):
    model = fresh_model()
    assert len(train(model, data, QUICK, on_step=interrupt_at(2))) == 3
    assert "Stopped after step 3 of 12." in capfd.readouterr().out


def test_a_second_ctrl_c_cuts_at_once_and_leaves_everything_in_order(data, tmp_path):
    path = tmp_path / "run.safetensors"
    before = torch.get_rng_state()
    model = fresh_model()
    torch.set_rng_state(before)
    with pytest.raises(KeyboardInterrupt):
        train(model, data, QUICK, checkpoint=path, on_step=interrupt_twice_at(5), progress=False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training
    assert len(checkpoints.read_history(path)) == 4, "the last regular save"


def test_a_job_for_which_ctrl_c_is_ignored_goes_on_ignoring_it(data):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert len(train(fresh_model(), data, QUICK, on_step=interrupt_at(2), progress=False)) == 12
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_sigterm_stops_between_steps_and_saves_too(data, tmp_path):
    """As torchrun, Slurm and kill send it; afterwards it ends a process as before."""
    path = tmp_path / "run.safetensors"
    stop = lambda r: signal.raise_signal(signal.SIGTERM) if r.step == 2 else None  # noqa: E731
    history = train(fresh_model(), data, QUICK, checkpoint=path, on_step=stop, progress=False)
    assert len(history) == len(checkpoints.read_history(path)) == 3
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_a_sigterm_that_somebody_handles_is_theirs(data):
    heard = []
    previous = signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
    try:
        stop = lambda r: signal.raise_signal(signal.SIGTERM) if r.step == 2 else None  # noqa: E731
        assert len(train(fresh_model(), data, QUICK, on_step=stop, progress=False)) == 12
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert heard == [1]
