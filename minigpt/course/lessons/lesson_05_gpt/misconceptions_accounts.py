"""Lesson 05's accounts: parameters, memory, arithmetic; what is right, and how people miscount."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from minigpt.config import GPTConfig
from minigpt.course.exercise.mistakes import in_pairs


def parameters(
    config: GPTConfig,
    tables: int = 1,
    places: bool = True,
    attention: float = 4,
    mlp: int = 8,
    biases: bool | None = None,
    norms: float = 2,
    final: bool = True,
) -> int:
    """Count a GPT's parameters; each way to miscount is an argument."""
    V, T, L, C = config.vocab_size, config.block_size, config.n_layer, config.n_embd
    biases = config.bias if biases is None else biases
    block = attention * C * C + mlp * C * C + norms * C + biases * (9 * C + norms * C)
    return int(tables * V * C + places * T * C + L * block + final * (C + biases * C))


COUNT_PARAMETERS = {
    "head-twice": (
        "You count the head and the token table. They are one matrix: what is shared is counted "
        "once.",
        partial(parameters, tables=2),
    ),
    "positions-forgotten": (
        "The position table is missing: one row of C numbers for each of the block_size positions.",
        partial(parameters, places=False),
    ),
    "final-norm-forgotten": (
        "You are short of one LayerNorm: behind the last block stands ln_f.",
        partial(parameters, final=False),
    ),
    "one-norm-per-block": (
        "You count one LayerNorm in a block. There are two: before attention and before the MLP.",
        partial(parameters, norms=1),
    ),
    "norms-without-bias": (
        "The LayerNorms' biases are missing. With bias=True each LayerNorm has a weight *and* a "
        "bias of C numbers, ln_f too.",
        lambda config: parameters(config) - config.bias * (2 * config.n_layer + 1) * config.n_embd,
    ),
    "norms-forgotten": (
        "The LayerNorms are missing. A block has two, and ln_f stands behind the last.",
        partial(parameters, norms=0, final=False),
    ),
    "head-without-tie, biased": (
        "You count the head as a layer of its own, with a bias. It is tied to the token table, "
        "counted there, and has no bias.",
        lambda config: parameters(config, tables=2) + config.vocab_size,
    ),
    "one-block": (
        "You count a single block. There are n_layer of them.",
        lambda config: parameters(replace(config, n_layer=1)),
    ),
    "biases-of-inputs": (
        "A linear layer has one bias for each *output*: c_fc has 4C of them, c_attn 3C.",
        lambda config: parameters(config) - config.bias * 2 * config.n_layer * config.n_embd,
    ),
    "biases-forgotten": (
        "You count the weights only. With bias=True every linear layer of a block and every "
        "LayerNorm has a bias as well.",
        partial(parameters, biases=False),
    ),
    "biases-always": (
        "You count biases even where config.bias is False. Then neither the linear layers nor the "
        "LayerNorms have any.",
        partial(parameters, biases=True),
    ),
    "matrices-only": (
        "You count matrices and tables only. The LayerNorms learn, too, and with bias=True every "
        "linear layer of a block has a bias.",
        partial(parameters, norms=0, final=False, biases=False),
    ),
    "query-only": (
        "You count c_attn as a C by C matrix. It makes queries, keys and values at once: C by 3C.",
        partial(parameters, attention=2),
    ),
    "projection-forgotten": (
        "Attention's c_proj is missing: when the heads are side by side again, one more C by C "
        "matrix mixes them.",
        partial(parameters, attention=3),
    ),
    "per-head": (
        "You multiply attention by the number of heads. The heads share the width: each has C / nh "
        "of it, so their number changes nothing.",
        lambda config: parameters(config, attention=4 * config.n_head),
    ),
    "narrow-mlp": (
        "Your MLP is as wide as the stream. Its middle has four times the width: C by 4C and back.",
        partial(parameters, mlp=2),
    ),
    "half-mlp": (
        "You count one matrix of the MLP. There are two, C by 4C and 4C by C.",
        partial(parameters, mlp=4),
    ),
}
COUNT_PARAMETERS |= in_pairs(COUNT_PARAMETERS, **{"query-only, half-mlp": "narrow-mlp"})


