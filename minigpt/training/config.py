"""How to train, and what each step measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

from minigpt.config import check_whole, is_number, keep_plain, require

MAX_LR = {"adamw": 1e-3, "muon": 5e-3}  # suit a million parameters


@dataclass(frozen=True)
class TrainConfig:
    """How to train. The defaults suit a model of about a million parameters on a laptop."""

    max_steps: int = 1000  # updates of the weights
    batch_size: int = 32  # windows in one micro-batch, of all processes together
    block_size: int | None = None  # tokens in a window; None: the model's block_size
    accumulation_steps: int = 1  # micro-batches added up before each update
    optimizer: str = "adamw"  # or "muon": Muon on the blocks' matrices, AdamW on the rest
    max_lr: float | None = None  # learning rate after warm-up; None: what suits the optimizer
    min_lr: float = 1e-4  # learning rate at the end
    warmup_steps: int = 50  # steps of linear rise to max_lr
    weight_decay: float = 0.1  # pull towards zero; matrices only
    betas: tuple[float, float] = (0.9, 0.99)  # AdamW's memory of gradients, of their squares
    max_norm: float = 1.0  # longest gradient that is not shortened
    eval_interval: int = 100  # steps between looks at the held-out loss
    eval_batches: int = 10  # batches in each look
    checkpoint_interval: int = 100  # steps between checkpoints, if a path was given
    precision: str = "auto"  # "fp32", "bf16", or "auto": bf16 where the hardware multiplies it
    compile: bool = False  # turn the loss into machine code first: a minute, then faster steps
    sharded: bool = False  # of several processes each holds a part of every weight, not all of it
    device: str = "auto"  # "cpu", "cuda", "mps", or "auto": cuda if there is one, otherwise cpu
    seed: int = 1337  # decides which windows are drawn, and dropout

    def __post_init__(self) -> None:
        if self.max_lr is None:
            object.__setattr__(self, "max_lr", MAX_LR.get(self.optimizer, 0.0))
        for name in ("max_steps", "batch_size", "accumulation_steps", "eval_interval",
                     "eval_batches", "checkpoint_interval"):  # fmt: skip
            check_whole(name, getattr(self, name))
        for name in ("warmup_steps", "seed"):
            check_whole(name, getattr(self, name), least=0)
        if self.block_size is not None:
            check_whole("block_size", self.block_size)
        for name in ("max_lr", "min_lr", "weight_decay"):
            value = getattr(self, name)
            require(is_number(value) and 0 <= value < math.inf, name, value, "finite, at least 0")
        betas = self.betas if isinstance(self.betas, (tuple, list)) else ()
        for name, fine, accepted in (
            ("betas", len(betas) == 2 and all(is_number(b) and 0 <= b < 1 for b in betas),
             "two numbers, each at least 0 and below 1"),
            ("max_norm", is_number(self.max_norm) and self.max_norm > 0, "a number above 0"),
            ("optimizer", self.optimizer in ("adamw", "muon"), "adamw or muon"),
            ("precision", self.precision in ("auto", "fp32", "bf16"), "auto, fp32 or bf16"),
            ("compile", isinstance(self.compile, bool), "True or False"),
            ("sharded", isinstance(self.sharded, bool), "True or False"),
            ("device", isinstance(self.device, str), "a name, such as 'cpu'"),
            ("min_lr", self.min_lr <= self.max_lr, f"at most max_lr={self.max_lr}"),
            ("warmup_steps", self.warmup_steps < self.max_steps,
             f"below max_steps={self.max_steps}"),
        ):  # fmt: skip
            require(fine, name, getattr(self, name), accepted)
        keep_plain(self)


@dataclass(frozen=True)
class Record:
    """What one step measured."""

    step: int  # counted from 0
    loss: float  # nats per token, mean over the batch, before the update
    lr: float
    grad_norm: float  # before clipping
    tokens_per_second: float
    val_loss: float | None = None  # nats per token on held-out text, after the update


def history_tensor(history: Sequence[Record]) -> Tensor:
    """Return the records as numbers, (steps, 6) float64 in the order of a Record's fields.

    The notes would not do: they may be 100 MB at most, and JSON takes 150 bytes for what takes 48.
    """
    rows = [[math.nan if value is None else value for value in astuple(r)] for r in history]
    return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), 6)


def records_in(tensor: Tensor) -> list[Record]:
    """Return what `history_tensor` was given."""
    return [
        Record(int(step), *figures, None if math.isnan(val_loss) else val_loss)
        for step, *figures, val_loss in tensor.tolist()
    ]
