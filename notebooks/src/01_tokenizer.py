# %% [markdown]
# # 01 · The tokenizer
#
# **Afterwards you can** turn any text into numbers and back, train a vocabulary of your own, load
# GPT-2's, and prove that yours cuts text exactly as OpenAI's does.
#
# **Takes** about 100 minutes. **Needs** Python: strings, lists, dictionaries. No PyTorch yet.

# %% [markdown]
# A model computes with numbers, so text must become numbers first. A tokenizer cuts it into pieces,
# the tokens, and gives each its number, the id. Here is GPT-2's at work. You will build it.

# %%
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from textwrap import fill
from time import perf_counter

import matplotlib.pyplot as plt
import regex
from IPython.display import Markdown, display

from minigpt import Tokenizer, viz
from minigpt.viz.kit import visible

viz.use_style()
sentence = "The little fox found the red kite by the river."
ids = Tokenizer.gpt2().encode(sentence)
viz.coloured_tokens(viz.token_labels(Tokenizer.gpt2(), ids), ids)

# %% [markdown]
# 12 tokens, each with its id below; `·` is a space. All tokens that it knows are its vocabulary.
# Most words are one token, with the space in front. But `·kite` is two. Who decided that? Nobody:
# it was *counted*.

# %% [markdown]
# ## Characters are numbers
#
# **Unicode** is a list of the world's characters. Each has a number, its **code point**; `ord`
# tells it. Files and networks hold **bytes**, numbers from 0 to 255. How does a code point go into
# bytes?

# %% [markdown]
# By a rule named **UTF-8**. **Predict:** how many bytes does each of these four characters take?

# %%
characters = ["f", "é", "狐", "🦊"]
rows = [[c, ord(c), list(c.encode())] for c in characters]  # .encode() means UTF-8
viz.table(rows, ["character", "code point", "bytes"])

# %% [markdown]
# One, two, three, four. English letters take one byte. 狐 (a fox, in Chinese) takes three. The
# emoji takes four.

# %% [markdown]
# That is enough to go on. Whoever likes bits finds the rule here:
#
# <details><summary>UTF-8, bit by bit</summary>
#
# The code point's bits, the `x`, are laid into one of four forms:
#
# | code point | bytes, in bits |
# | --- | --- |
# | below 128 | `0xxxxxxx` |
# | below 2,048 | `110xxxxx 10xxxxxx` |
# | below 65,536 | `1110xxxx 10xxxxxx 10xxxxxx` |
# | the rest | `11110xxx 10xxxxxx 10xxxxxx 10xxxxxx` |
#
# 狐 is 111 001011 010000: 3 bits go into the first byte, then 6 and 6.
#
# </details>

# %%
print(f"狐 {ord('狐'):b} ->", *(f"{byte:08b}" for byte in "狐".encode()))
assert [len(chr(code).encode()) for code in (127, 128, 2047, 2048, 65535, 65536)] == [
    1,
    2,
    2,
    3,
    3,
    4,
]

# %% [markdown]
# Not all bytes are text. A part of 狐 is no character; told to replace it, Python writes a �. Keep
# that sign in mind. `\x8b` is how Python writes the byte 139: its two digits in **hexadecimal**, to
# base 16, where a to f are 10 to 15. 8 × 16 + 11 is 139.

# %%
print(b"\x8b".decode("utf-8", errors="replace"))

# %% [markdown]
# ## Why not words?
#
# The obvious idea: one id for each word. Learn the words from a text, number them, done.
# **Predict:** what fails?

# %%
known = {word: number for number, word in enumerate(sentence.split())}
new = "The little fox found the red kites by the river, again."
viz.coloured_tokens(new.split(), [known.get(word, "???") for word in new.split()])

# %% [markdown]
# `kites`, `river,` and `again.` are new, so they have no number. What they said is lost. Is a
# larger text the cure? Python carries half a megabyte of real English, its own documentation.

# %% [markdown]
# Learn the words of the first nine tenths, then read the last tenth. What a word is depends on who
# cuts: `.split()` cuts at spaces, the pattern `\w+` takes runs of letters and digits. **Predict:**
# is 1 word in 200 unknown, 1 in 20, or 1 in 6?

# %% tags=["nbval-ignore-output"]
from minigpt.data import python_docs

docs = python_docs()
cut = len(docs) * 9 // 10
seen, unseen = docs[:cut], docs[cut:]
rows = []
for words_of in [str.split, regex.compile(r"\w+").findall]:
    known, new = set(words_of(seen)), words_of(unseen)
    unknown = [word for word in new if word not in known]
    rows.append(
        [len(known), f"{len(unknown) / len(new):.1%}", " ".join(list(dict.fromkeys(unknown))[:6])]
    )
viz.table(rows, ["words known", "unknown in the rest", "such as"], rows=[".split()", r"\w+"])

# %% [markdown]
# By `.split()` one in six; but most of those are words with signs glued on. By `\w+` still one in
# twenty: ordinary words that the first nine tenths did not happen to use. (Your Python's text may
# differ a little, and so may these numbers.)

# %% [markdown]
# ## Why not characters, or bytes?
#
# Then the smallest pieces: a character, or a byte, for each id. Nothing is unknown. **Predict**
# what it costs. We compare our sentence in two languages.

