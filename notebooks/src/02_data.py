# %% [markdown]
# # 02 · Data
#
# **Afterwards you can** turn ids into vectors, cut a text into windows with their targets, train a
# first tiny model, and say how good the best possible model would be.
#
# **Takes** about 100 minutes. **Needs** Python and a little PyTorch: tensors, shapes, `@`. Lesson
# 01 helps: there text became ids.

# %% [markdown]
# A model reads numbers and predicts the next token. This lesson is about both ends: what goes in,
# and how the prediction is judged.

# %%
import copy
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F

from minigpt import viz
from minigpt.viz.figures import plot_windows

viz.use_style()

# %% [markdown]
# ## A language with two coins
#
# Somebody tells very short stories: *a fox … a red … .* A coin decides whether the fox **saw** or
# **lost** something, a second one whether it was a **kite** or a **hat**. Here are two stories.

# %% [markdown]
# We carry these 14 words through the lesson. A real tokenizer cuts finer (lesson 01); here each
# word is a token. Its id is its place in the list of all tokens, the vocabulary.

# %%
text = "a fox saw a red kite . a fox lost a red hat ."
words = text.split()
vocabulary = list(dict.fromkeys(words))  # each word once, in order


def encode(text):
    return torch.tensor([vocabulary.index(word) for word in text.split()])


ids = encode(text)
viz.coloured_tokens(words, ids.tolist())

# %% [markdown]
# Eight different tokens, so V = 8. That letter stands for the size of the vocabulary, here and in
# all lessons. GPT-2's V is 50,257.

# %% [markdown]
# ## Ids become vectors
#
# Id 5 is not more than id 4; hats are not more than kites. An id is only a name. So each token
# gets a row of numbers of its own, a vector, in a table with V rows and C columns.

# %% [markdown]
# The table is called `wte`, for *word token embedding*. A vector looked up in it is an embedding.
# The numbers start at random, and training will move them. **Predict:** which rows below are equal?

# %%
torch.manual_seed(0)
wte = torch.randn(8, 4)  # (V, C)
x = wte[ids]  # (T, C)
viz.table(x[:7], ["0", "1", "2", "3"], rows=words[:7])

# %% [markdown]
# Both rows of `a` are. The token decides the vector, nothing else does. A column is called a
# **channel**; C is their number. T is the number of tokens, which come one after the other, in
# **time**. Fourteen tokens, four channels each: the shape is `(T, C)`.

# %% [markdown]
# Books often write this as a product. A **one-hot** row is all 0, with a 1 at the id. Times the
# table, it picks one row:
#
# $$x_t = \text{onehot}(\text{id}_t)\; W_{te}$$

# %%
onehot = F.one_hot(ids, num_classes=8).float()  # (T, V)
assert torch.equal(onehot @ wte, x)
viz.table(onehot[:3], vocabulary, rows=words[:3])

# %% [markdown]
# The same numbers, exactly. Then why look up? **Predict:** for one token of GPT-2, with V = 50,257
# and C = 768, how many multiplications does the product take? And how many of them are not by 0?

# %%
print(f"{50257 * 768:,} multiplications, all but {768} of them by 0")

# %% [markdown]
# A lookup takes none. But the product says something useful: the table is the weight of a layer
# like any other, so it can learn.

# %% [markdown]
# PyTorch's layer for it is `nn.Embedding`. To learn, a number needs a **gradient**: which way the
# loss rises, and how steeply. A step goes the other way. `backward` works it out. **Predict:** the
# model reads *a fox saw*. Which of the eight rows get a gradient other than 0?

# %%
embedding = torch.nn.Embedding.from_pretrained(wte, freeze=False)
assert torch.equal(embedding(ids), x)
embedding(encode("a fox saw")).sum().backward()
viz.table(embedding.weight.grad, ["0", "1", "2", "3"], rows=vocabulary)

# %% [markdown]
# Only the three that were read; no other row learns from this text. `.grad` holds the gradient:
# `requires_grad=True` asks for one, `no_grad()` and `detach()` switch that off.

# %% [markdown]
# ## Positions become vectors, too
#
# *a fox saw a kite* and *a kite saw a fox* say different things. **Predict:** does the model get
# different numbers?

# %%
one, two = wte[encode("a fox saw a kite")], wte[encode("a kite saw a fox")]
print("the same numbers, but for their order:", torch.equal(one.msort(), two.msort()))

# %% [markdown]
# The same five vectors, shuffled. The rest of a GPT has no other sign of the order but who may look
# at whom (lesson 03). How much that costs a trained model, you see at the end, under mistake 3.

# %% [markdown]
# GPT-2's cure: a second table, `wpe`, with a vector for each *position*, counted from 0: the
# **position embedding**. It is added:
#
# $$x_t = W_{te}[\text{id}_t] + W_{pe}[t]$$

# %%
wpe = torch.randn(14, 4)  # (longest text, C)
here, there = one + wpe[:5], two + wpe[:5]
print("the same numbers, but for their order:", torch.equal(here.msort(), there.msort()))
x = wte[ids] + wpe[: len(ids)]
viz.table(
    x[[0, 3, 7, 10]], ["0", "1", "2", "3"], rows=["a, at 0", "a, at 3", "a, at 7", "a, at 10"]
)

# %% [markdown]
# Four `a`, four vectors. Now the model can tell who saw whom.

# %% [markdown]
# ## Waves instead of a table
#
# Where do good position vectors come from? GPT-2 learns them. The first transformer computed them
# (Vaswani et al. 2017, section 3.5), from waves:
#
# $$p_{t,\,2i} = \sin\frac{t}{10000^{2i/C}}, \qquad p_{t,\,2i+1} = \cos\frac{t}{10000^{2i/C}}$$

