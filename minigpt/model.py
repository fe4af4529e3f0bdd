"""GPT-2: attention, MLP, block, model, in the order in which they are built.

Shapes, everywhere: B batch, T time (new positions), S all positions so far, C channels (n_embd),
nh heads, hs head size, V vocabulary. Parameter names are those of OpenAI's checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.kv_cache import KVCache, LayerCache, check_room


class Linear(nn.Linear):
    """nn.Linear that starts as GPT-2 does: weights N(0, std), biases zero."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True, std: float = 0.02) -> None:
        self.std = std
        super().__init__(inputs, outputs, bias)

    def reset_parameters(self) -> None:
        if self.weight.is_meta:  # a shape without storage: its weights are about to be loaded
            return
        nn.init.normal_(self.weight, std=self.std)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class Embedding(nn.Embedding):
    """nn.Embedding that starts as GPT-2 does: N(0, 0.02)."""

    def reset_parameters(self) -> None:
        if not self.weight.is_meta:
            nn.init.normal_(self.weight, std=0.02)


def split_heads(x: Tensor, n_head: int) -> Tensor:
    """Cut the channels into heads: (B, T, C) -> (B, nh, T, hs)."""
    B, T, C = x.shape
    return x.view(B, T, n_head, C // n_head).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """Put the heads side by side again: (B, nh, T, hs) -> (B, T, C)."""
    B, nh, T, hs = x.shape
    return x.transpose(1, 2).reshape(B, T, nh * hs)


def causal_mask(T: int, S: int, device: torch.device | None = None) -> Tensor:
    """Say what the last T of S positions may attend to: (T, S) bool, True where allowed.

    >>> causal_mask(2, 3).int().tolist()
    [[1, 1, 0], [1, 1, 1]]
    """
    return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)


def attention_pattern(q: Tensor, k: Tensor) -> Tensor:
    """Return how much each position attends to each earlier one.

    q (B, nh, T, hs), k (B, nh, S, hs) -> (B, nh, T, S); each row is causal and sums to 1.
    The T queries are the last T of the S positions. Source: Vaswani et al. 2017, equation 1.
    """
    T, S = q.size(-2), k.size(-2)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
    scores = scores.masked_fill(~causal_mask(T, S, q.device), float("-inf"))
    return scores.softmax(dim=-1)


