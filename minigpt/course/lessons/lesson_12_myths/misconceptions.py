"""What people get wrong about a short GPT, and what a teacher says."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from minigpt.course.exercise.mistakes import half_mended

# --- ShortGPT ---

BUGS = {
    "heads": "The layer has as many heads as a head should have channels.",
    "future": "Every position still sees those behind it: the mask adds 1 to their scores, which "
    "draws attention there, and does not keep it away.",
    "gelu": "GELU is computed in its exact form.",
    "norm": "The LayerNorms stand behind each addition, where the stream itself goes through them.",
    "shared": "All blocks are one and the same layer, with one set of weights.",
}


def exact_or_tanh(exact: bool):
    return F.gelu if exact else partial(F.gelu, approximate="tanh")


class Short(nn.Module):
    """The broken class, with these of its bugs."""

    def __init__(
        self,
        vocab_size,
        block_size,
        n_layer,
        n_head,
        n_embd,
        *,
        bugs=(),
        activation=None,
        mask=None,
    ):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)

        def layer():
            return nn.TransformerEncoderLayer(
                n_embd,
                n_embd // n_head if "heads" in bugs else n_head,
                4 * n_embd,
                dropout=0.0,
                activation=activation or exact_or_tanh("gelu" in bugs),
                batch_first=True,
                norm_first="norm" not in bugs,
            )

        one = layer()
        self.blocks = nn.ModuleList(one if "shared" in bugs else layer() for _ in range(n_layer))
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.tokens.weight
        self.mask = mask or (future_plus_one if "future" in bugs else future_gone)

    def forward(self, idx):
        T = idx.size(1)
        x = self.tokens(idx) + self.positions(torch.arange(T))
        for block in self.blocks:
            x = block(x, src_mask=self.mask(T))
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
        "Your mask is True where a position *may* look. This layer reads it the other way round: "
        "True is where it may not. Each position sees the future alone, and the last one nothing, "
        "which gives NaN.",
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
    "relu": (
        "The MLP bends by ReLU, the layer's default. GPT-2 uses GELU, in the form with tanh.",
        partial(Short, activation=F.relu),
    ),
}