def training_bytes(
    config: GPTConfig, T: int, copies: int = 4, each: int = 4, kept: bool = True, every: bool = True
) -> int:
    """Count the bytes of training on one text; each way to miscount is an argument."""
    V, L, C, nh = config.vocab_size, config.n_layer, config.n_embd, config.n_head
    activations = L * (16 * C + nh + 4) + 2 * C + 2 + V
    return each * (copies * parameters(config) + kept * activations * (T if every else 1))


def _one_layer(config: GPTConfig, T: int) -> int:
    left = config.n_layer - 1
    return training_bytes(config, T) - 4 * T * left * (16 * config.n_embd + config.n_head + 4)


TRAINING_BYTES = {
    "weights-only": (
        "You count the weights and the activations. To train, each weight also needs its gradient "
        "and AdamW's two averages.",
        partial(training_bytes, copies=1),
    ),
    "optimizer-forgotten": (
        "Weights, gradients and activations are there. What does AdamW itself remember of every "
        "parameter?",
        partial(training_bytes, copies=2),
    ),
    "one-average": (
        "You give AdamW one running average for each parameter. It keeps two: of the gradient, and "
        "of its square.",
        partial(training_bytes, copies=3),
    ),
    "gradient-forgotten": (
        "The gradients are missing: one number for every parameter, besides the weight and "
        "AdamW's two averages.",
        partial(training_bytes, copies=3),
        "one-average",
    ),
    "untied": (
        "You count the head's matrix besides the token table. They are one parameter: one weight, "
        "one gradient, two averages.",
        lambda config, T: training_bytes(config, T) + 16 * config.vocab_size * config.n_embd,
    ),
    "one-layer": (
        "You count what one block keeps. There are n_layer of them.",
        _one_layer,
    ),
    "loss-forgotten": (
        "The loss keeps V numbers for each position. With a large vocabulary that is the most.",
        lambda config, T: training_bytes(config, T) - 4 * T * config.vocab_size,
    ),
    "activations-forgotten": (
        "You count what does not depend on the text. The activations do: the backward pass needs "
        "what the forward pass computed.",
        partial(training_bytes, kept=False),
    ),
    "one-position": (
        "You count the activations of a single position. Every one of the T positions keeps its "
        "own.",
        partial(training_bytes, every=False),
    ),
    "numbers-not-bytes": (
        "You count numbers. In fp32 each of them takes 4 bytes.",
        partial(training_bytes, each=1),
    ),
    "two-bytes": (
        "You take 2 bytes a number, as bf16 does. Here everything is fp32, 32 bits.",
        partial(training_bytes, each=2),
    ),
}


def flops_per_token(
    config: GPTConfig, T: int, each: int = 2, block: int = 12, head: int = 1, attention: float = 4
) -> int:
    """Count the FLOPs of reading a token; each way to miscount is an argument."""
    V, L, C = config.vocab_size, config.n_layer, config.n_embd
    return int(each * (block * L * C * C + head * V * C) + attention * L * T * C)


