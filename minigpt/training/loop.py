"""Training in one visible loop: batch, loss, gradient, clip, step; then look, and save."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from minigpt.data import Data
from minigpt.devices import choose_device, choose_precision
from minigpt.model import GPT, evaluating
from minigpt.speed.precision import autocast
from minigpt.training.checkpoints import load_checkpoint, save_checkpoint
from minigpt.training.config import Record, TrainConfig
from minigpt.training.console import progress_bar, say, show, stop_between_steps
from minigpt.training.optimizers import make_optimizer
from minigpt.training.resuming import check_fit, describe_run, find_history
from minigpt.training.steps import compiled_loss, lr_schedule, model_loss, shares, train_step


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
    config = replace(config, **changes) if config else TrainConfig(**changes)
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
                notes = describe_run(model, data, config)
                save_checkpoint(checkpoint, model, optimizer, generator, notes, history)
            if stopping:
                goes_on = f"; resume=True goes on from {checkpoint}" if checkpoint else ""
                say(bar, f"Stopped after step {step + 1} of {config.max_steps}{goes_on}.")
                break
        bar.close()
    return history
