"""The wrong answers that people give when they cut and join heads, and count their patterns."""

from __future__ import annotations

import torch

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
