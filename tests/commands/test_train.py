"""`minigpt train`: a run that can be used, stopped, resumed, and is never overwritten."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from minigpt import cli
from minigpt.commands import train as train_command
from minigpt.data import load_data
from minigpt.pretrained import from_pretrained
from minigpt.training import train
from minigpt.training.checkpoints import read_notes
from tests.commands.running import TINY, no_signals, refused


def test_train_leaves_a_run_that_generate_can_use(run_folder, text_file):
    assert sorted(os.listdir(run_folder)) == [
        "checkpoint.safetensors",
        "config.json",
        "model.safetensors",
        "run.json",
        "tokenizer.json",
    ]
    settings = json.loads(Path(run_folder, "run.json").read_text(encoding="utf-8"))
    assert settings["data"] == text_file and settings["steps"] == 6
    model, tokenizer = from_pretrained(run_folder, verbose=False)
    assert tokenizer.vocab_size == model.config.vocab_size == 280
    assert (model.config.block_size, model.config.n_layer, model.config.n_embd) == (16, 1, 16)


def test_train_says_what_it_will_do_and_shows_a_sample(tmp_path, text_file, capsys):
    folder = str(tmp_path / "run")
    assert cli.main(["train", "--data", text_file, "--out", folder, *TINY]) == 0
    before, _, after = capsys.readouterr().out.partition("Training on")
    model, _ = from_pretrained(folder, verbose=False)
    for words in ("kites.txt", f"{model.num_parameters():,} parameters", "6,", "Ctrl-C", folder):
        assert words in before
    assert "floor" not in before  # nobody knows that of such a text
    assert "Held-out loss: " in after and len(after.partition("A sample")[2]) > 100


def test_training_on_stories_tells_the_floor(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train_command, "load_data", partial(load_data, stories=100))
    small = ["--steps", "2", "--n-layer", "1", "--n-embd", "16", "--n-head", "1"]
    assert cli.main(["train", "--out", str(tmp_path / "run"), *small]) == 0
    out = capsys.readouterr().out
    assert "data    stories: " in out and "floor   0." in out and "times the floor." in out


def test_a_run_is_not_overwritten(run_folder, text_file, capsys):
    before = {path: path.read_bytes() for path in Path(run_folder).iterdir()}
    line = refused(capsys, "train", "--data", text_file, "--out", run_folder, *TINY)
    assert "holds a run.json already" in line and "--resume" in line
    assert before == {path: path.read_bytes() for path in Path(run_folder).iterdir()}


def test_what_is_refused_leaves_no_folder_behind(tmp_path, text_file, capsys):
    folder = tmp_path / "run"
    for options, line in (
        (["--lr", "nan"], "max_lr is nan"),
        (["--n-head", "3"], "n_embd is 16"),
        (["--block-size", "100000"], "100000"),
        (["--data", str(tmp_path / "none.txt")], "there is no file"),
        (["--device", "abacus"], "abacus"),
    ):
        arguments = ["train", "--data", text_file, "--out", str(folder), *TINY, *options]
        assert cli.main(arguments) == 2
        assert line in capsys.readouterr().err
        assert not folder.exists()


def stop_after(steps: int):
    """Return `train` with a Ctrl-C after so many steps."""

    def interrupted(*arguments, on_step, **options):
        def watch(record):
            on_step(record)
            if record.step + 1 == steps:
                signal.raise_signal(signal.SIGINT)

        return train(*arguments, on_step=watch, **options)

    return interrupted


def test_a_stopped_run_is_saved_and_resumes_to_the_very_same_model(
    tmp_path, run_folder, text_file, capsys, monkeypatch
):
    folder = str(tmp_path / "run")
    torch.manual_seed(5)  # a state of the global generator that must not matter
    monkeypatch.setattr(train_command, "train", stop_after(2))
    assert cli.main(["train", "--data", text_file, "--out", folder, *TINY]) == 130
    assert f"minigpt train --out {folder} --resume" in capsys.readouterr().out
    assert cli.main(["generate", "A", "--model", folder, "--max-new-tokens", "5"]) == 0
    stopped = load_file(Path(folder, "model.safetensors"))
    monkeypatch.undo()
    assert cli.main(["train", "--out", folder, "--resume"]) == 0
    finished = load_file(Path(folder, "model.safetensors"))
    uninterrupted = load_file(Path(run_folder, "model.safetensors"))
    assert finished.keys() == uninterrupted.keys()
    assert all(torch.equal(finished[name], uninterrupted[name]) for name in finished)
    assert not all(torch.equal(finished[name], stopped[name]) for name in finished)


def test_the_seed_decides_the_first_weights():
    settings = train_command.DEFAULTS | {"n_layer": 1, "n_embd": 16}
    first, same, other = (
        train_command.build_model(settings | {"seed": seed}, 300).lm_head.weight
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_a_finished_run_can_be_given_more_steps_and_keeps_its_other_settings(
    tmp_path, text_file, capsys
):
    folder = tmp_path / "run"
    cli.main(["train", "--data", text_file, "--out", str(folder), *TINY])
    first = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert cli.main(["train", "--out", str(folder), "--resume", "--steps", "9"]) == 0
    then = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert then == first | {"steps": 9}


def test_resume_refuses_other_settings_and_leaves_the_run_as_it_is(run_folder, capsys, tmp_path):
    before = {path: path.read_bytes() for path in Path(run_folder).iterdir()}
    for options, line in (
        (["--n-layer", "2"], "started with --n-layer 1, not 2"),
        (["--data", "stories"], "started with --data "),
        (["--lr", "0.5"], "started with --lr 0.001, not 0.5"),
    ):
        assert line in refused(capsys, "train", "--out", run_folder, "--resume", *options)
    assert before == {path: path.read_bytes() for path in Path(run_folder).iterdir()}
    assert "no run to resume" in refused(capsys, "train", "--out", str(tmp_path), "--resume")


def test_the_windows_length_is_the_models_in_the_notes_too(run_folder):
    """As every checkpoint has it: one of an older version could not be resumed otherwise."""
    notes = read_notes(Path(run_folder) / "checkpoint.safetensors")
    assert notes["training"]["block_size"] is None
    assert notes["training"]["max_steps"] == 6


@pytest.mark.parametrize("content", ["", "{", "[]", '{"data": "stories"}', "[" * 100_000])
def test_a_damaged_run_file_is_refused(content, tmp_path, capsys):
    (tmp_path / "run.json").write_text(content, encoding="utf-8")
    assert "run.json is damaged" in refused(capsys, "train", "--out", str(tmp_path), "--resume")


@no_signals
def test_ctrl_c_in_the_terminal_loses_nothing(tmp_path, text_file):
    folder = tmp_path / "run"
    arguments = ["train", "--data", text_file, "--out", str(folder), *TINY, "--steps", "1000000"]
    command = [sys.executable, "-m", "minigpt", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not (folder / "run.json").exists():  # the first step is done
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"--resume" in out and b"Traceback" not in err
    model, _ = from_pretrained(folder, verbose=False)
    assert (folder / "checkpoint.safetensors").is_file() and model.num_parameters() > 0
    assert not list(folder.glob("*.tmp")) + list(folder.glob(".*.tmp"))
