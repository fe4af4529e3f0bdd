"""The wrong answers that people give when they write lesson 03's average and mask, or a weight."""

from __future__ import annotations

import math
from functools import partial

import torch

# --- causal_average ---


def _three_axes_only(x):
    B, T, C = x.shape
    averages = torch.zeros(B, T, C)
    for t in range(T):
        averages[:, t] = x[:, : t + 1].mean(dim=1)
    return averages


def _counting(start, end, step=1):
    """Return the numbers from start to end - 1, as a column."""
    return torch.arange(start, end, step).unsqueeze(-1)


def _along(axis, x):
    rows = x.unbind(axis)
    return torch.stack([torch.stack(rows[:end]).mean(0) for end in range(1, len(rows) + 1)], axis)


def _running(axis, x):
    return x.cumsum(dim=axis) / _counting(1, x.size(axis) + 1)


def _mean_of_means(x):
    rows = [x[..., 0, :]]
    for row in x.unbind(-2)[1:]:
        rows.append((rows[-1] + row) / 2)
    return torch.stack(rows, -2)


CAUSAL_AVERAGE = {
    "three-axes-only": (
        "Yours works for x of three axes only, (B, T, C). There may be any number of leading axes, "
        "or none: count from the end, where time is axis -2.",
        _three_axes_only,
    ),
    "average-of-all": (
        "Every row is the average of the whole text. The first word already knows the last one: "
        "that is looking into the future. Row t may use rows 0 to t only.",
        lambda x: x.mean(dim=-2, keepdim=True).expand_as(x).clone(),
    ),
    "sum-not-average": (
        "You add up the rows so far, but do not divide by how many they are. Later rows grow and "
        "grow.",
        lambda x: x.cumsum(dim=-2),
    ),
    "divided-by-T": (
        "You divide every row by T, the length of the whole text. Row t is made of t + 1 rows: its "
        "weights should sum to 1.",
        lambda x: x.cumsum(dim=-2) / x.size(-2),
    ),
    "divided-by-t": (
        "You divide row t by t. Counting starts at 0, so row t is made of t + 1 rows, and your "
        "first row divides by zero.",
        lambda x: x.cumsum(dim=-2) / _counting(0, x.size(-2)),
    ),
    "without-itself": (
        "Each row averages the rows before it and leaves itself out. A word may look at itself "
        "too: the first word sees just that.",
        lambda x: (x.cumsum(dim=-2) - x) / _counting(0, x.size(-2)).clamp(min=1),
    ),
    "average-of-the-future": (
        "Each row averages itself and what comes *after* it. Turn it round: words look back.",
        lambda x: x.flip(-2).cumsum(dim=-2).flip(-2) / _counting(x.size(-2), 0, -1),
    ),
    "along-the-channels": (
        "You average along the channels, inside each word. Looking back goes along time: the axis "
        "before the last.",
        lambda x: x.cumsum(dim=-1) / torch.arange(1, x.size(-1) + 1),
    ),
    **{
        f"along-axis-{axis}{how}": (
            f"You average along axis {axis}. With other leading axes, or none, that is not time: "
            "count from the end, where time is axis -2.",
            partial(average, axis),
        )
        for axis in (0, 1)
        for how, average in (("", _along), (", running sum", _running))
    },
    "mean-of-means": (
        "You average the row with the *average* before it, half and half. So the last words count "
        "most. Each of the t + 1 rows should count the same: 1 / (t + 1).",
        _mean_of_means,
    ),
    "always-float32": (
        "Your averages are float32 whatever comes in. Keep the dtype of x.",
        lambda x: x.float().cumsum(dim=-2) / _counting(1, x.size(-2) + 1),
    ),
}

# --- causal_mask ---

