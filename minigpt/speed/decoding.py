"""The next token, compiled: the model's own step, with two parts that suit a single new position.

Generating at batch 1 multiplies one row by every weight, once. It is as fast as the weights come
from memory, if nothing else is in the way: PyTorch's products and the Python between them are.
"""

from __future__ import annotations

import math
import sys
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.kv_cache import KVCache, LayerCache
from minigpt.model import GPT, fused_attention
from minigpt.speed.compiling import compiled
from minigpt.speed.quantization import Int8Linear, replace_linear, shared_copy

CHAINS = 4


def weights_times_row(weight: Tensor, x: Tensor) -> Tensor:
    """Multiply a matrix by one row: weight (N, K) of any type, x (K,) float32 -> (N,) float32.

    Equals `weight.float() @ x`, and is meant to be compiled: every weight is read once and widened
    on the way. A processor can begin an addition before the last one is done, but not one that
    needs its result. So four rows, a quarter of the matrix apart, are summed side by side.
    """
    quarter = len(weight) // CHAINS
    starts = [*range(0, CHAINS * quarter, quarter or 1)]
    parts = [(weight[start : start + quarter].float() * x).sum(dim=-1) for start in starts]
    rest = weight[CHAINS * quarter :]
    return torch.cat([*parts, (rest.float() * x).sum(dim=-1)] if len(rest) else parts)


class RowLinear(nn.Module):
    """A Linear or Int8Linear that treats a single row in a way of its own; more rows as before."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.layer.weight, self.layer.bias
        # A matrix stored (in, out) has its rows across memory; PyTorch reads that well itself.
        if x.numel() != x.size(-1) or not weight.is_contiguous():
            return self.layer(x)
        y = weights_times_row(weight, x.flatten().float())
        if isinstance(self.layer, Int8Linear):
            y = y * self.layer.scale
        y = y if bias is None else y + bias
        return y.to(x.dtype).view(*x.shape[:-1], -1)


def single_query_attention(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """Equal `explicit_attention` for one new position: it may see all, so there is no mask.

    Written out and compiled, it reads the cache once and widens it on the way; on CPUs PyTorch's
    own attention takes three to four times as long over a thousand positions in bf16.
    """
    scores = (q.float() * k.float()).sum(dim=-1) / math.sqrt(q.size(-1))  # (B, nh, S)
    weights = F.dropout(scores.softmax(dim=-1), dropout)
    return (weights[..., None] * v.float()).sum(dim=-2, keepdim=True).to(q.dtype)


class CacheSoFar:
    """A KVCache whose length is an argument of the compiled step, not a number built into it."""

    def __init__(self, cache: KVCache, length: int) -> None:
        self.batch_size, self.room, self.length = cache.batch_size, cache.room, length
        self.layers = [LayerCache(layer.keys, layer.values) for layer in cache.layers]
        for layer in self.layers:
            layer.length = length


def step(model: GPT, idx: Tensor, cache: KVCache, seen: Tensor) -> Tensor:
    """Return the logits after one new token each: idx (B, 1), seen (length, 0) -> (B, V)."""
    return model.lm_head(model.features(idx, CacheSoFar(cache, seen.size(0)))[:, -1])


class CompiledStep:
    """A model's step, compiled for one batch size, with a cache of the model's whole context.

    The same room every time, and a length that may vary: so nothing is ever compiled again.
    """

    def __init__(self, model: GPT, batch_size: int) -> None:
        # Before every call PyTorch checks that nothing it relied on has changed: 0.7 ms for 12
        # layers, a twelfth of a step in int8. `fits` and __call__ check what can change here.
        no_checks = {"guard_filter_fn": lambda guards: [False] * len(guards)}
        self.step = compiled(step, fullgraph=True, options=no_checks)
        self.weights = [*model.parameters(), *model.buffers()]
        self.model = shared_copy(model).eval()
        if model.device.type == "cpu":
            replace_linear(self.model, RowLinear)
        for block in self.model.transformer.h:
            if block.attn.attend is fused_attention:
                block.attn.attend = single_query_attention

    def fits(self, model: GPT) -> bool:
        """Say whether the model still holds the weights that this was compiled for."""
        now = [*model.parameters(), *model.buffers()]
        return len(now) == len(self.weights) and all(a is b for a, b in zip(now, self.weights))

    def __call__(self, idx: Tensor, cache: KVCache) -> Tensor:
        """Return the logits after one new token each, (B, 1) -> (B, V); the cache grows by it."""
        seen = torch.empty(cache.length, 0)  # nothing in it: a size may vary where a number may not
        torch._dynamo.mark_dynamic(seen, 0)
        # Compiled code takes sizes of 0 and 1, and a cache just full, for cases of their own.
        run = self.step if 1 < cache.length < cache.room - 1 else step
        idx = idx.long().contiguous()  # unchecked, so it has to be what was compiled for
        logits = run(self.model, idx, cache, seen)
        for layer in cache.layers:
            layer.length += 1
        return logits


COMPILED: WeakKeyDictionary[GPT, dict[int, CompiledStep]] = WeakKeyDictionary()


def compiled_step(model: GPT, batch_size: int) -> CompiledStep:
    """Return the model's compiled step for this batch size: made once, kept while the model lives.

    Raises OSError if there is no C++ compiler.
    """
    kept = COMPILED.setdefault(model, {})
    if batch_size not in kept or not kept[batch_size].fits(model):
        kept[batch_size] = CompiledStep(model, batch_size)
        print(
            f"compiling the next token of {model.config.n_layer} layers for batch {batch_size}: "
            "this takes 10 to 40 seconds, once for this model",
            file=sys.stderr,  # standard output is for the text
            flush=True,
        )
    return kept[batch_size]
