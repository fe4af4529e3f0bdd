"""Training in one visible loop: batch, loss, gradient, clip, step; then look, and save."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.checkpoints import load_checkpoint, read_notes, save_checkpoint
from minigpt.data import Data
from minigpt.devices import choose_device, choose_precision, describe_device
from minigpt.model import GPT


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
    device: str = "auto"  # "cpu", "cuda", "mps", or "auto": cuda if there is one, otherwise cpu
    seed: int = 1337  # decides which windows are drawn, and dropout

    def __post_init__(self) -> None:
        for name in ("max_steps", "batch_size", "accumulation_steps", "eval_interval",
                     "eval_batches", "checkpoint_interval"):  # fmt: skip
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; it must be a whole number of at least 1"
                )
        for name in ("max_lr", "min_lr", "max_norm", "weight_decay"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be at least 0")
        if not 0 <= self.warmup_steps < self.max_steps:
            raise ValueError(
                f"warmup_steps is {self.warmup_steps}; it must be at least 0 and below "
                f"max_steps={self.max_steps}"
            )
        for name, accepted in (("optimizer", ("adamw", "muon")),
                               ("precision", ("auto", "fp32", "bf16"))):  # fmt: skip
            if getattr(self, name) not in accepted:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(accepted)}"
                )


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
    """Mean -log p(target), in nats per token: (B, T, V), (B, T) -> scalar."""
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


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


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Split the trainable weights: decay on matrices, none on biases and LayerNorms.

    A tied weight appears once. Source: the usual practice since GPT-3 (Brown et al. 2020, app. B).
    """
    weights = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in weights if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in weights if p.dim() < 2], "weight_decay": 0.0},
    ]


class MuonWithAdamW:
    """Muon for the matrices inside the blocks, AdamW for all else, as one optimizer.

    Muon turns each matrix's update into the nearest orthogonal matrix, so that all its directions
    learn at one speed. Source: Jordan et al. 2024; scaled as in Liu et al. 2025, section 2.2.
    """

    def __init__(self, model: GPT, config: TrainConfig) -> None:
        inside = [p for p in model.transformer.h.parameters() if p.dim() == 2 and p.requires_grad]
        taken = {id(p) for p in inside}
        groups = parameter_groups(model, config.weight_decay)
        for group in groups:
            group["params"] = [p for p in group["params"] if id(p) not in taken]
        self.parts = [
            torch.optim.Muon(
                inside, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.AdamW(groups, betas=config.betas, fused=True),
        ]
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad()

    def step(self) -> None:
        for part in self.parts:
            part.step()


def make_optimizer(model: GPT, config: TrainConfig) -> torch.optim.Optimizer | MuonWithAdamW:
    """Build the optimizer that the configuration asks for."""
    if config.optimizer == "muon":
        return MuonWithAdamW(model, config)
    groups = parameter_groups(model, config.weight_decay)
    return torch.optim.AdamW(groups, betas=config.betas, fused=True)


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | MuonWithAdamW,
    batches: list[tuple[Tensor, Tensor]],
    max_norm: float,
    precision: str = "fp32",
) -> tuple[float, float]:
    """Make one update from equal micro-batches; return their mean loss and the gradient's norm."""
    optimizer.zero_grad()
    total = 0.0
    for x, y in batches:
        with autocast(x.device, precision):
            loss = cross_entropy(model(x), y) / len(batches)  # the mean over all micro-batches
        loss.backward()  # adds to the gradients
        total += loss.item()
    norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return total, norm.item()


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which matrix products run in bf16, if that is the precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


# --- The run ----------------------------------------------------------------------------------


def draw_batches(
    model: GPT, data: Data, config: TrainConfig, count: int, generator, split: str = "train"
) -> list[tuple[Tensor, Tensor]]:
    """Draw batches of windows, on the model's device: each x and y (B, T) int64."""
    device = model.transformer.wte.weight.device
    block_size = config.block_size or model.config.block_size
    batches = (data.batch(split, block_size, config.batch_size, generator) for _ in range(count))
    return [(x.to(device), y.to(device)) for x, y in batches]


@torch.no_grad()
def evaluate(model: GPT, data: Data, config: TrainConfig, split: str = "val") -> float:
    """Return the mean loss in nats per token over config.eval_batches batches.

    The same batches are drawn every time; the model is in evaluation mode meanwhile.
    """
    generator = torch.Generator().manual_seed(config.seed + 1)
    was_training = model.training
    model.eval()
    losses = []
    for x, y in draw_batches(model, data, config, config.eval_batches, generator, split):
        with autocast(x.device, choose_precision(config.precision, x.device)):
            losses.append(cross_entropy(model(x), y).item())
    model.train(was_training)
    return sum(losses) / len(losses)


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


def describe_run(model: GPT, data: Data, config: TrainConfig) -> dict:
    """Return what a checkpoint must agree with to be continued."""
    return {
        "model": asdict(model.config),
        "data": {"name": data.name, "train_tokens": len(data.train)},
        "training": json.loads(json.dumps(asdict(config))),  # tuples become lists, as in the file
    }


