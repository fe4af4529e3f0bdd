"""Training in one visible loop: batch, loss, gradient, clip, step; then look, and save."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.checkpoints import load_checkpoint, read_notes, save_checkpoint
from minigpt.compiling import compiled
from minigpt.config import check_whole, is_number, require
from minigpt.data import Data
from minigpt.devices import choose_device, choose_precision
from minigpt.fast import autocast
from minigpt.model import GPT, evaluating
from minigpt.optimizers import MuonWithAdamW, make_optimizer
from minigpt.progress import progress_bar, say, show, stop_between_steps


@dataclass(frozen=True)
class TrainConfig:
    """How to train. The defaults suit a model of about a million parameters on a laptop."""

    max_steps: int = 1000  # updates of the weights
    batch_size: int = 32  # windows in one micro-batch
    block_size: int | None = None  # tokens in a window; None: the model's block_size
    accumulation_steps: int = 1  # micro-batches added up before each update
    optimizer: str = "adamw"  # or "muon": Muon on the blocks' matrices, AdamW on the rest
    max_lr: float = 1e-3  # learning rate after warm-up
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
    device: str = "auto"  # "cpu", "cuda", "mps", or "auto": cuda if there is one, otherwise cpu
    seed: int = 1337  # decides which windows are drawn, and dropout

    def __post_init__(self) -> None:
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
            ("device", isinstance(self.device, str), "a name, such as 'cpu'"),
            ("min_lr", self.min_lr <= self.max_lr, f"at most max_lr={self.max_lr}"),
            ("warmup_steps", self.warmup_steps < self.max_steps,
             f"below max_steps={self.max_steps}"),
        ):  # fmt: skip
            require(fine, name, getattr(self, name), accepted)


@dataclass(frozen=True)
class Record:
    """What one step measured."""

    step: int  # counted from 0
    loss: float  # nats per token, mean over the batch, before the update
    lr: float
    grad_norm: float  # before clipping
    tokens_per_second: float
    val_loss: float | None = None  # nats per token on held-out text, after the update


# --- The parts of a step ----------------------------------------------------------------------


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean -log p(target), in nats per token: (B, T, V), (B, T) -> scalar.

    A target of -100, as after the end of a document, is left out.
    """
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


def model_loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy of the model's logits, in nats per token."""
    return cross_entropy(model(x), y)


def compiled_loss() -> Callable[..., Tensor]:
    """Return `model_loss`, to be compiled at its first call. Raises OSError without a compiler."""
    # GELU's tanh, written with an exponential, takes half the time on CPUs. Old PyTorch cannot.
    known = "cpp.use_decompose_tanh" in torch._inductor.list_options()
    return compiled(model_loss, options={"cpp.use_decompose_tanh": True} if known else {})


def lr_schedule(
    step: int, *, max_lr: float, min_lr: float, warmup_steps: int, max_steps: int
) -> float:
    """Return the learning rate of a step: linear warm-up, then a cosine down to min_lr.

    >>> lr_schedule(1, max_lr=1.0, min_lr=0.1, warmup_steps=4, max_steps=100)
    0.5
    """
    if step < warmup_steps:
        return max_lr * (step + 1) / warmup_steps
    if step >= max_steps:
        return min_lr
    progress = (step - warmup_steps) / (max_steps - warmup_steps)
    return min_lr + (max_lr - min_lr) * (1 + math.cos(math.pi * progress)) / 2


def shares(batches: list[tuple[Tensor, Tensor]]) -> list[float]:
    """Say which part of all targets each batch holds; a negative target is none."""
    counts = [(y >= 0).sum().item() for _, y in batches]
    return [count / sum(counts) for count in counts]


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | MuonWithAdamW,
    batches: list[tuple[Tensor, Tensor]],
    max_norm: float,
    precision: str = "fp32",
    loss_of: Callable[..., Tensor] = model_loss,
) -> tuple[float, float]:
    """Make one update from micro-batches, as from one large batch.

    `loss_of` may be a compiled `model_loss`.
    Returns the mean loss (nats per token) and the gradient's norm before clipping. Raises
    FloatingPointError, before the update, if one of them is infinite or not a number.
    """
    optimizer.zero_grad()
    total = 0.0
    for (x, y), share in zip(batches, shares(batches)):
        with autocast(model, x.device, precision):
            loss = loss_of(model, x, y) * share
        loss.backward()  # adds to the gradients
        total += loss.item()
    norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm).item()
    if not (math.isfinite(total) and math.isfinite(norm)):
        raise FloatingPointError(
            f"the loss is {total} and its gradient's norm {norm}; the weights are still those of "
            "the step before: lower max_lr, or give more warmup_steps"
        )
    optimizer.step()
    return total, norm


# --- The run ----------------------------------------------------------------------------------


def draw_batches(
    model: GPT, data: Data, config: TrainConfig, count: int, generator, split: str = "train"
) -> list[tuple[Tensor, Tensor]]:
    """Draw batches of windows, on the model's device: each x and y (B, T) int64."""
    device = model.device
    block_size = config.block_size or model.config.block_size
    batches = (data.batch(split, block_size, config.batch_size, generator) for _ in range(count))
    return [(x.to(device), y.to(device)) for x, y in batches]


