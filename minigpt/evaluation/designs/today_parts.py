"""The parts of `today.py`: rotary positions, grouped heads, RMSNorm, SwiGLU.

Shapes as in model.py; nkv is the number of heads of keys and values.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.model import Linear, residual_std


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