FLOPS_PER_TOKEN = {
    "one-per-weight": (
        "You count one FLOP a weight. Each is multiplied and then added: two.",
        partial(flops_per_token, each=1),
    ),
    "multiplications-only": (
        "You count multiplications only, in the matrices and in attention. The additions are as "
        "many.",
        partial(flops_per_token, each=1, attention=2),
    ),
    "head-forgotten": (
        "The head is missing. As a table of embeddings its matrix costs nothing, but as the head "
        "it meets every token.",
        partial(flops_per_token, head=0),
    ),
    "embedding-counted": (
        "You count the token table twice, as embedding and as head. Fetching a row is no "
        "arithmetic.",
        partial(flops_per_token, head=2),
    ),
    "attention-forgotten": (
        "You count the matrices only. The scores and the mixing of values have no weights, but "
        "they grow with the text.",
        partial(flops_per_token, attention=0),
    ),
    "scores-only": (
        "Of attention you count the scores, query by key. Mixing the values takes as much again.",
        partial(flops_per_token, attention=2),
    ),
    "half-the-square": (
        "You count half of attention, because half of the square is hidden. The plain product "
        "computes the hidden half as well.",
        partial(flops_per_token, attention=2),
        "scores-only",
    ),
    "allowed-half": (
        "You count what a token may look at, (T + 1) / 2 keys on the average. The plain product "
        "computes the hidden half as well: T keys for each.",
        lambda config, T: (
            flops_per_token(config, T, attention=0) + 2 * config.n_layer * (T + 1) * config.n_embd
        ),
    ),
    "attention-once": (
        "You count attention once. Every one of the n_layer blocks has one.",
        lambda config, T: flops_per_token(config, T, attention=0) + 4 * T * config.n_embd,
    ),
    "one-head": (
        "You count attention for a single head. Together the heads have C numbers, not C / nh.",
        lambda config, T: flops_per_token(config, T, attention=4 / config.n_head),
    ),
    "backward-included": (
        "You count the backward pass, too: three times as much. Here it is about reading only.",
        partial(flops_per_token, each=6, attention=12),
    ),
    "whole-text": (
        "You count the whole text. The question is about one of its T tokens.",
        lambda config, T: T * flops_per_token(config, T),
    ),
    "per-head": (
        "You multiply attention by the number of heads. Each head is narrower by just that.",
        lambda config, T: flops_per_token(config, T, attention=4 * config.n_head),
    ),
    "two-per-parameter": (
        "You take 2 FLOPs for every parameter: a good rule of thumb. Exactly, the position table, "
        "the biases and the LayerNorms do not count, and attention comes on top.",
        lambda config, T: 2 * parameters(config),
    ),
}
FLOPS_PER_TOKEN |= in_pairs(FLOPS_PER_TOKEN)


LIFT = 0.31 / 2  # what the spread of the logits adds to ln V, in nats
RIGHT = math.log(50257) + LIFT
FIRST_LOSS = {
    "all-equal": (
        "That is ln V, the loss if all logits are equal. These are not: the mean of e^l is above "
        "1, and so the sum is more than V.",
        math.log(50257),
    ),
    "all-equal, 10.83": (
        "That is ln V, rounded up: the loss if all logits are equal. These are not: the mean of "
        "e^l is above 1, and so the sum is more than V.",
        10.833,
    ),
    "not-halved": (
        "You added s² to ln V. The mean of e^l is e^(s²/2): only half the variance counts.",
        math.log(50257) + 0.31,
    ),
    "spread-for-variance": (
        "You took s, the root of the variance. 0.31 is the variance already.",
        math.log(50257) + math.sqrt(0.31),
    ),
    "spread-halved": (
        "You took half of s, the root of the variance. 0.31 is the variance already.",
        math.log(50257) + math.sqrt(0.31) / 2,
    ),
    "variance-squared": (
        "You squared 0.31, but it is s² already: the variance, not the spread.",
        math.log(50257) + 0.31**2 / 2,
    ),
    "below-guessing": (
        "Yours is below ln V, as if the spread helped. The right token has a logit of 0 on "
        "average, and all the others make the sum larger: the loss goes up.",
        math.log(50257) - LIFT,
    ),
    "lift-alone": (
        "That is what the spread adds. ln V, the loss of equal logits, comes first.",
        LIFT,
    ),
    "bits": (
        "That is the surprise in bits, the logarithm to base 2. A nat belongs to base e.",
        RIGHT / math.log(2),
    ),
    "bits-and-nats": (
        "You took ln V to base 2 and added nats. Nats come from the natural logarithm, to base e.",
        math.log2(50257) + LIFT,
    ),
    "decimal": (
        "You took the logarithm to base 10. Nats come from the natural logarithm, to base e.",
        math.log10(50257) + LIFT,
    ),
    "sign": (
        "A surprise is never negative: the probability is below 1, its logarithm below 0, and the "
        "loss is minus that.",
        -RIGHT,
    ),
    "sum": (
        "That is the sum of e^l. The loss has its logarithm.",
        50257 * math.exp(LIFT),
    ),
    "storyteller": (
        "That would be right for the storyteller's 1,024 tokens. GPT-2 has 50,257.",
        math.log(1024) + LIFT,
    ),
    "rounded-down": ("Nearly: 10.9799 is 10.98 with two decimals.", 10.97),
    "one-decimal": ("Nearly, but rounded too far: two decimals are asked for.", 11.0),
}
