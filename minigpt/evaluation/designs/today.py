"""Six changes that later models made to GPT-2, each a small module in place of another. Lesson 13.

Rotary positions, RMSNorm, SwiGLU, grouped queries, an untied head, no biases: with all six the
model is a small Llama 3. The forward pass stays GPT-2's own; `TodayGPT` only puts other parts in,
those of `today_parts.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from minigpt.config import GPTConfig, check_whole, require
from minigpt.evaluation.designs.left_to_right import Decoder
from minigpt.evaluation.designs.today_parts import (
    NoTable,
    RMSNorm,
    Rotary,
    SwiGLU,
    Unturned,
    repeat_kv,
)
from minigpt.kv_cache import LayerCache
from minigpt.model import GPT, CausalSelfAttention, Linear, merge_heads, split_heads


@dataclass(frozen=True)
class TodayConfig(GPTConfig):
    """GPT-2's sizes, and which of the changes are made; as it stands it is GPT-2 itself.

    No biases is `bias=False`, which GPTConfig has. Raises ValueError for what cannot be.

    >>> TodayConfig(n_head=4, n_embd=96, n_kv_head=1).kv_heads
    1
    """

    rotary: bool = False  # turn queries and keys, in place of a table of positions
    rms_norm: bool = False  # RMSNorm in place of LayerNorm
    swiglu: bool = False  # a gated MLP in place of GELU's
    n_kv_head: int | None = None  # heads of keys and values; None: as many as of queries
    tied: bool = True  # the head is the token table

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rotary", "rms_norm", "swiglu", "tied"):
            require(
                isinstance(getattr(self, name), bool), name, getattr(self, name), "True or False"
            )
        if self.n_kv_head is not None:
            check_whole("n_kv_head", self.n_kv_head, otherwise=", or None")
            fine = self.n_head % self.n_kv_head == 0
            require(fine, "n_kv_head", self.n_kv_head, f"a divisor of n_head={self.n_head}")
        if self.rotary and self.head_size % 2:
            raise ValueError(f"a head has {self.head_size} channels; rotary needs an even number")

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values; the cache holds these."""
        return self.n_head if self.n_kv_head is None else self.n_kv_head


class GroupedAttention(CausalSelfAttention):
    """Attention in which several query heads share one head of keys and values.

    With as many of these as of queries, and `turn` as it is, it is GPT-2's.
    """

    def __init__(self, config: TodayConfig) -> None:
        super().__init__(config)
        C, self.kv_heads = config.n_embd, config.kv_heads
        self.widths = (C, self.kv_heads * config.head_size, self.kv_heads * config.head_size)
        self.c_attn = Linear(C, sum(self.widths), config.bias)
        self.turn = Rotary() if config.rotary else Unturned()

    def forward(self, x: Tensor, cache: LayerCache | None = None) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        q, k, v = self.c_attn(x).split(self.widths, dim=-1)
        q, k, v = (
            split_heads(*p) for p in ((q, self.n_head), (k, self.kv_heads), (v, self.kv_heads))
        )
        start = 0 if cache is None else cache.length  # before the cache grows
        q, k = self.turn(q, start), self.turn(k, start)
        if cache is not None:
            k, v = cache.extend(k, v)  # few heads, turned already: this is what is kept
        k, v = (repeat_kv(part, self.n_head // self.kv_heads) for part in (k, v))
        y = self.attend(q, k, v, dropout=self.dropout if self.training else 0.0)
        return self.resid_dropout(self.c_proj(merge_heads(y)))


class TodayGPT(GPT):
    """GPT-2 with the changes that its configuration names; all else, and `forward`, is GPT-2's.

    >>> import torch
    >>> model = TodayGPT(TodayConfig(10, 8, 1, 2, 12, rotary=True, swiglu=True, tied=False))
    >>> model(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 10])
    """

    def __init__(self, config: TodayConfig) -> None:
        super().__init__(config)
        parts, C = self.transformer, config.n_embd
        for block in parts.h:
            block.attn = GroupedAttention(config)
            if config.swiglu:
                block.mlp = SwiGLU(config)
            if config.rms_norm:
                block.ln_1, block.ln_2 = RMSNorm(C), RMSNorm(C)
        if config.rms_norm:
            parts.ln_f = RMSNorm(C)
        if config.rotary:
            parts.wpe = NoTable(config)
        if not config.tied:
            self.lm_head = Linear(C, config.vocab_size, bias=False)

    def check_tied(self) -> None:
        """Raise ValueError if the head is not the token table, and should be."""
        if self.config.tied:
            super().check_tied()


class Today(Decoder):
    """Such a model as a design beside the others, to be trained at equal compute."""

    builds = TodayGPT