# %%
chinese = "小狐狸在河边找到了红色的风筝。"
gpt2_length = [len(Tokenizer.gpt2().encode(text)) for text in (sentence, chinese)]
rows = [
    ["characters", sys.maxunicode + 1, len(sentence), len(chinese)],
    ["bytes", 256, len(sentence.encode()), len(chinese.encode())],
    ["GPT-2's tokens", Tokenizer.gpt2().vocab_size, *gpt2_length],
]
rows = [[*row, row[2] * (row[2] + 1) // 2] for row in rows]
assert len(set(docs)) < 1000  # different characters in half a megabyte of docs
viz.table(rows, ["one id for each", "different ids", "English", "Chinese", "pairs, English"])

# %% [markdown]
# Characters need room for 1,114,112 ids, and most would never be trained: the docs hold fewer than
# 1,000 of them. Bytes need 256. With both, English gets long: 47 pieces instead of 12. And a model
# compares each piece with itself and all before it (lesson 03): 1,128 pairs instead of 78.

# %% [markdown]
# So the plan: begin with bytes, for which nothing is unknown. Then glue together what stands
# together *often*. It is called **byte-pair encoding**, BPE (Sennrich et al. 2016; on bytes:
# Radford et al. 2019).

# %% [markdown]
# ## Count the pairs
#
# This is our tiny example, for the whole lesson: 20 bytes.

# %%
tiny = "a kite, a white kite"
ids = list(tiny.encode())
viz.coloured_tokens(tiny, ids)  # here each byte is one character

# %% [markdown]
# Which two neighbours stand together most often?


# %%
def count_pairs(ids):
    counts = {}
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    return counts


counts = count_pairs(ids)
rows = [[visible(bytes(pair).decode()), pair, n] for pair, n in counts.items() if n > 1]
viz.table(rows, ["pair", "ids", "times"])

# %% [markdown]
# `it` and `te` lead with three each: in `kite`, `white`, `kite`. One of them must go first, and
# everybody must choose the same. Our rule: of equals, the **lowest pair**. 105 is below 116, so
# it is `it`. (`min` compares what `key` makes of each pair: first minus its count, then the pair.)

# %%
best = min(counts, key=lambda pair: (-counts[pair], pair))
print(best, bytes(best))

# %% [markdown]
# ## Merge one
#
# The pair becomes a token of its own, with the first free id, 256: a **merge**. Go from left to
# right; where the pair stands, write 256 and jump over both.

# %% [markdown]
# **Predict:** how many of the 20 ids are left?


# %%
def merge(ids, pair, new_id):
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new_id)
            i += 2  # both are used up
        else:
            merged.append(ids[i])
            i += 1
    return merged


once = merge(ids, best, 256)
print(f"{len(once)} ids")
viz.coloured_tokens(["it" if i == 256 else chr(i) for i in once], once)

# %% [markdown]
# 17: three pairs, one id less for each. And 256 is an id like any other now. It can be half of the
# next pair.

# %% [markdown]
# ## Training is that, again and again
#
# Step $n$ (from 0) takes the most frequent pair and gives it the id $256 + n$:
#
# $$\text{merge}_n = \arg\max_{(a,b)} \text{count}(a, b), \quad \text{of equals the lowest}$$


# %%
def train_bpe(text, vocab_size):
    ids, merges = list(text.encode()), []
    while 256 + len(merges) < vocab_size:
        counts = count_pairs(ids)
        if not counts:
            break  # one token is left, and no pair
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        ids = merge(ids, best, 256 + len(merges))
        merges.append(best)
    return merges


assert merge(ids, train_bpe(tiny, 257)[0], 256) == once
assert train_bpe("abc", 1000) == [(97, 98), (256, 99)]
print("The first step of training equals the step by hand.")

# %% [markdown]
# Pairs seen only once are merged too, as in `abc`, until no pair is left. The list of merges, in
# order, is all that training leaves. What a token *says* follows from it: the bytes of its left
# half, then those of its right.


# %%
def token_bytes(merges, first=range(256)):
    tokens = [bytes([byte]) for byte in first]
    for left, right in merges:
        tokens.append(tokens[left] + tokens[right])
    return tokens


def label(token):  # bytes that are no whole character are written as \xe5
    return visible(token.decode("utf-8", errors="backslashreplace"))


def show(ids, tokens):
    return viz.coloured_tokens([label(tokens[i]) for i in ids], ids)


# %% [markdown]
# **Predict:** after `it`, which three tokens come next? Count in your head: *a kite, a white kite*.

# %%
merges = train_bpe(tiny, 260)
tokens = token_bytes(merges)
rows = [[i, pair, label(tokens[i])] for i, pair in enumerate(merges, start=256)]
viz.table(rows, ["id", "merges", "token"])

# %% [markdown]
# `ite` is `it` and `e`. Token 258 was a tie again: `a·`, `·k` and `k` with `ite` stand there twice
# each. The lowest of them begins with 32, the space. Then both halves meet: `·kite`.

# %% [markdown]
# ## Decoding
#
# Back to text is the easy way: join the bytes, *then* read them as UTF-8. Bytes that are no text
# become �, for a model may put tokens together in any order.


# %%
def decode(ids, merges):
    tokens = token_bytes(merges)
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors="replace")


print(decode([97, 259, 44, 32, 97, 32, 119, 104, 257, 259], merges))

# %% [markdown]
# ## Encoding
#
# A new text gets the merges that training found, in the order in which it found them. A merge's
# number in that order is its **rank**, from 0: of all pairs in the text that can merge, the lowest
# rank goes first.


# %%
def apply_merges(ids, ranks):
    while True:
        best = min(pairwise(ids), key=lambda pair: ranks.get(pair, len(ranks)), default=None)
        if best not in ranks:
            return ids  # nothing left to merge
        ids = merge(ids, best, 256 + ranks[best])


