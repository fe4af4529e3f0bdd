"""Right answers to the exercises of lesson 05, written in other ways; all of them must pass."""

import itertools
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from minigpt import GPT as PackageGPT
from minigpt import GPTConfig
from minigpt.model import Block


class Chained(nn.Module):
    """Blocks in a Sequential, places as a buffer, the table tied to the head instead."""

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.register_buffer("places", torch.arange(config.block_size)[None])
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        table = nn.Embedding(config.vocab_size, config.n_embd)
        table.weight = self.lm_head.weight
        self.transformer = nn.Module()
        self.transformer.ln_f = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.transformer.h = nn.Sequential(*[Block(config) for _ in range(config.n_layer)])
        self.transformer.wpe = nn.Embedding(config.block_size, config.n_embd)
        self.transformer.wte = table

    def forward(self, idx):
        places = self.transformer.wpe(self.places[:, : idx.shape[-1]])
        x = self.dropout(places + self.transformer.wte(idx))
        return self.lm_head(self.transformer.ln_f(self.transformer.h(x)))


class ByHand(nn.Module):
    """Functional calls and einsum on the tables; dropout as a function that knows the mode."""

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        C = config.n_embd
        self.transformer = nn.ModuleDict()
        self.transformer["wte"] = nn.Embedding(config.vocab_size, C)
        self.transformer["wpe"] = nn.Embedding(config.block_size, C)
        self.transformer["h"] = nn.ModuleList()
        while len(self.transformer["h"]) < config.n_layer:
            self.transformer["h"].append(Block(config))
        self.transformer["ln_f"] = nn.LayerNorm((C,), eps=1e-05, bias=config.bias)
        self.lm_head = nn.Linear(C, config.vocab_size, False)
        self.lm_head.weight = self.transformer["wte"].weight

    def forward(self, idx):
        table = self.transformer.wte.weight
        B, T = idx.shape
        x = table[idx.flatten()].view(B, T, -1)
        x = x + self.transformer.wpe.weight[:T].expand(B, T, -1)
        x = F.dropout(x, p=self.config.dropout, training=self.training)
        for n in range(self.config.n_layer):
            x = self.transformer.h[n](x)
        norm = self.transformer.ln_f
        x = F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, 1e-5)
        return torch.einsum("btc,vc->btv", x, self.lm_head.weight)


class Inherited(PackageGPT):
    """The package's model, with its pass written anew, one text at a time."""

    def forward(self, idx):
        return torch.cat([super(Inherited, self).forward(text[None]) for text in idx])


class OneHot(Chained):
    """The token rows fetched as a product with one-hot vectors."""

    def forward(self, idx):
        table = self.transformer.wte.weight
        one_hot = F.one_hot(idx, self.config.vocab_size).to(table.dtype)
        x = one_hot @ table
        x = self.dropout(x + self.transformer.wpe(torch.arange(idx.size(1)).expand_as(idx)))
        for block in self.transformer.h.children():
            x = block(x)
        return self.transformer.ln_f(x) @ self.lm_head.weight.mT


# --- init_weights ---


def start_by_modules(model):
    L = model.config.n_layer

    def start(module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        if isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)

    model.apply(start)  # meets the tied matrix twice, which does no harm
    for name, parameter in model.named_parameters():
        if name.endswith("c_proj.weight"):
            nn.init.normal_(parameter, std=0.02 * (2 * L) ** -0.5)


@torch.no_grad()
def start_by_scaling(model):
    for name, parameter in reversed(list(model.named_parameters())):
        if parameter.dim() == 1:
            parameter.fill_(float(name.endswith("weight")))
        else:
            parameter.copy_(torch.randn(parameter.shape, dtype=torch.float64) * 0.02)
    for block in model.transformer.h:
        for layer in (block.attn.c_proj, block.mlp.c_proj):
            layer.weight /= math.sqrt(2 * len(model.transformer.h))


def start_by_numpy(model):
    random = np.random.default_rng(int(torch.randint(2**31, ())))
    for name, parameter in model.named_parameters():
        kind = name.split(".")[-2:]
        if kind[1] == "bias":
            parameter.data = torch.zeros_like(parameter)
        elif kind[0].startswith("ln"):
            parameter.data = torch.ones_like(parameter)
        else:
            std = 0.02 / math.sqrt(2 * model.config.n_layer) if kind[0] == "c_proj" else 0.02
            numbers = random.normal(0.0, std, size=tuple(parameter.shape))
            parameter.data = torch.from_numpy(numbers).float()


