"""The `minigpt` command: what it prints, what it leaves behind, and how it ends."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from importlib import metadata
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from minigpt import cli, generate
from minigpt.commands import download as download_command
from minigpt.commands import generate as generate_command
from minigpt.commands import lab, verify
from minigpt.commands import train as train_command
from minigpt.commands.generate import encode_prompt, whole_characters
from minigpt.config import GPTConfig
from minigpt.data import load_data
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained, save_pretrained
from minigpt.tokenizer import Tokenizer
from minigpt.training import train

TINY = [
    *("--steps", "6", "--batch-size", "2", "--block-size", "16", "--vocab-size", "280"),
    *("--n-layer", "1", "--n-head", "2", "--n-embd", "16", "--device", "cpu"),
    *("--precision", "fp32", "--optimizer", "adamw"),
]
SENTENCES = [
    "The fox found the red kite by the river. ",
    "小狐狸在河边找到了红色的风筝。",
    "🦊 + 🪁 = naïveté! ",
]
no_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="Ctrl-C cannot be sent to one process on Windows"
)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """A cache of our own: nothing is taken from, or left in, the tester's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGPT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def text_file(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("text") / "kites.txt"
    path.write_text("\n".join(SENTENCES * 20), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, text_file) -> str:
    """A finished run of six steps, made by the command itself."""
    folder = str(tmp_path_factory.mktemp("runs") / "kites")
    assert cli.main(["train", "--data", text_file, "--out", folder, *TINY]) == 0
    return folder


def minigpt(*arguments: str, code: int = 0, **options) -> subprocess.CompletedProcess:
    """Run the command in a process of its own; bytes in, bytes out."""
    command = [sys.executable, "-m", "minigpt", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=100, **options)
    assert done.returncode == code, done.stderr.decode("utf-8", "replace")
    return done


