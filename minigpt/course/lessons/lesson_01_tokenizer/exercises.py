"""The exercises of lesson 01: byte-pair encoding, on one pre-token, bytes under their own ids."""

from __future__ import annotations

from itertools import pairwise

import torch

from minigpt.course.exercise.calls.functions import call_function, call_value
from minigpt.course.exercise.definition import Exercise
from minigpt.course.lessons.lesson_01_tokenizer import wrong as wrong

Pair = tuple[int, int]
LESSON = "01_tokenizer"
EXACT = dict(rtol=0.0, atol=0.0)  # ids are counted, not measured
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


def train_bpe(text: str, vocab_size: int) -> list[Pair]:
    ids, merges = list(text.encode()), []
    while 256 + len(merges) < vocab_size and len(ids) > 1:
        counts = count_pairs(ids)
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        ids = merge(ids, merges[-1], 255 + len(merges))
    return merges


def decode(ids: list[int], merges: list[Pair]) -> str:
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")


def encode(text: str, merges: list[Pair]) -> list[int]:
    ids = list(text.encode())
    for rank, pair in enumerate(merges):  # a merge makes pairs of higher rank only
        ids = merge(ids, pair, 256 + rank)
    return ids


def encode_with_mark(text: str, merges: list[Pair], mark: str, mark_id: int) -> list[int]:
    first, *others = text.split(mark)
    ids = encode(first, merges)
    for part in others:
        ids += [mark_id, *encode(part, merges)]
    return ids


# --- Cases ---


def random_text(generator: torch.Generator, alphabet: str, length: int) -> str:
    places = torch.randint(len(alphabet), (length,), generator=generator)
    return "".join(alphabet[place] for place in places)


def case(title: str, names: list[str], *args) -> dict:
    return {"title": title, "names": names, "args": list(args)}


def draw_count_pairs(seed: int) -> list[dict]:
    ids = torch.randint(4, (40,), generator=torch.Generator().manual_seed(seed)).tolist()
    names = ["ids"]
    return [
        case("three different ids", names, [1, 2, 3, 1, 2]),
        case("overlaps: one id three times", names, [97, 97, 97]),
        case("a pair and its mirror image", names, [5, 9, 5]),
        case("no ids at all", names, []),
        case("one id, no pair", names, [7]),
        case("ids of merged tokens", names, [50256, 256, 1000, 256, 1000]),
        case("many pairs", names, ids),
    ]


def draw_merge(seed: int) -> list[dict]:
    ids = torch.randint(3, (40,), generator=torch.Generator().manual_seed(seed)).tolist()
    names = ["ids", "pair", "new_id"]
    return [
        case("the pair stands twice", names, [1, 2, 3, 1, 2], (1, 2), 256),
        case("overlaps: aaa", names, [97, 97, 97], (97, 97), 256),
        case("overlaps: aaaaa", names, [97] * 5, (97, 97), 256),
        case("the mirror image is not the pair", names, [2, 1, 2, 1], (1, 2), 256),
        case("the pair is not there", names, [1, 3, 2], (1, 2), 256),
        case("ids that look like the pair when written", names, [11, 2, 1, 23, 1, 2], (1, 2), 256),
        case("a merged token in the pair", names, [256, 101, 32, 256, 101], (256, 101), 257),
        case("no ids at all", names, [], (1, 2), 256),
        case("one id", names, [1], (1, 2), 256),
        case("many ids", names, ids, (1, 2), 300),
        case("many ids, a pair of equals", names, ids, (0, 0), 300),
    ]


