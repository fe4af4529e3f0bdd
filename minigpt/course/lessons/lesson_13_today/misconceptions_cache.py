"""Grouped queries and their cache: what is written instead, and what a teacher says to it."""

from __future__ import annotations

from functools import partial

import torch

from minigpt.course.exercise.mistakes import in_pairs

# --- pool_heads ---


def neighbours(part, nkv, hs):
    """(nh * hs, ...) -> (nkv, group, hs, ...): heads 0 and 1, then 2 and 3."""
    return part.reshape(nkv, -1, hs, *part.shape[1:])


def every_other(part, nkv, hs):
    """The same with heads 0 and 2, then 1 and 3."""
    return part.reshape(-1, nkv, hs, *part.shape[1:]).transpose(0, 1)


def spread_rows(part, nkv, hs):
    """As if a head's rows lay far apart: the first channels of all heads first."""
    rows = part.reshape(hs, -1, *part.shape[1:]).transpose(0, 1).flatten(0, 1)
    return neighbours(rows, nkv, hs)


def pooled(
    weight, n_head, n_kv_head, group=neighbours, join=lambda heads: heads.mean(dim=1),
    kinds=("k", "v"), order=("q", "k", "v"),
):  # fmt: skip
    """Heads averaged in groups, with one thing wrong."""
    parts = dict(zip("qkv", weight.chunk(3)))
    hs = len(weight) // 3 // n_head
    for kind in kinds:
        parts[kind] = join(group(parts[kind], n_kv_head, hs)).flatten(0, 1)
    return torch.cat([parts[kind] for kind in order])


def turned_round(weight, n_head, n_kv_head):
    """Columns in place of rows, where there are columns."""
    if weight.dim() < 2:
        return pooled(weight, n_head, n_kv_head)
    q, k, v = weight.chunk(3)
    parts = [pooled(torch.cat([part.T] * 3), n_head, n_kv_head)[len(q) :] for part in (k, v)]
    halves = [part[: len(part) // 2].T for part in parts]
    rows = n_kv_head * (len(q) // n_head)
    return torch.cat([q, *(half.reshape(rows, -1) for half in halves)])


POOL_HEADS = {
    "first-of-each-group": (
        "You keep the first head of each group and drop the others. What they learned is lost; "
        "their mean keeps something of all.",
        partial(pooled, join=lambda heads: heads[:, 0]),
    ),
    "every-other-head": (
        "Your groups take every n_kv_head-th head. A group is of *neighbours*: with four heads in "
        "two groups, 0 and 1, then 2 and 3, as the query heads that will share them.",
        partial(pooled, group=every_other),
    ),
    "summed": (
        "You add the heads of a group up. Scores would grow with the size of the group: take the "
        "mean.",
        partial(pooled, join=lambda heads: heads.sum(dim=1)),
    ),
    "queries-too": (
        "You average the queries as well. They keep all their heads: that is the point of grouped "
        "queries. Only keys and values are shared.",
        partial(pooled, kinds=("q", "k", "v")),
    ),
    "keys-only": (
        "You average the keys only. A group shares one head of keys *and* one of values.",
        partial(pooled, kinds=("k",)),
    ),
    "values-only": (
        "You average the values only. A group shares one head of values *and* one of keys.",
        partial(pooled, kinds=("v",)),
    ),
    "keys-and-values-swapped": (
        "Your values come before the keys. c_attn's rows are queries, keys, values, in this order, "
        "before and after.",
        partial(pooled, order=("q", "v", "k")),
    ),
    "rows-of-a-head-far-apart": (
        "You split the rows as if a head's came nh apart. A head's hs rows are neighbours: split "
        "them into (nh, hs), not (hs, nh).",
        partial(pooled, group=spread_rows),
    ),
    "columns-for-rows": (
        "You average columns of the matrix. Its rows are what comes out, (out, in): the heads are "
        "there.",
        turned_round,
    ),
    "one-mean-for-all": (
        "All your groups hold the same: the mean of all heads. Each group has the mean of its own.",
        partial(pooled, join=lambda heads: heads.mean(dim=(0, 1), keepdim=True)[0].expand_as(
            heads[:, 0])),
    ),
    "nothing-shared": (
        "The heads of a group are equal now, but all are still there. Keep one of each group: the "
        "cache is to be smaller.",
        partial(pooled, join=lambda heads: heads.mean(dim=1, keepdim=True).expand_as(heads)
                .flatten(0, 1)),
    ),
}  # fmt: skip


# --- windowed_cache_bytes ---


def windowed_cache_bytes(
    T, full, windowed, window, n_head, n_kv_head, head_size,
    both=2, each=2, per_head=True, capped=True, shared=True, reading=min, long=True,
):  # fmt: skip
    """Count the bytes; each way to miscount is an argument."""
    positions = (full * T if long else 0) + windowed * (reading(T, window) if capped else T)
    heads = (n_kv_head if shared else n_head) if per_head else 1
    return both * each * heads * head_size * positions


WINDOWED_CACHE_BYTES = {
    "half-of-it": (
        "You have half of it. Keys are kept *and* values, as many; and a number takes two bytes.",
        partial(windowed_cache_bytes, both=1),
    ),
    "four-bytes": (
        "You count four bytes a number. The cache holds bfloat16: two bytes each.",
        lambda *sizes: windowed_cache_bytes(*sizes, each=4),  # with half of it, it would be right
    ),
    "all-query-heads": (
        "You count the heads of queries. What is kept are keys and values, and of these there are "
        "fewer heads: n_kv_head.",
        partial(windowed_cache_bytes, shared=False),
    ),
    "one-head": (
        "You count a single head of keys and values. There are n_kv_head.",
        partial(windowed_cache_bytes, per_head=False),
    ),
    "windows-see-all": (
        "You let every layer keep all T positions. A layer with a window never looks further back, "
        "so it keeps the last `window` only.",
        partial(windowed_cache_bytes, capped=False),
    ),
    "windows-always-full": (
        "You count a whole window even where the text is shorter. A layer cannot keep what has not "
        "been read: at most T.",
        partial(windowed_cache_bytes, reading=lambda T, window: window),
    ),
    "longer-of-the-two": (
        "You take the larger of T and the window. A layer keeps what is both read and inside the "
        "window: the smaller.",
        partial(windowed_cache_bytes, reading=max),
    ),
    "full-layers-forgotten": (
        "You count the layers with a window only. The others keep all T positions.",
        partial(windowed_cache_bytes, long=False),
    ),
}
SAME = {
    "all-query-heads, one-head": "one-head",
    "windows-see-all, windows-always-full": "windows-see-all",
    "windows-see-all, longer-of-the-two": "windows-see-all",
}
WINDOWED_CACHE_BYTES |= in_pairs(WINDOWED_CACHE_BYTES, **SAME)
