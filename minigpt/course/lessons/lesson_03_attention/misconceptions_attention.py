"""The wrong answers that people give when they write lesson 03's functions, and its numbers."""

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
        f"along-axis-{axis}": (
            f"You average along axis {axis}. With other leading axes, or none, that is not time: "
            "count from the end, where time is axis -2.",
            partial(_along, axis),
        )
        for axis in (0, 1)
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

# --- split_heads, merge_heads ---


def reshaped_at_once(x, n_head):
    B, T, C = x.shape
    return x.reshape(B, n_head, T, C // n_head)


def every_nth_channel(x, n_head):
    return x.unflatten(-1, (-1, n_head)).permute(0, 3, 1, 2)


SPLIT_HEADS = {
    "heads-not-moved": (
        "The channels are cut rightly, but the head axis still stands behind time: (B, T, nh, hs). "
        "Attention works on the last two axes, so time has to stand there: swap axes 1 and 2.",
        lambda x, n_head: x.unflatten(-1, (n_head, -1)),
    ),
    "reshaped-at-once": (
        "The shape is right, the numbers are not. You reshaped straight to (B, nh, T, hs), so head "
        "0 holds the first words with all their channels. Cut the channels first, then swap axes.",
        reshaped_at_once,
    ),
    "every-nth-channel": (
        "Head 0 got channels 0, nh, 2 nh and so on. A head holds hs channels that stand side by "
        "side: the first hs belong to head 0.",
        every_nth_channel,
    ),
    "size-before-time": (
        "Your last two axes are (hs, T); they should be (T, hs): a row for each word.",
        lambda x, n_head: x.unflatten(-1, (n_head, -1)).permute(0, 2, 3, 1),
    ),
    "heads-before-texts": (
        "Your first two axes are (nh, B); they should be (B, nh): a text first, then its heads.",
        lambda x, n_head: torch.stack(x.chunk(n_head, dim=-1)),
    ),
    "time-cut": (
        "You cut time into n_head pieces, not the channels. Every head sees all T words, with "
        "C / nh channels of each.",
        lambda x, n_head: torch.stack(x.tensor_split(n_head, dim=1)),
    ),
    "size-and-number-swapped": (
        "You made heads that are n_head wide. n_head is how many heads there are; each is C / nh "
        "wide.",
        lambda x, n_head: x.unflatten(-1, (-1, n_head)).transpose(1, 2),
    ),
    "a-copy-each": (
        "Every head got all the channels. The channels are cut, not copied: each head holds C / nh "
        "of them.",
        lambda x, n_head: x.unsqueeze(1).expand(-1, n_head, -1, -1),
    ),
}


def merged_as_it_lies(x):
    B, nh, T, hs = x.shape
    return x.reshape(B, T, nh * hs)


MERGE_HEADS = {
    "merged-without-transposing": (
        "The shape is right, the numbers are not: the first rows hold head 0 of *several* words. "
        "Memory still has the heads before time. Swap those two axes first, then reshape.",
        merged_as_it_lies,
    ),
    "interleaved": (
        "The heads' channels are mixed like a pack of cards: one of head 0, one of head 1. They "
        "should stand side by side: all of head 0, then all of head 1.",
        lambda x: x.permute(0, 2, 3, 1).flatten(-2),
    ),
    "mean-of-heads": (
        "You average the heads, so their answers are mixed up, and only hs channels are left. "
        "Merging keeps everything: C = nh times hs channels.",
        lambda x: x.mean(dim=1),
    ),
    "sum-of-heads": (
        "You add up the heads, so their answers are mixed up, and only hs channels are left. "
        "Merging keeps everything: C = nh times hs channels.",
        lambda x: x.sum(dim=1),
    ),
    "heads-in-reverse": (
        "Your last head stands first. Head 0's channels come first, then head 1's.",
        lambda x: x.flip(1).transpose(1, 2).flatten(-2),
    ),
    "view": (
        "view needs axes that lie in memory one after the other, and after a swap they do not. "
        "Use reshape, or contiguous() before view.",
        lambda x: x.transpose(1, 2).view(x.size(0), x.size(2), -1),
    ),
    "along-time": (
        "You laid the heads one after the other in time: nh times T rows. They belong side by "
        "side, in the channels of each word.",
        lambda x: x.flatten(1, 2),
    ),
    "not-merged": (
        "The axes are swapped, but the heads are still apart: (B, T, nh, hs). One step is missing.",
        lambda x: x.transpose(1, 2),
    ),
}

# --- pattern_bytes ---

GPT2_PATTERNS = 12 * 12 * 1024 * 1024  # numbers: layers, heads, rows, columns

PATTERN_BYTES = {
    "numbers-not-bytes": ("That is how many numbers there are. Each takes 4 bytes.", GPT2_PATTERNS),
    "one-layer": (
        "That is one layer with its 12 heads. GPT-2 has 12 layers.",
        GPT2_PATTERNS // 12 * 4,
    ),
    "one-pattern": (
        "That is a single head's pattern. Each of 12 layers has 12 heads.",
        GPT2_PATTERNS // 144 * 4,
    ),
    "per-channel": (
        "You count the vectors of the words, T by C in each layer. A pattern is T by T, for each "
        "head: its size does not depend on the width.",
        12 * 1024 * 768 * 4,
    ),
    "allowed-half": (
        "You count the allowed half only, diagonal included. The hidden half is zero, but it is "
        "stored: the tensor is (T, T).",
        12 * 12 * (1024 * 1025 // 2) * 4,
    ),
    "half": (
        "You count half of each square. The hidden half is zero, but it is stored: the tensor is "
        "(T, T).",
        GPT2_PATTERNS * 2,
    ),
    "half-precision": (
        "You take 2 bytes a number, as bf16 does. A float32 number has 32 bits.",
        GPT2_PATTERNS * 2,
        "half",
    ),
    "scores-too": (
        "You count the scores as well as the weights. The question is about the patterns alone, "
        "one (T, T) square for each head.",
        GPT2_PATTERNS * 8,
    ),
    "bits": (
        "That is in bits. A byte has 8 of them: a float32 number takes 4 bytes.",
        GPT2_PATTERNS * 32,
    ),
    "per-channel-of-a-head": (
        "You count 64 patterns for each head, one for each channel. A head has one pattern, "
        "however wide it is.",
        GPT2_PATTERNS * 64 * 4,
    ),
}
