"""`minigpt train`: a run in a folder of its own, which can be stopped and resumed."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

import torch

from minigpt.commands.generate import write_sample
from minigpt.config import GPTConfig
from minigpt.data import Data, load_data
from minigpt.data.corpora import TEXTS
from minigpt.files import atomic_write, read_text
from minigpt.model import GPT
from minigpt.pretrained import save_pretrained
from minigpt.pretrained.weights import WEIGHTS
from minigpt.speed import check_compiler
from minigpt.tokenizer import Tokenizer
from minigpt.training import Record, TrainConfig, resuming, train
from minigpt.training.config import MAX_LR
from minigpt.training.processes import Team, joined

# A run is a folder of these, and of what `save_pretrained` writes: model.safetensors, config.json.
SETTINGS, CHECKPOINT, TOKENIZER = "run.json", "checkpoint.safetensors", "tokenizer.json"

DEFAULTS = {
    "data": "stories",
    "steps": 1000,
    "batch_size": 32,
    "accumulation_steps": 1,
    "block_size": 128,
    "n_layer": 4,
    "n_head": 4,
    "n_embd": 128,
    "vocab_size": None,  # None: what suits the data
    "lr": None,  # None: what suits the optimizer
    "optimizer": "muon",
    "precision": "auto",
    "compile": False,
    "sharded": False,
    "device": "auto",
    "seed": 1337,
    "warmup_steps": None,  # None: a tenth of the steps, at most 100
}
LATER = ("accumulation_steps", "sharded")  # a run of an older version was started without
CORPORA = ("stories", *TEXTS)
# When a run is resumed, as `train` has it: there the steps are max_steps.
MAY_CHANGE = {"steps"} | (DEFAULTS.keys() & resuming.MAY_CHANGE)


def complete(folder: Path, given: dict, resume: bool) -> dict:
    """Return all settings of a run: what was typed, then what it was started with or the defaults.

    Raises ValueError if the folder holds another run, or this one was started otherwise, and
    FileNotFoundError if there is nothing to resume.
    """
    if "data" in given and given["data"] not in CORPORA:
        given = given | {"data": str(Path(given["data"]).expanduser().resolve())}
    if not resume:
        for name in (SETTINGS, CHECKPOINT, WEIGHTS, TOKENIZER):
            if (folder / name).exists():
                raise ValueError(
                    f"{folder} holds a {name} already; --resume goes on with the run in it, "
                    "another --out starts a new one"
                )
        settings = DEFAULTS | given
        settings["lr"] = given.get("lr", MAX_LR[settings["optimizer"]])
        settings["warmup_steps"] = min(100, settings["steps"] // 10)
        return settings
    saved = read_settings(folder)
    for key in given.keys() - MAY_CHANGE:
        if given[key] != saved[key]:
            option = f"--{key.replace('_', '-')}"
            free = ", ".join(f"--{name}" for name in DEFAULTS if name in MAY_CHANGE)
            raise ValueError(
                f"the run in {folder} was started with {option} {saved[key]}, not {given[key]}; "
                f"only {free} may change"
            )
    return saved | given


def read_settings(folder: Path) -> dict:
    """Return the settings that a run was started with."""
    file = folder / SETTINGS
    if not file.is_file():
        raise FileNotFoundError(f"there is no run to resume in {folder}: it has no {SETTINGS}")
    try:
        saved = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is damaged: {error}") from None
    if isinstance(saved, dict):
        saved = {name: DEFAULTS[name] for name in LATER} | saved
    if not isinstance(saved, dict) or saved.keys() != DEFAULTS.keys():
        raise ValueError(f"{file} is damaged: it must hold {', '.join(DEFAULTS)}")
    return saved


def write_settings(folder: Path, settings: dict) -> None:
    """Keep the settings in the run's folder, whole or not at all."""
    with atomic_write(folder / SETTINGS) as temporary:
        temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def open_data(folder: Path, settings: dict, team: Team) -> Data:
    """Load the corpus, with the run's own tokenizer as soon as it has one.

    One process of each machine prepares it; the others find it prepared.
    """
    file = folder / TOKENIZER
    tokenizer = team.from_first(lambda: Tokenizer.load(file) if file.is_file() else None)

    def load() -> Data:
        if tokenizer is not None:
            return load_data(settings["data"], tokenizer)
        return load_data(settings["data"], vocab_size=settings["vocab_size"])

    return team.one_by_machine("data", load)


