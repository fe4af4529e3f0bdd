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
    norm_bias=None,
    table=None,
    place=None,
    inner=None,
    mlp_writes=None,
    before=lambda: None,
):
    """Return a start in small steps: one rule for each kind of tensor, each replaceable."""

    def rule(name: str):
        if name.endswith("bias"):
            return (norm_bias or bias) if "ln_" in name else bias
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


def both(matrix):
    """Return a start with one rule for all matrices, and a rule that divides it for c_proj."""

    def divided(p: Tensor, L: int) -> None:
        matrix(p, L)
        p.div_(math.sqrt(2 * L))

    return dict(matrix=matrix, writes=divided)


EVENLY = (
    "Your weights are spread evenly between two bounds. GPT-2 draws from the normal distribution: "
    "most near zero, a few far out."
)


def pytorchs_own(model: nn.Module) -> None:
    """Start each layer as PyTorch's layer of that kind starts by itself."""
    for module in model.modules():
        for kind in (nn.Linear, nn.Embedding, nn.LayerNorm):
            if isinstance(module, kind):
                kind.reset_parameters(module)


NOT_SHRUNK = (
    " And the two c_proj of each block write to the residual stream, so they start smaller: 0.02 "
    "divided by the root of 2L."
)
BY_SIZE = (
    "The spread of your weights depends on the size of each matrix. GPT-2's is 0.02 whatever the "
    "size: normal_ with a std of 0.02."
)
NORMS_LEFT = (
    "Your LayerNorms are as they were before. They are parameters like the others: their weight "
    "starts at 1, their bias at 0. (A fresh nn.LayerNorm has these, but nobody said it is fresh.)"
)
OTHER_RULES = {
    "uniform": (EVENLY, lambda p, L: p.uniform_(-0.02, 0.02)),
    "uniform-of-that-spread": (EVENLY, lambda p, L: p.uniform_(-(0.0012**0.5), 0.0012**0.5)),
    "xavier-uniform": (BY_SIZE, lambda p, L: nn.init.xavier_uniform_(p)),
    "xavier-normal": (BY_SIZE, lambda p, L: nn.init.xavier_normal_(p)),
    "kaiming-uniform": (BY_SIZE, lambda p, L: nn.init.kaiming_uniform_(p, a=math.sqrt(5))),
}

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
    **{name: (message, starter(**both(rule))) for name, (message, rule) in OTHER_RULES.items()},
    **{
        f"{name}, not-shrunk": (message + NOT_SHRUNK, starter(matrix=rule, writes=rule))
        for name, (message, rule) in OTHER_RULES.items()
    },
    "norms-left": (NORMS_LEFT, starter(norm=untouched, norm_bias=untouched)),
    "norm-weights-left": (
        "The weights of your LayerNorms are as they were before. They start at 1.",
        starter(norm=untouched),
    ),
    "matrices-only": (
        "Only matrices and tables get their start. LayerNorms and biases are as they were before: "
        "a LayerNorm's weight starts at 1, every bias at 0.",
        starter(norm=untouched, bias=untouched),
    ),
    "not-in-place": (
        "Every parameter is as it was before. `parameter = ...` gives a name to a new tensor and "
        "leaves the model alone: write into it, with nn.init or in-place methods such as normal_.",
        starter(untouched, untouched, untouched, untouched),
    ),
    "pytorchs-own": (
        "This is the start that PyTorch's layers have by themselves: uniform matrices and biases, "
        "tables of spread 1. GPT-2's matrices and tables are normal with spread 0.02.",
        pytorchs_own,
    ),
    "places-half-as-wide": (
        "Your position table starts at 0.01, as in OpenAI's own code. In this exercise it starts "
        "at 0.02, like the other tables.",
        starter(place=spread(0.01)),
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