def encode(text, merges):
    return apply_merges(list(text.encode()), {pair: rank for rank, pair in enumerate(merges)})


show(encode(tiny, merges), tokens)

# %% [markdown]
# Ten tokens for 20 bytes. This must be exactly where training ended. There each merge was done on
# the whole text before the next was even known. Is it so?

# %%
ids = list(tiny.encode())
for rank, pair in enumerate(merges):
    ids = merge(ids, pair, 256 + rank)
assert encode(tiny, merges) == ids
print("Encoding ends where training ended.")

# %% [markdown]
# Now a text that training never saw. **Predict** the tokens of *a white bite*.

# %%
show(encode("a white bite", merges), tokens)

# %% [markdown]
# `bite` was never seen, and is no problem: `b` and `ite`. And what no merge fits stays bytes, in
# any language. Nothing is ever unknown.

# %%
for text in (tiny, "a white bite", chinese, "🦊 é", ""):
    assert decode(encode(text, merges), merges) == text
print("Every text comes back. 🦊 is", encode("🦊", merges))

# %% [markdown]
# ## A paragraph
#
# Four merges were a toy. Here are 60, learned from a paragraph. **Predict:** will the longest
# tokens be parts of words, words, or more?

# %%
paragraph = (
    "The little fox lived by the river. Every day the fox took the red kite to the hill, and "
    "every day the wind took the kite to the river. The fox found the kite, and the kite found "
    'the wind again. "Who flies whom?" asked the river. The fox did not know. But the kite was '
    "red, the hill was high, and the wind was there."
)
merges = train_bpe(paragraph, 256 + 60)
tokens = token_bytes(merges)
ids = encode(paragraph, merges)
print(f"{len(paragraph.encode())} bytes are {len(ids)} tokens")
show(ids, tokens)

# %% [markdown]
# 315 bytes became 91 tokens. But look: `·the·river.·The·` is *one* token. So are `,·and` and
# `·the·hill`. They run across words, signs, even sentences.

# %% [markdown]
# And look for the kite: `kit` with `e·` here, `·the·kite·` there, `·the·kit` with `e` in a third
# place. Different ids: nothing tells a model that all of them are the kite.

# %% [markdown]
# ## Cut first: pre-tokens
#
# So GPT-2 cuts the text into **pre-tokens** first, and no merge may cross a cut. The knife is one
# pattern, a **regular expression**. It has six parts; the first that fits wins (OpenAI's
# `encoder.py`, 2019). Read the comments first.

# %%
PATTERN = regex.compile(
    r"'(?:s|t|re|ve|m|ll|d)"  # the end of a contraction: 's, 't, 're ...
    r"| ?\p{L}+"  # letters of any language, and one space before them
    r"| ?\p{N}+"  # digits, likewise
    r"| ?[^\s\p{L}\p{N}]+"  # other signs, likewise
    r"|\s+(?!\S)"  # white space, but the last of it is left to a word that follows
    r"|\s+"  # white space
)

# %% [markdown]
# The signs: `|` is *or*, ` ?` perhaps a space, `+` once or more. `\p{L}` is any letter, `\p{N}` any
# digit, `\s` white space, `\S` all but that; `[^…]` is none of these. `(?!\S)` looks ahead without
# taking: no word may follow here.

# %% [markdown]
# **Predict** the cuts in *It's the 2nd   fox!* (with three spaces before the fox).

# %%
pieces = PATTERN.findall("It's the 2nd   fox!")
viz.coloured_tokens(pieces, [f"{len(piece.encode())} B" for piece in pieces])

# %% [markdown]
# The space goes with the word *after* it. Of three, two stay behind and the last goes along. `2`
# and `nd` are cut apart, and `!` stands alone. Nothing is lost: the pieces join to the text.

# %% [markdown]
# Training on pre-tokens: count the pairs inside each, and add them up. A word that comes often is
# the same each time. So look at it once, and multiply.


# %%
def train_on_words(word_counts, n_merges):
    words, merges = {word: list(word) for word in word_counts}, []
    for new_id in range(256, 256 + n_merges):
        total = Counter()
        for word, ids in words.items():
            for pair, n in count_pairs(ids).items():
                total[pair] += n * word_counts[word]
        if not total:
            break
        best = min(total, key=lambda pair: (-total[pair], pair))
        words = {word: merge(ids, best, new_id) for word, ids in words.items()}
        merges.append(best)
    return merges


# %% [markdown]
# A word is a `bytes` here: a row of ids from 0 to 255. One word that is the whole text must give
# what the first stage gave.

# %%
assert train_on_words({paragraph.encode(): 1}, 60) == merges
print("One pre-token: the same 60 merges.")

# %% [markdown]
# And now with cuts. **Predict:** which tokens will be gone?

# %%
word_counts = Counter(word.encode() for word in PATTERN.findall(paragraph))
tokens = token_bytes(train_on_words(word_counts, 60))
assert not any(b" " in token[1:] for token in tokens)  # a space stands only in front
longest = sorted(tokens[256:], key=len, reverse=True)[:12]
print(*map(label, longest))

# %% [markdown]
# Words, and pieces of words (`iver`). What ran across them is gone, and a space stands only in
# front.

# %% [markdown]
# ## The Python docs
#
# Half a megabyte, a thousand merges. How much work is it? Let us count before we press the button.

