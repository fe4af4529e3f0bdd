"""`minigpt finetune`: the result can be used, a run is stopped and resumed, never overwritten."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from minigpt import cli
from minigpt.commands import finetune as command
from minigpt.finetuning import TASKS, Labelled, finetune, load_task
from minigpt.pretrained import from_pretrained
from tests.commands.running import minigpt, refused

QUICK = ["--steps", "3", "--batch-size", "2", "--device", "cpu"]


@pytest.fixture(autouse=True)
def few_examples(monkeypatch):
    monkeypatch.setattr(command, "load_task", partial(load_task, train=20, val=8))
    monkeypatch.setattr(command, "JUDGED", 3)


@pytest.fixture
def heard(monkeypatch):
    """Ctrl-C that is heard, also where the tests run in the background."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.parametrize("more", [[], ["--lora", "2"]])
def test_the_result_is_a_model_as_any_other(tmp_path, capsys, more):
    folder = str(tmp_path / "run")
    assert cli.main(["finetune", "summary", "--out", folder, *QUICK, *more]) == 0
    out = capsys.readouterr().out
    assert "20 examples to learn from" in out and "Ctrl-C" in out and "of 3 examples" in out
    assert "TL;DR:" in out and "It should be: " in out
    model, tokenizer = from_pretrained(folder, verbose=False)
    assert 128 < model.config.block_size < 150 and tokenizer.vocab_size == 1024
    base, _ = from_pretrained("storyteller", verbose=False)
    assert not torch.equal(
        model.transformer.h[0].mlp.c_fc.weight, base.transformer.h[0].mlp.c_fc.weight
    )
    tokens_stay = torch.equal(model.transformer.wte.weight, base.transformer.wte.weight)
    assert tokens_stay == bool(more)  # with LoRA the table of tokens is frozen
    assert cli.main(["generate", "Long", "--model", folder, "--max-new-tokens", "3"]) == 0


def test_a_run_is_not_overwritten(tmp_path, capsys):
    folder = tmp_path / "run"
    assert cli.main(["finetune", "dialogue", "--out", str(folder), *QUICK]) == 0
    before = {path: path.read_bytes() for path in folder.iterdir()}
    line = refused(capsys, "finetune", "summary", "--out", str(folder), *QUICK)
    assert "holds a finetuning.json already" in line and "--resume" in line
    line = refused(capsys, "finetune", "summary", "--out", str(folder), "--resume")
    assert "was started with task dialogue, not summary" in line
    line = refused(capsys, "finetune", "dialogue", "--out", str(folder), "--resume", "--lr", "1")
    assert "was started with lr 0.005, not 1.0" in line
    assert before == {path: path.read_bytes() for path in folder.iterdir()}
    assert "no run to resume" in refused(
        capsys, "finetune", "summary", "--out", str(tmp_path), "--resume"
    )


def stop_after(steps: int):
    def interrupted(*arguments, on_step, **options):
        def watch(record):
            on_step(record)
            if record.step + 1 == steps:
                signal.raise_signal(signal.SIGINT)

        return finetune(*arguments, on_step=watch, **options)

    return interrupted


@pytest.mark.parametrize("more", [[], ["--lora", "2"]])
def test_a_stopped_run_resumes_to_the_very_same_model(tmp_path, capsys, monkeypatch, heard, more):
    stopped, whole = str(tmp_path / "stopped"), str(tmp_path / "whole")
    start = ["finetune", "translation", *QUICK, *more, "--out"]
    with monkeypatch.context() as patch:
        patch.setattr(command, "finetune", stop_after(2))
        assert cli.main([*start, stopped]) == 130
    assert f"minigpt finetune translation --out {stopped} --resume" in capsys.readouterr().out
    first = load_file(Path(stopped, "model.safetensors"))
    assert cli.main(["finetune", "translation", "--out", stopped, "--resume"]) == 0
    assert cli.main([*start, whole]) == 0
    resumed, at_once = (load_file(Path(f, "model.safetensors")) for f in (stopped, whole))
    assert resumed.keys() == at_once.keys()
    assert all(torch.equal(resumed[name], at_once[name]) for name in resumed)
    assert not all(torch.equal(resumed[name], first[name]) for name in first)


def test_what_is_refused_leaves_no_folder_behind(tmp_path, capsys):
    folder = tmp_path / "run"
    for options, line in (
        (["--lr", "nan"], "max_lr is nan"),
        (["--steps", "0"], "max_steps is 0"),
        (["--lora", "0"], "lora is 0"),
        (["--device", "abacus"], "abacus"),
        (["--model", str(tmp_path / "none")], "there is no file or folder"),
    ):
        arguments = ["finetune", "summary", "--out", str(folder), *QUICK, *options]
        assert cli.main(arguments) == 2
        assert line in capsys.readouterr().err
        assert not folder.exists()


@pytest.mark.parametrize("content", ["", "[]", '{"task": "summary"}'])
def test_a_damaged_run_file_is_refused(content, tmp_path, capsys):
    Path(tmp_path, "finetuning.json").write_text(content, encoding="utf-8")
    line = refused(capsys, "finetune", "summary", "--out", str(tmp_path), "--resume")
    assert "finetuning.json" in line


def test_the_help_tells_defaults_and_tasks(capsys):
    with pytest.raises(SystemExit):
        cli.main(["finetune", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    for key, value in command.DEFAULTS.items():
        option = words.partition(f" --{key.replace('_', '-')} ")[2].partition(" --")[0]
        assert value is None or f"({value})" in option, key
    assert f"({command.LR}; with --lora {command.LORA_LR})" in words
    writing = [
        name for name, (learn, _) in TASKS.items() if not isinstance(next(learn(0)), Labelled)
    ]
    assert f"{{{','.join(writing)}}}" in words


def test_an_unknown_task_is_refused_before_anything_is_loaded(tmp_path):
    done = minigpt("finetune", "poetry", "--out", str(tmp_path / "run"), code=2)
    assert b"invalid choice: 'poetry'" in done.stderr and os.listdir(tmp_path) == []
