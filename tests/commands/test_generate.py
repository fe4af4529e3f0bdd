"""`minigpt generate`: what the sampler draws, in any terminal, until it ends or is ended."""

import io
import os
import signal
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minigpt import cli, generate
from minigpt.commands import generate as generate_command
from minigpt.commands.generate import whole_characters
from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained, save_pretrained
from minigpt.tokenizer import Tokenizer, encode_prompt
from tests.commands.running import SENTENCES, minigpt, no_signals, refused


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
