"""`minigpt explore`: a notebook ready to go, which looks inside a model while it reads a prompt."""

from __future__ import annotations

import argparse
import json
from itertools import count
from pathlib import Path

from minigpt.commands.generate import read_prompt
from minigpt.commands.lab import lab_command, serve
from minigpt.config import PRESETS
from minigpt.files import read_text
from minigpt.pretrained import find_file
from minigpt.tokenizer import checked_text

STORY = (
    "Once upon a time there was a curious fox named Ruby, who lived in a teapot. "
    "Every night she sang to her purple kite. One windy Sunday a seagull stole the kite. "
    "And what colour was the kite? It was"
)
SENTENCE = "Alan Turing theorized that computers would one day become"

TITLE = """\
# Looking inside {name}

Run the cells in turn with **Shift+Enter**. Then play: everything below can be clicked, and reached
with the keyboard. Change the prompt in the next cell, and run it all again."""
LOAD = """\
from minigpt import from_pretrained, viz

model, tokenizer = from_pretrained({model!r})
prompt = {prompt}"""
HEADS = """\
## Heads: who looks at whom

Choose a head in the grid. Switch it off, and see what the model loses."""
CHANCES = """\
## Sampling: what comes next

Turn temperature, top-k and top-p. Click a token to take it."""
TOKENS = """\
## Tokens: what the model reads

Move the slider: the merges that made these tokens are replayed one by one."""
METADATA = {
    # Without it JupyterLab asks for a kernel before anything else.
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def cells(model: str, prompt: str | None) -> list[tuple[str, str]]:
    """Return the kind and source of each cell of the notebook."""
    show = "viz.{}(model, tokenizer, prompt)"
    usual = SENTENCE if model in PRESETS else STORY
    prompt = repr(usual if prompt is None else checked_text(prompt))
    return [
        ("markdown", TITLE.format(name=Path(model).name)),
        ("code", LOAD.format(model=model, prompt=prompt)),
        ("markdown", HEADS),
        ("code", show.format("AttentionExplorer")),
        ("markdown", CHANCES),
        ("code", show.format("SamplingExplorer")),
        ("markdown", TOKENS),
        ("code", "viz.TokenizerExplorer(tokenizer, prompt)"),
    ]


def notebook_text(sources: list[tuple[str, str]]) -> str:
    """Return a notebook that was never run, as the text of its file."""
    nothing_yet = {"code": {"execution_count": None, "outputs": []}, "markdown": {}}
    notebook = {
        "cells": [
            {"cell_type": kind, "id": f"cell-{i}", "metadata": {}, "source": source}
            | nothing_yet[kind]
            for i, (kind, source) in enumerate(sources)
        ],
        "metadata": METADATA,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def holds(file: Path, sources: list[tuple[str, str]]) -> bool:
    """Say whether a notebook has just these cells, run or not."""
    try:
        found = json.loads(read_text(file))["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in found] == sources
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False  # whatever it is, it is not ours to touch


def write_notebook(folder: Path, sources: list[tuple[str, str]]) -> Path:
    """Write the notebook under a name that is free, or find it where it was written before.

    A file that is there is never changed: what the learner made of a notebook stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        file = folder / ("explore.ipynb" if number == 1 else f"explore-{number}.ipynb")
        try:
            with open(file, "x", encoding="utf-8", newline="\n") as new:
                new.write(notebook_text(sources))
            return file
        except FileExistsError:
            if holds(file, sources):
                return file


def run(args: argparse.Namespace) -> int:
    """Write the notebook and open it; other options go to JupyterLab."""
    prompt = None if args.prompt is None else read_prompt(args.prompt)
    find_file(args.model)  # what is missing is said here, before anything is opened
    is_name = args.model in PRESETS or args.model == "storyteller"
    model = args.model if is_name else str(Path(args.model).expanduser().resolve())
    file = write_notebook(Path(args.out).expanduser().resolve(), cells(model, prompt))
    print(f"Your notebook: {file}", flush=True)
    return serve(lab_command(file.parent, args.options, Path(file.name)))
