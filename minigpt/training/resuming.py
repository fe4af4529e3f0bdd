"""What a run must agree with to be continued, and what is said where it does not."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import torch
from torch import Tensor, nn

from minigpt.config import require
from minigpt.data import Data
from minigpt.model import GPT
from minigpt.speed import check_compiler
from minigpt.training.checkpoints import read_history, read_notes
from minigpt.training.config import Record, TrainConfig


def check_trainable(model: GPT) -> None:
    """Raise ValueError for weights that would lose what they learn, or learn nothing.

    An update is a thousandth of a weight, or less. float16 and bf16 keep 11 and 8 bits, so most
    updates are rounded away, and in float16 gradients overflow; whole numbers cannot move at all.
    """
    again = "load it for training with from_pretrained(..., dtype=torch.float32)"
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and not isinstance(weight, nn.Parameter):
            raise ValueError(
                f"{name} holds its weight as {weight.dtype}, which no gradient reaches; {again}"
            )
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not learning:
        raise ValueError("no weight of the model has requires_grad; there is nothing to train")
    for name, weight in learning.items():
        if weight.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"{name} is {weight.dtype}, too coarse to add up small updates; {again}, or "
                "model.float(). precision='bf16' computes in bf16 and keeps the weights exact"
            )
    model.check_tied()


def check_fit(model: GPT, data: Data, config: TrainConfig, size: int = 1) -> None:
    """Raise for what would stop this run of `size` processes, before it has begun.

    ValueError for what does not fit, OSError if it is to be compiled and there is no compiler.
    """
    check_trainable(model)
    if config.compile:
        check_compiler()
    if config.batch_size < size:
        raise ValueError(
            f"batch_size is {config.batch_size}; {size} processes need at least {size}, a row each"
        )
    block_size = config.block_size or model.config.block_size
    vocab_size = data.tokenizer.vocab_size
    if block_size > model.config.block_size:
        raise ValueError(
            f"block_size is {block_size}; this model sees at most {model.config.block_size} tokens"
        )
    if vocab_size > model.config.vocab_size:
        raise ValueError(
            f"the data has {vocab_size} token ids and the model {model.config.vocab_size}; "
            f"build it with GPTConfig(vocab_size={vocab_size})"
        )
    for split in ("train", "val"):
        data.batch(split, block_size, 1, torch.Generator())  # raises if the text is too short


def describe_run(model: GPT, data: Data, config: TrainConfig) -> dict[str, dict]:
    """Return what a checkpoint must agree with to be continued."""
    return {
        "model": asdict(model.config),
        "data": {"name": data.name, "train_tokens": len(data.train)},
        "training": json.loads(json.dumps(asdict(config))),  # tuples become lists, as in the file
    }


# These may differ when a run is resumed: they decide how long, where and how often we look.
MAY_CHANGE = {"max_steps", "eval_interval", "eval_batches", "checkpoint_interval", "compile",
              "device", "sharded"}  # fmt: skip


def what_is_saved(checkpoint: str | os.PathLike | None) -> str:
    """Say how a run that broke off goes on."""
    if checkpoint is None or not os.path.isfile(checkpoint):
        return "nothing was saved yet; start all of them again"
    try:
        steps = f"the first {len(read_history(checkpoint))} steps"
    except ValueError as error:
        return str(error)
    return (
        f"{checkpoint} holds {steps}: start all of them again with resume=True (minigpt train: "
        "--resume)"
    )


def find_history(checkpoint: str | os.PathLike | None, resume: bool, run: dict) -> list[Record]:
    """Return the records of the run to be resumed; none if there is nothing to resume.

    Raises ValueError if the checkpoint is of another run, or would be overwritten.
    """
    if checkpoint is None:
        require(not resume, "checkpoint", None, "the path to resume from, with resume=True")
        return []
    require(not os.path.isdir(checkpoint), "checkpoint", checkpoint, "a file, not a folder")
    if not os.path.exists(checkpoint):
        return []
    if not resume:
        raise ValueError(
            f"{checkpoint} holds a run already; resume=True continues it, another path "
            "starts a new one"
        )
    notes, history = read_notes(checkpoint), read_history(checkpoint)
    try:
        saved = {part: dict(notes[part]) for part in run}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{checkpoint} is damaged: its notes give {error!r}") from None
    for part, settings in run.items():
        for name, now in settings.items():
            then = saved[part].get(name)
            if then != now and name not in MAY_CHANGE:
                raise ValueError(
                    f"{checkpoint} was made with {part} {name}={then!r}, not {now!r}; "
                    "resume with the same settings, or start a new run at another path"
                )
    return history