def start_like_a_new_one(model):
    model.load_state_dict(PackageGPT(model.config).state_dict())


# --- count_parameters ---


def count_on_meta(config):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in PackageGPT(config).parameters())


def count_shapes(config):
    C, b = config.n_embd, config.bias
    linear = [(C, 3 * C), (C, C), (C, 4 * C), (4 * C, C)]
    shapes = [(config.vocab_size, C), (config.block_size, C), (1 + b, C)]
    for _ in range(config.n_layer):
        shapes += linear + [(out,) for _, out in linear if b] + [(1 + b, C)] * 2
    return sum(math.prod(shape) for shape in shapes)


def count_in_one_line(c):
    return c.n_embd * (
        c.vocab_size + c.block_size + 1 + 12 * c.n_layer * c.n_embd + 2 * c.n_layer
    ) + int(c.bias) * c.n_embd * (11 * c.n_layer + 1)


def count_as_torch(config):
    return torch.tensor(count_shapes(config))


# --- training_bytes ---


def bytes_by_loop(config, T):
    numbers = 0
    for _ in range(T):
        numbers += config.vocab_size + 2 * (config.n_embd + 1)
        for _ in range(config.n_layer):
            numbers += 16 * config.n_embd + config.n_head + 4
    return 16 * count_on_meta(config) + 4 * numbers


def bytes_of_tensors(config, T):
    item = torch.tensor(0.0).element_size()
    model = [count_shapes(config)] * 4
    block = 16 * config.n_embd + config.n_head + 4
    text = [block * T] * config.n_layer + [2 * config.n_embd * T, 2 * T, config.vocab_size * T]
    return sum(itertools.chain(model, text)) * item


def bytes_as_numpy(config, T):
    L, C = np.int64(config.n_layer), np.int64(config.n_embd)
    per_position = L * (C * 16 + config.n_head + 4) + 2 * C + 2 + config.vocab_size
    return np.int64(4) * (per_position * T + 4 * count_in_one_line(config))


# --- flops_per_token ---


def flops_by_heads(config, T):
    head_size = config.n_embd // config.n_head
    per_head = 2 * T * head_size + 2 * head_size * T
    matrices = [(1, 3), (1, 1), (1, 4), (4, 1)]
    block = sum(2 * a * b for a, b in matrices) * config.n_embd**2 + config.n_head * per_head
    return config.n_layer * block + 2 * config.n_embd * config.vocab_size


def flops_counted(config, T):
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        model = PackageGPT(config).eval()
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, T, dtype=torch.long, device="meta"))
    return counter.get_total_flops() // T


def flops_from_parameters(config, T):
    C, L = config.n_embd, config.n_layer
    rest = config.block_size * C + L * 2 * C + C
    if config.bias:
        rest += L * 11 * C + C
    return 2 * (count_shapes(config) - rest) + 4 * L * T * C


VARIANTS = {
    "GPT": [Chained, ByHand, Inherited, OneHot],
    "MendedGPT": [Chained, ByHand, OneHot],
    "first_loss": [
        10.98,
        10.9785,  # with 768 * 0.02² for 0.31
        torch.tensor(50257.0).log() + 0.155,
        np.log(50257 * np.exp(0.155)),
        np.float32(10.98),
        -math.log(1 / 50257) + 0.31 / 2,
    ],
    "init_weights": [start_by_modules, start_by_scaling, start_by_numpy, start_like_a_new_one],
    "count_parameters": [count_on_meta, count_shapes, count_in_one_line, count_as_torch],
    "training_bytes": [bytes_by_loop, bytes_of_tensors, bytes_as_numpy],
    "flops_per_token": [flops_by_heads, flops_counted, flops_from_parameters],
}

# Mutants of the solutions that no case can tell from them, and why.
SURVIVORS = {
    (
        "GPT",
        "self.lm_head = nn.Linear(C, V, bias=False) -> self.lm_head = nn.Linear(V, C, bias=False)",
    ): "its weight is replaced by the token table in the next line",
    (
        "MendedGPT",
        "self.transformer.h = nn.ModuleList(layers) -> pass",
    ): "the package's own __init__ has made right blocks before; the broken line is gone as well",
    (
        "MendedGPT",
        "self.lm_head.weight = self.transformer.wte.weight -> pass",
    ): "the package's own __init__ has tied the head before; the broken line is gone as well",
}