# %% [markdown]
# Think of clocks. Each pair of columns is one hand: its sine and cosine say where it points. The
# first hand turns quickly, the next ones slower and slower. It is called **sinusoidal**. As a loop:

# %%
by_loop = torch.zeros(14, 4)
for t in range(14):
    for i in range(2):
        angle = t / 10000 ** (2 * i / 4)
        by_loop[t, 2 * i] = math.sin(angle)
        by_loop[t, 2 * i + 1] = math.cos(angle)
viz.table(by_loop[:5], ["sin, quick", "cos, quick", "sin, slow", "cos, slow"], rows=list("01234"))

# %% [markdown]
# Position 0 is always 0, 1, 0, 1: all hands begin at the same place. By position 4 the quick hand
# has gone more than half round; the slow one has hardly moved.

# %% [markdown]
# Without loops, all positions and all hands at once:


# %%
def sinusoidal_positions(T, C):
    angle = torch.arange(T)[:, None] / 10000 ** (torch.arange(0, C, 2) / C)  # (T, C/2)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(T, C)  # sin, cos in turn


assert torch.allclose(sinusoidal_positions(14, 4), by_loop, atol=1e-6)
print("The matrix equals the loop.")

# %% [markdown]
# And learned ones? The storyteller, the small GPT-2 that comes with this course, has learned a
# vector for each of 128 positions. **Predict:** what did training make of random numbers? Waves,
# too?

# %%
from minigpt import from_pretrained

model, tokenizer = from_pretrained("storyteller", verbose=False)
learned = model.transformer.wpe.weight.detach()
waves = sinusoidal_positions(128, 128)
_, axes = plt.subplots(1, 2, figsize=(8.4, 3.9), layout="constrained")
for ax, table, title in zip(axes, [waves, learned], ["sinusoidal", "learned"]):
    drawn = ax.imshow(table / table.abs().max(), cmap="cividis", vmin=-1, vmax=1)
    ax.set(title=title, xlabel="channel", ylabel="position (tokens)")
plt.colorbar(drawn, ax=axes, label="value / largest value")
plt.show()

# %% [markdown]
# Left, stripes: quick waves in the first channels, ever slower ones to the right. Right, the
# learned table: noise at the top, then faint upright streaks. Neighbours are alike, but no waves.

# %% [markdown]
# How alike are two positions' vectors? Measure the cosine of the angle between them, their **cosine
# similarity**: 1 is the same direction, 0 nothing in common, −1 the opposite. **Predict** the
# learned table's: does position 61 come out nearer to 60 than position 120?

# %%
for table, style, name in [(waves, "-", "sinusoidal"), (learned, "--", "learned")]:
    likeness = F.cosine_similarity(table[60], table)
    plt.plot(likeness, style, label=f"{name}: lowest {likeness.min():.2f}")
plt.gca().set(xlabel="position (tokens)", ylabel="likeness to position 60 (cosine)")
plt.legend()
plt.show()
slow = sum(127 / 10000 ** (i / 64) < 1 for i in range(64))
print(f"{slow} of the 64 hands turn less than one radian in 127 tokens")

# %% [markdown]
# Both peak at 60. Nobody told the storyteller that 61 comes after 60; it found out by reading. Far
# away they differ: the learned table reaches −0.50, the waves stay above 0.44. Almost half of their
# hands hardly move in so short a text.

# %% [markdown]
# For waves, how alike two positions are depends only on how far apart they are. And they never
# end. **Predict:** what do both say about position 128, one past the longest text?

# %%
likeness = waves @ waves.T
assert torch.allclose(likeness[10, 15], likeness[70, 75], atol=1e-4)  # 5 apart, both times
print("sinusoidal:", sinusoidal_positions(129, 128)[128, :2])
try:
    model.transformer.wpe(torch.tensor(128))
except IndexError as error:
    print("learned:   ", error)

# %% [markdown]
# A table ends at its last row. So GPT-2, whose table has 1,024 rows, can never read more than
# 1,024 tokens at once. This limit is its **context length**; in code, `block_size`.

# %% [markdown]
# ## What the token table learned
#
# The storyteller's `wte` began as random numbers, too. Take a word's row, and look for the most
# similar rows by cosine. **Predict** the neighbours of `·purple`, and those of `·Monday`.


# %%
def nearest(word, n=5):
    row = tokenizer.encode(word)[0]
    likeness = F.cosine_similarity(embeddings[row], embeddings)
    best = likeness.topk(n + 1).indices[1:]  # the first is the word itself
    labels = viz.token_labels(tokenizer, best)
    return [f"{label} {likeness[i]:.2f}" for label, i in zip(labels, best)]


embeddings = model.transformer.wte.weight.detach()
some = [" purple", " Monday", " Ruby", " fox"]
viz.table([nearest(word) for word in some], ["nearest", "2nd", "3rd", "4th", "5th"], rows=some)

# %% [markdown]
# Colours lie beside colours, days beside days: these are its **nearest neighbours**, learned by
# reading alone. But days are almost one vector, and colours keep their distance. **Predict** why:
# which of these words does a story need again?

# %%
import re
from itertools import islice, pairwise

from minigpt import Stories
from minigpt.stories import GRAMMAR

told, rows = list(islice(Stories(seed=5), 300)), []
groups = ["weather", "day", "animal", "trait", "colour", "thing", "name"]
for group in groups:
    names = [option.split()[-1] for option in GRAMMAR[group]]
    vectors = F.normalize(embeddings[[tokenizer.encode(f" {name}")[0] for name in names]])
    likeness = (vectors @ vectors.T)[~torch.eye(len(names), dtype=torch.bool)].mean().item()
    times = [len(re.findall(rf"\b{name}\b", story)) for story in told for name in names]
    rows.append([likeness, f"{sum(n > 1 for n in times) / sum(n > 0 for n in times):.0%}"])