# %% tags=["nbval-ignore-output"]
word_counts = Counter(word.encode() for word in PATTERN.findall(docs))
rows = [
    ["bytes", len(docs.encode())],
    ["pre-tokens", sum(word_counts.values())],
    ["different pre-tokens", len(word_counts)],
    ["of these, with the pair th", sum(b"th" in word for word in word_counts)],
]
viz.table(rows, ["in the Python docs", "how many"])

# %% [markdown]
# On average a pre-token comes more than ten times: counting words has saved most of the work. But
# `train_on_words` visits all of them at every merge, though few hold the pair.

# %% [markdown]
# The last stage keeps a note of *where* each pair is, and visits those words only. Such a note of
# one word's pairs, to add (n words) or to take out (−n):


# %%
def note(word, ids, n, total, places):
    for pair, times in count_pairs(ids).items():
        total[pair] += n * times
        places[pair].add(word)


total, places = Counter(), defaultdict(set)  # how often each pair comes; in which words
for word in (b" kite", b" white"):
    note(word, list(word), 1, total, places)
print(total[105, 116], "times `it`, in", sorted(places[105, 116]))

# %% [markdown]
# With it, a merge is: take the word's pairs out, merge, put the new pairs in. All else stays as it
# was.


# %%
def train_fast(word_counts, n_merges):
    words, merges = {word: list(word) for word in word_counts}, []
    total, places = Counter(), defaultdict(set)
    for word, n in word_counts.items():
        note(word, words[word], n, total, places)
    for new_id in range(256, 256 + n_merges):
        best = min(total, key=lambda pair: (-total[pair], pair), default=None)
        if not total[best]:
            break  # no pair is left
        for word in places.pop(best):
            note(word, words[word], -word_counts[word], total, places)
            words[word] = merge(words[word], best, new_id)
            note(word, words[word], word_counts[word], total, places)
        merges.append(best)
    return merges


# %% [markdown]
# **Predict:** for 20 merges, how many times as fast is it: 2, 10 or 50?

# %% tags=["nbval-ignore-output"]
results = []
for train in (train_on_words, train_fast):
    start = perf_counter()
    results.append(train(word_counts, 20))
    print(f"{train.__name__:14} {perf_counter() - start:.2f} s")
assert results[0] == results[1]

# %% [markdown]
# The same merges, and 10 comes nearest.

# %% [markdown]
# **Predict:** this English is about Python. What are its first tokens? Think of indented code,
# too.

# %% tags=["nbval-ignore-output"]
docs_merges = train_fast(word_counts, 1000)
docs_tokens = token_bytes(docs_merges)
labels = list(map(label, docs_tokens[256:]))
viz.coloured_tokens(labels[:30], range(256, 286))

# %% [markdown]
# Two spaces, four spaces: indentation comes first. `--` grows into ruled lines. Between them stand
# the beginnings of English: `·t`, `he`, `in`, and soon `·the`.

# %% tags=["nbval-ignore-output"]
words = [text for text in labels if text.startswith("·") and text[1:].isalpha()]
print(*sorted(words, key=len)[-10:])

# %% [markdown]
# The longest are words, and tell what the text is about. Nobody gave the tokenizer a dictionary.
# It counted pairs, a thousand times.

# %% [markdown]
# ## How large a vocabulary?
#
# More merges, shorter texts. We measure **compression**: bytes per token. A vocabulary of 256 is
# the bare bytes: exactly 1. **Predict:** does twice the vocabulary compress twice as well?

# %% [markdown]
# We train on the first nine tenths and measure on the rest, which is new to the tokenizer. One
# training is enough: the first merges of a long one are all the merges of a short one.


# %%
def compression(text, merges):
    word_counts = Counter(word.encode() for word in PATTERN.findall(text))
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    n = sum(n * len(apply_merges(list(word), ranks)) for word, n in word_counts.items())
    return len(text.encode()) / n


seen_counts = Counter(word.encode() for word in PATTERN.findall(seen))
merges_4096 = train_fast(seen_counts, 4096 - 256)
assert merges_4096[:100] == train_fast(seen_counts, 100)
print(f"{len(merges_4096):,} merges; the first 100 are those of a short training")

# %% [markdown]
# Three texts: the unseen tenth of the docs, little stories (the storyteller's, from lesson 00), and
# our Chinese sentence. **Predict** their order. On the right: GPT-2's own 50,257 tokens.

# %% tags=["nbval-ignore-output"]
from itertools import islice

from minigpt import Stories

texts = {"Python docs": unseen, "stories": " ".join(islice(Stories(1), 50)), "Chinese": chinese}
sizes = [256, 512, 1024, 2048, 4096]
ours, theirs = {}, {}
for (name, text), style in zip(texts.items(), ["o-", "s--", "^:"]):
    ours[name] = [compression(text, merges_4096[: size - 256]) for size in sizes]
    theirs[name] = len(text.encode()) / len(Tokenizer.gpt2().encode(text))
    (line,) = plt.plot(sizes, ours[name], style, label=name)
    plt.plot(50257, theirs[name], style[0], color=line.get_color(), markersize=9)
plt.axvline(50257, color="gray", linewidth=0.8, zorder=0)
plt.text(45000, 0.35, "GPT-2's own", ha="right")
plt.xscale("log", base=2)
plt.xticks([*sizes, 50257], [*sizes, "50,257"])
plt.gca().set(xlabel="tokens in the vocabulary", ylabel="bytes per token", ylim=(0, 5))
plt.legend()
plt.show()

