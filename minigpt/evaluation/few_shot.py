"""Learning in the context, with a known cause: pairs whose rule is drawn anew in every row.

A row is `key value key value ...`. Which value belongs to which key is drawn for that row alone, so
nothing about it can be kept in the weights: who answers rightly has read it in the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.config import GPTConfig, check_whole
from minigpt.data import NO_TARGET
from minigpt.model import GPT, evaluating

KEYS, VALUES, PAIRS = 8, 32, 32


def pair_rows(
    count: int,
    generator: torch.Generator,
    *,
    keys: int = KEYS,
    values: int = VALUES,
    pairs: int = PAIRS,
) -> Tensor:
    """Draw rows of pairs: (count, 2 * pairs) int64. Keys are the ids from 0, values those behind.

    In each row every key has a value of its own, drawn for this row; then keys are drawn, again
    and again, each followed by its value. Raises ValueError for sizes below 1.

    >>> pair_rows(1, torch.Generator().manual_seed(0), keys=2, values=9, pairs=5).tolist()
    [[1, 2, 0, 10, 1, 2, 1, 2, 1, 2]]
    """
    for name, size in dict(count=count, keys=keys, values=values, pairs=pairs).items():
        check_whole(name, size)
    rule = keys + torch.randint(values, (count, keys), generator=generator)
    asked = torch.randint(keys, (count, pairs), generator=generator)
    return torch.stack([asked, rule.gather(1, asked)], dim=2).flatten(1)


def known_before(rows: Tensor) -> Tensor:
    """Say which pairs' keys stood in the row before: (B, 2 P) -> (B, P) bool."""
    asked = rows[:, ::2]
    same = asked[:, :, None] == asked[:, None, :]  # (B, P, P)
    return same.tril(-1).any(dim=2)


def best_accuracy(pairs: int, keys: int = KEYS, values: int = VALUES) -> Tensor:
    """Return how often the best possible reader is right after 0, 1, ... examples: (pairs,).

    After n examples the key has been seen with probability 1 - (1 - 1/keys)^n, and then its value
    is certain; otherwise one of `values` is guessed.

    >>> best_accuracy(3, keys=2, values=4)
    tensor([0.2500, 0.6250, 0.8125])
    """
    unseen = (1 - 1 / keys) ** torch.arange(pairs)
    return 1 - unseen + unseen / values


def pair_model(layers: int = 2, context: int = 2 * PAIRS) -> GPT:
    """Return an untrained model for such rows: 64 wide, with 4 heads in each layer.

    Its table of positions starts as a tenth of sines and cosines, not at random: so neighbours look
    alike at once, and a head that looks one token back is found sooner.
    """
    model = GPT(GPTConfig(KEYS + VALUES, context, n_layer=layers, n_head=4, n_embd=64))
    waves = 100.0 ** (-torch.arange(0, 64, 2) / 64)
    angles = torch.arange(context)[:, None] * waves
    with torch.no_grad():
        model.transformer.wpe.weight.copy_(0.1 * torch.cat([angles.sin(), angles.cos()], dim=1))
    return model


def train_on_pairs(
    model: GPT,
    steps: int,
    generator: torch.Generator,
    *,
    batch_size: int = 32,
    max_lr: float = 3e-3,
    look: Callable[[int, float], None] = lambda step, loss: None,
) -> GPT:
    """Train on rows of pairs, with the values alone as targets; `look` hears each step's loss.

    AdamW with 20 steps of warm-up and no decay. Raises FloatingPointError if the loss explodes.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=max_lr, weight_decay=0.0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = max_lr * min(1.0, (step + 1) / 20)
        rows = pair_rows(batch_size, generator)
        targets = rows[:, 1:].clone()
        targets[:, 1::2] = NO_TARGET  # a key is thrown by the dice
        loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}; lower max_lr")
        look(step, loss.item())
    return model.eval()


@torch.no_grad()
def accuracy_by_examples(model: nn.Module, rows: Tensor) -> Tensor:
    """Return how often the likeliest token is the value, after 0, 1, ... examples.

    rows (B, 2 P) of pairs -> (P,). No weight changes meanwhile.
    """
    with evaluating(model):
        guesses = model(rows[:, :-1]).argmax(dim=-1)  # (B, 2 P - 1)
    return (guesses[:, ::2] == rows[:, 1::2]).float().mean(dim=0)
