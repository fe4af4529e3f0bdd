"""Correct answers to the exercise of lesson 12, each written in another way."""

import copy
import math

import torch
from torch import nn
from torch.nn import functional as F

# --- ShortGPT ---


class WithCopies(nn.Module):
    """One layer, copied; the mask that PyTorch makes, of -inf; GELU as a module."""

    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        block = nn.TransformerEncoderLayer(
            n_embd, n_head, 4 * n_embd, 0.0, nn.GELU("tanh"), batch_first=True, norm_first=True
        )
        self.blocks = nn.ModuleList(copy.deepcopy(block) for _ in range(n_layer))
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, idx):
        T = idx.shape[1]
        x = self.tokens(idx) + self.positions.weight[:T]
        mask = nn.Transformer.generate_square_subsequent_mask(T)
        for block in self.blocks:
            x = block(x, mask, is_causal=True)
        return self.head(self.norm(x))


class TimeFirst(nn.Module):
    """Time as the first axis, as the layer has it by default."""

    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)

        def bend(x):
            return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

        self.blocks = nn.ModuleList()
        for _ in range(n_layer):
            self.blocks.append(
                nn.TransformerEncoderLayer(
                    n_embd, n_head, 4 * n_embd, dropout=0, activation=bend, norm_first=True
                )
            )
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, idx):
        places = torch.arange(idx.size(1))
        x = (self.tokens(idx) + self.positions(places)).transpose(0, 1)
        mask = torch.zeros(len(places), len(places))
        mask[places[:, None] < places] = -1e9
        for block in self.blocks:
            x = block(x, src_mask=mask)
        return self.head(self.norm(x)).transpose(0, 1)


class ByHand(nn.Module):
    """The layers hold the weights; the block is written out."""

    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        self.blocks = nn.ModuleList(
            [nn.TransformerEncoderLayer(n_embd, n_head, 4 * n_embd) for _ in range(n_layer)]
        )
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.tokens.weight
        self.n_head = n_head

    def forward(self, idx):
        x = self.tokens(idx) + self.positions(torch.arange(idx.size(1)))
        for block in self.blocks:
            attn = block.self_attn
            qkv = F.linear(block.norm1(x), attn.in_proj_weight, attn.in_proj_bias)
            q, k, v = (p.unflatten(-1, (self.n_head, -1)).transpose(1, 2) for p in qkv.chunk(3, -1))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + attn.out_proj(y.transpose(1, 2).flatten(2))
            x = x + block.linear2(F.gelu(block.linear1(block.norm2(x)), approximate="tanh"))
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
