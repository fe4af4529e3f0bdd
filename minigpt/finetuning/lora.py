"""LoRA: learn a small matrix product beside each large matrix, and leave the large one alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.config import check_whole
from minigpt.model import GPT, Linear

EVERY_MATRIX = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")  # of a block


class LoRALinear(nn.Module):
    """A frozen Linear, and beside it a product of two thin matrices that learns.

    y = W x + b + scale * B A x, with A (r, K), B (N, r) and scale = alpha / r. B starts at zero,
    so that at first nothing is changed. Source: Hu et al. 2021, section 4.1.
    """

    def __init__(
        self, layer: Linear, rank: int, alpha: float, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        N, K = layer.weight.shape
        self.weight, self.bias = layer.weight, layer.bias  # the same tensors under the same names
        like = dict(device=layer.weight.device, dtype=layer.weight.dtype)
        drawn = torch.randn(rank, K, generator=generator) / math.sqrt(K)
        self.lora_A = nn.Parameter(drawn.to(**like))
        self.lora_B = nn.Parameter(torch.zeros(N, rank, **like))
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """(..., K) -> (..., N)"""
        beside = F.linear(F.linear(x, self.lora_A), self.lora_B)
        return F.linear(x, self.weight, self.bias) + self.scale * beside

    @torch.no_grad()
    def merged(self) -> Linear:
        """Return one Linear that does what both did: W + scale * B A."""
        N, K = self.weight.shape
        layer = Linear(K, N, self.bias is not None)
        layer.weight = nn.Parameter(self.weight + self.scale * self.lora_B @ self.lora_A)
        if self.bias is not None:
            layer.bias = self.bias
        return layer


def matrices(model: GPT, where: Sequence[str]) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """Yield each layer that `where` names, in every block, with its parent and its name there."""
    for block in model.transformer.h:
        for path in where:
            parent, _, name = path.rpartition(".")
            parent = block.get_submodule(parent)
            yield parent, name, getattr(parent, name)


def add_lora(
    model: GPT,
    rank: int = 4,
    alpha: float = 8.0,
    where: Sequence[str] = EVERY_MATRIX,
    generator: torch.Generator | None = None,
) -> None:
    """Freeze a model, in place, and put what can learn beside its blocks' matrices.

    `where` names the matrices, as in EVERY_MATRIX. Hu et al. 2021 adapted those of attention only.
    Raises ValueError for another name, and for a model that has LoRA already.

    >>> from minigpt.config import GPTConfig
    >>> small = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=1, n_head=2, n_embd=4))
    >>> add_lora(small, rank=1, where=["attn.c_attn"])
    >>> [(tuple(w.shape), w.requires_grad) for w in small.transformer.h[0].attn.c_attn.parameters()]
    [((12, 4), False), ((12,), False), ((1, 4), True), ((12, 1), True)]
    """
    check_whole("rank", rank)
    for path in where:
        if path not in EVERY_MATRIX:
            raise ValueError(f"there is no matrix {path!r}; they are {', '.join(EVERY_MATRIX)}")
    if has_lora(model):
        raise ValueError("the model has LoRA already; merge_lora(model) makes one of both")
    model.requires_grad_(False)
    for parent, name, layer in list(matrices(model, where)):
        setattr(parent, name, LoRALinear(layer, rank, alpha, generator))


def has_lora(model: nn.Module) -> bool:
    """Say whether a model holds any LoRALinear."""
    return any(isinstance(module, LoRALinear) for module in model.modules())


def merge_lora(model: GPT) -> None:
    """Add, in place, what was learned beside each matrix to it: a GPT as any other is left.

    All its weights can learn again. Raises ValueError for a model without LoRA.
    """
    if not has_lora(model):
        raise ValueError("the model has no LoRA to merge; add_lora(model) gives it one")
    for parent, name, layer in list(matrices(model, EVERY_MATRIX)):
        if isinstance(layer, LoRALinear):
            setattr(parent, name, layer.merged())
    model.requires_grad_(True)
