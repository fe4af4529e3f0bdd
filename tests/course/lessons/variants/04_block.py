"""Right answers to the exercises of lesson 04, written in other ways: all of them must pass."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from minigpt import GPTConfig
from minigpt import model as package

# --- layer_norm ---


def norm_by_torch(x, weight, bias, eps=1e-5):
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def norm_with_var(x, weight, bias, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    var = x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) * torch.rsqrt(var + eps) * weight + bias


def norm_in_float64(x, weight, bias, eps=1e-5):
    x64 = x.double()
    centred = x64 - x64.sum(-1, keepdim=True) / x.size(-1)
    spread = torch.sqrt(centred.pow(2).sum(-1, keepdim=True) / x.size(-1) + eps)
    return (centred / spread * weight.double() + bias.double()).to(x.dtype)


def norm_by_var_mean(x, weight, bias, eps=1e-5):
    var, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
    return torch.addcmul(bias, weight, (x - mean) / (var + eps) ** 0.5)


def norm_row_by_row(x, weight, bias, eps=1e-5):
    rows = []
    for row in x.reshape(-1, x.shape[-1]):
        mu = row.sum() / len(row)
        sigma2 = ((row - mu) ** 2).sum() / len(row)
        rows.append((row - mu) / torch.sqrt(sigma2 + eps) * weight + bias)
    return torch.stack(rows).view(x.shape)


def norm_by_einsum(x, weight, bias, eps=1e-5):
    C = x.size(-1)
    centring = torch.eye(C, dtype=x.dtype) - 1 / C
    d = x @ centring
    var = torch.einsum("...c,...c->...", d, d).unsqueeze(-1) / C
    return d * weight / torch.sqrt(eps + var) + bias


# --- gelu ---


def gelu_by_torch(x):
    return nn.GELU(approximate="tanh")(x)


def gelu_by_sigmoid(x):
    # (1 + tanh z) / 2 is the sigmoid of 2z.
    return x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x.pow(3)))


def gelu_by_halves(x):
    cube = torch.pow(x, 3.0)
    return 0.5 * x * (1.0 + torch.tanh((2.0 / torch.pi) ** 0.5 * (x + 0.044715 * cube)))


def gelu_in_float64(x):
    z = x.double()
    inner = np.sqrt(2 / np.pi) * z * (1 + 0.044715 * z * z)
    return (z / 2 + z / 2 * inner.tanh()).to(x.dtype)


# --- MLP ---


class Sequence(nn.Module):
    def __init__(self, config):
        super().__init__()
        C = config.n_embd
        self.c_fc = nn.Linear(C, 4 * C, bias=config.bias)
        self.gelu = nn.GELU("tanh")
        self.c_proj = nn.Linear(4 * C, C, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x):
        for step in self.children():
            x = step(x)
        return x


class ByHand(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.p = config.dropout
        self.c_proj = nn.Linear(config.n_embd * 4, config.n_embd, config.bias)
        self.c_fc = nn.Linear(config.n_embd, config.n_embd * 4, config.bias)
        nn.init.normal_(self.c_fc.weight, std=0.02)

    def forward(self, x):
        h = F.linear(x, self.c_fc.weight, self.c_fc.bias)
        h = gelu_by_sigmoid(h)
        h = torch.einsum("...h,ch->...c", h, self.c_proj.weight)
        h = h if self.c_proj.bias is None else h + self.c_proj.bias
        return F.dropout(h, self.p, training=self.training)


class WordByWord(ByHand):
    def forward(self, x):
        return torch.stack([super(WordByWord, self).forward(word) for word in x.unbind(1)], 1)


class MaskedByHand(ByHand):
    """Dropout written out: zero with probability p, the rest scaled up."""

    def forward(self, x):
        y = self.c_proj(gelu_in_float64(self.c_fc(x)))
        if self.training and self.p:
            y = y * (torch.rand_like(y) >= self.p) / (1 - self.p)
        return y


# --- Block ---


class Norm(nn.Module):
    def __init__(self, width, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.register_parameter("bias", nn.Parameter(torch.zeros(width)) if bias else None)

    def forward(self, x):
        y = norm_with_var(x, self.weight, torch.zeros_like(self.weight))
        return y if self.bias is None else y + self.bias


class OwnNorms(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        self.mlp = Sequence(config)
        self.ln_2 = Norm(config.n_embd, config.bias)
        self.ln_1 = Norm(config.n_embd, config.bias)
        self.attn = package.CausalSelfAttention(config)

    def forward(self, x):
        after = self.attn(self.ln_1(x)) + x
        return self.mlp(self.ln_2(after)) + after


class InPlace(nn.Module):
    """Adds in place, to a copy."""

    def __init__(self, config):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=1e-5, bias=config.bias)
        self.attn = package.CausalSelfAttention(config)
        self.attn.attend = package.explicit_attention
        self.ln_2 = nn.LayerNorm([config.n_embd], bias=config.bias)
        self.mlp = package.MLP(config)

    def forward(self, x, cache=None):
        x = x.clone()
        x += self.attn(self.ln_1(x.clone()))
        x += self.mlp(self.ln_2(x.clone()))
        return x


class Written(nn.Module):
    """Both writes worked out first, then one sum."""

    def __init__(self, config):
        super().__init__()
        for name in ("ln_1", "ln_2"):
            self.add_module(name, nn.LayerNorm(config.n_embd, bias=config.bias))
        self.attn, self.mlp = package.CausalSelfAttention(config), MaskedByHand(config)
        self.register_buffer("unused", torch.zeros(3))

    def forward(self, x):
        first = self.attn(self.ln_1(x))
        second = self.mlp(self.ln_2(x + first))
        return torch.stack([x, first, second]).sum(dim=0)


BLOCKS = [OwnNorms, InPlace, Written, package.Block]

# --- accounts ---


def count_a_real_block(n_embd, bias):
    with torch.device("meta"):
        block = package.Block(GPTConfig(n_embd=n_embd, n_head=1, bias=bias))
    return sum(parameter.numel() for parameter in block.parameters())


def parameters_by_list(n_embd, bias):
    layers = [(n_embd, 3 * n_embd), (n_embd, n_embd), (n_embd, 4 * n_embd), (4 * n_embd, n_embd)]
    total = 0
    for inputs, outputs in layers:
        total += inputs * outputs + outputs * bias
    return total + 2 * (n_embd + n_embd * bias)


def parameters_by_formula(n_embd, bias):
    return np.int64(12 * n_embd**2 + (13 * n_embd if bias else 2 * n_embd))


def multiplications_by_loop(T, n_embd, n_head):
    def product(a, b, c):
        return a * b * c

    hs = n_embd // n_head
    total = sum(product(T, *pair) for pair in [(n_embd, 3 * n_embd), (n_embd, n_embd)])
    total += product(T, n_embd, 4 * n_embd) + product(T, 4 * n_embd, n_embd)
    for _ in range(n_head):
        total += product(T, hs, T) + product(T, T, hs)
    return total


def multiplications_by_formula(T, n_embd, n_head):
    return 2 * T * n_embd * (6 * n_embd + T)


def multiplications_in_tensors(T, n_embd, n_head):
    widths = torch.tensor([3, 1, 4, 4]) * n_embd
    return torch.sum(T * n_embd * widths) + 2 * T * T * n_embd


VARIANTS = {
    "layer_norm": [
        norm_by_torch,
        norm_with_var,
        norm_in_float64,
        norm_by_var_mean,
        norm_row_by_row,
        norm_by_einsum,
    ],
    "last_of_five": [2, 2.0, torch.tensor(2.0), np.float64(2.0), 800 / math.sqrt(160_000 + 1e-5)],
    "gelu": [gelu_by_torch, gelu_by_sigmoid, gelu_by_halves, gelu_in_float64],
    "MLP": [Sequence, ByHand, WordByWord, MaskedByHand],
    "Block": BLOCKS,
    "MendedBlock": BLOCKS,
    "block_parameters": [count_a_real_block, parameters_by_list, parameters_by_formula],
    "block_multiplications": [
        multiplications_by_loop,
        multiplications_by_formula,
        multiplications_in_tensors,
    ],
}
