# %% [markdown]
# # Exercises 01: the tokenizer
#
# Nine exercises, about 90 minutes. You write a tokenizer: count pairs, merge, train, decode,
# encode. Then you mend one that somebody else wrote.
#
# Write where it says `YOUR CODE HERE`, run the cell, then run the check below it. A check takes
# about a second and says what is wrong. Stuck? Under a check that failed there are three hints, one
# after the other. What passes becomes a part of your own GPT.

# %%
from itertools import pairwise

from minigpt.course import check, part

# %% [markdown]
# In all of them an id from 0 to 255 is the byte of that number. The first merge makes the id 256,
# the next 257, and so on. The text is one piece: nothing is cut into words first.

# %% [markdown] exercise="count_pairs"
# ## Count the pairs
#
# Which two ids stand side by side, and how often? Write
#
# ```
# count_pairs(ids: list[int]) -> dict[tuple[int, int], int]
# ```
#
# It maps every pair of neighbours to the number of places where it stands. A pair is a tuple, the
# left id first; `(5, 9)` and `(9, 5)` are different. Overlaps count: `[97, 97, 97]` holds
# `(97, 97)` twice. Pairs that do not occur are not in the dict. No ids, or one, give an empty dict.
# `ids` stays as it was.
#
# ```
# count_pairs([1, 2, 3, 1, 2])  is  {(1, 2): 2, (2, 3): 1, (3, 1): 1}
# ```


# %% solution="count_pairs"
def count_pairs(ids):
    """Return how often each pair of neighbours stands in `ids`."""
    ### BEGIN SOLUTION
    counts = {}
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    return counts
    ### END SOLUTION


# %% check="count_pairs"
check("count_pairs", count_pairs)

# %% [markdown] exercise="merge"
# ## Merge one pair
#
# Write
#
# ```
# merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]
# ```
#
# It returns a new list in which `new_id` stands wherever `pair` stood. Go from left to right; what
# was used up by one merge is not used again. So in `[97, 97, 97]` the pair `(97, 97)` is merged
# once, at the left. `ids` itself stays as it was. It may be empty.
#
# ```
# merge([1, 2, 3, 1, 2], (1, 2), 256)   is  [256, 3, 256]
# merge([97, 97, 97], (97, 97), 256)    is  [256, 97]
# ```


# %% solution="merge"
def merge(ids, pair, new_id):
    """Return `ids` with `new_id` wherever `pair` stood, from left to right."""
    ### BEGIN SOLUTION
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new_id)
            i += 2  # both are used up
        else:
            merged.append(ids[i])
            i += 1
    return merged
    ### END SOLUTION


# %% check="merge"
check("merge", merge)

# %% [markdown]
# The next exercises use what you wrote. Where yours is not ready yet, `part("merge")` gives you one
# to go on with: your own if it ever passed its check, and ours if not.

# %% [markdown] exercise="train_bpe"
# ## Train a vocabulary
#
# Write
#
# ```
# train_bpe(text: str, vocab_size: int) -> list[tuple[int, int]]
# ```
#
# Begin with the UTF-8 bytes of `text`, as ids. Then, again and again: find the most frequent pair
# (overlaps count, as in `count_pairs`; of equally frequent pairs the lowest tuple), replace it by
# the next free id (256, 257, ...), and remember it. Return the pairs, as tuples, in that order.
#
# The 256 bytes belong to the vocabulary, so there is room for `vocab_size - 256` merges; for none
# if `vocab_size` is 256. Pairs seen only once are merged too. Stop early when no pair is left. The
# text may be empty. You may call your `count_pairs` and `merge`.
#
# ```
# train_bpe("abab", 258)    is  [(97, 98), (256, 256)]
# train_bpe("abc", 1000)    is  [(97, 98), (256, 99)]
# ```


# %% solution="train_bpe"
def train_bpe(text, vocab_size):
    """Return the merges that byte-pair encoding learns from `text`, in order."""
    ### BEGIN SOLUTION
    ids, merges = list(text.encode()), []
    while 256 + len(merges) < vocab_size:
        counts = count_pairs(ids)
        if not counts:
            break  # one token is left, and no pair
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        ids = merge(ids, best, 256 + len(merges))
        merges.append(best)
    return merges
    ### END SOLUTION


# %% check="train_bpe"
check("train_bpe", train_bpe)

# %% [markdown] exercise="longest_token"
# ## How long can a token get?
#
# A tokenizer was trained with 10 merges, on a text that you may choose. How many bytes can its
# longest token have, at most? Before the first merge it is 1 byte. Put a whole number into
# `longest_token`.

# %% solution="longest_token"
longest_token = None
### BEGIN SOLUTION
longest_token = 2**10  # each merge can join the longest token with itself
### END SOLUTION

# %% check="longest_token"
check("longest_token", longest_token)

# %% [markdown] exercise="decode"
# ## Ids back to text
#
# Write
#
# ```
# decode(ids: list[int], merges: list[tuple[int, int]]) -> str
# ```
#
# An id below 256 is one byte. The id 256 + n says what the two halves of `merges[n]` say, the left
# one first; a half can be a merged token itself. Read the bytes of *all* ids together as UTF-8.
# Bytes that are no text become �, as `bytes.decode` writes it with `errors="replace"`: the ids may
# come from a model, in any order. No ids give the empty text. Nothing is added or stripped.
#
# ```
# decode([98, 256], [(105, 116)])          is  "bit"
# decode([256, 144], [(231, 139)])         is  "狐"     # its bytes are 231 139 144
# decode([97, 139], [])                    is  "a�"
# ```


