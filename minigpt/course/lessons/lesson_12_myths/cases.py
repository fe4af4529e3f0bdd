"""Draw the cases of lesson 12's exercise: sizes, ids, and GPT-2's weights under other names."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from minigpt.config import GPTConfig
from minigpt.course.exercise.drawing import Cases, normal
from minigpt.model import GPT

# --- ShortGPT ---

# What the short GPT calls the parts of a block of GPT-2.
PARTS = {
    "norm_1.": "ln_1.",
    "attn.in_proj_": "attn.c_attn.",
    "attn.out_proj.": "attn.c_proj.",
    "norm_2.": "ln_2.",
    "fc.": "mlp.c_fc.",
    "proj.": "mlp.c_proj.",
}
WHOLE = {"tokens.": "wte.", "positions.": "wpe.", "norm.": "ln_f."}


def gpt2_name(name: str) -> str:
    """Return the checkpoint's name of a parameter.

    >>> gpt2_name("blocks.1.attn.in_proj_weight"), gpt2_name("norm.bias")
    ('transformer.h.1.attn.c_attn.weight', 'transformer.ln_f.bias')
    """
    if name.startswith("blocks."):
        _, number, rest = name.split(".", 2)
        part = next(part for part in PARTS if rest.startswith(part))
        return f"transformer.h.{number}.{PARTS[part]}{rest.removeprefix(part)}"
    part = next(part for part in WHOLE if name.startswith(part))
    return f"transformer.{WHOLE[part]}{name.removeprefix(part)}"


class Skeleton(nn.Module):
    """The parameters of a short GPT, by its names."""

    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        self.blocks = nn.ModuleList(self.block(n_head, n_embd) for _ in range(n_layer))
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.tokens.weight

    @staticmethod
    def block(n_head, n_embd):
        return nn.ModuleDict(
            dict(
                norm_1=nn.LayerNorm(n_embd),
                attn=nn.MultiheadAttention(n_embd, n_head),
                norm_2=nn.LayerNorm(n_embd),
                fc=nn.Linear(n_embd, 4 * n_embd),
                proj=nn.Linear(4 * n_embd, n_embd),
            )
        )


class ShortGPT(Skeleton):
    """What a short GPT should give: GPT-2 itself computes with its parameters."""

    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
        super().__init__(vocab_size, block_size, n_layer, n_head, n_embd)
        self.gpt2 = [GPT(GPTConfig(vocab_size, block_size, n_layer, n_head, n_embd)).eval()]

    def forward(self, idx):
        weights = {gpt2_name(name): weight for name, weight in self.named_parameters()}
        return functional_call(self.gpt2[0], weights, (idx,))


def draw_short_gpts(g: Generator) -> list[dict]:
    named = Cases("idx")

    def case(title: str, B: int, T: int, n_layer: int, n_head: int, n_embd: int, **more) -> dict:
        sizes = dict(vocab_size=11, block_size=8, n_layer=n_layer, n_head=n_head, n_embd=n_embd)
        idx = torch.randint(sizes["vocab_size"], (B, T), generator=g)
        return named(title, idx, sizes=sizes, weights=weights(sizes), **more)

    def weights(sizes: dict) -> dict[str, Tensor]:
        with torch.device("meta"):  # names and shapes only
            named = dict(Skeleton(**sizes).named_parameters(remove_duplicate=False))
        drawn = {name: 0.5 * normal(g, *weight.shape) for name, weight in named.items()}
        return drawn | {"head.weight": drawn["tokens.weight"]}

    return [
        case("one block, one head, one token", 1, 1, 1, 1, 4),
        case("one block, one head, three tokens", 1, 3, 1, 1, 4),
        case("one block, two heads, one token: it sees itself only", 2, 1, 1, 2, 6),
        case("one block, two heads", 2, 5, 1, 2, 6),
        case("three blocks", 2, 4, 3, 2, 8),
        case("as many heads as a head has channels", 2, 5, 2, 3, 9),
        case("three heads, a full window", 3, 8, 2, 3, 12),
        case("in training: no dropout", 2, 3, 2, 1, 6, training=True),
    ]