def explicit_attention(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """Average the values by the pattern: (B, nh, T, hs). The readable version of the next one."""
    return F.dropout(attention_pattern(q, k), dropout) @ v


def fused_attention(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """The same in one call of PyTorch's, which never stores the (T, S) pattern."""
    T, S = q.size(-2), k.size(-2)
    # PyTorch's own `is_causal` lines the mask up with the first key, which is right for T == S
    # only. A single new position may see everything, so it needs no mask at all.
    mask = causal_mask(T, S, q.device) if 1 < T < S else None
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=T == S
    )


def residual_std(config: GPTConfig) -> float:
    """Spread of the projections that write to the residual stream.

    Each block adds to it twice. Scaled down like this, all 2 * n_layer additions together are as
    spread out as a single one of 0.02 would be.
    Source: Radford et al. 2019, section 2.3.
    """
    return 0.02 / math.sqrt(2 * config.n_layer)


class CausalSelfAttention(nn.Module):
    """Every position gathers what it needs from itself and the positions before it."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        C = config.n_embd
        self.c_attn = Linear(C, 3 * C, config.bias)  # query, key, value of all heads at once
        self.c_proj = Linear(C, C, config.bias, std=residual_std(config))
        self.resid_dropout = nn.Dropout(config.dropout)
        self.n_head = config.n_head
        self.dropout = config.dropout
        self.attend: Callable[..., Tensor] = fused_attention

    def forward(self, x: Tensor, cache: LayerCache | None = None) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        q, k, v = (split_heads(part, self.n_head) for part in self.c_attn(x).chunk(3, dim=-1))
        if cache is not None:
            k, v = cache.extend(k, v)
        y = self.attend(q, k, v, dropout=self.dropout if self.training else 0.0)
        return self.resid_dropout(self.c_proj(merge_heads(y)))


class MLP(nn.Module):
    """Each position thinks for itself, in four times the width."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        C = config.n_embd
        self.c_fc = Linear(C, 4 * C, config.bias)
        self.c_proj = Linear(4 * C, C, config.bias, std=residual_std(config))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        # GPT-2 uses the tanh form of GELU, not the exact one.
        return self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")))


class Block(nn.Module):
    """Attention, then MLP; each reads a normalised copy and adds to the residual stream."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, cache: LayerCache | None = None) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        x = x + self.attn(self.ln_1(x), cache)
        return x + self.mlp(self.ln_2(x))


def check_ids(idx: Tensor, config: GPTConfig) -> None:
    """Raise ValueError unless idx is a (B, T) batch of ids that the model knows."""
    if not isinstance(idx, Tensor) or idx.dim() != 2 or idx.dtype not in (torch.int64, torch.int32):
        given = f"{idx.dtype} {tuple(idx.shape)}" if isinstance(idx, Tensor) else type(idx).__name__
        raise ValueError(f"idx must be a (batch, time) tensor of int64 token ids, not {given}")
    if idx.numel() == 0:
        raise ValueError(f"idx is empty, {tuple(idx.shape)}; give at least one token to start from")
    # Looking at the values would make a GPU wait and break a compiled graph: on CPU only.
    if idx.device.type == "cpu" and not torch.compiler.is_compiling():
        low, high = (int(bound) for bound in idx.aminmax())
        if low < 0 or high >= config.vocab_size:
            raise ValueError(
                f"idx holds the id {low if low < 0 else high}; ids of this model are "
                f"0 to {config.vocab_size - 1}. Were they made by another tokenizer?"
            )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put every module of a model in evaluation mode (no dropout), and back in its own mode."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, was_training in modes:
            module.training = was_training


class GPT(nn.Module):
    """GPT-2. Token ids in, a score for every possible next token out.

    >>> model = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=1, n_head=2, n_embd=4))
    >>> model(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 10])
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = nn.ModuleDict(
            dict(
                wte=Embedding(config.vocab_size, config.n_embd),
                wpe=Embedding(config.block_size, config.n_embd),
                drop=nn.Dropout(config.dropout),
                h=nn.ModuleList(Block(config) for _ in range(config.n_layer)),
                ln_f=nn.LayerNorm(config.n_embd, bias=config.bias),
            )
        )
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)
        self.lm_head.weight = self.transformer.wte.weight  # tied: one matrix, used twice
        self.known_ids = config.vocab_size  # a padded vocabulary has more; they are never drawn

    def forward(self, idx: Tensor, cache: KVCache | None = None) -> Tensor:
        """Return the logits of every next token: (B, T) int64 -> (B, T, V).

        With a cache, idx holds only the new positions, which follow those in the cache.
        Raises ValueError for ids that are not a (B, T) batch of whole numbers in [0, V), or are
        too many for the context.
        """
        return self.lm_head(self.features(idx, cache))

    def features(self, idx: Tensor, cache: KVCache | None = None) -> Tensor:
        """Return the final residual stream, normalised: (B, T) -> (B, T, C)."""
        check_ids(idx, self.config)
        check_room(idx, self.config, cache)
        start = 0 if cache is None else cache.length
        positions = torch.arange(start, start + idx.size(1), device=idx.device)
        x = self.transformer.wte(idx) + self.transformer.wpe(positions)  # (B, T, C)
        x = self.transformer.drop(x)
        for i, block in enumerate(self.transformer.h):
            x = block(x, None if cache is None else cache.layers[i])
        return self.transformer.ln_f(x)

    def use_attention(self, attend: Callable[..., Tensor]) -> None:
        """Choose how every layer attends: fused_attention (the default) or explicit_attention."""
        for block in self.transformer.h:
            block.attn.attend = attend

    @property
    def device(self) -> torch.device:
        """Where the weights are; token ids have to be there too."""
        return self.transformer.wpe.weight.device

    def num_parameters(self) -> int:
        """Count the weights; the tied head counts once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def check_tied(self) -> None:
        """Raise ValueError unless the head and the token table are one matrix, as in GPT-2."""
        if self.lm_head.weight is not self.transformer.wte.weight:
            raise ValueError(
                "lm_head.weight is no longer transformer.wte.weight, as after load_state_dict(..., "
                "assign=True); GPT-2 uses one matrix for both. Tie them again: "
                "model.lm_head.weight = model.transformer.wte.weight"
            )
