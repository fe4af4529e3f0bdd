"""Right answers to the exercises of lesson 01, each written in another way."""

import codecs
import re
from bisect import insort
from collections import Counter, defaultdict
from heapq import heappop, heappush
from itertools import groupby, pairwise

import numpy as np
import torch

# --- count_pairs ---


def count_with_counter(ids):
    return Counter(pairwise(ids))


def count_with_defaultdict(ids):
    counts = defaultdict(int)
    for i in range(len(ids) - 1):
        counts[ids[i], ids[i + 1]] += 1
    return counts


def count_from_the_end(ids):
    counts = {}
    for i in range(len(ids) - 1, 0, -1):
        counts.setdefault((ids[i - 1], ids[i]), 0)
        counts[ids[i - 1], ids[i]] += 1
    return counts


def count_with_torch(ids):
    if len(ids) < 2:
        return {}
    pairs = torch.tensor([ids[:-1], ids[1:]])
    found, counts = pairs.unique(dim=1, return_counts=True)
    return {tuple(pair.tolist()): n.item() for pair, n in zip(found.T, counts)}


def count_with_numpy_numbers(ids):
    counts = {}
    for pair in pairwise(ids):
        counts[pair] = np.int64(counts.get(pair, 0) + 1)
    return counts


def count_by_sorting(ids):
    return {pair: len(list(group)) for pair, group in groupby(sorted(pairwise(ids)))}


# --- merge ---


def merge_with_stack(ids, pair, new_id):
    merged, fresh = [], False  # fresh: the last one may still become a left half
    for i in ids:
        if fresh and (merged[-1], i) == pair:
            merged[-1], fresh = new_id, False
        else:
            merged.append(i)
            fresh = True
    return merged


def merge_in_a_string(ids, pair, new_id):
    return list(map(ord, "".join(map(chr, ids)).replace("".join(map(chr, pair)), chr(new_id))))


def merge_with_pops(ids, pair, new_id):
    left, merged = list(ids), []
    while left:
        one = left.pop(0)
        if left and (one, left[0]) == pair:
            left.pop(0)
            one = new_id
        merged.append(one)
    return merged


def merge_with_a_skip(ids, pair, new_id):
    merged, skip = [], False
    for here, after in zip(ids, [*ids[1:], None]):
        if skip:
            skip = False
        elif (here, after) == tuple(pair):
            merged.append(new_id)
            skip = True
        else:
            merged.append(here)
    return merged


def merge_recursively(ids, pair, new_id):
    if not ids:
        return []
    if tuple(ids[:2]) == pair:
        return [new_id, *merge_recursively(ids[2:], pair, new_id)]
    return [ids[0], *merge_recursively(ids[1:], pair, new_id)]


def merge_in_a_copy(ids, pair, new_id):
    ids, i = ids.copy(), 0
    while i < len(ids) - 1:
        if ids[i] == pair[0] and ids[i + 1] == pair[1]:
            ids[i : i + 2] = [new_id]
        i += 1
    return ids


# --- train_bpe ---


def train_with(count, merge, choose):
    def train_bpe(text, vocab_size):
        ids, merges = list(bytearray(text, "utf-8")), []
        for new_id in range(256, vocab_size):
            if len(ids) < 2:
                break
            counts = count(ids)
            merges.append(choose(counts))
            ids = merge(ids, merges[-1], new_id)
        return merges

    return train_bpe


def highest_count_lowest_pair(counts):
    most = max(counts.values())
    return min(pair for pair, n in counts.items() if n == most)


def first_of_sorted(counts):
    return sorted(sorted(counts), key=counts.__getitem__, reverse=True)[0]


def best_by_negatives(counts):
    return max(counts, key=lambda pair: (counts[pair], -pair[0], -pair[1]))


def train_on_strings(text, vocab_size):
    tokens, merges = "".join(map(chr, text.encode())), []
    while len(merges) < vocab_size - 256 and len(tokens) > 1:
        counts = Counter(map("".join, pairwise(tokens)))
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        tokens = tokens.replace(best, chr(256 + len(merges)))
        merges.append(tuple(map(ord, best)))
    return merges


# --- decode ---


def bytes_of(i, merges):
    if i < 256:
        return bytes([i])
    left, right = merges[i - 256]
    return bytes_of(left, merges) + bytes_of(right, merges)


def decode_recursively(ids, merges):
    return str(b"".join(bytes_of(i, merges) for i in ids), "utf-8", "replace")


def decode_by_unmerging(ids, merges):
    ids = list(ids)
    for rank in reversed(range(len(merges))):
        ids = [half for i in ids for half in (merges[rank] if i == 256 + rank else (i,))]
    return bytes(ids).decode(errors="replace")


def decode_with_a_stack(ids, merges):
    found, stack = bytearray(), list(ids)[::-1]
    while stack:
        i = stack.pop()
        if i < 256:
            found.append(i)
        else:
            stack += merges[i - 256][::-1]
    return found.decode("utf-8", "replace")


