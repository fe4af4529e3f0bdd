"""The wrong answers that people give when they write lesson 04's functions, and its numbers."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F


def normalised(x: Tensor, eps: float, dims: int | tuple[int, ...] = -1, correction: int = 0):
    """Subtract the mean and divide by the spread, along any axes."""
    centred = x - x.mean(dim=dims, keepdim=True)
    return centred / (x.var(dim=dims, keepdim=True, correction=correction) + eps).sqrt()


# --- layer_norm ---


def centred(x: Tensor) -> Tensor:
    return x - x.mean(dim=-1, keepdim=True)


def spread(x: Tensor, correction: int = 0) -> Tensor:
    return x.std(dim=-1, keepdim=True, correction=correction)


def norm_with(normalise):
    """Return a LayerNorm which normalises with `normalise(x, eps)`."""
    return lambda x, weight, bias, eps=1e-5: weight * normalise(x, eps) + bias


def _cut_off(x, weight, bias, eps=1e-5):
    mean = x.mean(dim=-1, keepdim=True).detach()
    variance = x.var(dim=-1, keepdim=True, correction=0).detach()
    return weight * (x - mean) / (variance + eps).sqrt() + bias


def _always_float32(x, weight, bias, eps=1e-5):
    return weight.float() * normalised(x.float(), eps) + bias.float()


def _norm_by_default(default):
    return lambda x, weight, bias, eps=default: weight * normalised(x, eps) + bias


def _by_squares(x: Tensor) -> Tensor:
    return x.square().mean(dim=-1, keepdim=True) - x.mean(dim=-1, keepdim=True).square()


OTHER_EPSILON = (
    "Your default for eps is another number. If nobody gives one it is 1e-5, that is 0.00001, as "
    "in GPT-2; other models have others."
)
OVER_TIME = (
    "You normalise along time, so each word feels the others, later ones included. LayerNorm "
    "looks at the channels of one word alone: the last axis."
)
OVER_AXIS_1 = (
    "You normalise along axis 1. That is the last one only for x of two axes; with three it is "
    "time, and each word feels the others. Count from the end: dim=-1."
)
AND_UNBIASED = " And torch's var and std divide by C - 1 unless told otherwise; LayerNorm by C."

LAYER_NORM = {
    "unbiased-variance": (
        "Your variance divides by C - 1, which is what torch's var and std do unless told "
        "otherwise. LayerNorm divides by C. With few channels you see it; with 768 you don't, but "
        "loaded weights never match.",
        lambda x, weight, bias, eps=1e-5: weight * normalised(x, eps, correction=1) + bias,
    ),
    "epsilon-outside-the-root": (
        "You add epsilon to the standard deviation, outside the root. It belongs inside, to the "
        "variance. Quiet rows show the difference: yours are blown up.",
        norm_with(lambda x, eps: centred(x) / (spread(x) + eps)),
    ),
    "unbiased-variance, epsilon-outside-the-root": (
        "Two things: x.std() divides by C - 1 unless told otherwise, where LayerNorm divides by C; "
        "and epsilon belongs inside the root, to the variance.",
        norm_with(lambda x, eps: centred(x) / (spread(x, correction=1) + eps)),
    ),
    **{
        f"default-epsilon-{default:g}": (OTHER_EPSILON, _norm_by_default(default))
        for default in (0.0, 1e-12, 1e-9, 1e-8, 1e-7, 1e-6, 1e-4, 1e-3)
    },
    "mean-of-squares-minus-squared-mean": (
        "Your variance is the mean of the squares minus the square of the mean. On paper that is "
        "the same. But where the mean is large these are two huge numbers that are nearly equal, "
        "and their digits are lost in rounding. Subtract the mean first, then square.",
        norm_with(lambda x, eps: centred(x) / (_by_squares(x).clamp(min=0) + eps).sqrt()),
    ),
    "sum-for-mean": (
        "You subtract the sum of the row, not its mean: it is still to be divided by C.",
        norm_with(lambda x, eps: (x - x.sum(-1, True)) / (spread(x) ** 2 + eps).sqrt()),
    ),
    "axis-not-kept": (
        "The mean of (B, T, C) along the last axis is (B, T), and that does not fit any more: "
        "(C,) and (T,) are lined up. Keep the axis, with keepdim=True.",
        lambda x, weight, bias, eps=1e-5: (
            weight * (x - x.mean(-1)) / (x.var(-1, correction=0) + eps).sqrt() + bias
        ),
    ),
    "absolute-distances": (
        "You divide by the mean distance from the mean. LayerNorm divides by the root of the mean "
        "*squared* distance, plus eps.",
        norm_with(lambda x, eps: centred(x) / (centred(x).abs().mean(-1, True) + eps)),
    ),
    "sum-not-mean": (
        "You add up the squared distances, and do not divide by how many there are. The variance "
        "is their mean.",
        norm_with(lambda x, eps: centred(x) / (centred(x).square().sum(-1, True) + eps).sqrt()),
    ),
    "weight-unused": (
        "weight is never used. The normalised row is multiplied by it before bias is added.",
        lambda x, weight, bias, eps=1e-5: normalised(x, eps) + bias,
    ),
    "no-epsilon": (
        "Epsilon is missing. A row of equal numbers has no spread, and you divide 0 by 0.",
        lambda x, weight, bias, eps=1e-5: weight * normalised(x, 0.0) + bias,
    ),
    "epsilon-fixed": (
        "You use 0.00001 whatever eps is. It is an argument: use it.",
        lambda x, weight, bias, eps=1e-5: weight * normalised(x, 1e-5) + bias,
    ),
    **{
        name + more: (message + told, norm_with(partial(normalised, dims=dims, correction=left)))
        for name, message, dims in (("over-time", OVER_TIME, -2), ("over-axis-1", OVER_AXIS_1, 1))
        for more, told, left in (("", "", 0), (", unbiased-variance", AND_UNBIASED, 1))
    },
    "over-batch": (
        "You normalise along the first axis, so texts of a batch feel one another. LayerNorm looks "
        "at the channels of one word alone: the last axis.",
        lambda x, weight, bias, eps=1e-5: weight * normalised(x, eps, 0) + bias,
    ),
    "over-everything": (
        "You take one mean and one variance for the whole tensor. Each row has its own: reduce "
        "along the last axis and keep it, so that the shapes still fit.",
        norm_with(lambda x, eps: normalised(x, eps, tuple(range(x.dim())))),
    ),
    "mean-not-subtracted": (
        "You divide by the right number, but the mean is still in. Subtract it first.",
        norm_with(lambda x, eps: x / (spread(x) ** 2 + eps).sqrt()),
    ),
    "root-mean-square": (
        "You divide by the root of the mean square and never subtract the mean. That is RMSNorm, "
        "which other models use. LayerNorm subtracts the mean first.",
        norm_with(lambda x, eps: x / ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt()),
    ),
    "divided-by-variance": (
        "You divide by the variance. Its root is missing: the standard deviation.",
        norm_with(lambda x, eps: centred(x) / (spread(x) ** 2 + eps)),
    ),
    "weight-and-bias-unused": (
        "The rows are normalised, but weight and bias are never used. They come last: one factor "
        "and one shift for each channel.",
        lambda x, weight, bias, eps=1e-5: normalised(x, eps),
    ),
    "bias-unused": (
        "The last step is missing: bias is never added.",
        lambda x, weight, bias, eps=1e-5: weight * normalised(x, eps),
    ),
    "bias-before-weight": (
        "You add the bias before you multiply by the weight, so the weight scales the bias too. "
        "Multiply first.",
        lambda x, weight, bias, eps=1e-5: weight * (normalised(x, eps) + bias),
    ),
    "statistics-cut-off": (
        "The numbers are right, but the gradient is not: mean and variance are cut off from x. "
        "They depend on x, and the gradient has to know.",
        _cut_off,
    ),
    "always-float32": (
        "Your result is float32 whatever comes in. Keep the dtype of x.",
        _always_float32,
    ),
}

# --- last_of_five ---

LAST_OF_FIVE = {
    "unbiased-variance": (
        "You divided the sum of squares by 4. LayerNorm divides by the number of channels, 5.",
        800 / math.sqrt(200_000),
    ),
    "mean-not-subtracted": (
        "The spread is right, but you divided 1,000 itself. Subtract the mean first.",
        2.5,
    ),
    "root-mean-square": (
        "You did not subtract the mean, neither above nor in the spread. The mean is 200.",
        math.sqrt(5),
    ),
    "divided-by-variance": ("You divided by the variance. Take its root first.", 0.005),
    "sum-not-mean": (
        "You divided by the root of the *sum* of the squares. The variance is their mean: divide "
        "by 5 first.",
        800 / math.sqrt(800_000),
    ),
    "mean-distance": (
        "You divided by the mean distance, 320. The standard deviation is the root of the mean "
        "*squared* distance.",
        2.5,
        "mean-not-subtracted",
    ),
    "only-centred": (
        "That is the distance from the mean. Now divide it by the standard deviation.",
        800,
    ),
    "first-not-last": (
        "That is what the zeros become. The question is about the last number.",
        -0.5,
    ),
    "one": (
        "Variance 1 does not mean that each number becomes 1. The four zeros are close to the "
        "mean, so the last one has to be farther away.",
        1,
    ),
}

# --- gelu ---


def gelu_with(
    x: Tensor, inner: float = math.sqrt(2 / math.pi), cubic: float = 0.044715, power: int = 3
) -> Tensor:
    """The tanh form with other numbers in it."""
    return x / 2 * (1 + torch.tanh(inner * (x + cubic * x**power)))


def _by_powers_of_e(x: Tensor) -> Tensor:
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    up, down = inner.exp(), (-inner).exp()
    return x / 2 * (1 + (up - down) / (up + down))


GELU = {
    "erf": (
        "This is the exact GELU, with erf: PyTorch's default. GPT-2 was trained with the tanh "
        "form. They differ by half a thousandth at most, but loaded weights will show it.",
        F.gelu,
    ),
    "relu": ("This is ReLU: a kink at 0 and nothing below. GELU rounds the kink off.", F.relu),
    "sigmoid": (
        "This is another approximation of GELU, with a sigmoid and 1.702. It is off by up to two "
        "hundredths. GPT-2 has the tanh form.",
        lambda x: x * torch.sigmoid(1.702 * x),
    ),
    "relu-squared": (
        "This is the square of ReLU, which newer models use. GPT-2 has GELU, in its tanh form.",
        lambda x: F.relu(x).square(),
    ),
    "silu": (
        "This is x times the sigmoid of x, called SiLU or Swish. It looks similar, but GPT-2 has "
        "GELU in its tanh form.",
        F.silu,
    ),
    "square-for-cube": (
        "You square x where it should be cubed. A square forgets the sign, so the curve is bent "
        "the wrong way below 0.",
        lambda x: gelu_with(x, power=2),
    ),
    "ten-times-the-cube": (
        "The factor of the cube is ten times too large: it begins with 0.04, not 0.4.",
        lambda x: gelu_with(x, cubic=0.44715),
    ),
    "only-the-cube": (
        "Inside the tanh you have the cube alone. It is added to x: x + 0.044715 x³.",
        lambda x: x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * 0.044715 * x**3)),
    ),
    "minus-the-cube": (
        "You subtract the cube inside the tanh: for large x the gate closes again. It is added.",
        lambda x: gelu_with(x, cubic=-0.044715),
    ),
    "tanh-overflows": (
        "Right for small numbers. But e to the 100 is beyond float32: infinity divided by infinity "
        "is NaN. torch.tanh has no such trouble.",
        _by_powers_of_e,
    ),
    "no-cube": ("The cubic term is missing inside the tanh.", lambda x: gelu_with(x, cubic=0.0)),
    "no-root": (
        "You multiply by 2 / pi. Its root is missing.",
        lambda x: gelu_with(x, inner=2 / math.pi),
    ),
    "root-of-two-pi": (
        "You multiply by the root of 2 times pi. It is the root of 2 *divided by* pi, about 0.8.",
        lambda x: gelu_with(x, inner=math.sqrt(2 * math.pi)),
    ),
    "bracket": (
        "Look at the bracket inside the tanh: the root multiplies the whole sum, with the cube.",
        lambda x: x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * x + 0.044715 * x**3)),
    ),
    "no-half": (
        "It is twice too large: for large x, GELU is x itself. A half is missing.",
        lambda x: 2 * gelu_with(x),
    ),
    "no-one": (
        "The 1 before the tanh is missing. tanh runs from -1 to 1; with the 1 and the half it "
        "becomes a gate from 0 to 1.",
        lambda x: x / 2 * torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)),
    ),
    "gate-only": (
        "This is the gate, between 0 and 1. GELU multiplies x by it.",
        lambda x: (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    ),
    "always-float32": (
        "Your result is float32 whatever comes in. Keep the dtype of x.",
        lambda x: gelu_with(x.float()),
    ),
}

# --- block_parameters ---


def _count(C: int, bias: bool, attn: int = 4, mlp: int = 8, norms: int = 2, biases: int = 9) -> int:
    return (attn + mlp) * C * C + norms * C + (biases * C + norms * C if bias else 0)


BLOCK_PARAMETERS = {
    "weights-only": (
        "You count the four matrices and nothing else. Two LayerNorms have a weight each, and with "
        "bias=True the linear layers and the LayerNorms have biases.",
        lambda n_embd, bias: 12 * n_embd**2,
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
        lambda n_embd, bias: _count(n_embd, bias, attn=2, biases=7),
    ),
    "no-biases-of-linear-layers": (
        "The linear layers' biases are missing. Each has as many as it has outputs: 3C, C, 4C, C.",
        lambda n_embd, bias: _count(n_embd, bias, biases=0),
    ),
    "biases-of-inputs": (
        "A linear layer has one bias for each *output*. c_fc has 4C of them, c_attn 3C.",
        lambda n_embd, bias: _count(n_embd, bias, biases=7),
    ),
    "no-norms": (
        "The LayerNorms are missing: two of them, each with a weight and (with bias=True) a bias.",
        lambda n_embd, bias: _count(n_embd, bias, norms=0),
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
        lambda n_embd, bias: _count(n_embd, bias, norms=3),
    ),
    "half-mlp": (
        "You count one matrix of the MLP. There are two, C by 4C and 4C by C.",
        lambda n_embd, bias: _count(n_embd, bias, mlp=4, biases=8),
    ),
    "one-norm": (
        "A block has two LayerNorms, one before each part. You count one.",
        lambda n_embd, bias: _count(n_embd, bias, norms=1),
    ),
    "norms-keep-their-bias": (
        "With bias=False the LayerNorms have no bias either. You still count theirs.",
        lambda n_embd, bias: _count(n_embd, bias) + (0 if bias else 2 * n_embd),
    ),
    "no-attention-projection": (
        "Attention's second layer, c_proj, is missing: another C by C.",
        lambda n_embd, bias: _count(n_embd, bias, attn=3, biases=8),
    ),
    "mlp-not-widened": (
        "You count the MLP's matrices as C by C. Its hidden row is four times as wide: C by 4C and "
        "4C by C.",
        lambda n_embd, bias: _count(n_embd, bias, mlp=2, biases=6),
    ),
}

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