# %% [markdown]
# Just once: the docs (circles, solid) more than double at 512. Then each doubling gains less, up to
# about 4. Stories (squares, dashed) stay behind: other words. Chinese (triangles, dotted) stays at
# 1: the docs hold none to learn from.

# %% [markdown]
# And GPT-2's? On stories it is better than ours, on the docs it is *worse*, with twelve times the
# vocabulary. The docs are full of runs of spaces. Let us take them out.

# %% tags=["nbval-ignore-output"]
squeezed = regex.sub("  +", " ", unseen)
sizes, rows = [], []
for text in (unseen, squeezed):
    sizes.append(len(text.encode()))
    rows.append([compression(text, merges_4096), sizes[-1] / len(Tokenizer.gpt2().encode(text))])
taken = [(sizes[0] - sizes[1]) / (sizes[0] / a - sizes[1] / b) for a, b in zip(*rows)]
assert taken[0] > 8 > 1.5 > taken[1]
names = ["as they are", "single spaces", "what was taken out"]
viz.table([*rows, taken], ["ours, 4,096", "GPT-2's"], rows=names)

# %% [markdown]
# Without them GPT-2's does much better: to it each of them is a token. Ours does worse: they were
# its cheapest bytes, many to a token. A tokenizer is good at what it was trained on.

# %% [markdown]
# A large vocabulary is not free. For every token the model keeps a row of parameters (lesson 02);
# in the smallest GPT-2 a row has 768, and the model 124,439,808 in all.

# %%
rows = [[V, V * 768, f"{V * 768 / 124_439_808:.1%}"] for V in (256, 4096, 50257)]
viz.table(rows, ["vocabulary", "parameters in its table", "share of GPT-2's"])

# %% [markdown]
# Almost a third of the smallest GPT-2 is its vocabulary. And rare tokens cost as much as others.
# **Predict:** of the 50,257, does half a megabyte of docs use about 5,000, 15,000 or 40,000?

# %% tags=["nbval-ignore-output"]
used = Counter(Tokenizer.gpt2().encode(docs))
print(f"{len(used):,}, and {sum(n == 1 for n in used.values()):,} of them just once")

# %% [markdown]
# Too small a vocabulary makes long texts. In one too large for its training text, most rows are
# hardly ever trained.

# %% [markdown]
# ## GPT-2's own vocabulary
#
# OpenAI's merges come in a file, `vocab.bpe`, and the file came with this course. A line is a
# merge: left half, space, right half.

# %%
from minigpt.tokenizer.gpt2_files import read_gpt2_file

lines = read_gpt2_file("vocab.bpe").decode("utf-8").split("\n")[1:-1]  # a heading, an empty line
print(f"{len(lines):,} merges, first", lines[:6], "and last", lines[-2:])

# %% [markdown]
# What is `Ġ`? The file is text, and some bytes do not show in a text: a space, a line break. So
# each such byte is written as a stand-in that does: the first as character 256, the next as 257,
# and so on.

# %%
shows = [byte for byte in range(256) if chr(byte).isprintable() and byte != ord(" ")]
hidden = [byte for byte in range(256) if byte not in shows]
written = {byte: chr(byte) for byte in shows} | {b: chr(256 + i) for i, b in enumerate(hidden)}
print(f"{len(shows)} bytes show, {len(hidden)} do not")

# %% [markdown]
# And one more surprise: GPT-2 numbers its bytes in *that* order, those that show first. From 256 on
# its ids are merges, as ours. **Predict** the id of `!`, byte 33, the first that shows.

# %%
order = shows + hidden  # order[id] is the byte
id_of = {written[byte]: i for i, byte in enumerate(order)}
gpt2_merges = []
for line in lines:
    left, right = line.split(" ")
    gpt2_merges.append((id_of[left], id_of[right]))
    id_of[left + right] = len(id_of)
rows = [[byte, written[byte], id_of[written[byte]]] for byte in b"!ak \n"]
viz.table(rows, ["byte", "written", "id"], rows=["!", "a", "k", "space", "line break"])

# %% [markdown]
# 0. And the space, which does not show, is 220. So all ids *follow* from bytes and merges. OpenAI
# lists them in a second file, which makes a good test.

# %%
import json

listed = json.loads(read_gpt2_file("encoder.json"))
special = {token: i for token, i in listed.items() if token not in id_of}
assert listed == id_of | special
print(f"{len(listed):,} ids, all the same; one is left over: {special}")

# %% [markdown]
# We come to the one left over. First, encode: cut, number the bytes in GPT-2's order, merge.
# `translate` swaps each byte for the one that a table of 256 has in its stead. Words come again and
# again, so `cache` works each out once and remembers it.

# %%
from functools import cache

GPT2_ID = bytes(order.index(byte) for byte in range(256))  # GPT2_ID[byte] is the id
gpt2_ranks = {pair: rank for rank, pair in enumerate(gpt2_merges)}


@cache
def encode_word(word):
    return apply_merges(list(word.encode().translate(GPT2_ID)), gpt2_ranks)


def encode_gpt2(text):
    return [i for word in PATTERN.findall(text) for i in encode_word(word)]


gpt2_tokens = token_bytes(gpt2_merges, first=order)
show(encode_gpt2(sentence), gpt2_tokens)

# %% [markdown]
# The same twelve as at the top, and now they are yours. How did `·found` come about? Watch the
# ranks at work. (`:=` gives a value a name in the middle of a line.)

