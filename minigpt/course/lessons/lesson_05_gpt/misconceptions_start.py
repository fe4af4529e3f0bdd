"""Wrong starts for lesson 05's init_weights, as people really give them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def starter(
    matrix=lambda p, L: p.normal_(std=0.02),
    writes=lambda p, L: p.normal_(std=0.02 / math.sqrt(2 * L)),
    bias=lambda p, L: p.zero_(),
    norm=lambda p, L: p.fill_(1),
    table=None,
    place=None,
    inner=None,
    mlp_writes=None,
    before=lambda: None,
):
    """Return a start in small steps: one rule for each kind of tensor, each replaceable."""

    def rule(name: str):
        if name.endswith("bias"):
            return bias
        if "ln_" in name:
            return norm
        if name.endswith("c_proj.weight"):
            return (mlp_writes or writes) if "mlp" in name else writes
        if "wte" in name or "wpe" in name:
            return (place or matrix) if "wpe" in name else (table or matrix)
        return inner or matrix

    @torch.no_grad()
    def start(model: nn.Module) -> None:
        for name, parameter in model.named_parameters():
            before()
            rule(name)(parameter, model.config.n_layer)

    return start


def spread(std):
    """Return a rule: normal, with a spread that may depend on the number of layers."""
    return lambda p, L: p.normal_(std=std(L) if callable(std) else std)


def seeded(model: nn.Module) -> None:
    """Start as one should, but set the seed first."""
    torch.manual_seed(0)
    starter()(model)


def untouched(p: Tensor, L: int) -> None:
    """Leave a tensor as it was."""


START_WRONG = {
    "not-shrunk": (
        "Every matrix starts at 0.02. The two c_proj of each block write to the residual stream "
        "and must start smaller, or the stream grows with the depth.",
        starter(writes=spread(0.02)),
    ),
    "once-per-block": (
        "You divide by the root of L. Each block adds to the stream twice, once from attention and "
        "once from the MLP, so there are 2L additions.",
        starter(writes=spread(lambda L: 0.02 / math.sqrt(L))),
    ),
    "root-forgotten": (
        "You divide by 2L itself. Independent additions pile up like a square root, so the root is "
        "enough.",
        starter(writes=spread(lambda L: 0.02 / (2 * L))),
    ),
    "attention-only": (
        "Only attention's c_proj is shrunk. The MLP has one too, and it writes to the same stream.",
        starter(mlp_writes=spread(0.02)),
    ),
    "everything-shrunk": (
        "You shrink every matrix of a block. Only those that write to the stream need it: c_attn "
        "and c_fc read from it.",
        starter(inner=spread(lambda L: 0.02 / math.sqrt(2 * L))),
    ),
    "variance-for-spread": (
        "Your weights are seven times too wide: 0.02 is the spread (the standard deviation), and "
        "you took it for the variance.",
        starter(spread(0.02**0.5), spread(lambda L: (0.02 / math.sqrt(2 * L)) ** 0.5)),
    ),
    "uniform": (
        "Your weights are spread evenly between two bounds. GPT-2 draws from the normal "
        "distribution: most near zero, a few far out.",
        starter(
            lambda p, L: p.uniform_(-0.02, 0.02),
            lambda p, L: p.uniform_(-0.02, 0.02).div_(math.sqrt(2 * L)),
        ),
    ),
    "norms-random": (
        "Your LayerNorms start with random weights near zero, so hardly anything gets through "
        "them. A LayerNorm starts by changing nothing: weight 1, bias 0.",
        starter(norm=spread(0.02)),
    ),
    "norms-zero": (
        "Your LayerNorms start with weight 0: whatever comes in, zero goes out. Their weight "
        "starts at 1.",
        starter(norm=lambda p, L: p.zero_()),
    ),
    "biases-left": (
        "Your biases are as they were before. They start at zero.",
        starter(bias=untouched),
    ),
    "biases-random": (
        "Your biases start at random. Only matrices and embeddings need chance, to tell their rows "
        "apart; biases start at zero.",
        starter(bias=spread(0.02)),
    ),
    "embeddings-left": (
        "The two embeddings are as they were. They start at N(0, 0.02), too; as the token table is "
        "also the head, the first loss depends on it.",
        starter(table=untouched, place=untouched),
    ),
    "one-seed-for-all": (
        "You set the seed inside: tensors of the same shape hold the same numbers, and every model "
        "starts the same. Leave the seed to the one who calls you.",
        starter(before=lambda: torch.manual_seed(0)),
    ),
    "all-alike": (
        "You give every parameter a normal start, LayerNorms and biases too. A LayerNorm starts by "
        "changing nothing: weight 1, bias 0. Biases of linear layers start at 0 as well.",
        starter(writes=spread(0.02), bias=spread(0.02), norm=spread(0.02)),
    ),
    "seed-inside": (
        "You set the seed inside, so every model starts the same. Leave that to the one who calls "
        "you.",
        seeded,
    ),
}
