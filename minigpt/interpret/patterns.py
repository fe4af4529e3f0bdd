"""Look inside a GPT while it reads: who attends to whom, and what the model expects where.

What single heads do is in minigpt.interpret.heads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

from minigpt.interpret.recording import activations
from minigpt.model import GPT, attention_pattern, evaluating


@contextmanager
def recorded_attention(model: GPT) -> Iterator[list[Tensor]]:
    """Collect the pattern of every attention layer that runs inside the `with` block.

    The list holds one (B, nh, T, S) tensor a layer, in order. Afterwards each layer attends as it
    did before, also after an exception. Raises ValueError for a layer that is not the package's.
    """
    layers = [block.attn for block in model.transformer.h]
    for i, layer in enumerate(layers):
        if not hasattr(layer, "attend"):
            raise ValueError(
                f"layer {i} has an attention of another kind, {type(layer).__name__}, which does "
                "not show its pattern; minigpt.model.CausalSelfAttention does"
            )
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
    with evaluating(model), recorded_attention(model) as patterns:
        model.features(idx)
    return torch.stack(patterns)


def hide_first_token(patterns: Tensor) -> tuple[Tensor, Tensor]:
    """Take the first token out of patterns and share each row out over what is left.

    (..., T, T) -> the patterns without it, (..., T, T), and the weight that it had in each row,
    (..., T). Many heads rest on the first token, which outshines all else. The rows returned sum
    to 1 again; one that looked at nothing else, as the first row does, is all zeros.

    >>> shown, hidden = hide_first_token(torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0.8, 0, 0.2]]))
    >>> shown.tolist(), hidden.round(decimals=1)
    ([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], tensor([1.0000, 0.5000, 0.8000]))
    """
    hidden = patterns[..., 0].clone()
    shown = patterns.clone()  # the patterns given stay as they are
    shown[..., 0] = 0
    left = shown.sum(dim=-1, keepdim=True)
    return torch.where(left > 0, shown / left, 0.0), hidden


def attention_rollout(patterns: Tensor) -> Tensor:
    """Follow attention through the layers: how much of each input reaches each position.

    (n_layer, ..., nh, T, T) -> (n_layer, ..., T, T), one a layer, rows sum to 1. A block adds what
    its heads gather to what was there, so half of each step goes to the position itself; heads
    count alike. It knows nothing of values or MLPs: a sketch, not a proof.
    Source: Abnar & Zuidema 2020, section 3.

    >>> previous = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])  # one head, twice
    >>> attention_rollout(torch.stack([previous, previous])[:, None])[-1, -1]
    tensor([0.2500, 0.5000, 0.2500])
    """
    identity = torch.eye(patterns.size(-1), dtype=patterns.dtype, device=patterns.device)
    steps = 0.5 * patterns.mean(dim=-3) + 0.5 * identity  # (n_layer, ..., T, T)
    flow, flows = identity, []
    for step in steps:
        flow = step @ flow
        flows.append(flow)
    return torch.stack(flows)


def token_surprisal(logits: Tensor, idx: Tensor) -> Tensor:
    """Return how little the model expected each token: -log p(token), in nats.

    logits (..., T, V), idx (..., T) -> (..., T - 1). The first token is nobody's guess, so entry t
    belongs to token t + 1. The mean over t is the loss.

    >>> token_surprisal(torch.zeros(3, 4), torch.tensor([0, 1, 2])).exp()
    tensor([4., 4.])
    """
    guesses, told = logits[..., :-1, :].float(), idx[..., 1:]
    nats = F.cross_entropy(guesses.flatten(0, -2), told.flatten(), reduction="none")
    return nats.view(told.shape)


def residual_stream(model: GPT, idx: Tensor) -> Tensor:
    """Return the residual stream before the first block and after each: (B, T) -> (L + 1, B, T, C).

    L is n_layer. The model runs in evaluation mode and is left as it was.
    """
    return activations(model, idx).stream


@torch.no_grad()
def logit_lens(model: GPT, stream: Tensor, norm: bool = True) -> Tensor:
    """Read the residual stream as if no block were left: (..., C) -> logits (..., V).

    The final LayerNorm comes first: the head knows nothing else. Of the last entry of
    `residual_stream` it makes the model's own logits; with norm=False, which leaves the LayerNorm
    out, it does not. Choose the positions you want beforehand; all layers and positions at once
    are large. Source: nostalgebraist 2020, "interpreting GPT: the logit lens".

    >>> from minigpt.config import GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=2, n_head=3, n_embd=6))
    >>> stream = residual_stream(model, torch.tensor([[5, 1, 5, 1]]))
    >>> logit_lens(model, stream[:, 0, -1]).shape  # what the last position expects, layer by layer
    torch.Size([3, 10])
    """
    return model.lm_head(model.transformer.ln_f(stream) if norm else stream)


def pack_patterns(patterns: Tensor) -> Tensor:
    """Store weights in a byte each: (...) from 0 to 1 -> (...) uint8, at most 0.002 off.

    A byte divided by 255 is the weight again.
    """
    return (patterns * 255).round().to(torch.uint8)