# %%
word, steps = list(b" found".translate(GPT2_ID)), []
while pairs := [pair for pair in pairwise(word) if pair in gpt2_ranks]:
    best = min(pairs, key=gpt2_ranks.get)
    word = merge(word, best, 256 + gpt2_ranks[best])
    steps.append([gpt2_ranks[best], " | ".join(label(gpt2_tokens[i]) for i in word)])
viz.table(steps, ["merge of rank", "gives"])

# %% [markdown]
# Here is the whole sentence, to play with: press *play*, or click a token to see how it was made.
# Write something of your own. Where do the tokens end?

# %%
viz.TokenizerExplorer(Tokenizer.gpt2(), sentence)

# %% [markdown]
# Each step is what a tokenizer would do that had stopped training there: with no merge at all
# there are only bytes, with 50,000 most words are whole.

# %% [markdown]
# ## The proof: equal to OpenAI's
#
# `tiktoken` is OpenAI's own tokenizer, written in Rust. It would download the two files; our helper
# lays them where it looks first.

# %%
from minigpt.tokenizer.gpt2_files import openai_tokenizer

openai = openai_tokenizer()
print(openai.encode(sentence))

# %% [markdown]
# Half a megabyte of documentation, fifty stories, Chinese, code, emoji. **Predict:** how many of
# the ids will differ?

# %%
code = 'if kite.colour == "red":\n    fox.find(kite, place=river)'
emoji = "🦊🔎🔴🪁🌊"
nasty = "don't  DON'T 3½ \u3000é \n\t x  "
for text in (docs, texts["stories"], chinese, code, emoji, nasty, ""):
    assert encode_gpt2(text) == openai.encode(text)
    assert b"".join(gpt2_tokens[i] for i in encode_gpt2(text)).decode() == text
print("Not one. And every text comes back.")

# %% [markdown]
# ## One sentence, four ways
#
# The fox and its kite in English, Chinese, code and emoji. Each patch is a token. **Predict** which
# is the cheapest, and which the dearest, for each character.

# %%
four = {"English": sentence, "Chinese": chinese, "code": code, "emoji": emoji}
for name, text in four.items():
    ids = encode_gpt2(text)
    display(Markdown(f"**{name}**: {len(text)} characters, {len(ids)} tokens"))
    display(show(ids, gpt2_tokens))

# %% [markdown]
# `\xe5\xb0` are two bytes that are not a whole character: most Chinese characters here are two
# tokens or three. In code, each space of an indent is a token, and the last goes with `fox`. Emoji
# are three tokens each.

# %%
rows = []
for name, text in four.items():
    n = len(encode_gpt2(text))
    rows.append([name, len(text), len(text.encode()), n, n / len(text), int(1024 * len(text) / n)])
columns = ["characters", "bytes", "tokens", "tokens per character", "characters in 1,024 tokens"]
viz.table([row[1:] for row in rows], columns, rows=list(four))

# %% [markdown]
# The last column is how many characters GPT-2 can read at once: its limit is 1,024 tokens. In
# characters, that is more than eight times as much English as Chinese.

# %%
bars = plt.barh(list(four), [row[4] for row in rows], hatch=["", "//", "..", "xx"], edgecolor="w")
plt.bar_label(bars, fmt="%.2f", padding=3)
plt.gca().invert_yaxis()
plt.gca().set(xlabel="tokens per character", xlim=(0, 3.4))
plt.show()

# %% [markdown]
# English costs a quarter of a token for each character, Chinese 2.2, emoji 3. Chinese says more
# with each character, but even the whole sentence costs 33 tokens instead of 12. Same meaning,
# almost three times the price.

# %% [markdown]
# ## What models stumble over
#
# A model sees ids and nothing else. **Predict:** how many r's can it *see* in `·strawberry`? And
# how does GPT-2 cut 1234567?

# %%
rows = []
for text in [
    " strawberry",
    " little",
    " LITTLE",
    "1234567",
    " 2024",
    " 2038",
    " SolidGoldMagikarp",
]:
    ids = encode_gpt2(text)
    rows.append(
        [visible(text), " | ".join(label(gpt2_tokens[i]) for i in ids), " ".join(map(str, ids))]
    )
viz.table(rows, ["text", "tokens", "ids"])

# %% [markdown]
# - **Letters**: `·strawberry` is one id, without a single r. How it is spelled, a model must learn
#   as a fact about that id.
# - **Digits** are cut by how often they came together, not from the right: 123, 45, 67. To add two
#   numbers, a model must first find out which digit stands for what.
# - **Capitals**: `·LITTLE` shares no token with `·little`.

# %% [markdown]
# `·SolidGoldMagikarp`, a user's name from a forum, came often enough to become a token, but hardly
# in the text that models were then trained on. Asked to repeat it, they said something else: a
# **glitch token** (Rumbelow and Watkins 2023).

# %% [markdown]
# **Other tokenizers** cut otherwise. GPT-4's pattern takes at most three digits at a time, and `'S`
# like `'s`. SentencePiece, in T5 and the first LLaMA, keeps the space as a sign, `▁`, and has no
# rule of any one language (says its README).

# %% [markdown]
# ## Special tokens
#
# Between two of GPT-2's documents stands a mark, `<|endoftext|>`: the id 50256 that was left over.
# No merge makes it; it is a **special token**. What if somebody *types* it?

# %%
mark = "<|endoftext|>"
show(encode_gpt2(mark), gpt2_tokens)

# %% [markdown]
# Seven ordinary tokens, which is right for what somebody types: it cannot be mistaken for the
# mark. Where *we* mean the mark, we cut it out first and give it its own id.