def refused(capsys, *arguments: str) -> str:
    """Run a command that must end with exit code 2 and one line; return the line."""
    capsys.readouterr()
    assert cli.main([*arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("minigpt: error: ") and "Traceback" not in err
    return err


# The command line


def test_help_of_the_command_imports_nothing_heavy():
    code = """
import sys
from minigpt.cli import main
try:
    main(["train", "--help"])
except SystemExit:
    print(sorted(sys.modules.keys() & {"torch", "numpy", "tqdm", "importlib.metadata"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--resume" in done.stdout


@pytest.mark.parametrize(
    "command", ["doctor", "generate", "train", "download", "verify", "explore", "lab"]
)
def test_every_command_is_listed_explains_itself_and_can_be_loaded(command, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    assert f"minigpt {command}" in capsys.readouterr().out
    assert callable(cli.load(command, own_process=False).run)
    assert f"\n    {command} " in cli.build_parser().format_help()


def test_the_help_of_train_tells_its_defaults(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    for key, value in train_command.DEFAULTS.items():
        option = words.partition(f" --{key.replace('_', '-')} ")[2].partition(" --")[0]
        assert value in (None, False) or f"{value})" in option, key  # False: a switch, off
    for optimizer, rate in train_command.LEARNING_RATES.items():
        assert f"{optimizer} {rate}" in words


def test_version_is_that_of_the_installed_package(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"minigpt {metadata.version('minigpt')}\n"


@pytest.mark.parametrize("arguments", [[], ["dance"], ["generate", "--loud"], ["train"]])
def test_a_command_line_that_cannot_be_read_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    assert "minigpt" in capsys.readouterr().err


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        cli.main(["--debug", "generate", "--model", str(tmp_path / "none")])


def test_ctrl_c_in_a_command_is_130_and_one_line(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load", interrupted)
    assert cli.main(["doctor"]) == 130
    assert capsys.readouterr() == ("", "\nStopped.\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "kite.txt"), "kite.txt: No such file"),
        (ModuleNotFoundError("No module named 'torch'"), "`minigpt doctor` says how to mend it"),
        (MemoryError("too large"), "too large"),
        (FloatingPointError("the loss is nan"), "the loss is nan"),
        (ConnectionError("no network"), "no network"),
    ],
)
def test_an_error_that_the_user_can_mend_is_one_line(error, line, monkeypatch, capsys):
    def failing(*_):
        raise error

    monkeypatch.setattr(cli, "load", failing)
    assert line in refused(capsys, "doctor")


def test_an_error_of_our_own_keeps_its_traceback(monkeypatch):
    def faulty(*_):
        raise AssertionError("ours")

    monkeypatch.setattr(cli, "load", faulty)
    with pytest.raises(AssertionError, match="ours"):
        cli.main(["doctor"])


# generate


def test_generate_prints_the_prompt_and_what_the_sampler_draws(run_folder, capsys):
    settings = {"temperature": 0.8, "top_k": 50, "top_p": 0.9}
    options = ["--temperature", "0.8", "--top-k", "50", "--top-p", "0.9", "--seed", "7"]
    prompt = "The fox 🦊"
    assert cli.main(["generate", prompt, "--model", run_folder, *options]) == 0
    out, err = capsys.readouterr()
    model, tokenizer = from_pretrained(run_folder, verbose=False)
    idx = torch.tensor([encode_prompt(prompt, tokenizer)])
    drawn = generate(
        model,
        idx,
        200,
        generator=torch.Generator().manual_seed(7),
        stop_token=tokenizer.end_of_text,
        **settings,
    )[0, idx.size(1) :].tolist()
    if tokenizer.end_of_text in drawn:
        drawn = drawn[: drawn.index(tokenizer.end_of_text)]
    assert out == prompt + tokenizer.decode(drawn) + "\n"
    assert err == ""


def test_the_same_seed_gives_the_same_text_and_no_seed_another(run_folder, capsys):
    def text(*options: str) -> str:
        cli.main(["generate", "A", "--model", run_folder, "--max-new-tokens", "40", *options])
        return capsys.readouterr().out

    assert text("--seed", "1") == text("--seed", "1")
    assert text("--seed", "1") != text("--seed", "2")
    assert text() != text()


def test_several_samples_come_one_after_another_and_differ(run_folder, capsys):
    options = ["--model", run_folder, "--max-new-tokens", "20", "--seed", "3"]
    cli.main(["generate", "A kite", *options])
    single = capsys.readouterr().out
    cli.main(["generate", "A kite", *options, "--samples", "3"])
    out = capsys.readouterr().out
    assert out.startswith(f"--- 1 of 3 ---\n{single}--- 2 of 3 ---\nA kite")
    parts = [part.split("---\n")[1] for part in out.split("--- ") if "---\n" in part]
    assert len(set(parts)) == 3


def test_the_prompt_can_come_from_standard_input_without_its_last_newline(
    run_folder, capsys, monkeypatch
):
    def text(prompt: str) -> str:
        options = ["--model", run_folder, "--max-new-tokens", "10", "--seed", "3"]
        cli.main(["generate", prompt, *options])
        return capsys.readouterr().out

    for content in ("\ufeff河边\r\n一只 kite\r\n", "河边\n一只 kite\n", "河边\n一只 kite"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
        assert text("-") == text("河边\n一只 kite")


def test_a_prompt_that_is_not_utf8_is_refused(run_folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("naïf".encode("latin-1"))))
    assert "not UTF-8" in refused(capsys, "generate", "-", "--model", run_folder)


def test_an_empty_prompt_starts_from_end_of_text_and_a_prompt_of_gpt2_does_not():
    small, gpt2 = Tokenizer.train("low lower lowest", 260), Tokenizer.gpt2()
    end = small.end_of_text
    assert encode_prompt("", small) == [end]
    assert encode_prompt("low", small) == [end, *small.encode("low")]
    assert encode_prompt("", gpt2) == [50256]
    assert encode_prompt("Hello, world", gpt2) == [15496, 11, 995]
    assert encode_prompt("low", Tokenizer([], special_tokens=())) == [*Tokenizer([]).encode("low")]
    with pytest.raises(ValueError, match="give it a prompt"):
        encode_prompt("", Tokenizer([], special_tokens=()))


def test_generation_ends_at_end_of_text_and_does_not_print_it(tmp_path, capsys):
    tokenizer = Tokenizer.train("low lower lowest", 260)
    model = GPT(GPTConfig(tokenizer.vocab_size, 16, n_layer=1, n_head=1, n_embd=8))
    with torch.no_grad():  # whatever it reads, it says <|endoftext|>
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.fill_(1.0)
        model.transformer.wte.weight.zero_()
        model.transformer.wte.weight[tokenizer.end_of_text] = 1.0
    save_pretrained(model, tmp_path, tokenizer)
    assert cli.main(["generate", "low", "--model", str(tmp_path), "--temperature", "0"]) == 0
    assert capsys.readouterr().out == "low\n"


def test_a_prompt_longer_than_the_context_works(run_folder, capsys):
    prompt = SENTENCES[0] * 5
    arguments = ["generate", prompt, "--model", run_folder, "--max-new-tokens", "9"]
    assert cli.main([*arguments, "--temperature", "0"]) == 0
    model, tokenizer = from_pretrained(run_folder, verbose=False)
    idx = torch.tensor([tokenizer.encode(prompt)])
    assert idx.size(1) > model.config.block_size
    ids = generate(model, idx, 9, temperature=0, use_cache=False)[0]
    assert capsys.readouterr().out == tokenizer.decode(ids) + "\n"


@given(st.text(), st.lists(st.integers(0, 40)))
def test_whole_characters_loses_nothing_wherever_the_bytes_are_cut(text, cuts):
    content, places = text.encode(), [0, *sorted(cuts)]
    parts = [content[a:b] for a, b in zip(places, [*places[1:], None])]
    assert "".join(whole_characters(parts)) == text


def test_the_bytes_of_an_unfinished_character_wait():
    fox = "🦊".encode()
    assert list(whole_characters([b"a", fox[:1], fox[1:3], fox[3:] + b"b"])) == ["a", "🦊b"]
    assert list(whole_characters([b"a", fox[:3]])) == ["a", "�"]  # cut off by --max-new-tokens


def test_generate_in_int8_draws_from_the_rounded_model(run_folder, capsys):
    options = ["--max-new-tokens", "12", "--temperature", "0", "--quantize", "int8"]
    assert cli.main(["generate", "A", "--model", run_folder, *options]) == 0
    model, tokenizer = from_pretrained(run_folder, quantize="int8", verbose=False)
    idx = torch.tensor([encode_prompt("A", tokenizer)])
    drawn = generate(model, idx, 12, temperature=0, stop_token=tokenizer.end_of_text)[0].tolist()
    text = tokenizer.decode([id for id in drawn if id != tokenizer.end_of_text])
    assert capsys.readouterr().out == text + "\n"


@pytest.mark.parametrize("command", ["generate", "train"])
def test_compile_without_a_compiler_is_refused_in_words(
    command, run_folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("CXX", "no-such-compiler")
    where = ["--model", run_folder] if command == "generate" else ["--out", str(tmp_path), *TINY]
    assert "'no-such-compiler' was not found" in refused(capsys, command, *where, "--compile")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--temperature", "nan"], "temperature is nan"),
        (["--temperature", "-1"], "temperature is -1.0"),
        (["--top-k", "0"], "top_k is 0"),
        (["--top-p", "1.5"], "top_p is 1.5"),
        (["--samples", "0"], "samples is 0"),
        (["--max-new-tokens", "-1"], "max_new_tokens is -1"),
        (["--device", "abacus"], "device is 'abacus'"),
        (["--model", "gtp2"], "there is no model 'gtp2'"),
        (["--model", "runs/none"], "there is no file or folder"),
    ],
)
def test_generate_refuses_a_setting_out_of_range_before_it_prints(
    options, line, run_folder, capsys
):
    assert line in refused(capsys, "generate", "A", "--model", run_folder, *options)


def test_a_model_without_a_tokenizer_is_refused(tmp_path, capsys):
    save_pretrained(GPT(GPTConfig(300, 8, 1, 1, 8)), tmp_path)
    assert "has no tokenizer.json" in refused(capsys, "generate", "--model", str(tmp_path))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_no_terminal_is_too_poor_for_the_text(encoding, run_folder):
    prompt = "🦊 naïve 风筝"
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    options = ["--model", run_folder, "--max-new-tokens", "5"]
    done = minigpt("generate", "-", *options, input=prompt.encode(), env=environment)
    assert done.stdout.startswith(prompt.encode(encoding, "replace"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locale C")
def test_the_c_locale_is_no_obstacle(run_folder):
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = minigpt("generate", "A", "--model", run_folder, "--seed", "1", env=environment)
    assert done.stdout.startswith(b"A")


class Screen(io.StringIO):
    """What has been flushed is seen."""

    def flush(self) -> None:
        self.seen = self.getvalue()


def test_each_token_is_seen_before_the_next_is_drawn(monkeypatch):
    tokenizer = Tokenizer.train("low lower lowest", 260)
    screen = Screen()

    def draw(*_, **settings):
        for number, token in enumerate(tokenizer.encode("low🦊er")):
            if number > 1:  # the prompt is shown together with the first token
                assert screen.seen == tokenizer.decode(drawn).rstrip("�")
            drawn.append(token)
            yield torch.tensor([token])

    drawn = tokenizer.encode("a")
    monkeypatch.setattr(generate_command, "stream", draw)
    monkeypatch.setattr(sys, "stdout", screen)
    model = GPT(GPTConfig(tokenizer.vocab_size, 16, n_layer=1, n_head=1, n_embd=8))
    generate_command.write_sample(model, tokenizer, "a", 9)
    assert screen.seen.startswith("alow🦊er")


def test_a_closed_pipe_ends_it_quietly(run_folder):
    arguments = ["generate", "A kite", "--model", run_folder, "--max-new-tokens", "9999999"]
    command = [sys.executable, "-m", "minigpt", *arguments, "--samples", "99"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.read(6) == b"--- 1 "
        process.stdout.close()
        assert process.wait(timeout=60) == 141
        assert process.stderr.read() == b""


@no_signals
def test_ctrl_c_while_generating_is_130_without_a_traceback(run_folder):
    arguments = ["generate", "A kite", "--model", run_folder, "--max-new-tokens", "9999999"]
    command = [sys.executable, "-m", "minigpt", *arguments, "--samples", "99"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(30)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"\nStopped.\n")


LOSES_CTRL_C = """
import os, signal

class Deaf:
    def __del__(self):  # an exception raised in here is printed, and lost
        os.kill(os.getpid(), signal.SIGINT)

Deaf()
print("went on")
"""


@no_signals
def test_ctrl_c_while_the_libraries_load_is_130_without_a_traceback(tmp_path):
    """PyTorch's import can lose a KeyboardInterrupt; the command must not."""
    (tmp_path / "torch.py").write_text(LOSES_CTRL_C, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = minigpt("generate", code=130, env=os.environ | {"PYTHONPATH": path})
    assert (done.stdout, done.stderr) == (b"", b"\nStopped.\n")


# train


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


# verify


def test_verify_compares_a_model_of_ones_own_with_transformers(run_folder, capsys):
    pytest.importorskip("transformers", reason="pip install transformers")
    assert cli.main(["verify", run_folder]) == 0
    out = capsys.readouterr().out
    assert "pass  transformers  The same at " in out
    assert "----  continuation  published for gpt2 only" in out


def test_verify_says_what_is_not_checked_without_transformers(run_folder, capsys, monkeypatch):
    monkeypatch.setattr(verify, "find_spec", lambda name: None)
    assert cli.main(["verify", run_folder]) == 0
    assert "----  transformers  not installed" in capsys.readouterr().out


def test_verify_finds_a_model_that_computes_otherwise(run_folder):
    pytest.importorskip("transformers", reason="pip install transformers")
    model, _ = from_pretrained(run_folder, verbose=False)
    file = Path(run_folder, "model.safetensors")
    assert verify.check_against_transformers(model, file).verdict == "pass"
    with torch.no_grad():
        weight = model.transformer.h[0].attn.c_proj.weight
        weight.copy_(weight.t().clone())
    line = verify.check_against_transformers(model, file)
    assert line.verdict == "FAIL" and "transformer.h.0.attn.c_proj differs first" in line.words


def test_verify_fails_on_a_damaged_file(run_folder, tmp_path, capsys):
    file = tmp_path / "model.safetensors"
    file.write_bytes(Path(run_folder, "model.safetensors").read_bytes()[:-100])
    assert cli.main(["verify", str(file)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("FAIL  file") and "0 passed, 1 failed, 0 not checked." in out


def test_verify_says_how_to_get_a_model_that_is_not_there(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    line = refused(capsys, "verify")
    assert "gpt2 is not on this machine. Get it with: minigpt download gpt2" in line
    assert list(tmp_path.iterdir()) == []


def test_verify_finds_a_downloaded_model_in_the_hubs_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--openai-community--gpt2"
    file = home / "snapshots" / ("a" * 40) / "model.safetensors"
    for path, content in ((file, b"weights"), (home / "refs" / "main", b"a" * 40)):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    assert verify.find_file("gpt2") == file


@pytest.fixture(scope="module")
def narrow_gpt2() -> GPT:
    """GPT-2's vocabulary and context, hardly any width: what it writes is its own."""
    return GPT(GPTConfig(n_layer=1, n_head=1, n_embd=4)).eval()


def test_the_published_continuation_must_be_met(narrow_gpt2, monkeypatch):
    tokenizer = Tokenizer.gpt2()
    monkeypatch.setattr(verify, "size_name", lambda config: "gpt2")
    line = verify.check_continuation(narrow_gpt2, tokenizer)
    assert line.verdict == "FAIL" and verify.PUBLISHED["gpt2"] in line.words
    idx = torch.tensor([tokenizer.encode(verify.PROMPT)])
    ids = generate(narrow_gpt2, idx, 8, temperature=0, use_cache=False)[0, idx.size(1) :]
    text = tokenizer.decode(ids)
    assert len(tokenizer.encode(text)) == 8
    monkeypatch.setitem(verify.PUBLISHED, "gpt2", text)
    assert verify.check_continuation(narrow_gpt2, tokenizer).verdict == "pass"


def test_a_wrong_number_of_parameters_fails(narrow_gpt2, monkeypatch):
    assert verify.check_parameters(narrow_gpt2).verdict == "----"
    monkeypatch.setattr(verify, "size_name", lambda config: "gpt2")
    assert verify.check_parameters(narrow_gpt2).verdict == "FAIL"
    monkeypatch.setitem(verify.PARAMETERS, "gpt2", narrow_gpt2.num_parameters())
    assert verify.check_parameters(narrow_gpt2).verdict == "pass"


@pytest.mark.parametrize("name", list(verify.PARAMETERS))
def test_each_released_size_is_recognised_and_has_the_published_count(name):
    config = GPTConfig.preset(name)
    assert verify.size_name(config) == name
    with torch.device("meta"):
        assert verify.check_parameters(GPT(config)).verdict == "pass"


def test_the_storyteller_is_within_five_percent_of_the_floor_and_an_untrained_one_is_not(capsys):
    assert cli.main(["verify", "storyteller"]) == 0
    out = capsys.readouterr().out
    assert "pass  stories" in out
    model, tokenizer = from_pretrained("storyteller", verbose=False)
    torch.manual_seed(0)
    assert verify.check_stories(GPT(model.config), tokenizer).verdict == "FAIL"


# download


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gtp2", "there is no 'gtp2' to download; there are gpt2, "),
        ("storyteller", "came with the installation"),
        ("python-docs", "came with the installation"),
    ],
)
def test_what_cannot_be_downloaded_is_said(name, line, capsys):
    assert line in refused(capsys, "download", name)


@pytest.mark.parametrize("name", ["gpt2", "shakespeare"])
def test_a_download_without_network_names_the_way_by_hand(name, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    line = refused(capsys, "download", name)
    assert "could not be downloaded" in line and "By hand: " in line


def test_download_says_where_the_file_is_and_how_large(capsys, tmp_path, monkeypatch):
    file = tmp_path / "model.safetensors"
    file.write_bytes(bytes(1_200_000))
    monkeypatch.setattr(download_command, "download", lambda name: file)
    assert cli.main(["download", "gpt2-xl"]) == 0
    assert capsys.readouterr().out == f"gpt2-xl is here, 1.2 MB: {file}\n"


# lab


@pytest.fixture
def course(tmp_path, monkeypatch) -> Path:
    """A checkout with nothing in it but an empty lesson 00."""
    (tmp_path / "notebooks").mkdir()
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / lab.FIRST_LESSON).write_text(json.dumps(notebook), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_lab_opens_lesson_00_of_the_checkout_one_is_in_with_this_python(course, monkeypatch):
    assert lab.find_course() == course
    monkeypatch.setattr(lab, "is_root", lambda: False)
    monkeypatch.setattr(lab, "has_display", lambda: True)
    command = lab.lab_command(course, ["--port=9"])
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert command[-1] == "--port=9"
    assert not {"--allow-root", "--no-browser"} & set(command)
    monkeypatch.setattr(lab, "is_root", lambda: True)
    monkeypatch.setattr(lab, "has_display", lambda: False)
    assert {"--allow-root", "--no-browser"} < set(lab.lab_command(course, []))


def test_lab_finds_the_checkout_that_the_package_lies_in(tmp_path, monkeypatch):
    checkout = Path(cli.__file__).parents[1]
    monkeypatch.chdir(tmp_path)
    assert (checkout / lab.FIRST_LESSON).is_file()
    assert lab.find_course() == checkout


def test_lab_says_so_when_there_are_no_notebooks(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab, "PACKAGE", tmp_path / "a" / "b")
    assert "carries no notebooks" in refused(capsys, "lab")


def test_a_screen_is_where_the_system_says(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for platform, found in (("linux", False), ("darwin", True), ("win32", True)):
        monkeypatch.setattr(sys, "platform", platform)
        assert lab.has_display() is found
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert lab.has_display()


@no_signals
def test_lab_serves_until_ctrl_c(course):
    command = [sys.executable, "-m", "minigpt", "lab", "--no-browser", "--ServerApp.port=0"]
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(course), "HOME": str(course)}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,  # its own group, so that Ctrl-C reaches all of it, and only it
    ) as process:
        printed = b""
        while b"Use Control-C" not in printed and process.poll() is None:
            printed += process.stdout.readline()
        # That line comes before the server listens, for answers and for Ctrl-C: wait until it does.
        address, deadline = re.search(rb"http://127\S+", printed)[0].decode(), time.time() + 60
        try:
            while time.time() < deadline:
                with suppress(URLError):
                    urlopen(address, timeout=60).close()
                    break
                time.sleep(0.2)
        finally:
            os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert b"/lab/tree/notebooks/00_start_here.ipynb?token=" in printed
    assert process.returncode == 130
    assert b"Traceback" not in printed + rest


def test_a_server_that_missed_ctrl_c_is_ended_all_the_same(course, monkeypatch):
    class Server:
        def __init__(self, command, env):
            self.answers = [KeyboardInterrupt(), subprocess.TimeoutExpired(command, 5), 0]

        def wait(self, timeout=None):
            answer = self.answers.pop(0)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        def terminate(self):
            ended.append(self)

    ended = []
    monkeypatch.setattr(lab.subprocess, "Popen", Server)
    assert cli.main(["lab"]) == 130
    assert len(ended) == 1
