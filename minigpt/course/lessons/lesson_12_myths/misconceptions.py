"""What people get wrong about a short GPT, and what a teacher says."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from minigpt.course.exercise.mistakes import half_mended

# --- ShortGPT ---

BUGS = {
    "heads": "There are as many heads as a head should have channels.",
    "future": "Every position still sees those behind it: the mask adds 1 to their scores, which "
    "draws attention there, and does not keep it away.",
    "stream": "Attention is added to the normalised copy, so the stream itself does not go on.",
    "values": "Keys and values are made of the stream as it is, and only the query of its "
    "normalised copy.",
    "shared": "All blocks are one and the same, with one set of weights.",
}


class Block(nn.Module):
    """A block of the broken class, with these of its bugs."""

    def __init__(self, n_head, n_embd, bugs=(), bend=None, behind=False):
        super().__init__()
        heads = n_embd // n_head if "heads" in bugs else n_head
        self.norm_1 = nn.LayerNorm(n_embd)
        self.attn = nn.MultiheadAttention(n_embd, heads, batch_first=True)
        self.norm_2 = nn.LayerNorm(n_embd)
        self.fc = nn.Linear(n_embd, 4 * n_embd)
        self.proj = nn.Linear(4 * n_embd, n_embd)
        self.bugs, self.behind = bugs, behind
        self.bend = bend or partial(F.gelu, approximate="tanh")

    def forward(self, x, mask):
        if self.behind:
            x = self.norm_1(x + self.attn(x, x, x, attn_mask=mask)[0])
            return self.norm_2(x + self.proj(self.bend(self.fc(x))))
        h = self.norm_1(x)
        source = x if "values" in self.bugs else h
        attended = self.attn(h, source, source, attn_mask=mask)[0]
        x = (h if "stream" in self.bugs else x) + attended
        return x + self.proj(self.bend(self.fc(self.norm_2(x))))


class Short(nn.Module):
    """The broken class, with these of its bugs."""

    def __init__(
        self, vocab_size, block_size, n_layer, n_head, n_embd, *, bugs=(), mask=None, **block
    ):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        blocks = [Block(n_head, n_embd, bugs, **block) for _ in range(n_layer)]
        self.blocks = nn.ModuleList(blocks[:1] * n_layer if "shared" in bugs else blocks)
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.tokens.weight
        self.mask = mask or (future_plus_one if "future" in bugs else future_gone)

    def forward(self, idx):
        T = idx.size(1)
        x = self.tokens(idx) + self.positions(torch.arange(T))
        for block in self.blocks:
            x = block(x, self.mask(T))
        return self.head(self.norm(x))


def future_gone(T):
    return torch.ones(T, T, dtype=torch.bool).triu(1)


def future_plus_one(T):
    return torch.ones(T, T).triu(1)


def allowed(T):
    return torch.ones(T, T, dtype=torch.bool).tril()


def future_and_self(T):
    return torch.ones(T, T, dtype=torch.bool).triu()


def none_at_all(T):
    return torch.zeros(T, T)


SHORT = {
    **half_mended(Short, BUGS, "Which line is to blame?"),
    "mask-turned-round": (
        "Your mask is True where a position *may* look. nn.MultiheadAttention reads it the other "
        "way round: True is where it may not. Each position sees the future alone, and the last "
        "one nothing, which gives NaN.",
        partial(Short, mask=allowed),
    ),
    "sees-not-even-itself": (
        "Your mask begins with the diagonal: a position does not see itself, and the first one "
        "sees nothing, which gives NaN.",
        partial(Short, mask=future_and_self),
    ),
    "no-mask": (
        "Your mask changes nothing: every position sees those behind it. Their scores have to "
        "become -inf.",
        partial(Short, mask=none_at_all),
    ),
    "norms-behind": (
        "Your LayerNorms stand behind each addition, as in the first Transformer: the stream "
        "itself goes through them. In GPT-2 a block reads a normalised copy, and adds to the "
        "stream as it is.",
        partial(Short, behind=True),
    ),
    "exact-gelu": (
        "GELU is computed in its exact form now. It was right before: GPT-2's is the one with "
        "tanh.",
        partial(Short, bend=F.gelu),
    ),
}
