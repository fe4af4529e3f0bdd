"""Byte-pair encoding: how GPT-2 learns its tokens, and how it cuts a word into them.

A token is written here as one character, `chr(id)`. So a word is a plain string of tokens, two
neighbours are a string of two, and merging them wherever they meet is `str.replace`, which goes
from left to right and never overlaps, as byte-pair encoding asks.

Sennrich et al. 2016, algorithm 1; on bytes: Radford et al. 2019, section 2.2.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import pairwise
from operator import add

import regex

# Ids 0 to 255 are the bytes: first those that show on a page, then the others.
VISIBLE_BYTES = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTE_ORDER = bytes(sorted(range(256), key=lambda byte: (byte not in VISIBLE_BYTES, byte)))
ID_OF_BYTE = bytes(BYTE_ORDER.index(byte) for byte in range(256))

# Where no merge may cross (openai/gpt-2, encoder.py). A space belongs to the word after it.
PATTERN = "|".join(
    (
        r"'(?:s|t|re|ve|m|ll|d)",  # the end of a contraction
        r" ?[\p{L}]+",  # letters
        r" ?[\p{N}]+",  # digits
        r" ?[^\s\p{L}\p{N}]+",  # any other signs
        r"\s+(?!\S)",  # white space, all but the last of it if a word follows
        r"\s+",
    )
)
ANY_TEXT = regex.compile(PATTERN)
# Python's own `re` knows no \p{...}; where it can do without, it takes half the time.
ASCII_TEXT = re.compile(PATTERN.replace(r"\p{L}", "A-Za-z").replace(r"\p{N}", "0-9"), re.ASCII)

# A pre-token always begins at a space before something that is not white space: no alternative of
# the pattern goes past it. So a text may be cut there first, and each part pre-tokenized alone.
SEAM = re.compile(r"(?= \S)")
LAST_SEAM = regex.compile(r"(?r) (?=\S)")  # looked for from the end

MOST_TOKENS = 2**20  # Python has few more characters than that
MOST_BYTES = 2**28  # of all tokens together: 30 merges in a bad file could ask for a gigabyte


def pre_tokenize(text: str) -> list[str]:
    """Cut text into the pieces that merges never cross: words, numbers, signs, white space.

    >>> pre_tokenize("It's the 2nd fox!")
    ['It', "'s", ' the', ' 2', 'nd', ' fox', '!']
    """
    return (ASCII_TEXT if text.isascii() else ANY_TEXT).findall(text)


def blocks(text: str, size: int = 2**14) -> Iterator[str]:
    """Cut text at seams into parts of about `size` characters, which fit the processor's cache."""
    start = 0
    while start < len(text):
        seam = SEAM.search(text, start + size)
        end = seam.start() if seam else len(text)
        yield text[start:end]
        start = end


def end_at_seams(parts: Iterable[str]) -> Iterator[str]:
    """Yield a text that comes in parts, in other parts: each ends where no pre-token goes on.

    >>> [*end_at_seams(["one two thr", "ee four  "])]
    ['one two', ' three', ' four  ']
    """
    waiting = []  # joined once: a text without seams may be long
    for part in parts:
        last = LAST_SEAM.search(part)
        if last:
            yield "".join([*waiting, part[: last.start()]])
            waiting = []
        waiting.append(part[last.start() :] if last else part)
    yield "".join(waiting)


def to_tokens(text: str) -> str:
    """Write each byte of a text (its UTF-8) as the character of its token.

    >>> [ord(token) for token in to_tokens("a ó")]
    [64, 220, 127, 111]
    """
    return text.encode().translate(ID_OF_BYTE).decode("latin-1")


def pairs(tokens: str) -> Iterator[str]:
    """Yield every two neighbours.

    >>> list(pairs("aaab"))
    ['aa', 'aa', 'ab']
    """
    return map(add, tokens, tokens[1:])


def count_words(documents: Iterable[str]) -> Counter[str]:
    """Count the pre-tokens of all documents: training needs to see each different one just once."""
    counts = Counter()
    for document in documents:
        for block in blocks(document):
            counts.update(pre_tokenize(block))
    return counts


def find_pairs(words: list[str]) -> dict[str, list[int]]:
    """Map each pair to the numbers of the words it is in, once for each time it is there."""
    places = defaultdict(list)
    for i, word in enumerate(words):
        for pair in pairs(word):
            places[pair].append(i)
    return places


def merge_in_words(words: list[str], where: list[int], pair: str, new: str) -> dict[str, list[int]]:
    """Replace `pair` by `new` in the words numbered in `where`; return the pairs this makes."""
    made = defaultdict(list)
    for i in dict.fromkeys(where):  # each word once, however often the pair is in it
        pieces = words[i].split(pair)  # what stands before, between and after
        words[i] = new.join(pieces)
        for n, (before, after) in enumerate(pairwise(pieces)):
            if before:
                made[before[-1] + new].append(i)
            elif n > 0:
                made[new + new].append(i)
            if after:
                made[new + after[0]].append(i)
    return made


