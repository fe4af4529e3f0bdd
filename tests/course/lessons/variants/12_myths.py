"""Correct answers to the exercise of lesson 12, each written in another way."""

import copy
import math

import torch
from torch import nn
from torch.nn import functional as F

# --- ShortGPT ---


class Layer(nn.Module):
    """The parts of a block, by name."""

    def __init__(self, n_head, n_embd, **attention):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(n_embd), nn.LayerNorm(n_embd)
        self.attn = nn.MultiheadAttention(n_embd, n_head, **attention)
        self.fc, self.proj = nn.Linear(n_embd, 4 * n_embd), nn.Linear(4 * n_embd, n_embd)


class Whole(nn.Module):
    """All but the way through a block."""

    layer = Layer

    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        self.blocks = nn.ModuleList([self.layer(n_head, n_embd) for _ in range(n_layer)])
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.tokens.weight
        self.n_head = n_head

    def embedded(self, idx):
        return self.tokens(idx) + self.positions.weight[: idx.shape[1]]


class WithCopies(Whole):
    """One layer, copied; the mask that PyTorch makes, of -inf; GELU as a module."""

    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
        super().__init__(vocab_size, block_size, 1, n_head, n_embd)
        one = Layer(n_head, n_embd, batch_first=True)
        self.blocks = nn.ModuleList(copy.deepcopy(one) for _ in range(n_layer))

    def forward(self, idx):
        x, bend = self.embedded(idx), nn.GELU(approximate="tanh")
        mask = nn.Transformer.generate_square_subsequent_mask(idx.shape[1])
        for block in self.blocks:
            h = block.norm_1(x)
            x = x + block.attn(h, h, h, attn_mask=mask, is_causal=True, need_weights=False)[0]
            x = x + block.proj(bend(block.fc(block.norm_2(x))))
        return self.head(self.norm(x))


class TimeFirst(Whole):
    """Time as the first axis, as attention has it by default."""

    def forward(self, idx):
        places = torch.arange(idx.size(1))
        x = self.embedded(idx).transpose(0, 1)
        mask = torch.zeros(len(places), len(places))
        mask[places[:, None] < places] = -1e9
        for block in self.blocks:
            h = block.norm_1(x)
            x = x + block.attn(h, h, h, attn_mask=mask)[0]
            u = block.fc(block.norm_2(x))
            u = 0.5 * u * (1 + torch.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))
            x = x + block.proj(u)
        return self.head(self.norm(x)).transpose(0, 1)


class ByHand(Whole):
    """The module holds the weights; attention is written out."""

    def forward(self, idx):
        x = self.embedded(idx)
        for block in self.blocks:
            attn = block.attn
            qkv = F.linear(block.norm_1(x), attn.in_proj_weight, attn.in_proj_bias)
            q, k, v = (p.unflatten(-1, (self.n_head, -1)).transpose(1, 2) for p in qkv.chunk(3, -1))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + attn.out_proj(y.transpose(1, 2).flatten(2))
            x = x + block.proj(F.gelu(block.fc(block.norm_2(x)), approximate="tanh"))
        return self.head(self.norm(x))


VARIANTS = {"ShortGPT": [WithCopies, TimeFirst, ByHand]}

# Mutants of the solutions that no case can tell from them, and why.
SURVIVORS = {
    (
        "ShortGPT",
        "self.head = nn.Linear(n_embd, vocab_size, bias=False)"
        " -> self.head = nn.Linear(vocab_size, n_embd, bias=False)",
    ): "the head's own weight is replaced by the table, whose shape is the right one",
}
