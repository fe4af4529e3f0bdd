"""Designs that read from left to right: a bigram, GPT-2 itself, an LSTM.

Each is as small as it can be and still be of its kind. What all share is what they say of a text:
`nats(x, y)`, the surprise at every target. Shapes: B batch, T time, C channels, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.model import GPT, Embedding, check_ids


class Design(nn.Module):
    """What all have in common: inputs x (B, T), targets y (B, T), a surprise for each target.

    `forward` gives the logits (B, T, V) of every target from what stands at it and before it.
    """

    def nats(self, x: Tensor, y: Tensor, where: Tensor | None = None) -> Tensor:
        """Return -log p(target), in nats: (B, T); nan where `where` (B, T) is False, or no target.

        Without `where`: at every target.
        """
        nats = F.cross_entropy(self(x).transpose(1, 2), y, reduction="none")
        return nats.masked_fill(~asked(y, where), torch.nan)

    def loss(self, x: Tensor, y: Tensor, dice: torch.Generator | None = None) -> Tensor:
        """Return what training makes small: the mean surprise, in nats per token."""
        nats = self.nats(x, y)
        return nats[~nats.isnan()].mean()


def asked(y: Tensor, where: Tensor | None) -> Tensor:
    """Say at which targets a surprise is wanted: (B, T) bool."""
    return y >= 0 if where is None else where & (y >= 0)


class Bigram(Design):
    """A table of what came after each token, counted; it sees the last token and no other.

    `stream` (N,) are the ids of a text. Every pair counts a little more often than it was seen, so
    that nothing is impossible (Jurafsky and Martin, chapter 3: add-k smoothing, k = 0.01).

    >>> bigram = Bigram([0, 1, 0, 1, 0, 0], vocab_size=2)
    >>> [round(p, 2) for p in bigram(torch.tensor([[0]])).exp()[0, 0].tolist()]
    [0.33, 0.67]
    """

    def __init__(self, stream, vocab_size: int) -> None:
        super().__init__()
        ids = torch.as_tensor(stream).long()
        pairs = (vocab_size * ids[:-1] + ids[1:]).bincount(minlength=vocab_size**2)
        counts = pairs.view(vocab_size, vocab_size) + 0.01
        self.register_buffer("log_p", (counts / counts.sum(dim=1, keepdim=True)).log())

    def forward(self, idx: Tensor) -> Tensor:
        """(B, T) -> (B, T, V)"""
        return self.log_p[idx]


def start(layers: nn.Module) -> None:
    """Start every matrix at N(0, 1/C): PyTorch starts all layers alike, GPT-2 for a larger width.

    With GPT-2's 0.02 a layer of width 128 would hardly say anything at first; at GPT-2's own, 768,
    1/sqrt(C) is 0.036.
    """
    for name, weight in layers.named_parameters():
        if weight.dim() >= 2 and not name.endswith("e.weight"):  # not wte, wpe
            nn.init.normal_(weight, std=weight.size(1) ** -0.5)


class Decoder(Design):
    """GPT-2 itself, as in lesson 05: every position attends to all before it."""

    builds = GPT

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config, self.gpt = config, self.builds(config)
        start(self.gpt.transformer.h)

    def forward(self, idx: Tensor) -> Tensor:
        """(B, T) -> (B, T, V)"""
        return self.gpt(idx)


class LSTM(Design):
    """A recurrent network: one state that is carried along the text and rewritten at each token.

    All that it knows of what lies behind has to fit into that state; nothing is looked up.
    Source: Hochreiter and Schmidhuber 1997; the gates as in `nn.LSTM`. `config` gives the sizes;
    heads there are none.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.wte = Embedding(config.vocab_size, config.n_embd)
        self.lstm = nn.LSTM(config.n_embd, config.n_embd, config.n_layer, batch_first=True)
        self.ln_f = nn.LayerNorm(config.n_embd)

    def forward(self, idx: Tensor) -> Tensor:
        """(B, T) -> (B, T, V)"""
        return self.step(idx)[0]

    def step(self, idx: Tensor, state: tuple | None = None) -> tuple[Tensor, tuple]:
        """Read on from a state: logits (B, T, V), and the state after the last token."""
        check_ids(idx, self.config)
        h, state = self.lstm(self.wte(idx), state)
        return self.ln_f(h) @ self.wte.weight.T, state  # the head is the token table, as in GPT-2
