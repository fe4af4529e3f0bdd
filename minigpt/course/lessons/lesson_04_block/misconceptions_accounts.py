"""Lesson 04's accounts: what a block weighs and multiplies, and how people miscount."""

from __future__ import annotations

from functools import partial

from minigpt.course.exercise.mistakes import in_pairs

# --- block_parameters ---


def _count(C: int, bias: bool, attn: int = 4, mlp: int = 8, norms: int = 2, biases: int = 9) -> int:
    return (attn + mlp) * C * C + norms * C + (biases * C + norms * C if bias else 0)


BLOCK_PARAMETERS = {
    "weights-only": (
        "You count the four matrices and nothing else. Two LayerNorms have a weight each, and with "
        "bias=True the linear layers and the LayerNorms have biases.",
        partial(_count, norms=0, biases=0),
    ),
    "bias-ignored": (
        "You count the biases always. With bias=False there are none: only matrices and the two "
        "LayerNorms' weights.",
        lambda n_embd, bias: _count(n_embd, True),
    ),
    "no-biases-at-all": (
        "No bias is counted, whatever `bias` says. With bias=True each linear layer has one for "
        "each output, and each LayerNorm has C.",
        lambda n_embd, bias: _count(n_embd, False),
    ),
    "c-attn-not-threefold": (
        "You count c_attn as C by C. It makes query, key and value: C by 3C.",
        partial(_count, attn=2, biases=7),
    ),
    "no-biases-of-linear-layers": (
        "The linear layers' biases are missing. Each has as many as it has outputs: 3C, C, 4C, C.",
        partial(_count, biases=0),
    ),
    "biases-of-inputs": (
        "A linear layer has one bias for each *output*. c_fc has 4C of them, c_attn 3C.",
        partial(_count, biases=7),
    ),
    "no-norms": (
        "The LayerNorms are missing: two of them, each with a weight and (with bias=True) a bias.",
        partial(_count, norms=0),
    ),
    "norms-without-bias": (
        "The LayerNorms' biases are missing. With bias=True each has a weight *and* a bias: C "
        "numbers more, twice.",
        lambda n_embd, bias: _count(n_embd, bias) - (2 * n_embd if bias else 0),
        "biases-of-inputs",
    ),
    "one-bias-per-layer": (
        "You count one bias for a linear layer. It has one for each of its outputs: 3C, C, 4C, C.",
        lambda n_embd, bias: _count(n_embd, bias, biases=0) + 4 * bias,
    ),
    "final-norm-counted": (
        "You count a third LayerNorm. A block has two; ln_f stands behind all the blocks, once.",
        partial(_count, norms=3),
    ),
    "half-mlp": (
        "You count one matrix of the MLP. There are two, C by 4C and 4C by C.",
        partial(_count, mlp=4, biases=8),
    ),
    "one-norm": (
        "A block has two LayerNorms, one before each part. You count one.",
        partial(_count, norms=1),
    ),
    "norms-keep-their-bias": (
        "With bias=False the LayerNorms have no bias either. You still count theirs.",
        lambda n_embd, bias: _count(n_embd, bias) + (0 if bias else 2 * n_embd),
    ),
    "no-attention-projection": (
        "Attention's second layer, c_proj, is missing: another C by C.",
        partial(_count, attn=3, biases=8),
    ),
    "mlp-not-widened": (
        "You count the MLP's matrices as C by C. Its hidden row is four times as wide: C by 4C and "
        "4C by C.",
        partial(_count, mlp=2, biases=6),
    ),
}
BLOCK_PARAMETERS |= in_pairs(BLOCK_PARAMETERS)

# --- block_multiplications ---

BLOCK_MULTIPLICATIONS = {
    "only-weights": (
        "You count the products with weights. Attention has two more, without weights: queries "
        "with keys, and the pattern with the values. They grow with T squared.",
        lambda T, n_embd, n_head: 12 * T * n_embd**2,
    ),
    "scores-only": (
        "You count the products of queries and keys, but not those of the pattern and the values. "
        "They cost as much again.",
        lambda T, n_embd, n_head: 12 * T * n_embd**2 + T * T * n_embd,
    ),
    "heads-as-wide-as-the-model": (
        "You multiply attention's products by n_head, with the full width for each head. The heads "
        "share the channels: each is n_embd / n_head wide, and together they cost as much as one.",
        lambda T, n_embd, n_head: 12 * T * n_embd**2 + 2 * T * T * n_embd * n_head,
    ),
    "one-head": (
        "You count attention's products for a single head. There are n_head of them.",
        lambda T, n_embd, n_head: 12 * T * n_embd**2 + 2 * T * T * n_embd // n_head,
    ),
    "one-token": (
        "The products with weights are done for each of the T tokens. You count them once.",
        lambda T, n_embd, n_head: 12 * n_embd**2 + 2 * T * T * n_embd,
    ),
    "operations": (
        "You count additions too: that is exactly twice too much. The question is about "
        "multiplications.",
        lambda T, n_embd, n_head: 2 * (12 * T * n_embd**2 + 2 * T * T * n_embd),
    ),
    "half-the-square": (
        "You count half of the pattern's square only. The plain matrix product computes the hidden "
        "half as well.",
        lambda T, n_embd, n_head: 12 * T * n_embd**2 + T * T * n_embd,
        "scores-only",
    ),
    "softmax-counted": (
        "You count something for each place of the pattern besides the two products: scaling, or "
        "the softmax. The question is about matrix products alone.",
        lambda T, n_embd, n_head: 12 * T * n_embd**2 + 2 * T * T * n_embd + n_head * T * T,
    ),
    "c-attn-not-threefold": (
        "You count c_attn as C by C. It makes query, key and value: C by 3C.",
        lambda T, n_embd, n_head: 10 * T * n_embd**2 + 2 * T * T * n_embd,
    ),
    "allowed-half": (
        "You count the allowed half of the pattern only. The plain matrix product computes the "
        "hidden half as well.",
        lambda T, n_embd, n_head: 12 * T * n_embd**2 + T * (T + 1) * n_embd,
    ),
    "no-attention-projection": (
        "Attention's c_proj is missing: T times C times C.",
        lambda T, n_embd, n_head: 11 * T * n_embd**2 + 2 * T * T * n_embd,
    ),
    "mlp-not-widened": (
        "The MLP's hidden row is four times as wide as the stream. You count it as wide as that.",
        lambda T, n_embd, n_head: 6 * T * n_embd**2 + 2 * T * T * n_embd,
    ),
}