# %%
def encode_with_mark(text):
    ids = []
    for part in regex.split(f"({regex.escape(mark)})", text):
        ids += [special[mark]] if part == mark else encode_gpt2(part)
    return ids


text = "The end.<|endoftext|>Once upon a time"
assert encode_with_mark(text) == openai.encode(text, allowed_special={mark})
print(encode_with_mark(text))

# %% [markdown]
# The package wants to be told which you mean. `encode_ordinary` takes the mark as plain text;
# `encode` refuses it unless you allow it.

# %%
gpt2 = Tokenizer.gpt2()
assert gpt2.encode_ordinary(text) == encode_gpt2(text)
assert gpt2.encode(text, allowed_special={mark}) == encode_with_mark(text)
try:
    gpt2.encode(text)
except ValueError as error:
    print(fill(str(error), 90))

# %% [markdown]
# ## The proof: equal to the package
#
# You have GPT-2's merges. Now train the package's tokenizer beside yours, on the tiny example.
# **Predict:** the same four merges?

# %%
tiny_counts = Counter(word.encode() for word in PATTERN.findall(tiny))
package = Tokenizer.train(tiny, 260, special_tokens=())
package_tokens = [package.token_bytes(i) for i in range(256, 260)]
versions = [train_bpe(tiny, 260), train_fast(tiny_counts, 4)]
versions = [token_bytes(merges)[256:] for merges in versions]
rows = [list(map(label, tokens)) for tokens in (*versions, package_tokens)]
viz.table(rows, ["256", "257", "258", "259"], rows=["train_bpe", "on pre-tokens", "package"])

# %% [markdown]
# Token 258 differs: `·k` here, `kite` there. It was the tie. The package, too, takes the lowest
# pair. But it numbers bytes as GPT-2 does, and there the space is not 32 but 220, above `k`, which
# is 74.

# %% [markdown]
# The simple version keeps the bytes' own numbers and cuts nothing, so that it fits on a page. To
# get the package's merges, cut, and number the bytes in GPT-2's order first.

# %%
tiny_counts = Counter(word.encode().translate(GPT2_ID) for word in PATTERN.findall(tiny))
assert train_fast(tiny_counts, 4) == package.merges
print("Equal on the tiny example:", package.merges)

# %% [markdown]
# And on the Python docs, a thousand merges; then everything else that a tokenizer does.

# %%
gpt2_counts = Counter(word.encode().translate(GPT2_ID) for word in PATTERN.findall(docs))
package = Tokenizer.train(docs, 256 + 1000, special_tokens=())
assert train_fast(gpt2_counts, 1000) == package.merges
assert gpt2_merges == gpt2.merges
assert encode_gpt2(docs) == gpt2.encode(docs)
assert [gpt2.token_bytes(i) for i in range(50256)] == gpt2_tokens
print("Merges, ids and tokens: all equal to the package's.")

# %% [markdown]
# What you wrote is GPT-2's tokenizer, complete. `minigpt/tokenizer/bpe.py` is the package's; you
# can read it now.

# %% [markdown]
# ## The usual mistakes
#
# Hardly one of these ends in an error. So look at what each one *does*.

# %% [markdown]
# **1. Merging in order of position.** Take the first pair from the left that can merge, whatever
# its rank. **Predict:** the fox's sentence was 12 tokens. Are they still 12, about 20, or 47?


# %%
def by_position(ids, ranks):
    while True:
        best = next((pair for pair in pairwise(ids) if pair in ranks), None)
        if best is None:
            return ids
        ids = merge(ids, best, 256 + ranks[best])


words = [list(word.encode().translate(GPT2_ID)) for word in PATTERN.findall(sentence)]
show([i for word in words for i in by_position(word, gpt2_ranks)], gpt2_tokens)

# %% [markdown]
# 22, and each is a token of GPT-2's. The text even decodes. But in its training, GPT-2 never saw
# `·the` cut into `·th` and `e`: it reads a stranger's handwriting.

# %% [markdown]
# **2. Each rank merged only once.** Replace the first place where the pair stands, then go on to
# the next rank. **Predict** the second kite.


# %%
def once_each(ids, merges):
    for rank, pair in enumerate(merges):
        pairs = list(pairwise(ids))
        if pair in pairs:
            i = pairs.index(pair)
            ids = [*ids[:i], 256 + rank, *ids[i + 2 :]]
    return ids


tiny_merges = train_bpe(tiny, 260)
show(once_each(list(tiny.encode()), tiny_merges), token_bytes(tiny_merges))

# %% [markdown]
# The first `·kite` is one token; `white` and the second `·kite` stay letters. The same word is two
# different things, by where it stands.

# %% [markdown]
# **3. Overlaps.** In `aaa` the pair `aa` stands twice, but the two share an `a`. `merge` jumps over
# both halves. **Predict** what comes of it without the jump.


# %%
def merge_without_jump(ids, pair, new_id):
    merged = []
    for i in range(len(ids)):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new_id)
        elif tuple(ids[max(i - 1, 0) : i + 1]) != pair:  # not the second half of a pair
            merged.append(ids[i])
    return merged


aaa, pair = list(b"aaa"), (97, 97)
assert count_pairs(aaa) == {pair: 2}
versions = {
    "right": merge(aaa, pair, 256),
    "without the jump": merge_without_jump(aaa, pair, 256),
    "from the right": merge(aaa[::-1], pair, 256)[::-1],
}
rows = [[ids, decode(ids, [pair])] for ids in versions.values()]
viz.table(rows, ["ids", "decoded"], rows=list(versions))