viz.table(rows, ["mean likeness within", "comes again in its story"], rows=groups)

# %% [markdown]
# The groups whose words come again are kept apart; those whose words hardly do lie together. To
# answer a quiz the model must tell *red* from *blue*. Nothing depends on whether it was a Monday. A
# vector seems to hold what lowers the loss.

# %% [markdown]
# ## Windows and targets
#
# Back to the 14 words. A text is longer than a model can read at once, so we cut out **windows** of
# T tokens, the inputs x. What should the model say at each? The token after it: the **target** y.

# %%
start, T = 3, 4
x, y = ids[start : start + T], ids[start + 1 : start + T + 1]
plot_windows(words, [start], T)
plt.show()

# %% [markdown]
# On top the whole stream. Below it, x is the four words from position 3 on: *a red kite .* The
# targets y, with dashed edges, are the same stream, one to the right: *red kite . a*.

# %% [markdown]
# **Predict:** how many questions does this one window ask?

# %%
rows = []
for t in range(T):
    before = " ".join(vocabulary[i] for i in x[: t + 1])
    rows.append([before, vocabulary[y[t]]])
viz.table(rows, ["the model has read", "and should say"])

# %% [markdown]
# Four, one at each position: T questions for the price of one reading. This works only if no
# position sees what comes later. Lesson 03 makes sure of that.

# %% [markdown]
# Windows start anywhere. **Predict:** with N = 14 tokens and T = 4, how many starts are there? Drag
# the window to the right end, or press the arrow keys, and mind the last target.

# %%
viz.StreamWindow(ids, vocabulary, context_length=4, start=3)

# %% [markdown]
# The last target stops it: the window ends one before the last token. Counted in code:

# %%
possible = [s for s in range(14) if len(ids[s + 1 : s + 1 + T]) == T]
print(f"{len(possible)} starts, {possible[0]} to {possible[-1]}: N - T")

# %% [markdown]
# A window needs T + 1 tokens, so there are N − T starts, not N − T + 1. `randint(N - T)` draws one
# of exactly these. Several windows at once make a **batch** of B rows.


# %%
def get_batch(data, block_size, batch_size, generator=None):
    starts = torch.randint(len(data) - block_size, (batch_size,), generator=generator)
    x = torch.stack([data[s : s + block_size] for s in starts])  # (B, T)
    y = torch.stack([data[s + 1 : s + block_size + 1] for s in starts])  # (B, T)
    return x, y


x, y = get_batch(ids, 4, 3, torch.Generator().manual_seed(2))
viz.table(
    [[" ".join(vocabulary[i] for i in row) for row in pair] for pair in zip(x, y)], ["x", "y"]
)

# %% [markdown]
# The **generator** decides which windows: the same seed, the same batch. The starts are drawn once,
# for x and y together.

# %% [markdown]
# The package has a `get_batch`, which cuts all rows at once, also from a file on disk. **Predict:**
# given the same seed, do both cut the same windows?

# %%
from minigpt import data as package

for seed in range(100):
    mine = get_batch(ids, 4, 3, torch.Generator().manual_seed(seed))
    theirs = package.get_batch(ids, 4, 3, torch.Generator().manual_seed(seed))
    assert torch.equal(mine[0], theirs[0]) and torch.equal(mine[1], theirs[1])
print("100 batches, all equal to the package's.")

# %% [markdown]
# ## A first model: count
#
# The simplest model looks at one token only and asks: what came after it so far? It needs pairs,
# so it is called a **bigram** model. Rows are the token, columns the next one.

# %%
x, y = ids[:-1], ids[1:]
counts = torch.zeros(8, 8)
for now, after in zip(x, y):
    counts[now, after] += 1
viz.table(counts, vocabulary, rows=vocabulary)

# %% [markdown]
# `a` was followed twice by `fox` and twice by `red`; after `kite` always came the full stop. Divide
# each row by its sum and the counts are **probabilities**:
#
# $$P_{ij} = \frac{n_{ij}}{\sum_k n_{ik}}$$

# %% [markdown]
# **Predict:** the model now writes by itself. It starts with `a` and draws each next word from the
# row of the last. Will it tell proper stories?


