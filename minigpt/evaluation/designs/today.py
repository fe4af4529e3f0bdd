"""Six changes that later models made to GPT-2, each a small module in place of another. Lesson 13.

Rotary positions, RMSNorm, SwiGLU, grouped queries, an untied head, no biases: with all six the
model is what LLaMA is. The forward pass stays GPT-2's own; `TodayGPT` only puts other parts in.
Shapes as in model.py; nkv is the number of heads of keys and values.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.config import GPTConfig, check_whole, require
from minigpt.evaluation.designs.left_to_right import Decoder
from minigpt.kv_cache import LayerCache
from minigpt.model import (
    GPT,
    CausalSelfAttention,
    Linear,
    merge_heads,
    residual_std,
    split_heads,
)


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


def rotate(x: Tensor, positions: Tensor, base: float = 10_000.0) -> Tensor:
    """Turn pairs of channels, each by its own speed times the position: (..., T, hs), the same.

    positions (T,). Channel i goes with channel i + hs/2; its speed is base^(-2i/hs), in radians.
    Source: Su et al. 2021, equations 14, 15 and 34, where 2i goes with 2i + 1: the same up to an
    order of the channels. LLaMA's weights at Hugging Face are in this one.

    >>> rotate(torch.tensor([[1.0, 0.0]]), torch.tensor([0])).tolist()
    [[1.0, 0.0]]
    """
    half = x.size(-1) // 2
    speeds = base ** -(torch.arange(half, device=x.device) / half)
    angles = positions[:, None] * speeds  # (T, hs/2)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def repeat_kv(x: Tensor, times: int) -> Tensor:
    """Give each head of keys or values to so many query heads in a row: (B, nkv, S, hs) -> nh.

    Source: Ainslie et al. 2023, section 2.2; 0 0 1 1, not 0 1 0 1.
    """
    return x if times == 1 else x.repeat_interleave(times, dim=1)


class Rotary(nn.Module):
    """Turns queries and keys by their positions, counted from `start`."""

    def forward(self, x: Tensor, start: int) -> Tensor:
        """(B, nh, T, hs) -> (B, nh, T, hs)"""
        return rotate(x, torch.arange(start, start + x.size(-2), device=x.device))


class Unturned(nn.Module):
    """Leaves queries and keys as they are: GPT-2's positions are in the stream already."""

    def forward(self, x: Tensor, start: int) -> Tensor:
        """(B, nh, T, hs) -> (B, nh, T, hs)"""
        return x


class NoTable(nn.Module):
    """In place of the table of positions: adds nothing, for every position."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        # A table of no rows: it says where the model is and in which numbers, as a table would.
        self.weight = nn.Parameter(torch.empty(0, config.n_embd), requires_grad=False)

    def forward(self, positions: Tensor) -> Tensor:
        """(T,) -> one number, 0"""
        return self.weight.new_zeros(())


class RMSNorm(nn.Module):
    """Divides by the root of the mean square, and multiplies; no mean is taken off, no bias added.

    Source: Zhang and Sennrich 2019, equation 4.
    """

    def __init__(self, n_embd: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(n_embd)), eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)"""
        return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.eps) * self.weight


def swiglu_width(n_embd: int) -> int:
    """Return the hidden width at which three matrices have as many weights as GPT-2's two.

    Two of C by 4C are three of C by 8C/3, up to a rounding. Source: Shazeer 2020, section 3.1.
    """
    return round(8 * n_embd / 3)


class SwiGLU(nn.Module):
    """An MLP in which one half of the hidden layer decides how much of the other goes through.

    Source: Shazeer 2020, equation 6; SiLU is what is called Swish with beta = 1 there.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        C, H = config.n_embd, swiglu_width(config.n_embd)
        self.c_fc = Linear(C, 2 * H, config.bias)  # gate and content at once, as c_attn has three
        self.c_proj = Linear(H, C, config.bias, std=residual_std(config))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        gate, content = self.c_fc(x).chunk(2, dim=-1)
        return self.dropout(self.c_proj(F.silu(gate) * content))


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