# %% [markdown]
# Without the jump the text has grown by an `a`. From the right the text is right, but not the ids.
# Left to right is part of the rule.

# %% [markdown]
# **4. Characters instead of bytes.** `ord` gives a number too, and for English the same one.
# **Predict** what *Māori kite* decodes to. (`ā` is code point 257.)

# %%
by_character = apply_merges([ord(c) for c in "Māori kite"], dict(zip(tiny_merges, range(4))))
print(decode(by_character, tiny_merges))
try:
    print(decode([ord("狐")], tiny_merges))
except IndexError as error:
    print(f"狐, code point {ord('狐'):,}: {error}")

# %% [markdown]
# 257 is `ite` in our vocabulary. With luck a number is too large, and you hear of it. No test in
# English tells you.

# %% [markdown]
# **5. Decoding token by token.** Each token is read as UTF-8 by itself, and the pieces are joined.
# **Predict:** is all of the Chinese sentence left, half of it, or almost nothing?

# %%
ids = encode_gpt2(chinese)
print("".join(gpt2_tokens[i].decode("utf-8", errors="replace") for i in ids))
print(b"".join(gpt2_tokens[i] for i in ids).decode())

# %% [markdown]
# Two characters of fifteen: the only two that are whole tokens. Join the bytes first. Whoever
# prints tokens one by one must wait until a character is complete.

# %% [markdown]
# **6. Merging across cuts.** GPT-2's merges, but the text uncut. **Predict:** which of the two is
# GPT-2's way to read `'red'`?

# %%
uncut = apply_merges(list(b"'red'".translate(GPT2_ID)), gpt2_ranks)
display(show(uncut, gpt2_tokens))
display(show(encode_gpt2("'red'"), gpt2_tokens))

# %% [markdown]
# The second, though it looks worse: the pattern takes `'re` for the end of *they're*. Right is not
# what looks right. Right is what the model was trained on.

# %% [markdown]
# **7. Ties broken differently.** `max(counts, key=counts.get)` takes, of equals, the one seen
# first. **Predict:** encode with our merges, decode with those. What do you read?


# %%
def train_first_seen(text, vocab_size):
    ids, merges = list(text.encode()), []
    while 256 + len(merges) < vocab_size:
        counts = count_pairs(ids)
        merges.append(max(counts, key=counts.get))
        ids = merge(ids, merges[-1], len(merges) + 255)
    return merges


first_seen = train_first_seen(tiny, 260)
print([token.decode() for token in token_bytes(first_seen)[256:]])
print(decode(encode(tiny, tiny_merges), first_seen))

# %% [markdown]
# `akite`: 259 means `·kite` to one and `kite` to the other. Each tokenizer is sound by itself.
# Together they are not.

# %% [markdown]
# **8. Special tokens split.** The mark is not cut out first. **Predict** how many tokens the model
# reads between the two documents.

# %%
print("right:", encode_with_mark(text))
show(encode_gpt2(text), gpt2_tokens)

# %% [markdown]
# Seven, and never 50256. Look closely: the full stop, 13, is gone too. It merged with the mark's
# `<`, and `.<` is another token.

# %% [markdown]
# Which test finds which mistake? First, the simplest: does the text come back? **Predict** how many
# of the four wrong ones survive it on the paragraph.


# %%
def with_merge(other):
    def encode_so(text):
        ids = list(text.encode())
        for rank, pair in enumerate(merges):
            ids = other(ids, pair, 256 + rank)
        return ids

    return encode_so


merges = train_bpe(paragraph, 256 + 60)
ranks = {pair: rank for rank, pair in enumerate(merges)}
candidates = {
    "right": lambda text: encode(text, merges),
    "by position": lambda text: by_position(list(text.encode()), ranks),
    "each rank once": lambda text: once_each(list(text.encode()), merges),
    "no jump": with_merge(merge_without_jump),
    "characters": lambda text: apply_merges([ord(c) for c in text], ranks),
}


# %%
def row(encode_so):
    back = [decode(encode_so(text), merges) == text for text in (paragraph, "Māori", "lll")]
    same = encode_so(paragraph) == encode(paragraph, merges)
    return ["ok" if passed else "fails" for passed in (*back, same)]


columns = ["paragraph comes back", "Māori", "lll", "ids equal the right ones"]
viz.table([row(encode_so) for encode_so in candidates.values()], columns, rows=list(candidates))

# %% [markdown]
# On the paragraph all four come back, wrong as they are. Strange letters find one mistake, repeated
# letters another, and only comparing ids finds the rest. Test on nasty text, and against something
# independent.

# %% [markdown]
# ## In short
#
# - Text is bytes (UTF-8): 256 ids, and nothing is unknown.
# - **Training** merges the most frequent pair, again and again; ties go to the lowest pair.
# - **Encoding** cuts into pre-tokens, then merges by rank. **Decoding** joins bytes, then reads.
# - Few tokens for what the vocabulary was trained on, many for all else.
# - A special token is cut out first, and only where it is meant.

# %% [markdown]
# **Your turn.** Write your own name into `encode_gpt2`: how many tokens is it, in lower case and in
# capitals? Then train on a text in your language, and look at the first ten merges.
#
# **Exercises:** [01_tokenizer](../exercises/01_tokenizer.ipynb). Each check says what went wrong,
# and what passes becomes a part of your own GPT.
#
# **Next:** lesson 02 makes vectors out of ids.
