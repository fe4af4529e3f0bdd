"""Record what a run of a model has where: the residual stream, and what is added to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from minigpt.model import GPT, evaluating

PARTS = ("stream", "attn", "mlp")


class Activations(NamedTuple):
    """What a run had where; L is n_layer."""

    stream: Tensor  # (L + 1, B, T, C): the residual stream before the first block and after each
    attn: Tensor  # (L, B, T, C): what each attention adds to it
    mlp: Tensor  # (L, B, T, C): what each MLP adds to it


@torch.no_grad()
def activations(model: GPT, idx: Tensor) -> Activations:
    """Record the residual stream and what each sublayer adds to it: idx (B, T) -> Activations.

    The model runs in evaluation mode and is left as it was. Raises ValueError for ids that the
    model cannot read.

    >>> from minigpt.config import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=2, n_head=3, n_embd=6))
    >>> run = activations(model, torch.tensor([[5, 1, 5, 1]]))
    >>> run.stream.shape, run.mlp.shape
    (torch.Size([3, 1, 4, 6]), torch.Size([2, 1, 4, 6]))
    >>> torch.allclose(run.stream[1], run.stream[0] + run.attn[0] + run.mlp[0])
    True
    """
    found: dict[str, list[Tensor]] = {part: [] for part in PARTS}
    blocks = model.transformer.h

    def keep(part: str) -> Callable:
        return lambda module, given, output: found[part].append(output)

    def start(module: nn.Module, given: tuple) -> None:
        found["stream"].append(given[0])

    hooks = [blocks[0].register_forward_pre_hook(start)]
    for block in blocks:
        places = ("attn", block.attn), ("mlp", block.mlp), ("stream", block)
        hooks += [module.register_forward_hook(keep(part)) for part, module in places]
    try:
        with evaluating(model):
            model.features(idx)
    finally:
        for hook in hooks:
            hook.remove()
    return Activations(*(torch.stack(found[part]) for part in PARTS))