# %%
def sample(P, start, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = [start]
    for _ in range(n):
        ids.append(int(torch.multinomial(P[ids[-1]], 1, generator=generator)))
    return ids


P = counts / counts.sum(dim=1, keepdim=True)
print(" ".join(vocabulary[i] for i in sample(P, start=0, n=20)))

# %% [markdown]
# Each *pair* of words is right, but the fox sees a fox that sees a kite. At every `a` the model has
# forgotten where in the story it is.

# %% [markdown]
# ## How good? Surprise, in nats
#
# A model is good if it gave the words that came a high probability. The **surprise** at a word is
# $-\ln p$. Its unit is the nat.

# %%
rows = [[f"1/{n}", math.log(n), f"one of {n}"] for n in (1, 2, 4, 8)]
viz.table(rows, ["p", "surprise (nats)", "like guessing"])

# %% [markdown]
# Sure and right costs 0. A toss of a coin costs ln 2, which is 0.69 nats. Knowing nothing about 8
# words costs ln 8. Why a logarithm? Probabilities of several words multiply; their surprises add
# up.

# %% [markdown]
# The mean surprise per token is the loss; papers call it **cross-entropy**, or negative
# log-likelihood. Here $x_t$ is again an id, $y_t$ the id after it, and N counts these pairs, 13:
#
# $$L = -\frac{1}{N} \sum_{t=1}^{N} \ln P[x_t, y_t]$$
#
# **Predict:** at how many of the 13 pairs does the bigram model have to toss a coin?

# %%
surprise = -P[x, y].log()
names = [f"{vocabulary[i]} → {vocabulary[j]}" for i, j in zip(x, y)]
plt.barh(range(13), surprise)
plt.yticks(range(13), names)
plt.gca().invert_yaxis()
plt.gca().set(xlabel="surprise (nats)", ylabel="now → next")
plt.show()

# %% [markdown]
# Eight bars of 0.69, five of length 0. It tosses where the teller does, after `fox` and `red`. And
# it tosses after each `a`, where the teller does not. So the loss is 8 ln 2 / 13.

# %%
bigram = surprise.mean().item()
assert math.isclose(bigram, 8 * math.log(2) / 13, rel_tol=1e-6)
print(f"loss {bigram:.2f} nats per token; perplexity {math.exp(bigram):.2f}")

# %% [markdown]
# **Perplexity** is $e^L$, the same loss in another dress: the model is as unsure, on average, as if
# it guessed one of that many words. Here 1.53 words. Papers often give this number.

# %% [markdown]
# ## The same model, learned
#
# Now without counting. Take a table of V × V numbers, all 0. Row i holds a score for each next
# token, a logit. Softmax makes probabilities of them:
# $P_{ij} = e^{l_{ij}} / \sum_k e^{l_{ik}}$.

# %% [markdown]
# Training means: work out the loss, ask PyTorch in which direction it rises (the gradient), and
# take a step the other way. `F.cross_entropy` is softmax and loss in one. **Predict:** what is the
# loss before the first step?


# %%
def fit(x, y, steps=300, learning_rate=10.0):
    table, losses = torch.zeros(8, 8, requires_grad=True), []
    for _ in range(steps):
        loss = F.cross_entropy(table[x], y)
        loss.backward()
        with torch.no_grad():
            table -= learning_rate * table.grad
        table.grad = None
        losses.append(loss.item())
    return table.detach(), losses


table, losses = fit(x, y)
print(f"first {losses[0]:.2f}, which is ln 8 = {math.log(8):.2f}; last {losses[-1]:.2f}")

# %% [markdown]
# All scores 0: all words equally likely, the loss of knowing nothing, ln V. After that it falls.
# **Predict:** how low can it get, with this table?

# %%
plt.plot(range(1, 301), losses, label="learned table")
plt.axhline(bigram, color="gray", linestyle="--", label="counted, 8 ln 2 / 13")
plt.gca().set(xlabel="steps", ylabel="loss (nats per token)", xscale="log", ylim=0)
plt.legend()
plt.show()

# %% [markdown]
# To the dashed line, the loss of counting, and no lower. Of all tables, the counts are the best for
# the text they were counted in; learning finds them by itself.

# %%
learned_P = table.softmax(dim=1)
assert torch.allclose(learned_P, P, atol=0.01)
viz.table(learned_P, vocabulary, rows=vocabulary)

# %% [markdown]
# Row `a` says 0.50 and 0.50. A GPT also ends in logits and a softmax, and learns by the same loss.
# But its row of logits depends on *all* tokens so far.

# %% [markdown]
# ## The floor
#
# How good could *any* model get? We know the teller: two coins in each story. Nobody can foresee a
# coin, so a perfect model pays ln 2 for each, and 0 for every other word. That best possible loss
# is the floor.

# %% [markdown]
# What if a coin is not fair, and the model does not know? **Predict:** it falls on *kite* 9 times
# in 10, and the model says half and half. Is the loss at ln 2 = 0.69, above or below? Then move the
# model's guess, until the loss lies on the floor.

# %%
viz.CoinFloor({"kite": 0.9, "hat": 0.1})

# %% [markdown]
# Still 0.69: half and half costs ln 2 at every toss, whatever falls. But the floor has sunk to
# 0.33, the **entropy** of this coin. The loss comes down to it only where the guess is the truth.

# %% [markdown]
# Our 13 targets hold four fair coins, so the floor is 4 ln 2 / 13. The bigram model pays twice
# that. It does not know *which* `a` it reads. **Predict:** what if it knew the position, 0 to 6,
# within the story?

# %%
position = torch.arange(13) % 7
counts_there = torch.zeros(7, 8, 8)
for p, now, after in zip(position, x, y):
    counts_there[p, now, after] += 1
P_there = counts_there / counts_there.sum(dim=2, keepdim=True)
by_position, floor = -P_there[position, x, y].log().mean().item(), 4 * math.log(2) / 13
assert math.isclose(by_position, floor, rel_tol=1e-6)
rows = [["bigram", bigram], ["bigram and position", by_position], ["floor", floor]]
viz.table(rows, ["model", "loss (nats per token)"])

# %% [markdown]
# The floor, exactly. So that is what knowing the position is worth, here where all stories have the
# same form.

# %% [markdown]
# Now a model that knows *everything* so far in the story: *a fox saw a red* … **Predict:** where is
# its loss?

# %%
from collections import Counter

past = [tuple(words[t - t % 7 : t + 1]) for t in range(14)]  # of this story, up to t
seen = Counter(past)
probability = [seen[past[t + 1]] / seen[past[t]] if (t + 1) % 7 else 1.0 for t in range(13)]
memory = -sum(math.log(p) for p in probability) / 13
viz.table([*rows, ["the whole story so far", memory]], ["model", "loss (nats per token)"])

# %% [markdown]
# *Below* the floor! It has learned by heart: after *saw* came a kite, after *lost* a hat. That is
# **overfitting**: true of these two stories, not of the language. **Predict:** what does it say to
# a new one, *a fox saw a red hat*?

# %%
new = ("a", "fox", "saw", "a", "red", "hat")
p = torch.tensor(seen[new] / seen[new[:-1]])
print(f"probability of hat: {p:.0f}, surprise: {-p.log():.0f}")

# %% [markdown]
# It was sure, and wrong. So a model is judged on **held-out** text, which it was not trained on.
# And the floor is a mean over new stories: nobody beats it there, except by luck.

# %% [markdown]
# ## Twenty thousand stories
#
# Time for a larger language. The course's stories come from a small grammar with many more choices.
# `load_data` gives them as ids: a **training set**, and one held out, the **validation set**.

# %%
data = package.load_data("stories")
print(f"{len(data.train):,} tokens to train on, {len(data.val):,} held out, as {data.train.dtype}")
viz.coloured_tokens(viz.token_labels(data.tokenizer, data.train[:18]), data.train[:18].tolist())

# %% [markdown]
# One long stream. A mark, `<|endoftext|>`, stands before and after each story. The ids lie in a
# file on disk, two bytes each; only what is read comes into memory.

# %% [markdown]
# A validation story that stands in the training set as well would be **leakage**: known by heart,
# it lowers the loss and proves nothing. **Predict:** how many of the 1,000 do?


# %%
def stories_of(ids):
    ends = np.flatnonzero(ids == data.tokenizer.end_of_text)
    return [tuple(ids[start + 1 : end]) for start, end in pairwise(ends)]


train_stories, val_stories = stories_of(data.train), stories_of(data.val)
both = set(train_stories) & set(val_stories)
print(f"{len(train_stories):,} to train on, {len(val_stories):,} held out, {len(both)} in both")

# %% [markdown]
# None. (On the web, where pages are copied, look.) And once you *choose* by the validation set, as
# we do soon, you have learned from it. The number you report belongs to a third set, the **test
# set**, read once, at the end.

# %% [markdown]
# Counting works as before. One line does all pairs at once: the pair (i, j) becomes the number
# i × V + j, and `bincount` counts numbers.


# %%
def count_pairs(x, y, V):
    return torch.bincount(x * V + y, minlength=V * V).view(V, V)


assert torch.equal(count_pairs(x, y, 8), counts.long())
V = data.tokenizer.vocab_size
train, val = (torch.from_numpy(np.array(part, dtype=np.int64)) for part in (data.train, data.val))
pairs = count_pairs(train[:-1], train[1:], V)
print(f"{V:,} tokens; {(pairs > 0).sum():,} of {V * V:,} pairs ever occur")
print(f"{(pairs.sum(dim=1) < V).sum()} of the {V:,} tokens come fewer than {V:,} times")

# %% [markdown]
# Most pairs never occur: probability 0. If one did occur in new text, the surprise would be
# infinite, as above. The cure is to add a little to each count, which is called **smoothing**.

# %% [markdown]
# **Predict:** which is best on held-out stories, adding 1, 0.1 or 0.01?


# %%
def bigram_loss(P):
    return -P[val[:-1], val[1:]].log().mean().item()  # nats per token, held out


def smooth(counts, extra):
    return (counts + extra) / (counts + extra).sum(dim=1, keepdim=True)


rows = [[str(extra), bigram_loss(smooth(pairs, extra))] for extra in (1.0, 0.1, 0.01)]
viz.table(rows, ["added to each count", "held-out loss (nats per token)"])

# %% [markdown]
# The least. Adding 1 to each of 1,024 columns adds more than was ever counted in most rows. From
# here on we add 0.01: the bigram model's loss is 1.73 nats per token.

# %%
from textwrap import fill

P = smooth(pairs, 0.01)
assert round(bigram_loss(P), 2) == 1.73
print(fill(data.tokenizer.decode(sample(P, data.tokenizer.end_of_text, 60, seed=1)[1:]), 90))

# %% [markdown]
# Every step makes sense, the whole makes none. The next token is well chosen; all before it is
# forgotten.

# %% [markdown]
# Now learn the same table from batches, as a GPT will be trained. **AdamW** takes the steps (lesson
# 06 opens it). **Predict:** where will this curve end?

# %%
table = torch.zeros(V, V, requires_grad=True)
optimizer = torch.optim.AdamW([table], lr=0.2, weight_decay=0.0)
generator, losses = torch.Generator().manual_seed(0), []
for _ in range(100):
    x, y = get_batch(train, 128, 32, generator)
    loss = F.cross_entropy(table[x].flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
learned_loss = bigram_loss(table.detach().softmax(dim=1))
print(f"learned {learned_loss:.2f}, counted {bigram_loss(P):.2f}")
print(f"{100 * x.numel():,} tokens read: {100 * x.numel() / len(train):.2f} epochs")

# %%
plt.plot(losses, label="learned, loss of each batch")
plt.axhline(bigram_loss(P), color="gray", linestyle="--", label="counted, held out")
plt.gca().set(xlabel="steps", ylabel="loss (nats per token)", ylim=0)
plt.legend()
plt.show()

# %% [markdown]
# It starts at ln 1,024 = 6.93 and comes down close to the dashed line. 100 batches of 32 windows
# are enough: less than a fifth of an **epoch**, which is as many tokens as the training set has.

# %% [markdown]
# ## Longer memory, by counting?
#
# Why not count triples, or longer? Each token of memory multiplies the rows by V. The question at a
# story's end, *what colour was it?*, is answered far back. **Predict:** about 5 tokens, 30 or 80?

# %%
story = next(story for story in Stories(seed=7) if "what colour was" in story)
story_ids = [tokenizer.end_of_text, *tokenizer.encode(story), tokenizer.end_of_text]
brown = tokenizer.encode(" brown")[0]
places = [t for t, token in enumerate(story_ids) if token == brown]
far = places[-1] - places[-2]
print(fill(story, 90))
print(f"\nbrown is token {', '.join(map(str, places))} of the story: {far} back to the last one")
print(f"a table with {far} tokens of memory: 10^{far * math.log10(V):.0f} rows")

# %% [markdown]
# 30 tokens back, the last time it was named. Two million tokens of training cannot fill such a
# table. Counting is over. A model must look back and pick out the one token that matters:
# attention, lesson 03.

# %% [markdown]
# ## The stories' floor
#
# What would the best possible model score on these stories? As with the coins: read back each
# choice of the teller. With n options, all equally likely, it costs ln n.

# %% [markdown]
# `minigpt/stories.py` holds the grammar. A `Telling` is a story told up to the next choice; its
# `options()` are what may come. We walk through our story and ask at each choice how many there
# were.


# %%
from minigpt.stories import START, first_words


def find_choices(story):
    telling, found = START, []
    while options := telling.options():
        told = len(telling.text)
        taken = next(o for o in options if story.startswith(first_words(o), told))
        if len(options) > 1:  # one option is no choice
            found.append([told, telling.slot, taken, len(options)])
        telling = telling.take(taken)
    return found


choices = find_choices(story)
rows = [[slot, first_words(taken), n, math.log(n)] for _, slot, taken, n in choices]
viz.table(rows, ["choice", "taken", "options", "surprise (nats)"])

# %% [markdown]
# That is the whole story, as dice. (Of long options you see the first words.) `name2` has one
# option less than `name1`: two people, two names. The last line, the quiz, costs ln 4; the answer
# to it costs nothing.

# %% [markdown]
# Surprises add up, so the story costs the sum. **Predict:** does `Stories.log_prob` agree? It
# multiplies the options instead and takes one logarithm.

# %%
total = sum(math.log(n) for *_, n in choices)
assert math.isclose(total, -Stories.log_prob(story), rel_tol=1e-12)
print(f"{len(choices)} choices, {total:.2f} nats, a chance of 1 in {math.exp(total):.1e}")

# %% [markdown]
# Other stories have other choices. The mean over *all* stories, weighted by their probability, is
# the entropy of the language (Shannon 1948). The grammar is small enough to compute it exactly.
# We compare it with the 1,000 held-out stories.

# %%
from minigpt.data.corpora import VAL_SEED

told = [-Stories.log_prob(s) for s in islice(Stories(VAL_SEED), 1000)]
print(f"mean of 1,000 stories: {sum(told) / 1000:.2f} nats; exactly: {Stories.entropy():.2f}")

# %% [markdown]
# However a story is cut into tokens, a perfect model pays these nats in all: what is no choice
# costs 0. For a loss per token, divide this exact number by the mean length of the 1,000 held-out
# stories, the end mark included:
#
# $$\text{floor} = \frac{\text{entropy of a story}}{\text{mean number of tokens in a story}}$$

# %%
tokens = (len(val) - 1) / 1000  # the first mark is given, not predicted
floor = Stories.entropy() / tokens
assert math.isclose(floor, data.floor)
print(f"{Stories.entropy():.2f} nats / {tokens:.2f} tokens = {floor:.3f} nats per token")

# %% [markdown]
# On real text nobody knows this number. Here you will always see how much is left to learn.

# %% [markdown]
# ## Rows that begin where stories begin
#
# Whoever starts in the middle of a story has missed the name and the colour. So `data.batch` cuts
# one whole story a row. **Predict:** stories differ in length; what fills the rest of a row?

# %%
x, y = data.batch("val", block_size=128, batch_size=4, generator=torch.Generator().manual_seed(0))
last = (y[0] >= 0).sum() - 1  # the last target of the first row that counts
near = range(last - 3, last + 4)
rows = [[tok, str(int(y[0, t]))] for t, tok in zip(near, viz.token_labels(tokenizer, x[0, near]))]
viz.table(rows, ["x", "y (id)"], rows=[f"position {t}" for t in near])

# %% [markdown]
# x goes on with the end mark: such filling is called **padding**. y says −100 there, the
# `ignore_index` of `F.cross_entropy`, which leaves such targets out of its mean. The last target
# that counts is 1023, the end mark itself.

# %% [markdown]
# Let the storyteller read held-out stories this way, 500 rows of them. **Predict:** between
# the bigram model's 1.73 and the floor of 0.47, where is it?


# %%
@torch.no_grad()
def story_loss(model, batches=5):
    generator, total, count = torch.Generator().manual_seed(0), 0.0, 0
    for _ in range(batches):
        x, y = data.batch("val", 128, 100, generator)
        total += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
        count += (y >= 0).sum().item()
    return total / count


storyteller = story_loss(model)
print(f"{storyteller:.3f} nats per token, {storyteller / floor - 1:.0%} above the floor")

# %% [markdown]
# Hardly any room is left. Now all of them on one scale. One more joins: the **unigram** model
# counts single tokens and looks at nothing at all. **Predict:** is it nearer to 1.73 or to 6.93?

# %%
unigram = (train.bincount(minlength=V) + 0.01).double()
unigram_loss = -(unigram / unigram.sum())[val[1:]].log().mean().item()
losses = {
    "uniform, ln V": math.log(V),
    "unigram": unigram_loss,
    "bigram": bigram_loss(P),
    "storyteller": storyteller,
    "floor": floor,
}
bars = plt.barh(list(losses), list(losses.values()))
bars[-1].set(hatch="///", facecolor="none", edgecolor="gray")
plt.bar_label(bars, fmt="%#.3g", padding=3)
plt.gca().invert_yaxis()
plt.gca().set(xlabel="loss on held-out stories (nats per token)", xlim=(0, 7.6))
plt.show()

# %% [markdown]
# 6.93 for knowing nothing, 5.09 for knowing which tokens are frequent, 1.73 for seeing one token.
# Seeing all of them: 0.476. The hatched bar is the floor, 0.470.

# %% [markdown]
# *Where* does the bigram model pay? Add up the surprise through our story, token by token.
# **Predict** the shape of the perfect model's line.

# %%
x, y = torch.tensor([story_ids[:-1]]), torch.tensor(story_ids[1:])
with torch.no_grad():
    of_model = -model(x)[0].log_softmax(dim=-1)[range(len(y)), y]
lengths = torch.tensor([len(tokenizer.token_bytes(i)) for i in story_ids[1:-1]])
of_teller = torch.zeros(len(y))
for told, _, _, n in choices:
    of_teller[(lengths.cumsum(dim=0) <= told).sum()] += math.log(n)  # the token at that place
of_bigram = -P[x[0], y].log()
for nats, style, name in [
    (of_bigram, ":", "bigram"),
    (of_model, "-", "storyteller"),
    (of_teller, "--", "teller's choices"),
]:
    plt.plot(nats.cumsum(dim=0), style, label=name, drawstyle="steps-post")
plt.gca().set(xlabel="token of the story", ylabel="surprise so far (nats)", ylim=(0, 60))
plt.legend()
plt.show()

# %% [markdown]
# A staircase: a step at each choice, flat between them. The storyteller (solid) climbs the teller's
# stairs (dashed). The bigram model (dotted) pays at almost every token, also where nothing is left
# to choose, and is soon off the page.

# %% [markdown]
# ## The proof: equal to the package
#
# `get_batch` and the floor are proven above. Two things are left: your embeddings against what the
# storyteller really feeds its first layer, and the loss by its definition against the package's.

# %%
from minigpt.training import cross_entropy

inside = []  # a hook is called by PyTorch, here before the first block runs
hook = model.transformer.h[0].register_forward_pre_hook(lambda block, args: inside.append(args[0]))
x, y = get_batch(val, 128, 4, torch.Generator().manual_seed(0))
with torch.no_grad():
    logits = model(x)
hook.remove()
wte, wpe = (model.transformer[name].weight.detach() for name in ("wte", "wpe"))
assert torch.equal(wte[x] + wpe[:128], inside[0])
by_definition = -logits.log_softmax(dim=-1).gather(2, y[:, :, None]).mean()
assert torch.allclose(by_definition, cross_entropy(logits, y))
print("Embeddings and loss are equal to the package's.")

# %% [markdown]
# ## The usual mistakes
#
# All of these run. Some even look better than the right way. Judge each by what it *does*.

# %% [markdown]
# **1. Targets not shifted**, y = x. **2. Targets shifted twice**, once by you and once more by the
# loss. Back to the 14 words: **predict** both curves. Which one looks wrong?

# %%
for shift, style, name in [(0, ":", "not shifted"), (1, "-", "right"), (2, "-.", "shifted twice")]:
    _, losses = fit(ids[: 14 - shift], ids[shift:])
    plt.plot(range(1, 301), losses, style, label=f"{name}: ends at {losses[-1]:.2f}")
plt.axhline(4 * math.log(2) / 13, color="gray", linestyle="--", label="floor")
plt.gca().set(xlabel="steps", ylabel="loss (nats per token)", xscale="log", ylim=0)
plt.legend()
plt.show()

# %% [markdown]
# Not shifted (dotted), the loss goes to 0, *through the floor*. Counting has shown that no table of
# pairs gets below 0.43: this one just copies what it has read. Shifted twice (dash-dotted) looks
# quite healthy.

# %% [markdown]
# On the stories, the same three. Their honest loss is on the token that really comes next.
# **Predict:** are the wrong ones above or below ln V = 6.93?

# %%
rows = []
for shift, name in [(0, "not shifted"), (1, "right"), (2, "shifted twice")]:
    wrong = smooth(count_pairs(train[: len(train) - shift], train[shift:], V), 0.01)
    claims = -wrong[val[: len(val) - shift], val[shift:]].log().mean().item()
    writes = tokenizer.decode(sample(wrong, tokenizer.encode("Once")[0], 8, seed=1))
    rows.append([name, claims, bigram_loss(wrong), writes])
viz.table(rows, ["targets", "loss it claims", "honest loss", "writes"])

# %% [markdown]
# Not shifted: it claims 0 and writes one word for ever. Shifted twice: it claims 2, and leaves out
# every second token. Both are worse than uniform, ln 1,024 = 6.93. So read a batch, and a sample,
# before you trust a loss.

# %% [markdown]
# **3. Positions not added, or the same for all.** We take them from the trained storyteller.
# **Predict:** does it still tell a story?

# %%
broken = copy.deepcopy(model)
positions = broken.transformer.wpe.weight.data
rows = [["right", story_loss(broken, 1)]]
positions[:] = wpe.mean(dim=0)
rows.append(["the same for all", story_loss(broken, 1)])
positions.zero_()
rows.append(["not added", story_loss(broken, 1)])
viz.table(rows, ["positions", "loss (nats per token)"])

# %% [markdown]
# Three times the loss, close to the bigram model's. And this is what it writes without positions:

# %%
from minigpt import generate

prompt = torch.tensor([[tokenizer.end_of_text, *tokenizer.encode("Once upon a time there was")]])
print(fill(tokenizer.decode(generate(broken, prompt, 24, temperature=0)[0, 1:].tolist()), 90))

# %% [markdown]
# Words and pairs are fine. The story has lost its thread.

# %% [markdown]
# **4. Windows that the model was not trained on.** `get_batch` cuts anywhere. **Predict:** of 1,000
# windows of 128 tokens, do many, few or none hold one story only?

# %%
x, y = get_batch(val, 128, 1000, torch.Generator().manual_seed(0))
end = tokenizer.end_of_text
whole = ((x[:, 1:] == end).sum(dim=1) == 0).sum().item()
from_start = (x[:, 0] == end).sum().item()
print(f"{whole} hold one story only; {from_start} begin where a story begins")

# %% [markdown]
# And what does that do? Here is the storyteller's loss at each position, with rows that begin with
# a story and with windows from anywhere. **Predict** where the second line is worst.

# %%
by_story = data.batch("val", 128, 200, torch.Generator().manual_seed(0))
anywhere = x[:200], y[:200]
for (x, y), style, name in [(by_story, "-", "story by story"), (anywhere, ":", "anywhere")]:
    with torch.no_grad():
        nats = F.cross_entropy(model(x).transpose(1, 2), y, reduction="none")
    count = (y >= 0).sum(dim=0)
    mean = (nats.sum(dim=0) / count)[count > 20]  # enough stories reach this far
    plt.plot(mean, style, label=f"{name}: mean {nats.sum() / count.sum():.2f}")
plt.gca().set(xlabel="position in the row (tokens)", ylabel="loss (nats per token)", ylim=0)
plt.legend()
plt.show()

# %% [markdown]
# At both ends. Position 0 costs more than ln V = 6.93, as if the model were broken. Look closer.
# **Predict:** what does it take the first token of a row for?

# %%
x, y = anywhere
with torch.no_grad():
    first = model(x[:, :1])[:, 0]
guesses = Counter(viz.token_labels(tokenizer, first.argmax(dim=-1)))
print(guesses.most_common(3), "of", len(x))
at_0 = F.cross_entropy(first, y[:, 0]).item(), -P[x[:, 0], y[:, 0]].log().mean().item()
print("position 0: storyteller {:.2f}, bigram {:.2f}, ln V {:.2f}".format(*at_0, math.log(V)))

# %% [markdown]
# For the mark, mostly: it answers with the beginning of a story. In its training, position 0 never
# held anything else, so it had no reason to look. Counting, which knows no positions, pays less
# than a quarter of that.

# %% [markdown]
# At the other end new stories begin, at positions where none ever began in training. **Predict:**
# at the same position, is the loss higher after such a mark than before one?

# %%
with torch.no_grad():
    nats = F.cross_entropy(model(x).transpose(1, 2), y, reduction="none")
inside = x == end
inside[:, 0] = False  # a mark at position 0 is where it belongs
after = inside.cumsum(dim=1) > 0
both = [(nats[~after[:, t], t].mean(), nats[after[:, t], t].mean()) for t in range(20, 100)]
means = torch.tensor(both).mean(dim=0)  # each of these positions counts once on either side
viz.table([means.tolist()], ["before a second story", "in it"])

# %% [markdown]
# More than twice as high, at the same positions. The model was not trained for that, and the floor
# does not hold for such rows.

# %% [markdown]
# The mistake is the mismatch. A model of long texts can be trained on windows from anywhere: that
# is what `get_batch` is for.

# %% [markdown]
# **5. Ids looked up in the wrong vocabulary.** Somebody trains a tokenizer anew, on other stories,
# with the same 1,024 tokens. No id is too large; nothing complains. **Predict:** is the loss below
# 1.73, between that and 6.93, or above?

# %%
from minigpt import Tokenizer

other = Tokenizer.train(" ".join(islice(Stories(seed=99), 200)), vocab_size=1024)
rows = []
for name, tok in [("its own", tokenizer), ("the other", other)]:
    ids = torch.tensor([[tok.end_of_text, *tok.encode(story)]])
    with torch.no_grad():
        loss = cross_entropy(model(ids[:, :-1]), ids[:, 1:]).item()
    rows.append([name, loss, tokenizer.decode(ids[0, 1:9].tolist())])
viz.table(rows, ["vocabulary", "loss", "what the model reads"])

# %% [markdown]
# Far worse than knowing nothing, 6.93. When the mean loss is above ln V, something is broken. A
# tokenizer and its model belong together: save them in one folder.

# %% [markdown]
# **6. Embeddings of the wrong size.** Vaswani et al. multiply embeddings by √C; GPT-2 does not. And
# PyTorch's `nn.Embedding` begins with numbers of spread 1; GPT-2 with 0.02. **Predict:** which of
# the three below is worse than knowing nothing?

# %%
from minigpt import GPT

torch.manual_seed(0)
broken, fresh = copy.deepcopy(model), GPT(model.config)
broken.transformer.wte.register_forward_hook(lambda layer, ids, x: x * math.sqrt(128))
rows = [["storyteller, embeddings × √C", story_loss(broken, 1)]]
rows.append(["untrained, as GPT-2 begins", story_loss(fresh, 1)])
fresh.transformer.wte.weight.data.copy_(torch.nn.Embedding(V, 128).weight)
rows.append(["untrained, as nn.Embedding begins", story_loss(fresh, 1)])
viz.table(rows, ["model", "loss (nats per token)"])

# %% [markdown]
# Times √C: five times the loss. Untrained with large embeddings: more than 100 nats, for GPT-2 uses
# the table a second time, to make its logits. What goes wrong there, lesson 05 takes apart. A first
# loss near ln V is a good sign.

# %% [markdown]
# ## In short
#
# - A token is a row of `wte`, its position a row of `wpe` or a set of waves. They are added.
# - A window asks T questions at once; the targets are the same stream, one to the right.
# - The loss is the mean surprise in nats per token. Clearly below the floor on many new stories, or
#   above ln V, something is wrong.
# - Counting pairs leaves 1.73 of 6.93 nats. What is missing is memory.

# %% [markdown]
# **Your turn.** Draw the likeness to position 60 for `sinusoidal_positions(128, 8)`: how few
# channels still give a clear peak? Then run the bigram model on real English: in a new cell, load
# `package.load_data("python-docs")`, count, and look at its loss, its samples and its `floor`.
#
# **Exercises:** [02_data](../exercises/02_data.ipynb). Each check says what went wrong, and what
# passes becomes a part of your own GPT.
#
# **Next:** lesson 03 builds attention, which looks back as far as it likes.
