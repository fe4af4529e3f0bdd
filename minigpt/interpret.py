"""Look inside a GPT while it reads: which position attends to which, in every head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from minigpt.model import GPT, attention_pattern


@contextmanager
def recorded_attention(model: GPT) -> Iterator[list[Tensor]]:
    """Collect the pattern of every attention layer that runs inside the `with` block.

    The list holds one (B, nh, T, S) tensor a layer, in order. Afterwards each layer attends as it
    did before, also after an exception.
    """
    layers = [block.attn for block in model.transformer.h]
    before = [layer.attend for layer in layers]
    patterns: list[Tensor] = []

    def recording(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
        patterns.append(attention_pattern(q, k))
        return patterns[-1] @ v  # no dropout: we look at the model, we do not train it

    model.use_attention(recording)
    try:
        yield patterns
    finally:
        for layer, attend in zip(layers, before):
            layer.attend = attend


@torch.no_grad()
def attention_patterns(model: GPT, idx: Tensor) -> Tensor:
    """Return how much each position attends to each earlier one, in every layer and head.

    idx (B, T) -> (n_layer, B, nh, T, T); every row is causal and sums to 1. The model runs in
    evaluation mode and is left as it was. Raises ValueError for ids that the model cannot read.

    >>> from minigpt.config import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=2, n_head=3, n_embd=6))
    >>> attention_patterns(model, torch.tensor([[5, 1, 5, 1]])).shape
    torch.Size([2, 1, 3, 4, 4])
    """
    was_training = model.training
    model.eval()
    try:
        with recorded_attention(model) as patterns:
            model.features(idx)
    finally:
        model.train(was_training)
    return torch.stack(patterns)