def decode_as_a_stream(ids, merges):
    reader = codecs.getincrementaldecoder("utf-8")(errors="replace")
    text = "".join(reader.decode(bytes_of(i, merges)) for i in ids)
    return text + reader.decode(b"", final=True)


# --- encode ---


def encode_rank_by_rank(text, merges):
    ids = [*text.encode("utf8")]
    for new_id, pair in enumerate(merges, 256):
        ids = merge_with_stack(ids, pair, new_id)
    return ids


def encode_one_place_at_a_time(text, merges):
    ids = list(text.encode())
    while True:
        found = [(merges.index(p), i) for i, p in enumerate(pairwise(ids)) if p in merges]
        if not found:
            return ids
        rank, i = min(found)
        ids[i : i + 2] = [256 + rank]


def encode_recursively(text, merges, ids=None):
    ids = list(text.encode()) if ids is None else ids
    ranks = dict(zip(merges, range(len(merges))))
    best = min(pairwise(ids), key=lambda pair: ranks.get(pair, float("inf")), default=None)
    if best not in ranks:
        return ids
    return encode_recursively(text, merges, merge_with_a_skip(ids, best, 256 + ranks[best]))


def encode_with_a_queue(text, merges):
    ids, ranks = list(text.encode()), {pair: rank for rank, pair in enumerate(merges)}
    queue, end = [], len(ids)
    after, before = list(range(1, end + 1)), list(range(-1, end - 1))

    def offer(i, j):
        if i >= 0 and j < end and (ids[i], ids[j]) in ranks:
            heappush(queue, (ranks[ids[i], ids[j]], i))

    for i in range(end - 1):
        offer(i, i + 1)
    while queue:
        rank, i = heappop(queue)
        j = after[i] if ids[i] is not None else end
        if j >= end or ranks.get((ids[i], ids[j])) != rank:
            continue
        ids[i], ids[j], after[i] = 256 + rank, None, after[j]
        if after[j] < end:
            before[after[j]] = i
        offer(before[i], i)
        offer(i, after[i])
    return [i for i in ids if i is not None]


# --- encode_with_mark ---


def mark_with_pattern(text, merges, mark, mark_id):
    ids = []
    for piece in re.split(f"({re.escape(mark)})", text):
        ids += [mark_id] if piece == mark else encode_rank_by_rank(piece, merges)
    return ids


def mark_found_in_bytes(text, merges, mark, mark_id):
    ids, sign, found = list(text.encode()), list(mark.encode()), []
    while ids:
        here = ids[: len(sign)] == sign
        found.append(mark_id if here else ids[0])
        del ids[: len(sign) if here else 1]
    for rank, pair in enumerate(merges):  # no merge has mark_id
        found = merge_with_stack(found, pair, 256 + rank)
    return found


def mark_with_find(text, merges, mark, mark_id):
    ids, start = [], 0
    while (end := text.find(mark, start)) >= 0:
        ids += [*encode_rank_by_rank(text[start:end], merges), mark_id]
        start = end + len(mark)
    return ids + encode_rank_by_rank(text[start:], merges)


def mark_with_partition(text, merges, mark, mark_id):
    before, found, after = text.partition(mark)
    ids = encode_one_place_at_a_time(before, merges)
    return [*ids, mark_id, *mark_with_partition(after, merges, mark, mark_id)] if found else ids


def mark_and_drop_the_last(text, merges, mark, mark_id):
    ids = []
    for piece in text.split(mark):
        ids.extend(encode_rank_by_rank(piece, merges))
        ids.append(mark_id)
    return ids[:-1]


def merges_sorted_in(counts):
    ranked = []
    for pair, n in counts.items():
        insort(ranked, (-n, pair))
    return ranked[0][1]


VARIANTS = {
    "count_pairs": [
        count_with_counter,
        count_with_defaultdict,
        count_from_the_end,
        count_with_torch,
        count_with_numpy_numbers,
        count_by_sorting,
    ],
    "merge": [
        merge_with_stack,
        merge_in_a_string,
        merge_with_pops,
        merge_with_a_skip,
        merge_recursively,
        merge_in_a_copy,
    ],
    "train_bpe": [
        train_with(count_with_counter, merge_with_stack, highest_count_lowest_pair),
        train_with(count_by_sorting, merge_with_pops, first_of_sorted),
        train_with(count_from_the_end, merge_in_a_copy, best_by_negatives),
        train_with(count_with_defaultdict, merge_recursively, merges_sorted_in),
        train_on_strings,
    ],
    "longest_token": [1024.0, torch.tensor(1024), np.int64(1024)],
    "decode": [decode_recursively, decode_by_unmerging, decode_with_a_stack, decode_as_a_stream],
    "ids_of_seven": [
        [255 + 2, 255 + 3],
        [torch.tensor(257), torch.tensor(258)],
        list(np.array([257, 258])),
    ],
    "encode": [
        encode_rank_by_rank,
        encode_one_place_at_a_time,
        encode_recursively,
        encode_with_a_queue,
    ],
    "encode_with_mark": [
        mark_with_pattern,
        mark_with_find,
        mark_found_in_bytes,
        mark_with_partition,
        mark_and_drop_the_last,
    ],
}
