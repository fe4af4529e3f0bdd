"""`minigpt evaluate`: measure a model, and print its figures beside the paper's."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import nn
from tqdm.auto import tqdm

from minigpt.commands.verify import size_name
from minigpt.config import check_whole
from minigpt.devices import choose_device
from minigpt.evaluation.intervals import wilson
from minigpt.evaluation.overlap import rouge
from minigpt.evaluation.paper import published
from minigpt.evaluation.tasks import TASKS, Figure, Settings, Task
from minigpt.files import STORYTELLER
from minigpt.finetuning import complete, load_task, with_room
from minigpt.finetuning.examples import context_needed
from minigpt.pretrained import from_pretrained
from minigpt.tokenizer import Tokenizer

ALSO = {"wikitext-2": "wikitext-103"}  # one text, and two figures in the paper


def my_own(device: torch.device) -> tuple[nn.Module, Tokenizer]:
    """Return the learner's own GPT, made of the parts in mygpt/, with the storyteller's weights."""
    from minigpt.course import part

    theirs, tokenizer = from_pretrained(STORYTELLER, device=device, verbose=False)
    model = part("GPT")(theirs.config).to(device)
    model.load_state_dict(theirs.state_dict())
    return model.eval(), tokenizer


def load_model(name: str, device: torch.device) -> tuple[nn.Module, Tokenizer]:
    """Return a model and its tokenizer; `mygpt` is the learner's own, unless a folder is there.

    Raises ValueError for a model without a tokenizer, and what `from_pretrained` raises.
    """
    if name == "mygpt" and not (Path(name) / "model.safetensors").is_file():
        return my_own(device)
    model, tokenizer = from_pretrained(name, dtype=torch.float32, device=device, verbose=False)
    if tokenizer is None:
        raise ValueError(f"{name} has no tokenizer.json beside it, and GPT-2's does not fit")
    return model, tokenizer


def story_summaries(model: nn.Module, tokenizer: Tokenizer, settings: Settings) -> list[Figure]:
    """Ask for summaries of stories after TL;DR:, greedily, beside the one that is true."""
    data = load_task("summary", tokenizer, train=1, val=settings.limit or 50)
    needed = max(context_needed(example, tokenizer) for example in data.val)
    room = with_room(model, needed) if needed > model.config.block_size else model
    written = [
        complete(room, tokenizer, [example.prompt])[0].strip()
        for example in tqdm(data.val, desc="summaries", leave=False)
    ]
    right = [text == example.target.strip() for text, example in zip(written, data.val)]
    low, high = wilson(sum(right), len(right))
    exact = 100 * sum(right) / len(right)
    figures = [Figure("exactly right (%)", exact, ".2f", (100 * low, 100 * high))]
    try:
        score = rouge(written, [example.target.strip() for example in data.val])
    except ModuleNotFoundError as error:
        print(f"No ROUGE: {error}")
    else:
        figures.append(Figure("ROUGE-L", score["rougeL"], ".1f"))
    return figures


def all_tasks() -> dict[str, Task]:
    """Return all tasks: those of `evaluation`, and those that a model is fine-tuned for."""
    return TASKS | {"summary": Task("stories summed up in a sentence", story_summaries)}


def find_task(name: str) -> Task:
    """Return a task; raise ValueError, with all of them, for a name that is none."""
    tasks = all_tasks()
    if name not in tasks:
        listed = "\n".join(f"  {task:<12}{about.words}" for task, about in tasks.items())
        raise ValueError(f"there is no task {name!r}. There are:\n{listed}")
    return tasks[name]


def line(task: str, figure: Figure, size: str | None) -> str:
    """Write a figure, its interval, and what it is to be compared with."""
    words = f"{figure.name:<22}{figure.value:{figure.form}}"
    if figure.interval:
        low, high = (f"{end:{figure.form}}" for end in figure.interval)
        words += f"  (95 %: {low} to {high})"
    if figure.beside:
        name, value = figure.beside
        words += f"  {name}: {value:{figure.form}}"
    for name in filter(None, (task, ALSO.get(task))):
        paper = published(name, figure.name, size) if size else None
        if paper is not None:
            words += f"  the paper{f' for {name}' if name != task else ''}: {paper}"
    return words


def run(args: argparse.Namespace) -> int:
    """Measure, with progress, and print one line a figure."""
    task = find_task(args.task)
    if args.limit is not None:
        check_whole("limit", args.limit)
    model, tokenizer = load_model(args.model, choose_device(args.device))
    settings = Settings(args.limit, args.stride, args.normalize)
    print(f"{args.model}, {args.task}: {task.words}", flush=True)
    started = time.perf_counter()
    figures = task.run(model, tokenizer, settings)
    for figure in figures:
        print(line(args.task, figure, size_name(model.config)))
    if args.limit is not None:
        print(f"Measured on the first {args.limit:,} only: no figure for the whole set.")
    print(f"It took {time.perf_counter() - started:,.0f} s.")
    return 0
