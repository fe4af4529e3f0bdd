"""Wrong answers to the exercises of lesson 01, and what a teacher says to each."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

from minigpt.course.lessons.lesson_01_tokenizer.cases import (
    Pair,
    count_pairs,
    encode,
    encode_parts,
    lowest,
    merge,
    tokens_of,
)

# --- count_pairs ---


def counts_without_overlaps(ids):
    counts, i = {}, 0
    while i + 1 < len(ids):
        pair = (ids[i], ids[i + 1])
        counts[pair] = counts.get(pair, 0) + 1
        i += 2 if ids[i : i + 3] == [ids[i]] * 3 else 1
    return counts


def keyed(ids, key):
    counts = Counter()
    for pair in pairwise(ids):
        counts[key(pair)] += 1
    return dict(counts)


def joined_by(sign):
    return lambda pair: sign.join(map(str, pair))


KEYS_AS_TEXT = (
    "Your keys are texts. A pair is a tuple of two ids: from it the next step takes the ids out "
    "again, without reading digits."
)
COUNT_PAIRS = {
    "overlaps-not-counted": (
        "You skip overlaps: in [97, 97, 97] the pair (97, 97) stands twice, at places 0-1 and 1-2. "
        "Counting looks at every two neighbours. Only merging jumps.",
        counts_without_overlaps,
    ),
    "every-second-pair": (
        "You cut the ids into twos and look at every second pair only. An id is the right half of "
        "one pair and the left half of the next: N ids have N - 1 pairs.",
        lambda ids: dict(Counter(zip(ids[::2], ids[1::2]))),
    ),
    "order-ignored": (
        "You count (5, 9) and (9, 5) as the same pair. They are different: ab is not ba. Keep the "
        "ids in the order in which they stand.",
        lambda ids: dict(Counter((min(pair), max(pair)) for pair in pairwise(ids))),
    ),
    "last-pair-missing": (
        "Your last pair is missing. N ids have N - 1 pairs, so look at where your loop ends.",
        lambda ids: count_pairs(ids[:-1]),
    ),
    "ring": (
        "You also count the last id with the first, as if the text were a ring. At place 0, a look "
        "at place -1 is Python's last element.",
        lambda ids: dict(Counter(zip(ids[-1:] + ids, ids))),
    ),
    "only-whether": (
        "Every pair has the count 1: you note whether a pair is there, not how often. Add 1 each "
        "time it comes again.",
        lambda ids: dict.fromkeys(pairwise(ids), 1),
    ),
    "lists-as-keys": (
        "A key of yours is a list, and no dict takes one: a list may change, and then nobody finds "
        "it again. Make the pair a tuple.",
        lambda ids: {list(pair): 1 for pair in pairwise(ids)},
    ),
    "keys-as-text": (KEYS_AS_TEXT, lambda ids: keyed(ids, str)),
    "keys-as-text, by a space": (KEYS_AS_TEXT, lambda ids: keyed(ids, joined_by(" "))),
    "keys-as-text, by a comma": (KEYS_AS_TEXT, lambda ids: keyed(ids, joined_by(","))),
    "keys-as-text, by a dash": (KEYS_AS_TEXT, lambda ids: keyed(ids, joined_by("-"))),
    "keys-as-text, by nothing": (
        f"{KEYS_AS_TEXT} (Without anything between them even 1, 12 and 11, 2 become one.)",
        lambda ids: keyed(ids, joined_by("")),
    ),
}


# --- merge ---


def merge_without_jump(ids, pair, new_id):
    merged = []
    for i in range(len(ids)):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new_id)
        elif i == 0 or tuple(ids[i - 1 : i + 1]) != pair:
            merged.append(ids[i])
    return merged


def merge_keeping_second(ids, pair, new_id):
    return [new_id if tuple(ids[i : i + 2]) == pair else ids[i] for i in range(len(ids))]


def merge_from_right(ids, pair, new_id):
    return merge(ids[::-1], pair[::-1], new_id)[::-1]


def merge_first_only(ids, pair, new_id):
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            return [*ids[:i], new_id, *ids[i + 2 :]]
    return list(ids)


def merge_with(is_pair, end=0):
    """Return a merge which finds the pair in its own way, or stops before the end."""

    def merge(ids, pair, new_id):
        merged, i = [], 0
        while i < len(ids) - end:
            found = is_pair(ids, i, pair)
            merged.append(new_id if found else ids[i])
            i += 2 if found else 1
        return merged

    return merge


def merge_by_twos(ids, pair, new_id):
    merged = []
    for i in range(0, len(ids), 2):
        two = ids[i : i + 2]
        merged += [new_id] if tuple(two) == pair else two
    return merged


def merge_as_text(ids, pair, new_id):
    text = " ".join(map(str, ids)).replace(f"{pair[0]} {pair[1]}", str(new_id))
    return [int(number) for number in text.split()]


def merge_shrinking(ids, pair, new_id):
    ids = list(ids)
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            ids[i : i + 2] = [new_id]
    return ids


def merge_in_place(ids, pair, new_id):
    ids[:] = merge(ids, pair, new_id)
    return ids


MERGE = {
    "no-jump": (
        "You do not jump over both halves. In [97, 97, 97] you use the middle 97 twice, and the "
        "text grows by a letter. After a merge go on behind the pair.",
        merge_without_jump,
    ),
    "second-half-kept": (
        "You write the new id for the first half of the pair, but keep the second half too. The "
        "new id stands for both. (In a for loop, i += 2 does not jump: the loop sets i anew.)",
        merge_keeping_second,
    ),
    "second-half-kept, last-id-lost": (
        "You keep the second half of the pair, though the new id stands for both: in a for loop, i "
        "+= 2 does not jump, because the loop sets i anew. And the last id is lost.",
        lambda ids, pair, new_id: merge_keeping_second(ids, pair, new_id)[:-1],
    ),
    "never-found": (
        "You never find the pair. If you compare ids[i:i+2] with pair: that is a list, pair is a "
        "tuple, and the two are never equal. Compare the numbers one by one, or make it a tuple.",
        lambda ids, pair, new_id: list(ids),
    ),
    "merged-as-text": (
        "You replace in the ids written as text. There '1 2' also stands inside '11 2' and '1 23'. "
        "Compare the numbers, not their digits.",
        merge_as_text,
    ),
    "from-the-right": (
        "You merge from right to left. [97, 97, 97] becomes [256, 97] from the left and [97, 256] "
        "from the right; the rule is left to right.",
        merge_from_right,
    ),
    "first-only": (
        "You replace the first place only. Wherever the pair stands, it becomes the new id: go on "
        "after the first.",
        merge_first_only,
    ),
    "order-ignored": (
        "You also merge the mirror image: (2, 1) where the pair is (1, 2). Order matters: ab is "
        "not ba.",
        merge_with(lambda ids, i, pair: sorted(ids[i : i + 2]) == sorted(pair)),
    ),
    "last-id-lost": (
        "The last id is lost when it is no part of a pair. It has no right neighbour to be "
        "compared with, but it still belongs to the text.",
        merge_with(lambda ids, i, pair: (ids[i], ids[i + 1]) == pair, end=1),
    ),
    "past-the-end": (
        "You ask for the neighbour of the last id, which has none. Look whether there is a next id "
        "before you compare it.",
        merge_with(lambda ids, i, pair: ids[i] == pair[0] and ids[i + 1] == pair[1]),
    ),
    "neighbour-of-the-last": (
        "Your loop also asks for the neighbour of the last id, which has none: the places go up to "
        "len(ids) - 1, pairs begin at most one before. But the last id itself must stay.",
        lambda ids, pair, new_id: [
            new_id if (ids[i], ids[i + 1]) == pair else ids[i] for i in range(len(ids))
        ],
    ),
    "shrinks-while-looping": (
        "Your list gets shorter with each merge, but range(...) was made for its first length, so "
        "the loop runs past the end. Use while with a place of its own, or build a new list.",
        merge_shrinking,
    ),
    "compared-with-is": (
        "You compare with `is`, which asks whether two things are one object. Python keeps small "
        "numbers once, so it seems to work up to 256; two equal large ids are two objects. Use ==.",
        merge_with(
            lambda ids, i, pair: i + 1 < len(ids) and ids[i] is pair[0] and ids[i + 1] is pair[1]
        ),
    ),
    "by-twos": (
        "You go on by two places even where nothing was merged, so you miss pairs that begin at "
        "odd places. Jump over two only after a merge.",
        merge_by_twos,
    ),
    "input-changed": (
        "Your result is right, but you changed the caller's list on the way. Build a new list: "
        "whoever called you may still need the old ids.",
        merge_in_place,
    ),
}


# --- train_bpe ---


def first_seen(counts: dict[Pair, int]) -> Pair:
    return max(counts, key=counts.get)


def train_with(
    choose=lowest, *, count=count_pairs, replace=merge, to_ids=None, room=256, least=1, stop=True
):
    """Return a trainer which goes wrong in one place."""

    def train_bpe(text, vocab_size):
        ids = list(text.encode()) if to_ids is None else to_ids(text)
        merges = []
        while room + len(merges) < vocab_size:
            counts = count(ids)
            if stop and (not counts or max(counts.values()) < least):
                break
            merges.append(choose(counts))
            ids = replace(ids, merges[-1], 255 + len(merges))
        return merges

    return train_bpe


def train_counting_once(text, vocab_size):
    counts = count_pairs(list(text.encode()))
    ranked = sorted(counts, key=lambda pair: (-counts[pair], pair))
    return ranked[: max(vocab_size - 256, 0)]


def train_on_words(text, vocab_size):
    words, merges = [list(word.encode()) for word in re.findall(r" ?[^ ]+| ", text)], []
    while 256 + len(merges) < vocab_size:
        counts = Counter(pair for word in words for pair in pairwise(word))
        if not counts:
            break
        merges.append(lowest(counts))
        words = [merge(word, merges[-1], 255 + len(merges)) for word in words]
    return merges


TRAIN_BPE = {
    "tie-to-the-first-seen": (
        "Of equally frequent pairs you take the one that was seen first, as max(counts, "
        "key=counts.get) does. The rule is the lowest pair, so that everybody gets the same "
        "merges.",
        train_with(first_seen),
    ),
    "never-stops": (
        "You go on when no pair is left, and there is nothing to choose from. A short text runs "
        "out of pairs before the vocabulary is full: stop there, and return what you have.",
        train_with(stop=False),
    ),
    "never-stops, index": (
        "You ask for the first of all pairs when none is left. A short text runs out of pairs "
        "before the vocabulary is full: stop there, and return what you have.",
        train_with(
            lambda counts: sorted(counts, key=lambda pair: (-counts[pair], pair))[0], stop=False
        ),
    ),
    "tie-to-the-first-seen, never-stops": (
        "Of equally frequent pairs you take the one that was seen first, as max(counts, "
        "key=counts.get) does; the rule is the lowest pair. And a short text runs out of pairs "
        "before the vocabulary is full: stop there.",
        train_with(first_seen, stop=False),
    ),
    "tie-to-the-highest": (
        "Of equally frequent pairs you take the highest; the rule is the lowest. The count should "
        "be large, but the pair small: the two need opposite signs.",
        train_with(lambda counts: max(counts, key=lambda pair: (counts[pair], pair))),
    ),
    "rarest-first": (
        "You merge the rarest pair first. Training takes the most frequent one: there a merge "
        "saves most.",
        train_with(lambda counts: min(counts, key=lambda pair: (counts[pair], pair))),
    ),
    "characters-not-bytes": (
        "You start from characters (code points), not from bytes. For English both are the same, "
        "for 狐 or é they are not: its code point can even collide with a merged token's id. Start "
        "from text.encode().",
        train_with(to_ids=lambda text: [ord(character) for character in text]),
    ),
    "vocab-size-is-merges": (
        "You learn vocab_size merges. The 256 bytes are part of the vocabulary, so there are "
        "vocab_size - 256 merges at most.",
        train_with(room=0),
    ),
    "one-merge-short": (
        "You learn one merge too few. 256 bytes and n merges make a vocabulary of 256 + n tokens.",
        train_with(room=257),
    ),
    "one-merge-more": (
        "You learn one merge too many. 256 bytes and n merges make a vocabulary of 256 + n tokens; "
        "vocab_size 256 leaves room for none.",
        train_with(room=255),
    ),
    "stops-at-pairs-seen-once": (
        "You stop when no pair is seen twice. Here training goes on down to pairs seen once, until "
        "the vocabulary is full or no pair is left.",
        train_with(least=2),
    ),
    "counted-once": (
        "You count the pairs once, at the start, and take the most frequent ones. So no merge ever "
        "builds on another: a token of three bytes cannot come about. Merge, then count again.",
        train_counting_once,
    ),
    "cut-into-words": (
        "You cut the text into words first, so no merge crosses a space. That is how GPT-2 trains, "
        "but this exercise is the stage before it: the whole text is one piece.",
        train_on_words,
    ),
    "merge-without-jump": (
        "Your merge does not jump over both halves of a pair: in a run such as aaa one letter is "
        "used twice, and later counts go wrong. Look at merge again.",
        train_with(replace=merge_without_jump),
    ),
    "merge-past-the-end": (
        "Your merge asks for the neighbour of the last id, which has none, so training stops with "
        "an IndexError. Look at merge again.",
        train_with(replace=merge_with(lambda ids, i, pair: (ids[i], ids[i + 1]) == pair)),
    ),
    "merge-first-only": (
        "You replace only the first place of each pair, so the pair stays the most frequent and is "
        "learned again and again. Replace it wherever it stands, then count.",
        train_with(replace=merge_first_only),
    ),
    "overlaps-not-counted": (
        "You count places that do not overlap. In aaa the pair (97, 97) stands twice, as in "
        "count_pairs; only merging jumps.",
        train_with(count=counts_without_overlaps),
    ),
    "one-id-for-all": (
        "All your merges get the id 256. The first is 256, the next 257, and so on: two different "
        "tokens must not have the same id.",
        train_with(replace=lambda ids, pair, new_id: merge(ids, pair, 256)),
    ),
    "one-above-the-largest": (
        "Your new id is one above the largest id in the text. All 256 bytes have ids, whether they "
        "occur or not: the first merge is 256, the next 257.",
        train_with(replace=lambda ids, pair, new_id: merge(ids, pair, max(ids) + 1)),
    ),
}

LONGEST_TOKEN = {
    "one-byte-a-merge": (
        "11 would be right if every merge added one byte. But both halves of a merge may be long "
        "tokens already.",
        11,
    ),
    "two-bytes-a-merge": (
        "20 would be right if every merge added two bytes. But a merge joins two tokens, whatever "
        "their length: what is the longest that two of them can make?",
        20,
    ),
    "two-bytes": ("A merge joins two tokens, not two bytes. The tokens may be merged ones.", 2),
    "one-doubling-short": (
        "Almost: the first merge already makes two bytes of one, so after n merges the longest "
        "token has doubled n times, not n - 1.",
        512,
    ),
    "one-doubling-more": (
        "One doubling too many: before the first merge the longest token has one byte, not two.",
        2048,
    ),
    "vocabulary-size": ("266 is how many tokens there are, not how long the longest is.", 266),
}


# --- decode ---


def decode_with(to_text, order=lambda left, right: left + right, between=b""):
    """Return a decoder which reads the joined bytes, or joins them, in its own way."""

    def decode(ids, merges):
        tokens = tokens_of([])
        for left, right in merges:
            tokens.append(order(tokens[left], tokens[right]))
        return to_text(between.join(tokens[i] for i in ids))

    return decode


def replacing(data):
    return data.decode("utf-8", errors="replace")


def halves(ids, merges):
    return [half for i in ids for half in (merges[i - 256] if i >= 256 else (i,))]


DECODE = {
    "token-by-token": (
        "You read each token as UTF-8 by itself. A character can be spread over several tokens: "
        "then every piece alone is no text, and becomes �. Join all bytes first, then read them.",
        lambda ids, merges: "".join(replacing(tokens_of(merges)[i]) for i in ids),
    ),
    "bad-bytes-dropped": (
        "Bytes that are no text vanish without a trace. They should become �, so that a reader "
        "sees that something is wrong. Look at what errors= does in bytes.decode.",
        decode_with(lambda data: data.decode("utf-8", errors="ignore")),
    ),
    "bad-bytes-raise": (
        "Your version stops at bytes that are no text. A model may put tokens together in any "
        "order, so that will happen. Replace such bytes by �: bytes.decode can do it.",
        decode_with(bytes.decode),
    ),
    "a-byte-a-character": (
        "You make one character of each byte. That is another encoding, Latin-1: 狐 comes out as "
        "three strange signs. Read the joined bytes as UTF-8.",
        decode_with(lambda data: data.decode("latin-1")),
    ),
    "ids-as-characters": (
        "You make one character of each id. An id below 256 is a byte, not a character, and a "
        "higher one stands for several bytes: look up in the merges which.",
        lambda ids, merges: "".join(map(chr, ids)),
    ),
    "english-only": (
        "You read the bytes as ASCII, which knows 128 characters and no é. Read them as UTF-8.",
        decode_with(lambda data: data.decode("ascii", errors="replace")),
    ),
    "byte-by-byte": (
        "You read each byte by itself. One byte alone is a character only below 128; of é or 狐 "
        "every single byte is no text. Join the bytes of all ids first, then read them.",
        decode_with(lambda data: "".join(replacing(bytes([byte])) for byte in data)),
        "english-only",
    ),
    "halves-swapped": (
        "You put the right half of a merge before the left one. A token says its left half's bytes "
        "first.",
        decode_with(replacing, order=lambda left, right: right + left),
    ),
    "one-level-only": (
        "You take a token apart once. Its halves can be merged tokens themselves; these are lost. "
        "Go on until only bytes are left, or build the tokens' bytes in the order of the merges.",
        lambda ids, merges: replacing(bytes(i for i in halves(ids, merges) if i < 256)),
    ),
    "one-level-only, raises": (
        "You take a token apart once. Its halves can be merged tokens themselves, and those are no "
        "bytes yet. Go on until only bytes are left, or build the tokens' bytes in the order of "
        "the merges.",
        lambda ids, merges: replacing(bytes(halves(ids, merges))),
    ),
    "spaces-between-tokens": (
        "You put a space between the tokens. Tokens are not words: a space is in the text only "
        "where a token holds one. Join without anything between.",
        decode_with(replacing, between=b" "),
    ),
    "stripped": (
        "You strip the text: spaces and line ends at its start or end are lost. They are tokens "
        "like others; a text comes back just as it went in.",
        decode_with(lambda data: replacing(data).strip()),
    ),
}

IDS_OF_SEVEN = {
    "first-merge-only": (
        "That is after the first merge. There are two more: 256 twice in a row is a pair, too.",
        [256, 256, 256, 97],
    ),
    "third-merge-forgotten": (
        "One merge still fits: the third joins 256 and 97, which now stand side by side.",
        [257, 256, 97],
    ),
    "third-before-second": (
        "You made the third merge before the second. (256, 256) has the lower rank, so it goes "
        "first wherever it fits.",
        [256, 256, 258],
    ),
    "from-the-right": (
        "You merged from right to left. From the left, the single letter that is left over stands "
        "at the end.",
        [97, 256, 257],
    ),
    "overlap": (
        "You used letters twice. Seven letters make three pairs, and one letter is left over.",
        [257, 257],
    ),
    "lengths": (
        "These are the numbers of letters in the tokens. What is asked for are their ids.",
        [4, 3],
    ),
}


# --- encode ---


def encode_in_order(text, merges, replace=merge, first_id=256, to_ids=None):
    ids = list(text.encode()) if to_ids is None else to_ids(text)
    for rank, pair in enumerate(merges):
        ids = replace(ids, pair, first_id + rank)
    return ids


def encode_choosing(choose):
    """Return an encoder which merges the pair that `choose(found, ranks)` takes."""

    def encode(text, merges):
        ids, ranks = list(text.encode()), {pair: rank for rank, pair in enumerate(merges)}
        while found := [pair for pair in pairwise(ids) if pair in ranks]:
            pair = choose(found, ranks)
            ids = merge(ids, pair, 256 + ranks[pair])
        return ids

    return encode


def encode_in_one_sweep(text, merges):
    ids = []
    for byte in text.encode():
        ids.append(byte)
        while tuple(ids[-2:]) in merges:
            ids[-2:] = [256 + merges.index(tuple(ids[-2:]))]
    return ids


def encode_longest_match(text, merges):
    tokens = {token: i for i, token in enumerate(tokens_of(merges))}
    data, ids = text.encode(), []
    while data:
        n = next(n for n in range(len(data), 0, -1) if data[:n] in tokens)
        ids.append(tokens[data[:n]])
        data = data[n:]
    return ids


def encode_one_merge(text, merges):
    ids = list(text.encode())
    for rank, pair in enumerate(merges):
        if pair in pairwise(ids):
            return merge(ids, pair, 256 + rank)
    return ids


def encode_words(text, merges):
    words = re.findall(r" ?[^ ]+| ", text)
    return [i for word in words for i in encode(word, merges)]


def encode_asking_for_the_lowest(text, merges):
    ids, ranks = list(text.encode()), {pair: rank for rank, pair in enumerate(merges)}
    while True:
        pair = min(pairwise(ids), key=lambda pair: ranks.get(pair, len(merges)))
        if pair not in ranks:
            return ids
        ids = merge(ids, pair, 256 + ranks[pair])


ENCODE = {
    "lowest-of-nothing": (
        "Right wherever there is a pair. But min() of nothing is an error: an empty text, a byte, "
        "or a text that has become one token holds no pair. Stop before you ask.",
        encode_asking_for_the_lowest,
    ),
    "compared-with-is": (
        "You compare with `is`, which asks whether two things are one object. Python keeps small "
        "numbers once; two equal ids above 256 are two objects. Use ==.",
        lambda text, merges: encode_in_order(text, merges, replace=MERGE["compared-with-is"][1]),
    ),
    "by-position": (
        "You merge the leftmost pair that fits, whatever its rank. The text still decodes, but "
        "these are not the ids the model was trained on. The lowest rank goes first, wherever it "
        "stands.",
        encode_choosing(lambda found, ranks: found[0]),
    ),
    "as-the-bytes-come": (
        "You merge as soon as a byte arrives, before the rest of the text is seen. A merge of a "
        "lower rank may need that byte. Look at all pairs of the text before each merge.",
        encode_in_one_sweep,
    ),
    "longest-match": (
        "You take the longest token that fits, from the left. Byte-pair encoding never looks at "
        "length: it repeats the merges of training, the lowest rank first.",
        encode_longest_match,
    ),
    "highest-rank-first": (
        "You take the highest rank first. Training found rank 0 first, and later merges build on "
        "it: encoding must follow in the same order.",
        encode_choosing(lambda found, ranks: max(found, key=ranks.get)),
    ),
    "most-frequent-first": (
        "You merge the pair that is most frequent in this text. That is training. In encoding the "
        "order is fixed: the rank decides, however often a pair stands here.",
        encode_choosing(lambda found, ranks: lowest(Counter(found))),
    ),
    "each-rank-once": (
        "You merge each rank at one place only, the first. So the same word is cut differently in "
        "different places. Replace the pair wherever it stands.",
        lambda text, merges: encode_in_order(text, merges, replace=merge_first_only),
    ),
    "one-merge-then-stop": (
        "You stop after the first merge that fits. Go on until no pair of the text is in the list.",
        encode_one_merge,
    ),
    "merge-without-jump": (
        "Your merge does not jump over both halves of a pair: in aaa one letter is used twice, and "
        "the text grows. Look at merge again.",
        lambda text, merges: encode_in_order(text, merges, replace=merge_without_jump),
    ),
    "merged-from-the-right": (
        "You replace pairs from right to left. In aaa it makes a difference: left to right is part "
        "of the rule.",
        lambda text, merges: encode_in_order(text, merges, replace=merge_from_right),
    ),
    "characters-not-bytes": (
        "You start from characters (code points), not from bytes. In English nobody notices; ā is "
        "code point 257 and turns into a merged token. Start from text.encode().",
        lambda text, merges: encode_in_order(text, merges, to_ids=lambda t: [ord(c) for c in t]),
    ),
    "rank-as-id": (
        "You write the rank itself as the id. The ids up to 255 are taken by the bytes: the merge "
        "of rank 0 is token 256.",
        lambda text, merges: encode_in_order(text, merges, first_id=0),
    ),
    "ids-one-too-high": (
        "Your merged ids are one too high. The bytes are 0 to 255, so the first merge is 256.",
        lambda text, merges: encode_in_order(text, merges, first_id=257),
    ),
    "cut-into-words": (
        "You cut the text into words first, so no merge crosses a space. GPT-2 does that, but this "
        "exercise is the stage before it: the whole text is one piece.",
        encode_words,
    ),
    "stripped": (
        "You strip the text first: spaces and line ends at its start or end are lost. They are "
        "bytes like others.",
        lambda text, merges: encode(text.strip(), merges),
    ),
}


# --- encode_with_mark ---


def mark_found_in_ids(text, merges, mark, mark_id):
    ids, marks = encode(text, merges), encode(mark, merges)
    found, i = [], 0
    while i < len(ids):
        if ids[i : i + len(marks)] == marks:
            found.append(mark_id)
            i += len(marks)
        else:
            found.append(ids[i])
            i += 1
    return found


def mark_as_pattern(text, merges, mark, mark_id):
    ids = []
    for part in re.split(f"({mark})", text):
        ids += [mark_id] if part == mark else encode(part or "", merges)
    return ids


def cut_with(cut):
    """Return an encoder which cuts the text into parts in its own way."""
    return lambda text, merges, mark, mark_id: encode_parts(cut(text, mark), merges, mark_id)


ENCODE_WITH_MARK = {
    "untouched": (
        "Not written yet: this is still the broken version. Encode the text of this case by hand, "
        "merge by merge, and watch what becomes of the mark.",
        mark_found_in_ids,
    ),
    "mark-split": (
        "The mark is encoded like any other text, and mark_id never appears. Cut the text at the "
        "mark before you encode.",
        lambda text, merges, mark, mark_id: encode(text, merges),
    ),
    "mark-read-as-a-pattern": (
        "You give the mark to re.split as it is. There | and * have a meaning of their own, so "
        "<|end|> is read as three alternatives. Use re.escape, or str.split.",
        mark_as_pattern,
    ),
    "mark-read-as-a-pattern, every-cut-a-mark": (
        "You give the mark to re.split as it is. There | and * have a meaning of their own: at "
        "<|end|> it cuts at each <, end and >. Use re.escape, or str.split.",
        cut_with(lambda text, mark: [part or "" for part in re.split(mark, text)]),
    ),
    "mark-dropped": (
        "You cut at the marks, but leave them out: the documents run together. Put mark_id where "
        "each mark was.",
        lambda text, merges, mark, mark_id: [
            i for part in text.split(mark) for i in encode(part, merges)
        ],
    ),
    "mark-after-the-last": (
        "There is one mark_id too many, at the end. n marks cut a text into n + 1 parts; after the "
        "last part comes none.",
        cut_with(lambda text, mark: [*text.split(mark), ""]),
    ),
    "first-mark-only": (
        "Only the first mark becomes mark_id; later ones are encoded as text. Cut at all of them.",
        cut_with(lambda text, mark: text.split(mark, 1)),
    ),
    "empty-parts-skipped": (
        "You skip empty parts, and their marks with them: a mark at the start or the end, or two "
        "side by side, are lost. An empty part has no ids, but the mark beside it counts.",
        cut_with(lambda text, mark: [part for part in text.split(mark) if part] or [""]),
    ),
}