# %% solution="decode"
def decode(ids, merges):
    """Return the text that `ids` say."""
    ### BEGIN SOLUTION
    tokens = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")
    ### END SOLUTION


# %% check="decode"
check("decode", decode)

# %% [markdown] exercise="ids_of_seven"
# ## Predict the ids
#
# Before you write an encoder, be one. The merges are `[(97, 97), (256, 256), (256, 97)]`, and the
# text is `aaaaaaa`: seven letters, each the byte 97. Of all pairs in the text that can merge, the
# lowest rank goes first, from left to right, until nothing can merge any more. Which ids are left?
# Put the list into `ids_of_seven`. No program, just paper.

# %% solution="ids_of_seven"
ids_of_seven = None
### BEGIN SOLUTION
# aaaaaaa -> 256 256 256 97 -> 257 256 97 -> 257 258
ids_of_seven = [257, 258]
### END SOLUTION

# %% check="ids_of_seven"
check("ids_of_seven", ids_of_seven)

# %% [markdown] exercise="encode"
# ## Text to ids
#
# Write
#
# ```
# encode(text: str, merges: list[tuple[int, int]]) -> list[int]
# ```
#
# Begin with the UTF-8 bytes of `text`, as ids. A merge's place in the list is its rank, from 0. Of
# all pairs that stand in the ids and can merge, take the one of the lowest rank, and replace it
# wherever it stands (from left to right, as `merge` does) by 256 plus its rank. Go on until no pair
# can merge. An empty text, or no merges, is fine. You may call your `merge`.
#
# ```
# encode("a bite", [(105, 116)])             is  [97, 32, 98, 256, 101]
# encode("abc", [(98, 99), (97, 98)])        is  [97, 256]
# ```


# %% solution="encode"
def encode(text, merges):
    """Return the ids of `text`."""
    ### BEGIN SOLUTION
    ids, ranks = list(text.encode()), {pair: rank for rank, pair in enumerate(merges)}
    while True:
        ranked = [ranks[pair] for pair in pairwise(ids) if pair in ranks]
        if not ranked:
            return ids  # nothing left to merge
        best = min(ranked)
        ids = merge(ids, merges[best], 256 + best)
    ### END SOLUTION


# %% check="encode"
check("encode", encode)

# %%
encode_piece = part("encode")  # yours if it passed its check, ours if not

# %% [markdown] exercise="encode_with_mark"
# ## Find the bug: the mark between documents
#
# A text holds several documents, with a mark such as `<|end|>` between them. The mark is one token,
# with an id of its own that no merge makes. Somebody wrote
#
# ```
# encode_with_mark(text, merges, mark: str, mark_id: int) -> list[int]
# ```
#
# It should return `mark_id` for each `mark` in the text, and for the text before, between and after
# the marks just what `encode_piece(piece, merges)`, the encoder above, gives for each piece by
# itself. Marks may stand at the start, at the end, or side by side. A mark is any text that is not
# empty; its signs have no special meaning. A text without a mark is one piece.
#
# ```
# encode_with_mark("a<|end|>b", [(97, 98)], "<|end|>", 257)    is  [97, 257, 98]
# encode_with_mark("a.<|end|>b", [(46, 60)], "<|end|>", 257)   is  [97, 46, 257, 98]
# ```
#
# In the lesson it took the text alone: there merges, mark and id were fixed.
#
# On the first example it works. On the second it does not: 46 and 60 are `.` and `<`. Find out why,
# and mend it. You may rewrite as much as you like.


# %% solution="encode_with_mark"
### BEGIN BROKEN
# def encode_with_mark(text, merges, mark, mark_id):
#     """Return the ids of `text`, with `mark_id` for each mark."""
#     ids, mark_ids = encode_piece(text, merges), encode_piece(mark, merges)
#     found, i = [], 0
#     while i < len(ids):
#         if ids[i : i + len(mark_ids)] == mark_ids:  # here is the mark
#             found.append(mark_id)
#             i += len(mark_ids)
#         else:
#             found.append(ids[i])
#             i += 1
#     return found
### END BROKEN
### BEGIN SOLUTION
def encode_with_mark(text, merges, mark, mark_id):
    """Return the ids of `text`, with `mark_id` for each mark."""
    first, *others = text.split(mark)  # cut before anything can merge across the mark
    ids = encode_piece(first, merges)
    for piece in others:
        ids = [*ids, mark_id, *encode_piece(piece, merges)]
    return ids


### END SOLUTION

# %% check="encode_with_mark"
check("encode_with_mark", encode_with_mark)

# %% [markdown] exercise="why_bytes"
# ## Why bytes?
#
# GPT-2's vocabulary begins with the 256 bytes: not with words, and not with characters. Why? Answer
# in four to six sentences, in your own words. A full answer
#
# - says what goes wrong with one id for each word (half a point),
# - says what goes wrong with one id for each character (half a point),
# - says why 256 ids are enough for every text in every language (one point),
# - names the price of bytes, and how merges bring it down, and for which texts they do not (one
#   point).
#
# Your teacher marks this one. If you have none, mark it yourself: the steps are below.

# %% [markdown] written="why_bytes"
# ### BEGIN SOLUTION
# ### END SOLUTION
