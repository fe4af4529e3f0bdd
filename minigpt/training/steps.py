"""The mathematics of a step: loss, gradient, clip, update, learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.speed.compiling import compiled, unwrapped
from minigpt.speed.precision import autocast
from minigpt.training.config import TrainConfig
from minigpt.training.optimizers import MuonWithAdamW
from minigpt.training.parallel import sync_gradients, whole
from minigpt.training.processes import ALONE, Team


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean -log p(target), in nats per token: (B, T, V), (B, T) -> scalar.

    A target of -100, as after the end of a document, is left out.
    """
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


def model_loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy of the model's logits, in nats per token."""
    return cross_entropy(model(x), y)


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
    done = (step - warmup_steps) / (max_steps - warmup_steps)
    return min_lr + (max_lr - min_lr) * (1 + math.cos(math.pi * done)) / 2


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


def shares(batches: list[tuple[Tensor, Tensor]], team: Team = ALONE) -> list[float]:
    """Say which part of all targets each batch holds; a negative target is none.

    All targets are those of all processes: an average of their means would be another loss.
    """
    counts = [(y >= 0).sum().item() for _, y in batches]
    [total] = team.sum(sum(counts))
    return [count / total for count in counts]


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | MuonWithAdamW,
    batches: list[tuple[Tensor, Tensor]],
    max_norm: float,
    precision: str = "fp32",
    loss_of: Callable[..., Tensor] = model_loss,
    team: Team = ALONE,
) -> tuple[float, float]:
    """Make one update from micro-batches, as from one large batch.

    `loss_of` may be a compiled `model_loss`. Each process of a team has its own rows of every
    micro-batch; they exchange gradients once, in the last one.
    Returns the mean loss (nats per token) and the gradient's norm before clipping. Raises
    FloatingPointError, before the update, if one of them is infinite or not a number.
    """
    optimizer.zero_grad()
    total = 0.0
    for i, ((x, y), share) in enumerate(zip(batches, shares(batches, team))):
        with sync_gradients(model, now=i + 1 == len(batches)):
            with autocast(unwrapped(model), x.device, precision):
                # The processes' gradients are averaged, and should be added up: times their number.
                loss = loss_of(model, x, y) * (share * team.size)
            loss.backward()  # adds to the gradients
        total += loss.item() / team.size
    [total] = team.sum(total)
    norm = whole(nn.utils.clip_grad_norm_(model.parameters(), max_norm)).item()
    if not (math.isfinite(total) and math.isfinite(norm)):
        raise FloatingPointError(
            f"the loss is {total} and its gradient's norm {norm}; the weights are still those of "
            "the step before: lower max_lr, or give more warmup_steps"
        )
    optimizer.step()
    return total, norm


def compiled_loss() -> Callable[..., Tensor]:
    """Return `model_loss`, to be compiled at its first call. Raises OSError without a compiler."""
    # GELU's tanh, written with an exponential, takes half the time on CPUs. Old PyTorch cannot.
    known = "cpp.use_decompose_tanh" in torch._inductor.list_options()
    return compiled(model_loss, options={"cpp.use_decompose_tanh": True} if known else {})
