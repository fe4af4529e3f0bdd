"""The mistakes people make in a GPT-2, each as something that can be run.

Every function takes what went into a step and yields pairs: a mistake in words, and what the step
would give if it were made. Compared with what a model did give, they say which mistake it makes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, permutations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.model import causal_mask, merge_heads, split_heads

Suspects = Iterator[tuple[str, Tensor]]
NAMES = ("query", "key", "value")


def of_tokens(right: Tensor) -> Suspects:
    """Suspects for the token embedding, given what it should be, (B, T, C)."""
    root = math.sqrt(right.size(-1))
    yield "token embeddings are scaled by sqrt(width); GPT-2's are not", right * root
    for dtype in (torch.bfloat16, torch.float16):
        yield f"the weights were rounded to {dtype}", right.to(dtype).float()


def of_positions(tokens: Tensor, table: Tensor, wrong: Tensor) -> Suspects:
    """Suspects for tokens (B, T, C) plus the first T rows of the position table."""
    T, root = wrong.size(-2), math.sqrt(table.size(1))
    rows = table[:T]
    yield "positions are not added", tokens.expand_as(wrong)
    first = (wrong - tokens)[..., :1, :]  # whatever the first position got, given to all
    yield "every position gets the same vector", tokens + first.expand_as(wrong)
    if len(table) > T:
        yield "positions are off by one: they start at 1, not at 0", tokens + table[1 : T + 1]
    yield "positions are off by one: the first is used twice", tokens + rows[[0, *range(T - 1)]]
    yield "positions run backwards", tokens + rows.flip(0)
    yield "token embeddings are scaled by sqrt(width); GPT-2's are not", tokens * root + rows
    yield "the sum is scaled by sqrt(width); GPT-2's is not", (tokens + rows) * root


def of_norm(x: Tensor, norm: nn.Module) -> Suspects:
    """Suspects for LayerNorm over the channels of x (B, T, C)."""
    w, b = norm.weight, torch.zeros(()) if norm.bias is None else norm.bias

    def normalise(axis: int = -1, correction: int = 0, eps: float = norm.eps) -> Tensor:
        variance = x.var(axis, keepdim=True, correction=correction)
        return (x - x.mean(axis, keepdim=True)) / (variance + eps).sqrt()

    yield "LayerNorm uses the unbiased variance (divides by C - 1)", normalise(correction=1) * w + b
    beside = (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True, correction=0) + norm.eps)
    yield "epsilon is added to the standard deviation, not to the variance", beside * w + b
    for eps in (1e-3, 1e-4, 1e-6):
        yield f"epsilon is {eps:g}, GPT-2's is {norm.eps:g}", normalise(eps=eps) * w + b
    yield "epsilon is missing, or far too small", normalise(eps=0) * w + b
    root_mean_square = (x.square().mean(-1, keepdim=True) + norm.eps).sqrt()
    yield "the mean is not subtracted (RMSNorm)", x / root_mean_square * w + b
    yield "LayerNorm's weight and bias are not used, or were not loaded", normalise()
    yield "LayerNorm's bias is missing", normalise() * w
    yield "LayerNorm's weight is missing", normalise() + b
    yield "LayerNorm runs over time, not over the channels", normalise(axis=1) * w + b
    yield "LayerNorm runs over the batch, not over the channels", normalise(axis=0) * w + b


def matrix_of(layer: nn.Module) -> Tensor:
    """Return a linear layer's weight as (in, out), whether it is an nn.Linear or a Conv1D."""
    return layer.weight.t() if isinstance(layer, nn.Linear) else layer.weight


def bias_of(layer: nn.Module) -> Tensor:
    """Return a linear layer's bias, or zero."""
    return torch.zeros(()) if layer.bias is None else layer.bias


def of_linear(x: Tensor, layer: nn.Module) -> Suspects:
    """Suspects for x @ W + b."""
    W, b = matrix_of(layer), bias_of(layer)
    unturned = W.reshape(W.shape[::-1])  # stored (in, out), used as if it were (out, in)
    yield "the weight is untransposed: files keep (in, out)", x @ unturned.t() + b
    yield "the bias is missing", x @ W
    yield "the bias is added twice", x @ W + 2 * b


def of_qkv(x: Tensor, layer: nn.Module, n_head: int) -> Suspects:
    """Suspects for the projection to query, key and value: (B, T, C) -> (B, T, 3C)."""
    W, b = matrix_of(layer), bias_of(layer)
    thirds = (x @ W + b).chunk(3, dim=-1)
    for order in [*permutations(range(3))][1:]:
        names = ", ".join(NAMES[i] for i in order)
        yield f"c_attn is in the order {names}", torch.cat([thirds[i] for i in order], dim=-1)
    turned = torch.cat([x @ part.t() for part in W.chunk(3, dim=1)], dim=-1)
    yield "the weight is untransposed: each of query, key and value by itself", turned + b
    heads = torch.stack([third.unflatten(-1, (n_head, -1)) for third in thirds], dim=-2)
    yield "c_attn is interleaved: query, key and value of each head in turn", heads.flatten(-3)


def mix(
    q: Tensor, k: Tensor, v: Tensor, scale=None, allowed=None, hidden=-math.inf, axis=-1
) -> Tensor:
    """Attend as GPT-2 does, unless told to do it wrongly: (B, nh, T, hs) three times -> one."""
    T, hs = q.shape[-2:]
    scores = q @ k.transpose(-2, -1) * (hs**-0.5 if scale is None else scale)
    allowed = causal_mask(T, T) if allowed is None else allowed
    return scores.masked_fill(~allowed, hidden).softmax(axis) @ v