def learn_merges_slowly(word_counts: dict[str, int], n_merges: int) -> list[tuple[int, int]]:
    """Merge the most frequent pair, again and again: the readable twin of `learn_merges`.

    Every pair is counted anew for every merge, so its time grows with merges times text.
    """
    words = [(to_tokens(word), count) for word, count in word_counts.items()]
    merges = []
    while len(merges) < n_merges:
        pair_counts = Counter()
        for word, count in words:
            for pair in pairs(word):
                pair_counts[pair] += count
        if not pair_counts:
            break
        best = min(pair_counts, key=lambda pair: (-pair_counts[pair], pair))  # ties: lower ids
        new = chr(256 + len(merges))
        merges.append((ord(best[0]), ord(best[1])))
        words = [(word.replace(best, new), count) for word, count in words]
    return merges


def learn_merges(word_counts: dict[str, int], n_merges: int) -> list[tuple[int, int]]:
    """Merge the most frequent pair, again and again, and return the pairs of ids in that order.

    Equally frequent pairs go by the lower ids. Fewer are returned if every word is one token.
    A merge visits only the words that hold its pair.

    >>> learn_merges({"aaab": 1, "ab": 2}, n_merges=2)  # first a + b, then a + a
    [(64, 65), (64, 64)]
    """
    words = [to_tokens(word) for word in word_counts]
    count_of = list(word_counts.values()).__getitem__
    places = find_pairs(words)  # kept up as pairs come, not as they go: a word may have lost it
    pair_counts = {pair: sum(map(count_of, where)) for pair, where in places.items()}
    queue = [(-count, pair) for pair, count in pair_counts.items()]
    heapify(queue)
    merges = []
    while queue and len(merges) < n_merges:
        count, pair = heappop(queue)
        if -count > pair_counts[pair]:  # counts only ever fall: see to it when its turn comes
            if pair_counts[pair] > 0:
                heappush(queue, (-pair_counts[pair], pair))
            continue
        new = chr(256 + len(merges))
        merges.append((ord(pair[0]), ord(pair[1])))
        made = merge_in_words(words, places.pop(pair), pair, new)
        for (left, right), where in made.items():
            count = pair_counts[left + right] = sum(map(count_of, where))
            heappush(queue, (-count, left + right))
            # Where `new` stands now, its left neighbour had pair[0] beside it, its right pair[1].
            pair_counts[left.replace(new, pair[1]) + right.replace(new, pair[0])] -= count
        places.update(made)
    return merges


def join_merges(merges: Iterable[tuple[int, int]]) -> list[bytes]:
    """Return the bytes of every token: the 256 bytes, then one token for each merge.

    Raises ValueError unless each merge joins two earlier tokens into bytes that are new.
    """
    if not isinstance(merges, Iterable):
        raise ValueError(f"merges must be a list of pairs of ids, not {merges!r:.40}")
    tokens = [bytes([byte]) for byte in BYTE_ORDER]
    known, size = set(tokens), 0
    for i, pair in enumerate(merges):
        if type(pair) not in (tuple, list) or [*map(type, pair)] != [int, int]:
            raise ValueError(f"merge {i} is {pair!r:.40}; it must be a pair of ids, like (64, 65)")
        left, right = pair
        if not (0 <= left < len(tokens) and 0 <= right < len(tokens)):
            raise ValueError(f"merge {i} is {pair}; its ids must be from 0 to {len(tokens) - 1}")
        size += len(tokens[left]) + len(tokens[right])
        if size > MOST_BYTES or len(tokens) == MOST_TOKENS:
            raise ValueError(
                f"merge {i} is too much: at most {MOST_TOKENS} tokens, {MOST_BYTES} bytes in all"
            )
        token = tokens[left] + tokens[right]
        if token in known:
            raise ValueError(f"merge {i} is {pair}; it makes {token!r:.40}, a token already")
        tokens.append(token)
        known.add(token)
    return tokens


def merge_steps(word: str, merged: dict[str, str]) -> list[str]:
    """Return every stage of encoding a word, one merge to a stage: this is what BPE says.

    `merged` maps a pair to its token; the lowest token was learned first and is merged first.
    """
    steps = [word]
    while mergeable := [pair for pair in pairs(word) if pair in merged]:
        pair = min(mergeable, key=merged.__getitem__)
        word = word.replace(pair, merged[pair])
        steps.append(word)
    return steps


def merge_word(word: str, merged: dict[str, str]) -> str:
    """Return the last of `merge_steps`, in time n log n however long the word is.

    A queue holds each pair that can merge, lowest token first, leftmost first.
    """
    n = len(word)
    tokens = [*word, ""]  # a token merged into its left neighbour is "", as are both ends
    after, before = list(range(1, n + 2)), list(range(-1, n))
    merge_of = merged.get
    queue = [(new, i) for i, new in enumerate(map(merge_of, pairs(word))) if new]
    heapify(queue)
    while queue:
        new, i = heappop(queue)
        h, j = before[i], after[i]
        if merge_of(tokens[i] + tokens[j]) != new:
            continue  # another merge took one of the two
        k = after[j]
        tokens[i], tokens[j] = new, ""
        after[i], before[k] = k, i
        if with_left := merge_of(tokens[h] + new):
            heappush(queue, (with_left, h))
        if with_right := merge_of(new + tokens[k]):
            heappush(queue, (with_right, i))
    return "".join(tokens)
