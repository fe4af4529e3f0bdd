"""Draw the cases of lesson 01's exercises, and give the right answers.

They are the package's BPE in small: on one pre-token, each byte under its own id, ids in lists.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Generator

from minigpt.course.exercise.drawing import Cases

Pair = tuple[int, int]
TINY = "a kite, a white kite"
TINY_MERGES = [(105, 116), (256, 101), (32, 107), (258, 257)]
FOX = "小狐狸 🦊 é 小狐狸"


# --- References ---


def count_pairs(ids: list[int]) -> dict[Pair, int]:
    counts = {}
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def merge(ids: list[int], pair: Pair, new_id: int) -> list[int]:
    merged, i = [], 0
    while i < len(ids):
        found = tuple(ids[i : i + 2]) == tuple(pair)
        merged.append(new_id if found else ids[i])
        i += 2 if found else 1
    return merged


def lowest(counts: dict[Pair, int]) -> Pair:
    """Return the most frequent pair; of equally frequent ones the lowest."""
    return min(counts, key=lambda pair: (-counts[pair], pair))


def train_bpe(text: str, vocab_size: int) -> list[Pair]:
    ids, merges = list(text.encode()), []
    while 256 + len(merges) < vocab_size and len(ids) > 1:
        merges.append(lowest(count_pairs(ids)))
        ids = merge(ids, merges[-1], 255 + len(merges))
    return merges


def tokens_of(merges: list[Pair]) -> list[bytes]:
    """Return the bytes of every token."""
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    return tokens


def decode(ids: list[int], merges: list[Pair]) -> str:
    tokens = tokens_of(merges)
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")


def encode(text: str, merges: list[Pair]) -> list[int]:
    ids = list(text.encode())
    for rank, pair in enumerate(merges):  # a merge makes pairs of higher rank only
        ids = merge(ids, pair, 256 + rank)
    return ids


def encode_parts(parts: list[str], merges: list[Pair], mark_id: int) -> list[int]:
    """Encode each part by itself, and put the mark between them."""
    first, *others = parts
    ids = encode(first, merges)
    for part in others:
        ids += [mark_id, *encode(part, merges)]
    return ids


def encode_with_mark(text: str, merges: list[Pair], mark: str, mark_id: int) -> list[int]:
    return encode_parts(text.split(mark), merges, mark_id)


# --- Cases ---


def random_text(generator: Generator, alphabet: str, length: int) -> str:
    places = torch.randint(len(alphabet), (length,), generator=generator)
    return "".join(alphabet[place] for place in places)


def draw_count_pairs(g: Generator) -> list[dict]:
    ids = torch.randint(4, (40,), generator=g).tolist()
    case = Cases("ids")
    return [
        case("three different ids", [1, 2, 3, 1, 2]),
        case("overlaps: one id three times", [97, 97, 97]),
        case("a pair and its mirror image", [5, 9, 5]),
        case("no ids at all", []),
        case("one id, no pair", [7]),
        case("ids of merged tokens", [50256, 256, 1000, 256, 1000]),
        case("many pairs", ids),
    ]


def draw_merge(g: Generator) -> list[dict]:
    ids = torch.randint(3, (40,), generator=g).tolist()
    large = torch.randint(1000, 1003, (40,), generator=g).tolist()  # each an object of its own
    case = Cases("ids", "pair", "new_id")
    return [
        case("the pair stands twice", [1, 2, 3, 1, 2], (1, 2), 256),
        case("overlaps: aaa", [97, 97, 97], (97, 97), 256),
        case("overlaps: aaaaa", [97] * 5, (97, 97), 256),
        case("the mirror image is not the pair", [2, 1, 2, 1], (1, 2), 256),
        case("the pair is not there", [1, 3, 2], (1, 2), 256),
        case("ids that look like the pair when written", [11, 2, 1, 23, 1, 2], (1, 2), 256),
        case("a merged token in the pair", [256, 101, 32, 256, 101], (256, 101), 257),
        case("no ids at all", [], (1, 2), 256),
        case("one id", [1], (1, 2), 256),
        case("many ids", ids, (1, 2), 300),
        case("many ids, a pair of equals", ids, (0, 0), 300),
        case("ids of a large vocabulary", large, (1001, 1000), 50_000),
    ]


def draw_train_bpe(g: Generator) -> list[dict]:
    case = Cases("text", "vocab_size")
    return [
        case("one merge", "abab", 257),
        case("ties go to the lowest pair", "cdcdababefef", 259),
        case("the lesson's tiny example", TINY, 260),
        case("overlaps count: aaa", "cdcdaaa", 258),
        case("a run of one letter", "a" * 11 + "b", 262),
        case("nothing left to merge", "abc", 1000),
        case("no room for a merge", "abab", 256),
        case("an empty text", "", 300),
        case("one byte", "f", 300),
        case("beyond English", FOX, 268),
        case("spaces are bytes like others", random_text(g, "ab ", 60), 272),
        case("many letters", random_text(g, "kite, fox", 60), 276),
    ]


def draw_decode(g: Generator) -> list[dict]:
    merges = train_bpe(random_text(g, "ab狐é", 60), 280)
    ids = torch.randint(256 + len(merges), (30,), generator=g).tolist()
    case = Cases("ids", "merges")
    return [
        case("bytes only", [102, 111, 120], []),
        case("a token made of two", [98, 105, 116, 256], [(105, 116), (102, 111)]),
        case("tokens made of tokens", [97, 259, 44, 32, 119, 104, 257], TINY_MERGES),
        case("a character in two tokens", [256, 144, 33], [(231, 139)]),
        case("bytes that are no text", [97, 139, 98, 231, 139], []),
        case("no ids at all", [], TINY_MERGES),
        case("spaces stay", [32, 10, 97, 32], []),
        case("invisible signs stay", [239, 187, 191, 97, 13, 10], []),
        case("a text in four alphabets", encode(FOX, merges), merges),
        case("any ids in any order", ids, merges),
    ]


def draw_encode(g: Generator) -> list[dict]:
    texts = [random_text(g, "abc ", 80) for _ in range(3)]
    merges = train_bpe(texts[0], 276)
    case = Cases("text", "merges")
    return [
        case("one merge", "a bite", [(105, 116)]),
        case("the second merge could be made first", "abc", [(98, 99), (97, 98)]),
        case("a new word", "a white bite", TINY_MERGES),
        case("a token of tokens of tokens", "a" * 7, [(97, 97), (256, 256), (256, 97)]),
        case("no merges", "fox", []),
        case("an empty text", "", TINY_MERGES),
        case("one byte", "a", TINY_MERGES),
        case("beyond English", FOX, train_bpe(FOX, 264)),
        case("nothing that fits", "狐 Māori", TINY_MERGES),
        case("spaces at both ends", "  a kite \n", TINY_MERGES),
        case("the text of the training", texts[0], merges),
        case("another text", texts[1], merges),
        case("and another", texts[2], merges),
    ]


def draw_encode_with_mark(g: Generator) -> list[dict]:
    mark = "<|end|>"
    stories = [random_text(g, "abc. ", 20) for _ in range(4)]
    merges = train_bpe("ab.<|end|>ab.<|end|> c.<|end|> c. ab." + stories[0], 280)
    case = Cases("text", "merges", "mark", "mark_id")
    several = mark.join(stories)
    return [
        case("one mark", "a<|end|>b", [(97, 98)], mark, 257),
        case("a merge could cross the mark", "a.<|end|>b", [(46, 60)], mark, 257),
        case("no mark", "ab ab", merges, mark, 300),
        case("a mark at each end", "<|end|>ab<|end|>", merges, mark, 300),
        case("two marks side by side", "ab.<|end|><|end|>ab", merges, mark, 300),
        case("a part of the mark only", "ab <|end| c <|en", merges, mark, 300),
        case("an empty text", "", merges, mark, 300),
        case("another mark", "ab(.*)c", merges, "(.*)", 500),
        case("a byte 0 in the text", "a\0b<|end|>", merges, mark, 300),
        case("several stories", several, merges, mark, 300),
    ]