# These may differ when a run is resumed: they decide how long, where and how often we look.
MAY_CHANGE = {"max_steps", "eval_interval", "eval_batches", "checkpoint_interval", "device"}


def check_run(model: GPT, data: Data, config: TrainConfig, checkpoint, resume: bool) -> None:
    """Raise ValueError for whatever would make this run fail later, or overwrite another run."""
    if (config.block_size or 1) > model.config.block_size:
        raise ValueError(
            f"block_size is {config.block_size}; this model sees at most {model.config.block_size}"
        )
    if data.tokenizer is not None and data.tokenizer.vocab_size > model.config.vocab_size:
        raise ValueError(
            f"the data has {data.tokenizer.vocab_size} token ids, the model {model.config.vocab_size}; "
            f"build it with GPTConfig(vocab_size={data.tokenizer.vocab_size})"
        )
    if checkpoint is None:
        if resume:
            raise ValueError("resume=True needs the path of a checkpoint to resume from")
        return
    if not os.path.exists(checkpoint):
        return
    if not resume:
        raise ValueError(
            f"{checkpoint} holds a run already; resume=True continues it, another path "
            "starts a new one"
        )
    saved, now = read_notes(checkpoint), describe_run(model, data, config)
    for part in ("model", "data", "training"):
        for key in now[part].keys() - MAY_CHANGE:
            if saved[part].get(key) != now[part][key]:
                raise ValueError(
                    f"{checkpoint} was made with {part} {key}={saved[part].get(key)!r}, not "
                    f"{now[part][key]!r}; resume with the same settings or start a new run"
                )


def check_finite(loss: float, step: int, config: TrainConfig) -> None:
    """Stop a run that has blown up while its last good checkpoint still stands."""
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} at step {step}; try a max_lr below {config.max_lr}, "
            "or more warmup_steps"
        )


@contextmanager
def stop_between_steps() -> Iterator[threading.Event]:
    """Let Ctrl-C set a flag, so that a step is never cut in half; a second Ctrl-C cuts."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread hears Ctrl-C
        return
    previous = signal.getsignal(signal.SIGINT)

    def on_interrupt(signum, frame) -> None:
        stop.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)


def progress_bar(done: int, total: int, visible: bool):
    """Count the steps from `done` to `total`, with the time left; a widget in a notebook."""
    from tqdm.auto import tqdm

    return tqdm(range(done, total), initial=done, total=total, unit="step", disable=not visible)


def show(bar, history: list[Record]) -> None:
    """Write the newest figures behind the bar."""
    if bar.disable:
        return
    looks = [record.val_loss for record in history if record.val_loss is not None]
    figures = {
        "loss": f"{history[-1].loss:.3f}",
        "tokens/s": f"{history[-1].tokens_per_second:,.0f}",
    }
    if looks:
        figures["val"] = f"{looks[-1]:.3f}"
    bar.set_postfix(figures, refresh=False)


def say(bar, message: str) -> None:
    """Print a line without breaking the bar; nothing if the bar is hidden."""
    if not bar.disable:
        bar.write(message)


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
    Raises ValueError if model, data and configuration do not fit, before anything is touched.
    """
    config = replace(config or TrainConfig(), **changes)
    check_run(model, data, config, checkpoint, resume)
    device = choose_device(config.device)
    precision = choose_precision(config.precision, device)
    model.to(device).train()
    optimizer = make_optimizer(model, config)
    generator = torch.Generator().manual_seed(config.seed)  # decides which windows are drawn
    history: list[Record] = []

    with torch.random.fork_rng(), stop_between_steps() as stop:
        torch.manual_seed(config.seed)  # decides dropout
        if resume and os.path.exists(checkpoint):
            notes = load_checkpoint(checkpoint, model, optimizer, generator)
            history = [Record(**record) for record in notes["history"]]
        bar = progress_bar(len(history), config.max_steps, progress)
        say(bar, f"Training on {describe_device(device, precision)}.")
        for step in bar:
            started = time.perf_counter()
            lr = set_learning_rate(optimizer, step, config)
            batches = draw_batches(model, data, config, config.accumulation_steps, generator)
            loss, norm = train_step(model, optimizer, batches, config.max_norm, precision)
            check_finite(loss, step, config)
            speed = sum(x.numel() for x, _ in batches) / (time.perf_counter() - started)
            record = Record(step, loss, lr, norm, speed)
            last = step + 1 == config.max_steps
            if last or (step + 1) % config.eval_interval == 0:
                record = replace(record, val_loss=evaluate(model, data, config))
            history.append(record)
            show(bar, history)
            if on_step is not None:
                on_step(record)
            interrupted = stop.is_set()
            if checkpoint is not None and (
                last or interrupted or (step + 1) % config.checkpoint_interval == 0
            ):
                notes = describe_run(model, data, config) | {"history": [*map(asdict, history)]}
                save_checkpoint(checkpoint, model, optimizer, generator, notes)
            if interrupted:
                saved = f"; resume=True goes on from {checkpoint}" if checkpoint else ""
                say(bar, f"Stopped after step {step + 1} of {config.max_steps}{saved}.")
                break
        bar.close()
    return history
