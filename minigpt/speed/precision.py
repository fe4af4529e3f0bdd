"""Faster ways to the same numbers. Each stands for a readable version that it must equal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.model import GPT, causal_mask, fused_attention

# PyTorch 2.13's fused attention in bf16 on a CPU, forward and backward, against the two products
# below: 5 times slower at 64 and 128 positions, 2 times at 256, as fast from about 400 on.
LONGEST = 256


def batched_attention(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """Equal `explicit_attention`, as two products over all heads of all rows: (B, nh, T, hs).

    The mask comes in as what the first product is added to. Long contexts, and new positions
    that follow a cache, go to `fused_attention`.
    """
    B, nh, T, hs = q.shape
    if k.size(-2) != T or T > LONGEST:
        return fused_attention(q, k, v, dropout)
    q, k, v = (x.reshape(B * nh, T, hs) for x in (q, k, v))
    mask = torch.zeros(T, T, dtype=q.dtype, device=q.device)
    mask = mask.masked_fill(~causal_mask(T, T, q.device), -math.inf)
    scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=1 / math.sqrt(hs))
    pattern = F.dropout(scores.softmax(dim=-1), dropout)
    return torch.bmm(pattern, v).view(B, nh, T, hs)


@contextmanager
def autocast(model: nn.Module, device: torch.device, precision: str) -> Iterator[None]:
    """Compute matrix products in bf16, if that is the precision, with the attention that suits it.

    A model that was told how to attend keeps to it. Afterwards everything is as before.
    """
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        if precision != "bf16" or device.type != "cpu" or not isinstance(model, GPT):
            yield
            return
        slow = [b.attn for b in model.transformer.h if b.attn.attend is fused_attention]
        try:
            for layer in slow:
                layer.attend = batched_attention
            yield
        finally:
            for layer in slow:
                layer.attend = fused_attention
