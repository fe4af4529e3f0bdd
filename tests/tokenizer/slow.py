"""The slow obvious tokenizer, and texts that try every corner."""

from collections import Counter
from itertools import pairwise
from pydoc_data.topics import topics

import regex
from hypothesis import strategies as st

from minigpt.tokenizer import bpe

PYTHON_DOCS = "\n".join(topics.values())
# As OpenAI wrote it, with Python's `regex` to run it.
RELEASED_PATTERN = regex.compile(
    r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
)
NASTY = [" ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u2003", "\u3000", "\x1c", "\x85", "\u200b"]
NASTY += ["'", "'s", "'S", "'ll", "'re", "'d", "’s", "_", "-", "1", "٣", "²", "Ⅷ", "½", "〇"]


NASTY += [
    "a",
    "Z",
    "é",
    "e\u0301",
    "ß",
    "的",
    "狐狸",
    "ग",
    "🦊",
    "👩‍👩‍👧",
    "\0",
    "<|endoftext|>",
    "\ufeff",
]
nasty_text = st.lists(st.sampled_from(NASTY)).map("".join)
any_text = st.text() | nasty_text  # st.text() leaves surrogates out: UTF-8 cannot hold them
few_letters = st.text(alphabet="ab \n", max_size=60)


def slow_merge(ids, pair, new):
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def slow_train(text, n_merges):
    """Count every pair of the whole text again for each merge: plain, and slow."""
    words = [[bpe.ID_OF_BYTE[b] for b in w.encode()] for w in RELEASED_PATTERN.findall(text)]
    merges = []
    while len(merges) < n_merges:
        counts = Counter(pair for word in words for pair in pairwise(word))
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [slow_merge(word, best, 256 + len(merges)) for word in words]
        merges.append(best)
    return merges


def slow_encode(text, merges):
    """Go through all merges in the order they were learned, on every pre-token."""
    ids = []
    for word in RELEASED_PATTERN.findall(text):
        tokens = [bpe.ID_OF_BYTE[byte] for byte in word.encode()]
        for rank, pair in enumerate(merges):
            tokens = slow_merge(tokens, tuple(pair), 256 + rank)
        ids += tokens
    return ids
