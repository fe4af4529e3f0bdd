"""RMSNorm and rotary positions: what is written instead, and what a teacher says to it."""

from __future__ import annotations

from functools import partial

import torch

# --- rms_norm ---


def normed(
    x, weight, eps, wide=torch.float32, back=True, centre=False, outside=False, dims=(-1,),
    mean=torch.mean, power=0.5, scale=lambda weight: weight,
):  # fmt: skip
    """RMSNorm, with one thing wrong."""
    dtype = x.dtype
    wide = torch.promote_types(dtype, wide)
    x, weight = x.to(wide), scale(weight.to(wide))
    if centre:
        x = x - x.mean(dim=-1, keepdim=True)
    square = mean(x.square(), dim=dims, keepdim=True)
    spread = square.sqrt() + eps if outside else (square + eps) ** power
    result = x / spread * weight
    return result.to(dtype) if back else result


def over_positions(x, weight, eps):
    """The axis before the last; one position has no other."""
    return normed(x, weight, eps, dims=(-2,) if x.dim() > 1 else (-1,))


def absolute(x, weight, eps):
    """The mean of the absolute values in place of the root of the mean square."""
    wide = torch.promote_types(x.dtype, torch.float32)
    spread = x.to(wide).abs().mean(dim=-1, keepdim=True) + eps
    return (x.to(wide) / spread * weight.to(wide)).to(x.dtype)


RMS_NORM = {
    "mean-subtracted": (
        "You take the mean off first: that is LayerNorm. RMSNorm only divides, by the root of the "
        "mean square; a vector keeps its direction.",
        partial(normed, centre=True),
    ),
    "eps-outside": (
        "You add eps to the root. It belongs under the root, to the mean square: where numbers are "
        "small, the two differ much.",
        partial(normed, outside=True),
    ),
    "eps-forgotten": (
        "You leave eps out. Beside small numbers it is not small, and without it a vector of zeros "
        "is divided by zero.",
        lambda x, weight, eps: normed(x, weight, 0.0),
    ),
    "root-forgotten": (
        "You divide by the mean square. Divide by its *root*: twice as large a vector must give "
        "the same result.",
        partial(normed, power=1.0),
    ),
    "sum-for-mean": (
        "You divide by the vector's length, the root of the *sum* of squares. With the mean of the "
        "squares the result's numbers are about 1, however many channels there are.",
        partial(normed, mean=torch.sum),
    ),
    "over-positions": (
        "You take the mean over the positions. Each position is normalised alone, over its own "
        "channels: the last axis.",
        over_positions,
    ),
    "over-everything": (
        "You take one mean over all positions and texts. Each position is normalised alone: one "
        "mean square for each, over the last axis.",
        lambda x, weight, eps: normed(x, weight, eps, dims=tuple(range(x.dim()))),
    ),
    "weight-forgotten": (
        "You leave the weight out. Behind the division each channel is multiplied by its own "
        "learned number.",
        partial(normed, scale=torch.ones_like),
    ),
    "one-plus-weight": (
        "You multiply by 1 + weight, as some models store it. Here the weight is the factor.",
        partial(normed, scale=lambda weight: 1 + weight),
    ),
    "squared-in-half": (
        "You square in float16, whose largest number is 65,504: the square of 256 is infinite "
        "already, and what is divided by it becomes 0. Turn x into float32 first, and back at the "
        "end.",
        lambda x, weight, eps: (
            normed(x, weight, eps, wide=torch.float16)
            if x.dtype == torch.float16
            else normed(x, weight, eps)
        ),
    ),
    "left-in-float32": (
        "You return float32 for an x of half the size. What comes out has x's dtype: the next "
        "layer's weights do, too.",
        partial(normed, back=False),
    ),
    "root-and-mean-swapped": (
        "You take the mean of the absolute values: a root of each square, then the mean. It is the "
        "other way round: mean of the squares, then one root.",
        absolute,
    ),
}


# --- rotate_packed ---


def turned(
    x, positions, halves=False, sign=1, spin=lambda n, hs: 10_000.0 ** (-2 * n / hs), back=True,
    places=lambda positions: positions[:, None, :, None],
):  # fmt: skip
    """Turn pairs of channels by their positions, with one thing wrong."""
    hs = x.size(-1)
    angles = sign * places(positions) * spin(torch.arange(hs // 2, dtype=x.dtype), hs)
    cos, sin = angles.cos(), angles.sin()
    a, b = x.chunk(2, dim=-1) if halves else (x[..., ::2], x[..., 1::2])
    pairs = a * cos - b * sin, a * sin + b * cos
    return torch.cat(pairs, dim=-1) if halves or not back else torch.stack(pairs, -1).flatten(-2)


def from_zero(positions):
    return torch.arange(positions.size(1))[None, None, :, None]


ROTATE_PACKED = {
    "halves": (
        "You pair channel i with channel i + hs/2, as the lesson does. Here neighbours are a pair: "
        "0 with 1, 2 with 3. Weights learned with the one do not fit the other.",
        partial(turned, halves=True),
    ),
    "positions-counted-from-0": (
        "You count positions from 0 along the row, whatever `positions` says. A row may hold "
        "several documents, or go on where a cache ends.",
        partial(turned, places=from_zero),
    ),
    "positions-of-the-first-text": (
        "You use the first text's positions for all. Each text is cut in its own places.",
        partial(turned, places=lambda p: p[:1, None, :, None]),
    ),
    "turned-back": (
        "You turn the other way: the sign of sin is swapped. Scores between two vectors would come "
        "out the same, but weights of other programs would not fit; follow the formula.",
        partial(turned, sign=-1),
    ),
    "speeds-half-as-steep": (
        "Your speeds fall as base^(-i/hs). It is base^(-2i/hs) for pair i: hs/2 pairs go all the "
        "way from 1 down to nearly 1/base.",
        partial(turned, spin=lambda n, hs: 10_000.0 ** (-n / hs)),
    ),
    "speeds-rise": (
        "Your later pairs turn faster. Pair 0 is the fastest, one radian a position; the exponent "
        "is negative.",
        partial(turned, spin=lambda n, hs: 10_000.0 ** (2 * n / hs)),
    ),
    "one-speed": (
        "All your pairs turn at one speed. Each has its own, base^(-2i/hs): fast ones tell "
        "neighbours apart, slow ones far places.",
        partial(turned, spin=lambda n, hs: torch.ones_like(n)),
    ),
    "not-put-back": (
        "You hand back all first channels of the pairs, then all second ones. Put each pair back "
        "where it was: channels 2i and 2i + 1.",
        partial(turned, back=False),
    ),
    "nothing-turned": (
        "The result is x as it came. Only position 0 is not turned at all.",
        partial(turned, sign=0),
    ),
    "one-radian-too-far": (
        "You count positions from 1. Position 0 is not turned: its angle is 0.",
        lambda x, positions: turned(x, positions + 1),
    ),
}
