"""`torchrun ... -m minigpt train`: one run, one voice, one folder."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from minigpt import cli
from minigpt.commands import train as train_command
from minigpt.pretrained import from_pretrained
from minigpt.training.checkpoints import read_history
from tests.commands.running import TINY, no_signals, refused

pytestmark = pytest.mark.thorough
CALM = ["--lr", "0.0005"]


def torchrun(*arguments: str, processes: int = 2) -> list[str]:
    """Return the command line that starts the command several times."""
    start = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [sys.executable, "-m", *start, "-m", "minigpt", "train", *arguments]


def run(*arguments: str, code: int = 0, processes: int = 2) -> subprocess.CompletedProcess:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MINIGPT_TIMEOUT": "60"}
    command = torchrun(*arguments, processes=processes)
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment, timeout=100
    )
    assert done.returncode == code, done.stderr
    return done


def test_two_processes_leave_the_run_of_one_and_speak_once(tmp_path, text_file, capfd):
    one, two = tmp_path / "one", tmp_path / "two"
    given = ["--data", text_file, *TINY, *CALM, "--accumulation-steps", "2"]
    assert cli.main(["train", "--out", str(one), *given]) == 0
    out = run("--out", str(two), *given, "--sharded").stdout
    for words in ("kites.txt", "6, 4 windows each", "A sample", "Held-out loss"):
        assert out.count(words) == 1, words
    assert "in 2 processes, each with a part of the model" in out
    assert "Process 0 holds: weights" in out and "Process 1 holds: weights" in out
    assert sorted(os.listdir(one)) == sorted(os.listdir(two))
    mine, theirs = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
    assert all((mine[name] - theirs[name]).abs().max() < 1e-5 for name in mine)
    settings = json.loads((two / "run.json").read_text(encoding="utf-8"))
    assert settings["sharded"] and settings["accumulation_steps"] == 2
    # And alone, from shards: further, and as usable as any.
    assert cli.main(["train", "--out", str(two), "--resume", "--no-sharded", "--steps", "8"]) == 0
    assert len(read_history(two / "checkpoint.safetensors")) == 8
    assert from_pretrained(two, verbose=False)[0].num_parameters() > 0


def test_what_is_refused_is_said_once(tmp_path, text_file):
    given = ["--data", text_file, *TINY, "--out", str(tmp_path / "run"), "--batch-size", "1"]
    err = run(*given, code=1).stderr  # torchrun's own code; each process ended with 2
    assert err.count("minigpt: error: ") == 1, err
    assert "minigpt: error: batch_size is 1; 2 processes need at least 2" in err
    assert "exitcode  : 2" in err
    assert not (tmp_path / "run").exists()


@no_signals
@pytest.mark.parametrize("how", ["a stop", "a loss"])
def test_a_stop_saves_and_a_lost_process_is_told(tmp_path, text_file, how):
    folder = tmp_path / "run"
    given = ["--data", text_file, *TINY, "--out", str(folder), "--steps", "1000000"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        torchrun(*given), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        while not (folder / "checkpoint.safetensors").exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        if how == "a stop":
            process.send_signal(signal.SIGTERM)  # as Slurm does; torchrun hands it on
        else:
            os.kill(worker(process.pid, rank=1), signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    steps = len(read_history(folder / "checkpoint.safetensors"))
    assert steps >= 100
    if how == "a stop":
        assert f"Stopped after step {steps} of 1000000" in out and "--resume" in out
        assert from_pretrained(folder, verbose=False)
    else:
        assert "minigpt: error: process 1 of 2 (counted from 0) is gone" in err
        assert f"holds the first {steps} steps" in err and "--resume" in err
    assert not [name for name in os.listdir(folder) if name.endswith(".tmp")]


def worker(parent: int, rank: int) -> int:
    import psutil

    for child in psutil.Process(parent).children():
        if child.environ().get("RANK") == str(rank):
            return child.pid
    raise AssertionError("torchrun started nobody of that rank")


def test_a_run_of_an_older_version_is_resumed(tmp_path, text_file):
    folder = tmp_path / "run"
    assert cli.main(["train", "--data", text_file, "--out", str(folder), *TINY]) == 0
    file = folder / "run.json"
    saved = json.loads(file.read_text(encoding="utf-8"))
    for name in train_command.LATER:
        del saved[name]
    file.write_text(json.dumps(saved), encoding="utf-8")
    assert cli.main(["train", "--out", str(folder), "--resume", "--steps", "9"]) == 0
    assert len(read_history(folder / "checkpoint.safetensors")) == 9


def test_accumulation_may_not_change_and_is_checked(run_folder, tmp_path, text_file, capsys):
    line = refused(capsys, "train", "--out", run_folder, "--resume", "--accumulation-steps", "2")
    assert "started with --accumulation-steps 1, not 2" in line
    given = ["--data", text_file, *TINY, "--out", str(tmp_path / "run")]
    line = refused(capsys, "train", *given, "--accumulation-steps", "0")
    assert "accumulation_steps is 0" in line and not Path(tmp_path, "run").exists()