def draw_train_bpe(seed: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    names = ["text", "vocab_size"]
    return [
        case("one merge", names, "abab", 257),
        case("ties go to the lowest pair", names, "cdcdababefef", 259),
        case("the lesson's tiny example", names, TINY, 260),
        case("overlaps count: aaa", names, "cdcdaaa", 258),
        case("a run of one letter", names, "a" * 11 + "b", 262),
        case("nothing left to merge", names, "abc", 1000),
        case("no room for a merge", names, "abab", 256),
        case("an empty text", names, "", 300),
        case("one byte", names, "f", 300),
        case("beyond English", names, FOX, 268),
        case("spaces are bytes like others", names, random_text(generator, "ab ", 60), 272),
        case("many letters", names, random_text(generator, "kite, fox", 60), 276),
    ]


def draw_decode(seed: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    merges = train_bpe(random_text(generator, "ab狐é", 60), 280)
    ids = torch.randint(256 + len(merges), (30,), generator=generator).tolist()
    names = ["ids", "merges"]
    return [
        case("bytes only", names, [102, 111, 120], []),
        case("a token made of two", names, [98, 105, 116, 256], [(105, 116), (102, 111)]),
        case("tokens made of tokens", names, [97, 259, 44, 32, 119, 104, 257], TINY_MERGES),
        case("a character in two tokens", names, [256, 144, 33], [(231, 139)]),
        case("bytes that are no text", names, [97, 139, 98, 231, 139], []),
        case("no ids at all", names, [], TINY_MERGES),
        case("spaces stay", names, [32, 10, 97, 32], []),
        case("invisible signs stay", names, [239, 187, 191, 97, 13, 10], []),
        case("a text in four alphabets", names, encode(FOX, merges), merges),
        case("any ids in any order", names, ids, merges),
    ]


def draw_encode(seed: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    texts = [random_text(generator, "abc ", 80) for _ in range(3)]
    merges = train_bpe(texts[0], 276)
    names = ["text", "merges"]
    return [
        case("one merge", names, "a bite", [(105, 116)]),
        case("the second merge could be made first", names, "abc", [(98, 99), (97, 98)]),
        case("a new word", names, "a white bite", TINY_MERGES),
        case("a token of tokens of tokens", names, "a" * 7, [(97, 97), (256, 256), (256, 97)]),
        case("no merges", names, "fox", []),
        case("an empty text", names, "", TINY_MERGES),
        case("one byte", names, "a", TINY_MERGES),
        case("beyond English", names, FOX, train_bpe(FOX, 264)),
        case("nothing that fits", names, "狐 Māori", TINY_MERGES),
        case("spaces at both ends", names, "  a kite \n", TINY_MERGES),
        case("the text of the training", names, texts[0], merges),
        case("another text", names, texts[1], merges),
        case("and another", names, texts[2], merges),
    ]


def draw_encode_with_mark(seed: int) -> list[dict]:
    generator = torch.Generator().manual_seed(seed)
    mark = "<|end|>"
    stories = [random_text(generator, "abc. ", 20) for _ in range(4)]
    merges = train_bpe("ab.<|end|>ab.<|end|> c.<|end|> c. ab." + stories[0], 280)
    names = ["text", "merges", "mark", "mark_id"]
    several = mark.join(stories)
    return [
        case("one mark", names, "a<|end|>b", [(97, 98)], mark, 257),
        case("a merge could cross the mark", names, "a.<|end|>b", [(46, 60)], mark, 257),
        case("no mark", names, "ab ab", merges, mark, 300),
        case("a mark at each end", names, "<|end|>ab<|end|>", merges, mark, 300),
        case("two marks side by side", names, "ab.<|end|><|end|>ab", merges, mark, 300),
        case("a part of the mark only", names, "ab <|end| c <|en", merges, mark, 300),
        case("an empty text", names, "", merges, mark, 300),
        case("another mark", names, "ab(.*)c", merges, "(.*)", 500),
        case("a byte 0 in the text", names, "a\0b<|end|>", merges, mark, 300),
        case("several stories", names, several, merges, mark, 300),
    ]


def draw_longest_token(seed: int) -> list[dict]:
    return [{"title": "10 merges"}]


def draw_ids_of_seven(seed: int) -> list[dict]:
    return [{"title": "seven letters, three merges"}]


# --- Exercises ---

EXERCISES = (
    Exercise(
        name="count_pairs",
        lesson=LESSON,
        kind="function",
        title="Count the pairs",
        points=2,
        difficulty=1,
        importance=4,
        minutes=8,
        hints=(
            "Which two ids make the first pair, which two the second? Do they share an id?",
            "[97, 97, 97] has the pairs at places 0-1 and 1-2. N ids have N - 1 pairs, and "
            "none if N is 0 or 1.",
            "Start with an empty dict. For each place from the first to the last but one: take "
            "the id here and the next one as a tuple, and add 1 to its count (0 if it is new).",
        ),
        draw=draw_count_pairs,
        call=call_function,
        reference=count_pairs,
        misconceptions=wrong.COUNT_PAIRS,
        keep=True,
        **EXACT,
    ),
    Exercise(
        name="merge",
        lesson=LESSON,
        kind="function",
        title="Merge one pair",
        points=3,
        difficulty=2,
        importance=4,
        minutes=10,
        hints=(
            "After a merge, which id do you look at next: the following one, or the one after it?",
            "[1, 2, 3, 1, 2] with (1, 2): at place 0 write 256 and go on at place 2. There stands "
            "3: write it, go on at place 3. Write 256, go on at place 5: the end.",
            "Keep a place i and a new list. While i is inside the list: if this id and the next "
            "are the pair, append the new id and move i on by two; otherwise append this id and "
            "move i on by one. Mind that the last id has no next one.",
        ),
        draw=draw_merge,
        call=call_function,
        reference=merge,
        misconceptions=wrong.MERGE,
        keep=True,
        **EXACT,
    ),
    Exercise(
        name="train_bpe",
        lesson=LESSON,
        kind="function",
        title="Train a vocabulary",
        points=5,
        difficulty=3,
        importance=5,
        minutes=15,
        hints=(
            "What changes in the ids after each merge, and what must be counted again?",
            "'abab' with room for 2 merges: the ids 97 98 97 98 become 256 256, and then 257. The "
            "list grows by one pair each time: (97, 98), then (256, 256).",
            "Turn the text into its bytes. While 256 plus the merges so far is less than "
            "vocab_size: count the pairs; stop if there are none; choose the one with the highest "
            "count, of equals the smallest tuple; replace it by 256 plus the merges so far; "
            "remember it.",
        ),
        draw=draw_train_bpe,
        call=call_function,
        reference=train_bpe,
        misconceptions=wrong.TRAIN_BPE,
        keep=True,
        **EXACT,
    ),
    Exercise(
        name="longest_token",
        lesson=LESSON,
        kind="number",
        title="How long can a token get?",
        points=2,
        difficulty=2,
        importance=2,
        minutes=5,
        hints=(
            "What may the two halves of a merge be: only bytes, or also tokens made before?",
            "Write down the longest token that 1 merge can give, then 2, then 3.",
            "Let longest be 1. Ten times: the new token is the longest one, twice over.",
        ),
        draw=draw_longest_token,
        call=call_value,
        reference=1024,
        misconceptions=wrong.LONGEST_TOKEN,
        **EXACT,
    ),
    Exercise(
        name="decode",
        lesson=LESSON,
        kind="function",
        title="Ids back to text",
        points=3,
        difficulty=2,
        importance=5,
        minutes=10,
        hints=(
            "What does the id 256 say, in bytes? And an id whose left half is 256?",
            "[256, 144, 33] with the merge (231, 139): 256 is the bytes 231 139. All bytes "
            "together, 231 139 144 33, are the text 狐!.",
            "Make a list of 256 tokens, one byte each. For each merge append the bytes of its left "
            "half followed by those of its right. Look up all ids, join their bytes, and only then "
            "read the whole as UTF-8, replacing what is no text.",
        ),
        draw=draw_decode,
        call=call_function,
        reference=decode,
        misconceptions=wrong.DECODE,
        keep=True,
        **EXACT,
    ),
    Exercise(
        name="ids_of_seven",
        lesson=LESSON,
        kind="number",
        title="Predict the ids",
        points=2,
        difficulty=2,
        importance=3,
        minutes=5,
        hints=(
            "Which merge has the lowest rank of those that fit, and at how many places does it?",
            "After the first merge four ids are left. One of them is still 97.",
            "Apply the first merge wherever it fits, from left to right. Then the second to what "
            "is left, then the third. Stop when none fits.",
        ),
        draw=draw_ids_of_seven,
        call=call_value,
        reference=[257, 258],
        misconceptions=wrong.IDS_OF_SEVEN,
        **EXACT,
    ),
    Exercise(
        name="encode",
        lesson=LESSON,
        kind="function",
        title="Text to ids",
        points=5,
        difficulty=3,
        importance=5,
        minutes=15,
        hints=(
            "Several merges fit at once: which goes first, the one on the left or the one that "
            "training found first?",
            "'abc' with the merges (98, 99), (97, 98): both fit at the start. Rank 0 is (98, 99), "
            "so 97 98 99 becomes 97 256. Now nothing fits.",
            "Turn the text into its bytes. Repeat: among all neighbours find the pair of the "
            "lowest rank; if none is in the merges, stop; replace it everywhere by 256 plus its "
            "rank.",
        ),
        draw=draw_encode,
        call=call_function,
        reference=encode,
        misconceptions=wrong.ENCODE,
        keep=True,
        **EXACT,
    ),
    Exercise(
        name="encode_with_mark",
        lesson=LESSON,
        kind="bug",
        title="Find the bug: the mark between documents",
        points=4,
        difficulty=3,
        importance=4,
        minutes=12,
        hints=(
            "Print the ids of 'ab.<|end|>c', token by token. Where did the mark's first sign go?",
            "Text: 'ab.' + mark + 'c'. You want the ids of 'ab.', then mark_id, then the ids of "
            "'c'. No merge may see two of these three at once.",
            "Cut the text at every mark before anything is encoded. Encode each part by itself, "
            "and put mark_id between one part and the next.",
        ),
        draw=draw_encode_with_mark,
        call=call_function,
        reference=encode_with_mark,
        misconceptions=wrong.ENCODE_WITH_MARK,
        **EXACT,
    ),
    Exercise(
        name="why_bytes",
        lesson=LESSON,
        kind="written",
        title="Why bytes?",
        points=3,
        difficulty=2,
        importance=3,
        minutes=10,
    ),
)