CAUSAL_MASK = {
    "upper-triangle": (
        "This is the upper triangle: each word sees itself and the future, and nothing of the "
        "past. Row t is the word that looks, column s the word it looks at: s may be at most t.",
        lambda T: torch.ones(T, T, dtype=torch.bool).triu(),
    ),
    "strict": (
        "The diagonal is False: no word may look at itself, and the first word has nothing to look "
        "at. Its softmax would be 0 / 0. Your mask is off by one diagonal.",
        lambda T: torch.ones(T, T, dtype=torch.bool).tril(-1),
    ),
    "one-too-many": (
        "Each word may look at the next one too. That is the very word it has to predict. Your "
        "mask is off by one diagonal.",
        lambda T: torch.ones(T, T, dtype=torch.bool).tril(1),
    ),
    "true-where-hidden": (
        "Your mask is True where looking is *forbidden*. That is a useful mask, too, but this "
        "exercise asks for the other one: True where it is allowed.",
        lambda T: torch.ones(T, T, dtype=torch.bool).triu(1),
    ),
    "not-bool": (
        "The numbers are right, but they are floats. A mask answers yes or no: its dtype is "
        "torch.bool.",
        lambda T: torch.ones(T, T).tril(),
    ),
    "whole-numbers": (
        "The numbers are right, but they are whole numbers, int64. A mask answers yes or no: its "
        "dtype is torch.bool.",
        lambda T: torch.ones(T, T, dtype=torch.int64).tril(),
    ),
    "minus-infinity": (
        "You built the mask that is *added* to scores, 0 and -inf. It works there, but this "
        "exercise asks for yes and no: dtype torch.bool, True where looking is allowed.",
        lambda T: torch.full((T, T), -math.inf).triu(1),
    ),
    "everything": (
        "All of it is True: every word sees the whole text, the future included.",
        lambda T: torch.ones(T, T, dtype=torch.bool),
    ),
    "extra-axes": (
        "The triangle is right, but it has two axes too many. Return (T, T); it will broadcast "
        "over texts and heads by itself.",
        lambda T: torch.ones(1, 1, T, T, dtype=torch.bool).tril(),
    ),
    "one-extra-axis": (
        "The triangle is right, but it has an axis too many, in front. Return (T, T); it will "
        "broadcast over texts and heads by itself.",
        lambda T: torch.ones(1, T, T, dtype=torch.bool).tril(),
    ),
    "true-where-hidden, extra-axes": (
        "Two things: yours is True where looking is *forbidden*, and it has two axes too many. "
        "Return (T, T), True where looking is allowed.",
        lambda T: torch.ones(1, 1, T, T, dtype=torch.bool).triu(1),
    ),
    "not-bool, extra-axes": (
        "Two things: the mask has two axes too many, and it holds floats. Return (T, T) of dtype "
        "torch.bool.",
        lambda T: torch.ones(1, 1, T, T).tril(),
    ),
    "one-row": (
        "You return a single row. Row t is the word that looks, so there are T rows, one below the "
        "other: (T, T).",
        lambda T: torch.ones(T, dtype=torch.bool),
    ),
}

# --- first_token_weight ---

FIRST_TOKEN_WEIGHT = {
    "unscaled": (
        "You took the scores as they are. The head size is 4: divide by its root first.",
        0.9,
    ),
    "divided-by-head-size": (
        "You divided by the head size, 4. It is the *root* of the head size.",
        math.sqrt(3) / (math.sqrt(3) + 1),
    ),
    "sees-the-future": (
        "Your three weights include the third word. The second word cannot see it: it comes later.",
        3 / (4 + math.exp(2.5)),
    ),
    "unscaled-and-sees-the-future": (
        "The third word comes later, so the second cannot see it. And the scores were not divided "
        "by the root of the head size.",
        9 / (10 + math.exp(5)),
    ),
    "other-word": (
        "That is the weight of the second word. The first word's is what is missing to 1.",
        0.25,
    ),
    "percent": ("Right, but in percent. A weight is a number between 0 and 1.", 75),
    "plain-average": (
        "With equal scores the two words would share equally. These scores differ: which of the "
        "two is larger?",
        0.5,
    ),
    "odds": (
        "3 is e to the scaled score of the first word. Softmax divides it by the sum over all the "
        "words that can be seen.",
        3,
    ),
}
