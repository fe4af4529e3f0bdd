"""How a text became its tokens: the merges that made them, in the order they were learned.

Each token beyond the bytes is made by one merge of two earlier tokens, and in no other way. So the
ids of a text hold its whole history: take every token apart again, and you have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from minigpt.tokenizer import Tokenizer
from minigpt.tokenizer.bpe import pre_tokenize


class Merge(NamedTuple):
    """One merge, as far as a text needs it."""

    number: int  # its place in tokenizer.merges: the lower, the earlier it was learned
    left: int
    right: int
    token: int  # what the two become
    count: int  # how often that happens in this text


def halves(tokenizer: Tokenizer, token: int) -> tuple[int, ...]:
    """Return the two tokens that a token was merged from; none for a byte or a special token."""
    number = token - 256
    return tokenizer.merges[number] if 0 <= number < len(tokenizer.merges) else ()


def family(tokenizer: Tokenizer, ids: Iterable[int]) -> set[int]:
    """Return the tokens of a text, and all those that they were made from, down to the bytes."""
    found, waiting = set(), list(ids)
    while waiting:
        token = waiting.pop()
        if token not in found:
            found.add(token)
            waiting.extend(halves(tokenizer, token))
    return found


def replay(tokenizer: Tokenizer, ids: Iterable[int]) -> list[Merge]:
    """Return the merges that made these ids, the first learned first.

    Applied in this order, each wherever it fits, they turn the text's bytes into its tokens.

    >>> tokenizer = Tokenizer.gpt2()
    >>> for merge in replay(tokenizer, tokenizer.encode(" kite")):
    ...     print([tokenizer.decode([i]) for i in merge[1:4]])
    ['i', 't', 'it']
    [' ', 'k', ' k']
    ['it', 'e', 'ite']
    """
    ids = list(ids)
    counts, merges = Counter(ids), []
    for token in sorted(family(tokenizer, ids), reverse=True):  # the whole before its halves
        if pair := halves(tokenizer, token):
            merges.append(Merge(token - 256, *pair, token, counts[token]))
            for half in pair:
                counts[half] += counts[token]
    return merges[::-1]


def word_sizes(tokenizer: Tokenizer, ids: Iterable[int]) -> list[int]:
    """Return the bytes of each pre-token of a text: it was cut there before anything was merged.

    A special token is one by itself.

    >>> word_sizes(Tokenizer.gpt2(), Tokenizer.gpt2().encode("red kite."))
    [3, 5, 1]
    """
    sizes, stretch = [], b""
    for token in [*ids, None]:
        special = token is not None and token >= 256 and not halves(tokenizer, token)
        if token is not None and not special:
            stretch += tokenizer.token_bytes(token)
            continue
        # The last character of a text that was cut short may be half of one.
        words = pre_tokenize(stretch.decode("utf-8", "surrogateescape"))
        sizes += [len(word.encode("utf-8", "surrogateescape")) for word in words]
        stretch = b""
        sizes += [len(tokenizer.token_bytes(token))] if special else []
    return sizes


def ids_after(tokenizer: Tokenizer, ids: Iterable[int], n_merges: int) -> list[int]:
    """Return the ids of the same text as if only the first `n_merges` merges had been learned.

    Special tokens stay as they are.

    >>> tokenizer = Tokenizer.gpt2()
    >>> [tokenizer.decode([i]) for i in ids_after(tokenizer, tokenizer.encode(" kite"), 300)]
    [' k', 'it', 'e']
    """
    known, waiting = [], list(ids)[::-1]
    while waiting:
        token = waiting.pop()
        later = token >= 256 + n_merges and halves(tokenizer, token)
        if later:
            waiting.extend(reversed(later))
        else:
            known.append(token)
    return known
