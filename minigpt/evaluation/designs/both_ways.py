"""Designs that read both ways: a masked model like BERT, an encoder-decoder like T5.

Their layers are PyTorch's own. Shapes: B batch, T time, S a source's time, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from minigpt.config import GPTConfig
from minigpt.data import NO_TARGET
from minigpt.evaluation.designs.left_to_right import Design, asked, start
from minigpt.model import Embedding

HIDDEN = 0.15  # the share of tokens that BERT hides (Devlin et al. 2018, section 3.1)
AT_ONCE = 256  # rows of which a masked model is asked at a time


def layer_sizes(config: GPTConfig) -> dict:
    """Return the arguments of PyTorch's own layers for a block of GPT-2's shape."""
    C = config.n_embd
    how = dict(activation="gelu", batch_first=True, norm_first=True)
    return dict(
        d_model=C, nhead=config.n_head, dim_feedforward=4 * C, dropout=config.dropout, **how
    )


class Positions(nn.Module):
    """Tokens and their positions, added: (B, T) -> (B, T, C). The way into every Transformer."""

    def __init__(self, config: GPTConfig, vocab_size: int) -> None:
        super().__init__()
        self.wte = Embedding(vocab_size, config.n_embd)
        self.wpe = Embedding(config.block_size, config.n_embd)

    def forward(self, idx: Tensor) -> Tensor:
        return self.wte(idx) + self.wpe.weight[: idx.size(1)]


class Masked(Design):
    """An encoder like BERT: hidden tokens are guessed from both sides. Nothing is causal.

    It reads the targets y themselves, with holes. Training hides 15 % of them and asks for these
    alone; `nats` hides one at a time. BERT's further tricks are left out: a tenth of the chosen
    tokens replaced by random ones, a tenth left as they are, and the second task, next sentences.
    Source: Devlin et al. 2018, section 3.1.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config, self.hole = config, config.vocab_size  # one id more: the hole
        self.embed = Positions(config, config.vocab_size + 1)
        layer = nn.TransformerEncoderLayer(**layer_sizes(config))
        final = nn.LayerNorm(config.n_embd)
        self.encoder = nn.TransformerEncoder(layer, config.n_layer, final, False)
        start(self.encoder)

    def forward(self, holed: Tensor) -> Tensor:
        """Return the logits of the token at each position itself: (B, T) -> (B, T, V)."""
        return self.encoder(self.embed(holed)) @ self.embed.wte.weight[: self.hole].T

    def loss(self, x: Tensor, y: Tensor, dice: torch.Generator | None = None) -> Tensor:
        """Hide 15 % of the targets and return the mean surprise at those, in nats per token."""
        drawn = torch.rand(y.shape, generator=dice).masked_fill(y < 0, 2.0)
        hidden = drawn <= max(HIDDEN, drawn.min())  # at least one, also of very short texts
        holed = filled(x, y).masked_fill(hidden, self.hole)
        return F.cross_entropy(self(holed)[hidden], y[hidden])

    def nats(self, x: Tensor, y: Tensor, where: Tensor | None = None) -> Tensor:
        """Return -log p(target | all others), each hidden alone: (B, T), nan where not asked."""
        nats = torch.full(y.shape, torch.nan)
        rows, at = asked(y, where).nonzero(as_tuple=True)
        for row, t in zip(rows.split(AT_ONCE), at.split(AT_ONCE)):
            each = torch.arange(len(row))
            holed = filled(x, y)[row]
            holed[each, t] = self.hole
            nats[row, t] = F.cross_entropy(self(holed)[each, t], y[row, t], reduction="none")
        return nats


def filled(x: Tensor, y: Tensor) -> Tensor:
    """Return the targets with the mark that each row begins with where there is no target."""
    return torch.where(y >= 0, y, x[:, :1])


class EncoderDecoder(Design):
    """Like T5: an encoder reads the first part, both ways; a decoder writes the second from it.

    The second part begins at the first token `cut` of a row; only its targets have a surprise.
    Source: Vaswani et al. 2017, section 3.1; learned positions and pre-norm as in GPT-2.
    """

    def __init__(self, config: GPTConfig, cut: int) -> None:
        super().__init__()
        self.config, self.cut = config, cut
        self.embed = Positions(config, config.vocab_size)
        sizes, final = layer_sizes(config), nn.LayerNorm
        self.layers = nn.Transformer(
            custom_encoder=nn.TransformerEncoder(
                nn.TransformerEncoderLayer(**sizes), config.n_layer, final(config.n_embd), False
            ),
            custom_decoder=nn.TransformerDecoder(
                nn.TransformerDecoderLayer(**sizes), config.n_layer, final(config.n_embd)
            ),
            d_model=config.n_embd, nhead=config.n_head, batch_first=True,
        )  # fmt: skip
        start(self.layers)

    def forward(self, source: Tensor, target: Tensor, unread: Tensor | None = None) -> Tensor:
        """(B, S), (B, T) -> (B, T, V); `unread` (B, S) is True where the source is padding."""
        T = target.size(1)
        later = torch.ones(T, T, dtype=torch.bool).triu(1)  # PyTorch's mask says what is hidden
        x = self.layers(
            self.embed(source), self.embed(target), tgt_mask=later, tgt_is_causal=True,
            src_key_padding_mask=unread, memory_key_padding_mask=unread,
        )  # fmt: skip
        return x @ self.embed.wte.weight.T

    def nats(self, x: Tensor, y: Tensor, where: Tensor | None = None) -> Tensor:
        """Return -log p(target | first part, second part so far): (B, T); nan before the cut."""
        cuts = first_at(x, self.cut)
        source = pad_sequence([row[:c] for row, c in zip(x, cuts)], True, -1)
        target = pad_sequence([row[c:] for row, c in zip(x, cuts)], True, 0)
        wanted = pad_sequence([row[c:] for row, c in zip(y, cuts)], True, NO_TARGET)
        logits = self(source.clamp(min=0), target, source < 0)
        found = F.cross_entropy(logits.transpose(1, 2), wanted, reduction="none")
        nats = [F.pad(row[: x.size(1) - c], (c, 0), value=torch.nan) for row, c in zip(found, cuts)]
        return torch.stack(nats).masked_fill(~asked(y, where), torch.nan)


def first_at(x: Tensor, token: int) -> list[int]:
    """Return where each row has the token first; raise ValueError for a row without it."""
    found = x == token
    if not found.any(dim=1).all():
        row = int((~found.any(dim=1)).int().argmax())
        raise ValueError(f"row {row} has no token {token}; every row needs the one to cut at")
    return found.int().argmax(dim=1).tolist()
