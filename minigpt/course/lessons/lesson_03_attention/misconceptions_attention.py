"""The wrong answers that people give when they write lesson 03's attention, of queries and keys."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from minigpt.model import attention_pattern


def _triangle(x: Tensor, diagonal: int = 0) -> Tensor:
    """(T, T) bool, True on and below the diagonal, for x (..., T, anything)."""
    T = x.size(-2)
    return torch.ones(T, T, dtype=torch.bool).tril(diagonal)


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))


def _softmax_where(allowed: Tensor, scores: Tensor, hidden: float = -math.inf) -> Tensor:
    return scores.masked_fill(~allowed, hidden).softmax(dim=-1)


# --- attention_weights ---


def unscaled(q, k):
    return _softmax_where(_triangle(q), q @ k.transpose(-2, -1))


def by_head_size(q, k):
    return _softmax_where(_triangle(q), q @ k.transpose(-2, -1) / q.size(-1))


def over_queries(q, k):
    return _scores(q, k).masked_fill(~_triangle(q), -math.inf).softmax(dim=-2)


def mask_after(q, k):
    return _scores(q, k).softmax(dim=-1).masked_fill(~_triangle(q), 0)


def hiding_zeros(q, k):
    scores = _scores(q, k)
    return scores.masked_fill(scores.tril() == 0, -math.inf).softmax(dim=-1)


def _heads_in_one_view(q, k):
    T, hs = q.shape[-2:]
    return attention_pattern(q.view(-1, T, hs), k.view(-1, T, hs)).view(*q.shape[:-1], T)


def unmasked(q, k):
    return _scores(q, k).softmax(dim=-1)


def _plain_exp(q, k):
    powers = _scores(q, k).exp() * _triangle(q)
    return powers / powers.sum(dim=-1, keepdim=True)


def _renormalised(q, k, epsilon=0.0):
    weights = mask_after(q, k)
    return weights / (weights.sum(dim=-1, keepdim=True) + epsilon)


UNSCALED = (
    "The scores are not divided by the root of the head size. With wide heads they grow, and the "
    "softmax puts nearly all weight in one place before anything is learned."
)
MASK_AFTER = (
    "Your rows sum to less than 1: the future is set to zero after the softmax, so its share is "
    "lost, and the sum still carries news from later words. Mask the scores before the softmax."
)
HIDING_ZEROS = (
    "You hide every score that is 0, as scores.tril() == 0 does. An allowed score can be 0 as "
    "well. Ask the triangle of ones which places are hidden, not the scores."
)
RENORMALISED = (
    "You take the softmax of all scores, hide the future, and divide what is left by its sum. On "
    "paper that is the same. But where a later word has by far the largest score, the allowed "
    "weights are rounded to 0, and nothing is left to divide. Hide the scores before the softmax."
)
OVER_QUERIES = (
    "It is your columns that sum to 1. The softmax runs over the words that look, not over the "
    "words that are looked at: take the last axis."
)

ATTENTION_WEIGHTS = {
    "no-scale": (UNSCALED, unscaled),
    "scale-without-root": (
        "You divide by the head size itself. The variance of a score grows with the head size, so "
        "its spread grows with the root: divide by that.",
        by_head_size,
    ),
    "scale-multiplied": (
        "You multiply the scores by the root of the head size, where they should be divided by it.",
        lambda q, k: _softmax_where(_triangle(q), _scores(q, k) * q.size(-1)),
    ),
    "scale-by-time": (
        "You divide by the root of T, the number of words. The sum inside a score runs over the "
        "channels of one head: the last axis of q.",
        lambda q, k: _softmax_where(_triangle(q), q @ k.transpose(-2, -1) / math.sqrt(q.size(-2))),
    ),
    "softmax-over-queries": (OVER_QUERIES, over_queries),
    "softmax-over-axis-1": (
        "Your softmax runs over axis 1. That is the last one only if there is no leading axis: "
        "count from the end, dim=-1.",
        lambda q, k: _scores(q, k).masked_fill(~_triangle(q), -math.inf).softmax(dim=1),
    ),
    "sees-the-next": (
        "Each word sees the next one too, the very word it has to predict. Your mask is off by one "
        "diagonal.",
        lambda q, k: _softmax_where(_triangle(q, 1), _scores(q, k)),
    ),
    "zero-scores-hidden": (HIDING_ZEROS, hiding_zeros),
    "view": (
        "view needs axes that lie in memory one after the other, and those of a transposed tensor "
        "do not. Use reshape, or leave the leading axes alone: @ and softmax take any number.",
        _heads_in_one_view,
    ),
    "mask-after-softmax": (MASK_AFTER, mask_after),
    "masked-and-renormalised": (RENORMALISED, _renormalised),
    "renormalised-with-an-epsilon": (RENORMALISED, partial(_renormalised, epsilon=1e-9)),
    "strict-mask": (
        "The first row is NaN: your mask hides each word from itself, so the first word has "
        "nothing to look at. The diagonal is allowed.",
        lambda q, k: _softmax_where(_triangle(q, -1), _scores(q, k)),
    ),
    "upper-triangle": (
        "Your words see the future and not the past: the triangle is the upper one. Row t may look "
        "at columns 0 to t.",
        lambda q, k: _softmax_where(_triangle(q).mT, _scores(q, k)),
    ),
    "masked-with-zero": (
        "You give hidden words the score 0. But e to the 0 is 1: they still get weight. Which "
        "score makes e to the score 0?",
        lambda q, k: _softmax_where(_triangle(q), _scores(q, k), 0),
    ),
    "masked-with-minus-100": (
        "Your score for hidden words is not small enough. Where the allowed scores are smaller "
        "still, the future wins. Only minus infinity is always below.",
        lambda q, k: _softmax_where(_triangle(q), _scores(q, k), -100),
    ),
    "no-mask": (
        "Every word sees the whole text. In training the next word would be in plain sight. Hide "
        "what is above the diagonal.",
        unmasked,
    ),
    "swapped": (
        "Query and key are swapped. Row t should hold the scores of query t with every key; yours "
        "holds those of key t with every query.",
        lambda q, k: attention_pattern(k, q),
    ),
    "scale-after-softmax": (
        "You divide the weights, not the scores: your rows no longer sum to 1. The division comes "
        "before the softmax.",
        lambda q, k: _softmax_where(_triangle(q), q @ k.transpose(-2, -1)) / math.sqrt(q.size(-1)),
    ),
    "no-softmax": (
        "These are scores, not weights: rows do not sum to 1. A softmax over the last axis is "
        "missing.",
        lambda q, k: _scores(q, k).masked_fill(~_triangle(q), 0),
    ),
    "overflow": (
        "Right for small scores. But e to the 1,000 is infinity, and infinity divided by infinity "
        "is NaN. Take the largest score of each row away first, or use torch's softmax.",
        _plain_exp,
    ),
    "always-float32": (
        "The weights are float32 whatever comes in. Keep the dtype of q and k.",
        lambda q, k: attention_pattern(q.float(), k.float()),
    ),
    "cut-off": (
        "The numbers are right, but no gradient flows back to q and k: your weights are cut off "
        "from them. A model could not learn where to look.",
        lambda q, k: attention_pattern(q.detach(), k.detach()),
    ),
}

# --- attention ---


def _fetch_by(pattern, q, k, v):
    return pattern(q, k) @ v


ATTENTION = {
    "returns-the-pattern": (
        "This is the pattern, (T, T). One step is missing: each row of weights mixes the values.",
        lambda q, k, v: attention_pattern(q, k),
    ),
    "pattern-too": (
        "You return the pattern as well. Here only the answers are asked for: one tensor.",
        lambda q, k, v: (attention_pattern(q, k) @ v, attention_pattern(q, k)),
    ),
    "keys-as-values": (
        "Your weights mix the keys. Keys decide where to look; what is fetched are the values.",
        lambda q, k, v: attention_pattern(q, k) @ k,
    ),
    "pattern-transposed": (
        "Your pattern is transposed when it meets the values, so each word collects from the words "
        "that look at *it*: from the future. Row t of the pattern mixes the values for word t.",
        lambda q, k, v: attention_pattern(q, k).mT @ v,
    ),
    "elementwise": (
        "Each word's value is only scaled by the weight it gives to itself. Nothing is fetched "
        "from other words: the step from weights to answers is a matrix product.",
        lambda q, k, v: attention_pattern(q, k).diagonal(dim1=-2, dim2=-1).unsqueeze(-1) * v,
    ),
    "values-added": (
        "You add each word's own value on top. Attention returns the weighted average alone; "
        "adding to the stream is the block's affair, in lesson 04.",
        lambda q, k, v: v + attention_pattern(q, k) @ v,
    ),
    **{
        name: (message, partial(_fetch_by, pattern))
        for name, (message, pattern) in ATTENTION_WEIGHTS.items()
    },
}
