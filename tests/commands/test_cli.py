"""The `minigpt` command: its help, its version, and how it ends when something is wrong."""

import subprocess
import sys
from importlib import metadata

import pytest

from minigpt import cli
from minigpt.commands import train as train_command
from minigpt.commands.arguments import build_parser
from minigpt.training.config import MAX_LR
from tests.commands.running import TINY, refused


def test_help_of_the_command_imports_nothing_heavy():
    code = """
import sys
from minigpt.cli import main
from minigpt.commands.arguments import build_parser
try:
    main(["train", "--help"])
except SystemExit:
    print(sorted(sys.modules.keys() & {"torch", "numpy", "tqdm", "importlib.metadata"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--resume" in done.stdout


@pytest.mark.parametrize(
    "command", ["doctor", "generate", "train", "finetune", "download", "verify", "explore", "lab"]
)
def test_every_command_is_listed_explains_itself_and_can_be_loaded(command, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    assert f"minigpt {command}" in capsys.readouterr().out
    assert callable(cli.load(command, own_process=False).run)
    assert f"\n    {command} " in build_parser().format_help()


def test_the_help_of_train_tells_its_defaults(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    for key, value in train_command.DEFAULTS.items():
        option = words.partition(f" --{key.replace('_', '-')} ")[2].partition(" --")[0]
        assert value in (None, False) or f"{value})" in option, key  # False: a switch, off
    for optimizer, rate in MAX_LR.items():
        assert f"{optimizer} {rate}" in words


def test_version_is_that_of_the_installed_package(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"minigpt {metadata.version('minigpt')}\n"


@pytest.mark.parametrize("arguments", [["dance"], ["generate", "--loud"], ["train"]])
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


@pytest.mark.parametrize("command", ["generate", "train"])
def test_compile_without_a_compiler_is_refused_in_words(
    command, run_folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("CXX", "no-such-compiler")
    where = ["--model", run_folder] if command == "generate" else ["--out", str(tmp_path), *TINY]
    assert "'no-such-compiler' was not found" in refused(capsys, command, *where, "--compile")
