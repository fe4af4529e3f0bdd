"""`minigpt explore`: a notebook that runs, in the learner's own folder, and never overwritten."""

import io
import json
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from minigpt import cli
from minigpt.commands import explore
from minigpt.files import STORYTELLER

HOSTILE = ["<script>alert(1)</script>", "\u202eright to left", "🦊\n'\"\\", "a\x00b", "x" * 10_000]


@pytest.fixture
def served(monkeypatch):
    """The command lines that would have started JupyterLab."""
    commands = []
    monkeypatch.setattr(explore, "serve", lambda command: commands.append(command) or 0)
    return commands


def run(tmp_path, *arguments: str) -> Path:
    """Run the command, and return the newest notebook of its folder."""
    assert cli.main(["explore", *arguments, "--out", str(tmp_path)]) == 0
    return max(tmp_path.glob("*.ipynb"), key=lambda path: (len(path.name), path.name))


def code_of(file: Path) -> list[str]:
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def prompt_in(file: Path) -> str:
    line = code_of(file)[0].splitlines()[-1]
    assert line.startswith("prompt = ")
    return eval(line.removeprefix("prompt = "))


def test_the_notebook_names_its_kernel_model_and_prompt(tmp_path, served, capsys):
    file = run(tmp_path / "mine", "A red kite")
    assert file.name == "explore.ipynb"
    assert str(file) in capsys.readouterr().out
    assert nbformat.read(file, as_version=4).metadata.kernelspec.name == "python3"
    assert "from_pretrained('storyteller')" in code_of(file)[0]
    assert prompt_in(file) == "A red kite"
    for cell in code_of(file):
        compile(cell, "cell", "exec")


def test_the_notebook_runs_to_its_end_and_shows_three_explorers(tmp_path, served):
    notebook = nbformat.read(run(tmp_path, "Once upon a time there was a red kite."), as_version=4)
    NotebookClient(notebook, kernel_name="python3", timeout=100).execute()
    shown = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"][1:]
    assert [len(outputs) for outputs in shown] == [1, 1, 1]
    for (output,) in shown:
        assert {"image/png", "application/vnd.jupyter.widget-view+json"} < set(output.data)


def test_jupyterlab_opens_the_notebook_in_its_folder_with_the_options_given(tmp_path, served):
    run(tmp_path, "A kite", "--port=9")
    assert served[0][:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={tmp_path}" in served[0]
    assert "--LabApp.default_url=/lab/tree/explore.ipynb" in served[0]
    assert served[0][-1] == "--port=9"


@pytest.mark.parametrize("prompt", HOSTILE)
def test_any_prompt_comes_back_as_it_was(tmp_path, served, monkeypatch, prompt):
    class Pipe:
        buffer = io.BytesIO(prompt.encode())

    monkeypatch.setattr(sys, "stdin", Pipe)
    file = run(tmp_path, "-")
    assert prompt_in(file) == prompt
    assert "\u202e" not in file.read_text(encoding="utf-8")  # nothing on the page runs backwards


def test_each_model_has_a_prompt_of_its_own_if_none_is_given(tmp_path, served):
    assert prompt_in(run(tmp_path / "ours")) == explore.STORY
    sources = [source for _, source in explore.cells("gpt2", None)]
    assert repr(explore.SENTENCE) in sources[1]


def test_the_same_request_finds_its_notebook_with_the_outputs_it_has_now(tmp_path, served):
    file = run(tmp_path, "A kite")
    notebook = nbformat.read(file, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="seen")]
    nbformat.write(notebook, file)
    before = file.read_bytes()
    assert run(tmp_path, "A kite") == file
    assert file.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_an_edited_notebook_and_one_of_another_prompt_stay_and_a_new_one_is_made(tmp_path, served):
    first = run(tmp_path, "A kite")
    notebook = nbformat.read(first, as_version=4)
    notebook.cells[3].source += "  # mine"
    nbformat.write(notebook, first)
    before = first.read_bytes()
    second = run(tmp_path, "A kite")
    third = run(tmp_path, "A bear")
    assert [second.name, third.name] == ["explore-2.ipynb", "explore-3.ipynb"]
    assert first.read_bytes() == before
    assert "explore-3.ipynb" in " ".join(served[2])
    assert run(tmp_path, "A kite") and "explore-2.ipynb" in " ".join(served[3])


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"cells": [{}]}', b"[" * 100_000])
def test_a_file_that_is_no_notebook_is_left_alone(tmp_path, served, content):
    (tmp_path / "explore.ipynb").write_bytes(content)
    assert run(tmp_path, "A kite").name == "explore-2.ipynb"
    assert (tmp_path / "explore.ipynb").read_bytes() == content


def test_a_model_in_a_folder_is_named_by_its_whole_path(tmp_path, served, monkeypatch):
    monkeypatch.chdir(STORYTELLER.parent)
    file = run(tmp_path, "A kite", "--model", STORYTELLER.name + "/")
    assert f"from_pretrained({str(STORYTELLER.resolve())!r})" in code_of(file)[0]
    assert json.loads(file.read_text(encoding="utf-8"))["cells"][0]["source"].startswith(
        "# Looking inside storyteller"
    )


def test_a_model_that_is_not_here_is_refused_before_anything_is_written(tmp_path, served, capsys):
    assert cli.main(["explore", "--model", "no/model", "--out", str(tmp_path / "new")]) == 2
    assert "there is no file or folder" in capsys.readouterr().err
    assert not (tmp_path / "new").exists() and served == []