def of_scores(q: Tensor, k: Tensor, v: Tensor) -> Suspects:
    """Suspects for the scale and the softmax, (B, nh, T, hs)."""
    nh, hs = q.size(1), q.size(-1)
    yield "the scores are not divided by sqrt(head size)", mix(q, k, v, scale=1.0)
    yield "the scores are divided by sqrt(width)", mix(q, k, v, scale=(nh * hs) ** -0.5)
    yield "the scores are divided by the head size, not by its root", mix(q, k, v, scale=1 / hs)
    yield "the softmax runs over the queries, not over the keys", mix(q, k, v, axis=-2)


def of_mask(q: Tensor, k: Tensor, v: Tensor) -> Suspects:
    """Suspects for the causal mask, (B, nh, T, hs)."""
    every = torch.ones(q.size(-2), q.size(-2), dtype=torch.bool)
    yield "there is no causal mask", mix(q, k, v, allowed=every)
    masks = {
        "the mask is off by one: no position may see itself": every.tril(-1),
        "the mask is off by one: the next token is visible": every.tril(1),
        "the mask is upside down: only the future is visible": every.triu(1),
        "the mask is upside down: only itself and the future are visible": every.triu(),
    }
    for name, allowed in masks.items():
        for hidden in (-math.inf, -1e9):  # where nothing is visible: NaN, or the mean of all
            yield name, mix(q, k, v, allowed=allowed, hidden=hidden)
    yield "masked scores are set to 0, not to -inf", mix(q, k, v, hidden=0.0)
    weights = (q @ k.transpose(-2, -1) * q.size(-1) ** -0.5).softmax(-1)
    yield "the mask comes after the softmax: rows do not sum to 1", weights * every.tril() @ v


def of_heads(parts: list[Tensor], n_head: int) -> Suspects:
    """Suspects for splitting query, key and value (B, T, C) into heads, and merging them."""
    B, T, C = parts[0].shape
    heads = [split_heads(part, n_head) for part in parts]
    for order in [*permutations(range(3))][1:]:
        names = ", ".join(NAMES[i] for i in order)
        yield f"c_attn's output is taken as {names}", merge_heads(mix(*[heads[i] for i in order]))
    yield "heads are merged without transposing them back", mix(*heads).reshape(B, T, C)
    unturned = mix(*[part.reshape(B, n_head, T, -1) for part in parts])
    yield "heads are split without transposing", merge_heads(unturned)
    yield "heads are split and merged without transposing", unturned.reshape(B, T, C)
    apart = mix(*[part.unflatten(-1, (-1, n_head)).permute(0, 3, 1, 2) for part in parts])
    yield "heads are split on the wrong axis", merge_heads(apart)
    yield "heads are split and merged on the wrong axis", apart.permute(0, 2, 3, 1).flatten(-2)
    for n in range(1, C + 1):
        if C % n == 0 and n != n_head:
            y = mix(*[split_heads(part, n) for part in parts])
            yield f"there are {n} heads, not {n_head}", merge_heads(y)


def of_attention(qkv: Tensor, n_head: int) -> Suspects:
    """Suspects for what the heads gather from query, key and value: (B, T, 3C) -> (B, T, C)."""
    parts = list(qkv.chunk(3, dim=-1))
    heads = [split_heads(part, n_head) for part in parts]
    for name, wrong in chain(of_scores(*heads), of_mask(*heads)):
        yield name, merge_heads(wrong)
    yield from of_heads(parts, n_head)


def of_gelu(h: Tensor) -> Suspects:
    """Suspects for the tanh form of GELU, (B, T, 4C)."""
    yield "GELU is the exact (erf) one; GPT-2 has the tanh form", F.gelu(h)
    yield "the activation is ReLU, not GELU", F.relu(h)
    yield "the activation is SiLU, not GELU", F.silu(h)
    yield "GELU is the sigmoid form; GPT-2 has the tanh form", h * (1.702 * h).sigmoid()
    yield "the activation is missing", h


def of_sum(stream: Tensor, normed: Tensor, added: Tensor) -> Suspects:
    """Suspects for the residual stream plus what a sublayer adds to it, (B, T, C) each."""
    yield "the residual is missing: what the sublayer gives replaces the stream", added
    yield "the residual is added to the normalised input, not to the stream", normed + added
    yield "what the sublayer gives is not added", stream


def of_head(x: Tensor, logits: Tensor, head: nn.Module, table: Tensor) -> Suspects:
    """Suspects for the logits, given the model's own head and token table."""
    if not torch.equal(head.weight, table):
        yield "the head is not tied to the token embedding: it has a matrix of its own", head(x)
    yield "the logits are scaled by 1/sqrt(width)", logits / math.sqrt(x.size(-1))


def of_answer(logits: Tensor) -> Suspects:
    """Suspects for what the model returns, given the logits (B, T, V)."""
    yield "it returns probabilities: a softmax too many", logits.softmax(-1)
    yield "it returns log-probabilities: a log_softmax too many", logits.log_softmax(-1)
    yield "it returns the logits of the last position only", logits[:, -1]
    yield "it returns the logits of the last position only", logits[:, -1:]
