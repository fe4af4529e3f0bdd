"""`minigpt finetune`: a model learns a task made from the stories, in a folder of its own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from minigpt.config import check_whole
from minigpt.files import atomic_write, parse_json, read_text
from minigpt.finetuning import TaskData, add_lora, complete, count_trainable, finetune, load_task
from minigpt.finetuning.loop import longest_example
from minigpt.finetuning.lora import merge_lora
from minigpt.finetuning.room import with_room
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained, save_pretrained
from minigpt.pretrained.weights import WEIGHTS
from minigpt.training import Record
from minigpt.training.resuming import check_trainable

# What a run's folder holds, beside what `save_pretrained` writes.
SETTINGS, CHECKPOINT = "finetuning.json", "checkpoint.safetensors"

DEFAULTS = {
    "model": "storyteller",
    "steps": 100,
    "batch_size": 16,
    "lr": None,  # None: what suits the way of learning
    "lora": None,  # the rank; None: all weights learn
    "device": "auto",
    "seed": 1337,
}
# Measured with the storyteller. LoRA's matrices are too thin for Muon: with them it is AdamW.
LR, LORA_LR = 5e-3, 1e-2
JUDGED = 50  # unseen examples that the result is judged by
MAY_CHANGE = {"device"}  # when a run is resumed


def complete_settings(folder: Path, task: str, given: dict, resume: bool) -> dict:
    """Return all settings of a run: what was typed, then what it was started with or the defaults.

    Raises ValueError if the folder holds a run already, or this one was started otherwise, and
    FileNotFoundError if there is nothing to resume.
    """
    if not resume:
        for name in (SETTINGS, CHECKPOINT, WEIGHTS, "config.json", "tokenizer.json"):
            if (folder / name).exists():
                raise ValueError(
                    f"{folder} holds a {name} already; --resume goes on with a run that was "
                    "stopped, another --out starts a new one"
                )
        settings = {"task": task} | DEFAULTS | given
        if settings["lr"] is None:
            settings["lr"] = LR if settings["lora"] is None else LORA_LR
        return settings
    file = folder / SETTINGS
    if not file.is_file():
        raise FileNotFoundError(f"there is no run to resume in {folder}: it has no {SETTINGS}")
    saved = parse_json(read_text(file), str(file))
    if saved.keys() != {"task", *DEFAULTS}:
        raise ValueError(f"{file} is damaged: it must hold task, {', '.join(DEFAULTS)}")
    for key, value in ({"task": task} | given).items():
        if value != saved[key] and key not in MAY_CHANGE:
            raise ValueError(
                f"the run in {folder} was started with {key} {saved[key]}, not {value}; "
                "only --device may change"
            )
    return saved | given


def open_model(settings: dict) -> tuple[GPT, TaskData]:
    """Load the model and the task, and give the model the room and the LoRA that it needs."""
    model, tokenizer = from_pretrained(settings["model"], verbose=False)
    if tokenizer is None:
        raise ValueError(f"{settings['model']} has no tokenizer.json beside it")
    check_trainable(model)
    data = load_task(settings["task"], tokenizer)
    model = with_room(model, max(model.config.block_size, longest_example(data)))
    if settings["lora"] is not None:
        generator = torch.Generator().manual_seed(settings["seed"])
        rank = settings["lora"]
        add_lora(model, rank, alpha=2.0 * rank, generator=generator)
        model.transformer.wpe.weight.requires_grad_(True)  # new positions have all to learn
    return model, data


def announce(folder: Path, settings: dict, data: TaskData, model: GPT) -> None:
    """Say what is about to happen, and how to stop it."""
    print(
        f"task    {data.name}: {len(data.train):,} examples to learn from, "
        f"{len(data.val):,} held out\n"
        f"model   {settings['model']}: {count_trainable(model):,} of {model.num_parameters():,} "
        f"parameters learn, context {model.config.block_size}\n"
        f"steps   {settings['steps']:,}, {settings['batch_size']} examples each\n"
        f"stop    Ctrl-C; what is learned is kept in {folder}",
        flush=True,
    )


def conclude(folder: Path, settings: dict, data: TaskData, model: GPT, steps: int) -> int:
    """Save the model, and judge it by examples that it never saw, or say how to go on."""
    if settings["lora"] is not None:
        merge_lora(model)
    save_pretrained(model, folder, data.tokenizer)
    if steps < settings["steps"]:
        print(f"Go on with: minigpt finetune {data.name} --out {folder} --resume")
        return 130
    examples = data.val[:JUDGED]
    answers = complete(model, data.tokenizer, [example.prompt for example in examples])
    right = sum(answer == example.target for answer, example in zip(answers, examples))
    print(
        f"Right, to the letter: {right} of {len(examples)} examples that it never saw. The first:"
    )
    print(f"{examples[0].prompt}{answers[0]}\nIt should be:{examples[0].target}")
    print(f"Use it with: minigpt generate --temperature 0 --model {folder} PROMPT")
    return 0


def run(args: argparse.Namespace) -> int:
    """Fine-tune from the beginning, or from where the run was stopped."""
    folder = Path(args.out)
    given = {key: value for key, value in vars(args).items() if key in DEFAULTS}
    settings = complete_settings(folder, args.task, given, args.resume)
    if settings["lora"] is not None:
        check_whole("lora", settings["lora"])
    model, data = open_model(settings)
    announce(folder, settings, data, model)
    to_keep = [settings]

    def keep(_: Record) -> None:  # after the first step: what is refused leaves no folder behind
        while to_keep:
            with atomic_write(folder / SETTINGS) as temporary:
                text = json.dumps(to_keep.pop(), indent=2) + "\n"
                temporary.write_text(text, encoding="utf-8")

    history = finetune(
        model,
        data,
        checkpoint=folder / CHECKPOINT,
        resume=args.resume,
        on_step=keep,
        max_steps=settings["steps"],
        warmup_steps=min(10, settings["steps"] // 10),
        batch_size=settings["batch_size"],
        optimizer="muon" if settings["lora"] is None else "adamw",
        max_lr=settings["lr"],
        device=settings["device"],
        seed=settings["seed"],
    )
    return conclude(folder, settings, data, model, len(history))
