"""A small world in which an induction head is born: texts that repeat themselves, and a model.

A text is a random piece, said again and again. What comes next cannot be guessed in the first
piece; from the second on it can, by whoever looks up what followed the same token before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from minigpt.config import GPTConfig, check_whole
from minigpt.interpret.heads import mean_head_scores, repeated_tokens
from minigpt.model import GPT

NO_TARGET = -100  # PyTorch's cross-entropy leaves such targets out
PROBES = 8  # texts that scores are means of


def repeated_batch(
    vocab_size: int,
    length: int,
    batch_size: int,
    generator: Generator | None = None,
    shortest: int = 4,
    longest: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw texts that repeat themselves: inputs x and targets y, each (B, T) int64, T = `length`.

    Each row has a random piece of `shortest` to `longest` tokens (at most half the length, which
    is also the default), said again until the row is full. A target counts from where the second
    saying has begun; before, nobody can know it, and it is -100.
    Raises ValueError for pieces that do not fit twice.

    >>> x, y = repeated_batch(64, 8, 1, torch.Generator().manual_seed(0), longest=4)
    >>> x.tolist(), y.tolist()
    ([[47, 53, 0, 3, 47, 53, 0, 3]], [[-100, -100, -100, -100, 53, 0, 3, 47]])
    """
    longest = length // 2 if longest is None else longest
    for name, value in [("vocab_size", vocab_size), ("batch_size", batch_size)]:
        check_whole(name, value)
    if not 1 <= shortest <= longest <= length // 2:
        raise ValueError(
            f"pieces of {shortest} to {longest} tokens; they must go from 1 to half the length, "
            f"{length // 2}, to stand in it twice"
        )
    sizes = torch.randint(shortest, longest + 1, (batch_size, 1), generator=generator)
    pieces = torch.randint(vocab_size, (batch_size, longest), generator=generator)
    positions = torch.arange(length + 1)
    ids = pieces.gather(1, positions % sizes)  # (B, T + 1)
    y = ids[:, 1:].masked_fill(positions[:-1] < sizes, NO_TARGET)
    return ids[:, :-1].contiguous(), y


def sinusoids(length: int, width: int, base: float = 100.0) -> Tensor:
    """Return positions as waves, (length, width): neighbours are alike, and a turn apart.

    Channels 2i and 2i + 1 are the sine and cosine of position / base^(2i / width).
    Source: Vaswani et al. 2017, section 3.5, where the base is 10,000.
    """
    waves = torch.arange(length)[:, None] / base ** (torch.arange(0, width, 2) / width)
    return torch.stack([waves.sin(), waves.cos()], dim=-1).flatten(1)[:, :width]


def induction_model(seed: int = 0, n_layer: int = 2, waves: float = 0.1) -> GPT:
    """Build the untrained model that learns the task: 64 tokens, 4 heads a layer, width 64.

    Its position table starts as `waves` times `sinusoids`, and is trained like all else; with
    waves=0 it starts at random, as GPT-2's does.
    """
    torch.manual_seed(seed)
    model = GPT(GPTConfig(vocab_size=64, block_size=64, n_layer=n_layer, n_head=4, n_embd=64))
    if waves:
        with torch.no_grad():
            model.transformer.wpe.weight.copy_(waves * sinusoids(64, 64))
    return model


def probes(model: GPT, count: int = PROBES, seed: int = 1) -> Tensor:
    """Return texts to score heads on: random tokens said twice, (count, T) with T the context."""
    generator, half = Generator().manual_seed(seed), model.config.block_size // 2
    vocab = model.config.vocab_size
    return torch.stack([repeated_tokens(vocab, half, generator) for _ in range(count)])


@dataclass(frozen=True)
class Birth:
    """How things stand after `step` batches: the loss, and each head's two scores."""

    step: int
    loss: float  # nats per target, mean of the batches since the last look
    previous: Tensor  # (n_layer, n_head): previous-token scores
    induction: Tensor  # (n_layer, n_head)


def watch_birth(
    model: GPT, steps: int = 400, every: int = 10, seed: int = 0, lr: float = 3e-3
) -> Iterator[Birth]:
    """Train on repeated pieces, and yield a look at the model before and after every few steps.

    Batches of 32, AdamW without decay, 20 steps of warm-up, gradients clipped at 1; the batches
    follow from `seed`. The model is trained as far as you take looks: stop, and it stops.
    Source: Olsson et al. 2022, "In-context Learning and Induction Heads", for the task.
    """
    check_whole("steps", steps)
    check_whole("every", every)
    dice, texts = Generator().manual_seed(seed), probes(model)
    config = model.config
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    losses = [math.log(config.vocab_size)]  # before the first step: knowing nothing
    for step in range(steps + 1):
        if step % every == 0 or step == steps:
            scores = mean_head_scores(model, texts)
            mean = sum(losses) / len(losses)
            yield Birth(step, mean, scores["previous token"], scores["induction"])
            losses = []
        if step == steps:
            return
        x, y = repeated_batch(config.vocab_size, config.block_size, 32, dice)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / 20)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