def build_model(settings: dict, vocab_size: int) -> GPT:
    """Make the untrained model; the seed decides its weights."""
    sizes = {key: settings[key] for key in ("block_size", "n_layer", "n_head", "n_embd")}
    config = GPTConfig(vocab_size=vocab_size, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(settings["seed"])
        return GPT(config)


def training_config(settings: dict) -> TrainConfig:
    """Translate the settings."""
    same = ("batch_size", "accumulation_steps", "warmup_steps", "optimizer", "precision",
            "compile", "sharded", "device", "seed")  # fmt: skip
    return TrainConfig(
        max_steps=settings["steps"],
        max_lr=settings["lr"],
        min_lr=0.0,
        **{key: settings[key] for key in same},
    )


def announce(folder: Path, settings: dict, data: Data, model: GPT) -> None:
    """Say what is about to happen, and how to stop it."""
    c = model.config
    windows = settings["batch_size"] * settings["accumulation_steps"]
    print(
        f"data    {data.name}: {len(data.train):,} tokens to train on, {len(data.val):,} held out\n"
        f"model   {c.n_layer} layers, {c.n_head} heads, width {c.n_embd}, context {c.block_size}, "
        f"vocabulary {c.vocab_size}: {model.num_parameters():,} parameters\n"
        f"steps   {settings['steps']:,}, {windows} windows each"
    )
    if data.floor is not None:
        print(f"floor   {data.floor:.4f} nats a token: no model can do better on this data")
    print(f"stop    Ctrl-C; what is learned is kept in {folder}", flush=True)


def conclude(folder: Path, settings: dict, data: Data, model: GPT, history: list[Record]) -> None:
    """Save the model, and say how good it is or how to go on."""
    save_pretrained(model, folder, data.tokenizer)
    losses = [record.val_loss for record in history if record.val_loss is not None]
    if losses:
        above = f", {losses[-1] / data.floor:.2f} times the floor" if data.floor else ""
        print(f"Held-out loss: {losses[-1]:.4f} nats a token{above}.")
    if len(history) < settings["steps"]:
        print(f"Go on with: minigpt train --out {folder} --resume")
        return
    print(f"A sample, as from: minigpt generate --model {folder}\n")
    generator = torch.Generator(model.device).manual_seed(settings["seed"])
    write_sample(model, data.tokenizer, "", 200, generator=generator)


def train_in(folder: Path, given: dict, resume: bool, team: Team) -> int:
    """Train as one process of a team; the first one speaks and writes for all."""
    settings = team.from_first(lambda: complete(folder, given, resume))
    config = training_config(settings)  # a wrong number is refused before data is prepared
    if config.compile:
        check_compiler()
    data = open_data(folder, settings, team)
    model = build_model(settings, data.tokenizer.vocab_size)
    if team.first:
        announce(folder, settings, data, model)
    to_keep = [settings]

    def keep(_: Record) -> None:
        # Not before the first step: until then anything may still be refused, and a folder that
        # holds no run should not look as if it did.
        while to_keep:
            data.tokenizer.save(folder / TOKENIZER)
            write_settings(folder, to_keep.pop())

    history = train(
        model, data, config, checkpoint=folder / CHECKPOINT, resume=resume, on_step=keep
    )
    if team.first:
        conclude(folder, settings, data, model, history)
    return 0 if len(history) == settings["steps"] else 130


def run(args: argparse.Namespace) -> int:
    """Train from the beginning, or from where the run was stopped; alone or under torchrun."""
    given = {key: value for key, value in vars(args).items() if key in DEFAULTS}
    with joined() as team:
        try:
            return train_in(Path(args.out), given, args.resume, team)
        except Exception as error:
            if team.size > 1:  # torchrun stops those that are left, who have to say what happened
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            # Once is enough; but of a lost process each has its own to say.
            if not isinstance(error, ConnectionError) and team.said_by_first(error):
                raise SystemExit(2) from None
            raise
        finally:
            sys.stdout.flush()