@torch.no_grad()
def evaluate(model: GPT, data: Data, config: TrainConfig, split: str = "val") -> float:
    """Return the mean loss in nats per token over config.eval_batches batches.

    The same batches are drawn every time; the model is in evaluation mode meanwhile.
    """
    generator = torch.Generator().manual_seed(config.seed + 1)
    batches = draw_batches(model, data, config, config.eval_batches, generator, split)
    loss = 0.0
    with evaluating(model):
        for (x, y), share in zip(batches, shares(batches)):
            with autocast(model, x.device, choose_precision(config.precision, x.device)):
                loss += model_loss(model, x, y).item() * share
    return loss


def set_learning_rate(optimizer, step: int, config: TrainConfig) -> float:
    """Give every group of weights the learning rate of this step, and return it."""
    lr = lr_schedule(
        step,
        max_lr=config.max_lr,
        min_lr=config.min_lr,
        warmup_steps=config.warmup_steps,
        max_steps=config.max_steps,
    )
    for group in optimizer.param_groups:
        group["lr"] = lr
    return lr


def is_due(step: int, interval: int, config: TrainConfig) -> bool:
    """Say whether what is done every `interval` steps, and at the end, comes after this step."""
    return (step + 1) % interval == 0 or step + 1 == config.max_steps


def measured_step(
    model: GPT,
    data: Data,
    config: TrainConfig,
    optimizer,
    generator: torch.Generator,
    step: int,
    loss_of: Callable[..., Tensor],
) -> Record:
    """Make one step on fresh batches, and look at the held-out loss if a look is due."""
    started = time.perf_counter()
    lr = set_learning_rate(optimizer, step, config)
    batches = draw_batches(model, data, config, config.accumulation_steps, generator)
    precision = choose_precision(config.precision, batches[0][0].device)
    loss, norm = train_step(model, optimizer, batches, config.max_norm, precision, loss_of)
    speed = sum(x.numel() for x, _ in batches) / (time.perf_counter() - started)
    look = is_due(step, config.eval_interval, config)
    return Record(step, loss, lr, norm, speed, evaluate(model, data, config) if look else None)


def check_fit(model: GPT, data: Data, config: TrainConfig) -> None:
    """Raise ValueError for what would stop this run later, before it has begun."""
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
              "device"}  # fmt: skip


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
    notes = read_notes(checkpoint)
    try:
        saved = {part: dict(notes[part]) for part in run}
        history = [Record(**record) for record in notes["history"]]
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


@contextmanager
def training_mode(model: nn.Module) -> Iterator[None]:
    """Switch dropout on; however it ends, the model is left ready to use, with dropout off."""
    model.train()
    try:
        yield
    finally:
        model.eval()


def keep_random_state(device: torch.device):
    """Return a context after which PyTorch's global random state is what it was before."""
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


def train(
    model: GPT,
    data: Data,
    config: TrainConfig | None = None,
    *,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    on_step: Callable[[Record], None] | None = None,
    progress: bool = True,
    **changes,
) -> list[Record]:
    """Train the model in place; return one Record for each step.

    `changes` replace fields of the configuration: train(model, data, max_steps=200).
    With a checkpoint path the run is saved as it goes, also when it is interrupted; with `resume`
    it goes on from there and ends, on a CPU, with the weights it would have had, bit for bit.
    The model is left on the device of the run, in evaluation mode. Raises ValueError if model,
    data, configuration and checkpoint do not fit, before anything is changed, and
    FloatingPointError if the loss blows up; the last checkpoint then still stands.
    """
    config = replace(config or TrainConfig(), **changes)
    check_fit(model, data, config)
    history = find_history(checkpoint, resume, describe_run(model, data, config))
    device = choose_device(config.device)
    loss_of = compiled_loss() if config.compile else model_loss
    model.to(device)
    optimizer = make_optimizer(model, config)
    generator = torch.Generator().manual_seed(config.seed)  # decides which windows are drawn

    with keep_random_state(device), training_mode(model), stop_between_steps() as stop:
        torch.manual_seed(config.seed)  # decides dropout
        if history:
            load_checkpoint(checkpoint, model, optimizer, generator)
        bar = progress_bar(len(history), config, device, progress)
        for step in bar:
            record = measured_step(model, data, config, optimizer, generator, step, loss_of)
            history.append(record)
            show(bar, history)
            if on_step is not None:
                with keep_random_state(device):  # watching must not change the run
                    on_step(history[-1])
            stopping = stop.is_set()
            due = stopping or is_due(step, config.checkpoint_interval, config)
            if checkpoint is not None and due:
                notes = describe_run(model, data, config) | {"history": [*map(asdict, history)]}
                save_checkpoint(checkpoint, model, optimizer, generator, notes)
            if stopping:
                goes_on = f"; resume=True goes on from {checkpoint}" if checkpoint else ""
                say(bar, f"Stopped after step {step + 1} of {config.max_steps}{goes_on}.")
                break
        bar.close()
    return history
