"""Training in one visible loop: batch, loss, gradient, clip, step; then look, and save."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from minigpt.data import Data
from minigpt.devices import choose_precision
from minigpt.model import GPT, evaluating
from minigpt.speed.compiling import unwrapped
from minigpt.speed.precision import autocast
from minigpt.training.checkpoints import load_checkpoint, optimizers_in, save_checkpoint
from minigpt.training.config import Record, TrainConfig
from minigpt.training.console import progress_bar, say, show, stop_between_steps
from minigpt.training.optimizers import make_optimizer
from minigpt.training.parallel import describe_memory, memory_held, spread
from minigpt.training.processes import ALONE, World, in_words, joined
from minigpt.training.resuming import check_fit, describe_run, find_history, what_is_saved
from minigpt.training.steps import (
    compiled_loss,
    model_loss,
    set_learning_rate,
    shares,
    train_step,
)


def draw_batches(
    model: GPT, data: Data, config: TrainConfig, count: int, generator, split: str, world: World
) -> list[tuple[Tensor, Tensor]]:
    """Draw batches of windows, on the model's device: each x and y (B, T) int64.

    All processes draw the same, and each takes its own rows: together they have every window once.
    """
    model = unwrapped(model)
    device = model.device
    sizes = (config.block_size or model.config.block_size, config.batch_size)
    batches = (data.batch(split, *sizes, generator, world.rows) for _ in range(count))
    return [(x.to(device), y.to(device)) for x, y in batches]


@torch.no_grad()
def evaluate(
    model: GPT, data: Data, config: TrainConfig, split: str = "val", world: World = ALONE
) -> float:
    """Return the mean loss in nats per token over config.eval_batches batches.

    The same batches are drawn every time; the model is in evaluation mode meanwhile. Each process
    looks at its own rows.
    """
    model = unwrapped(model)
    generator = torch.Generator().manual_seed(config.seed + 1)
    batches = draw_batches(model, data, config, config.eval_batches, generator, split, world)
    loss = 0.0
    with evaluating(model):
        for (x, y), share in zip(batches, shares(batches, world)):
            with autocast(model, x.device, choose_precision(config.precision, x.device)):
                loss += model_loss(model, x, y).item() * share
    return world.sum(loss)[0]


def is_due(step: int, interval: int, config: TrainConfig) -> bool:
    """Say whether what is done every `interval` steps, and at the end, comes after this step."""
    return (step + 1) % interval == 0 or step + 1 == config.max_steps


def measured_step(
    model: nn.Module,
    data: Data,
    config: TrainConfig,
    optimizer,
    generator: torch.Generator,
    step: int,
    loss_of: Callable[..., Tensor],
    world: World,
) -> Record:
    """Make one step on fresh batches, and look at the held-out loss if a look is due."""
    started = time.perf_counter()
    lr = set_learning_rate(optimizer, step, config)
    count = config.accumulation_steps
    batches = draw_batches(model, data, config, count, generator, "train", world)
    if not world.first:  # other dropout than the first's, the same again when a run is resumed
        torch.manual_seed((config.seed * 1_000_003 + step) * 4099 + world.rank)
    precision = choose_precision(config.precision, batches[0][0].device)
    loss, norm = train_step(model, optimizer, batches, config.max_norm, precision, loss_of, world)
    tokens = count * config.batch_size * batches[0][0].size(1)
    speed = tokens / (time.perf_counter() - started)
    look = is_due(step, config.eval_interval, config)
    val_loss = evaluate(model, data, config, world=world) if look else None
    return Record(step, loss, lr, norm, speed, val_loss)


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


def repeat(
    model: nn.Module,
    data: Data,
    config: TrainConfig,
    checkpoint: str | os.PathLike | None,
    history: list[Record],
    on_step: Callable[[Record], None] | None,
    bar,
    stop: threading.Event,
    world: World,
) -> None:
    """Make step after step until the last, or until somebody stops; add each to the history."""
    device = unwrapped(model).device
    loss_of = compiled_loss() if config.compile else model_loss
    optimizer = make_optimizer(unwrapped(model), config)
    generator = torch.Generator().manual_seed(config.seed)  # decides which windows are drawn
    torch.manual_seed(config.seed)  # decides dropout
    if history:
        load_checkpoint(checkpoint, model, optimizer, generator, world)
    visible = not bar.disable  # which it is no longer when it has ended
    for step in bar:
        record = measured_step(model, data, config, optimizer, generator, step, loss_of, world)
        history.append(record)
        show(bar, history)
        if on_step is not None and world.first:
            with keep_random_state(device):  # watching must not change the run
                on_step(history[-1])
        stopping = world.any(stop.is_set())
        due = stopping or is_due(step, config.checkpoint_interval, config)
        if checkpoint is not None and due:
            notes = describe_run(unwrapped(model), data, config)
            save_checkpoint(checkpoint, model, optimizer, generator, notes, history, world=world)
        if stopping:
            goes_on = f"; resume=True goes on from {checkpoint}" if checkpoint else ""
            say(bar, f"Stopped after step {step + 1} of {config.max_steps}{goes_on}.")
            break
    if world.size > 1:
        held = world.each(memory_held(unwrapped(model), optimizers_in(optimizer), device))
        if visible:
            bar.write(describe_memory(held))


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

    Started by torchrun, its processes make one run: the same, up to rounding, whatever their
    number. The first shows, saves and calls `on_step`; its weights and its checkpoint count. With
    `sharded` the model is empty meanwhile, and then where it was. Raises ConnectionError if a
    process is lost.
    """
    config = replace(config, **changes) if config else TrainConfig(**changes)
    with joined() as world:
        check_fit(model, data, config, world.size)
        run = describe_run(model, data, config)
        history = world.from_first(lambda: find_history(checkpoint, resume, run))
        device = world.device(config.device)
        with (
            keep_random_state(device),
            training_mode(model),
            stop_between_steps(world.size) as stop,
            in_words(world, lambda: what_is_saved(checkpoint)),
            spread(model, device, config.sharded, world) as shared,
        ):
            bar = progress_bar(len(history), config, device, progress and world.first, world.size)
            repeat(shared, data, config, checkpoint, history, on_step, bar, stop, world)
            bar.close()
    return history
