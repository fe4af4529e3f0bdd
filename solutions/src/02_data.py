# %% [markdown]
# # Exercises 02: data
#
# Ten exercises, about 95 minutes. You make vectors out of ids, cut windows with their targets, and
# build a first model whose loss you can work out by hand.
#
# Write where it says `YOUR CODE HERE`, run the cell, then run the check below it. A check takes
# about a second and says what is wrong. Stuck? Under a check that failed there are three hints, one
# after the other. What passes becomes a part of your own GPT.

# %%
import math
from itertools import pairwise

import torch
from torch.nn import functional as F

from minigpt.course import check

# %% [markdown]
# The letters are the lesson's: B rows in a batch, T tokens in time, C channels, V tokens in the
# vocabulary. `...` in a shape stands for any dimensions, or none. Functions leave their inputs as
# they were.

# %% [markdown] exercise="embed"
# ## Tokens and positions become vectors
#
# Write
#
# ```
# embed(idx, wte, wpe) -> x
# ```
#
# `idx (..., T)` holds token ids, int64. `wte (V, C)` has a row for each token, `wpe` a row for each
# position, with at least T rows. The result is `(..., T, C)`: for each token its row of `wte` plus
# the row of `wpe` for its position. The first token of every row is at position 0. T may be 0.
# Nothing is scaled. The type of the tables is kept, and gradients flow back to both.
#
# ```
# wte = [[1, 2], [3, 4], [5, 6]]    wpe = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
# embed([[0, 2, 0]], wte, wpe)      is  [[[1.1, 2.2], [5.3, 6.4], [1.5, 2.6]]]
# ```


# %% solution="embed"
def embed(idx, wte, wpe):
    """Return the vectors of the tokens in `idx`, with those of their positions added."""
    ### BEGIN SOLUTION
    T = idx.shape[-1]
    return wte[idx] + wpe[:T]  # (..., T, C) + (T, C)
    ### END SOLUTION


# %% check="embed"
check("embed", embed)

# %% [markdown] exercise="sinusoidal_positions"
# ## Waves for positions
#
# Write
#
# ```
# sinusoidal_positions(T, C) -> table (T, C), float32
# ```
#
# Row t is for position t, from 0. C is even. For i from 0 to C/2 - 1, column 2i is
# sin(t / 10000^(2i/C)), and column 2i + 1 is the *cosine of the same angle*. T may be 0.
#
# ```
# sinusoidal_positions(3, 4)  is  [[0.0000,  1.0000, 0.0000, 1.0000],
#                                  [0.8415,  0.5403, 0.0100, 0.9999],    # angles 1 and 1/100
#                                  [0.9093, -0.4161, 0.0200, 0.9998]]    # angles 2 and 2/100
# ```


# %% solution="sinusoidal_positions"
def sinusoidal_positions(T, C):
    """Return a (T, C) table of sines and cosines, a row for each position."""
    ### BEGIN SOLUTION
    angle = torch.arange(T)[:, None] / 10000 ** (torch.arange(0, C, 2) / C)  # (T, C/2)
    table = torch.zeros(T, C)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()
    return table
    ### END SOLUTION


# %% check="sinusoidal_positions"
check("sinusoidal_positions", sinusoidal_positions)

# %% [markdown] exercise="embedding_account"
# ## What do the two tables cost?
#
# Before you train a model, know what it takes. Write
#
# ```
# embedding_account(vocab_size: int, block_size: int, n_embd: int) -> dict[str, int]
# ```
#
# The dict has three entries, all whole numbers: `"wte"`, how many numbers the table of tokens
# holds; `"wpe"`, how many the table of positions holds (`block_size` rows); and `"bytes"`, the
# memory of both tables together. A number is a float32: 4 bytes. `n_embd` is C, the length of a
# row.
#
# ```
# embedding_account(8, 14, 4)  is  {"wte": 32, "wpe": 56, "bytes": 352}
# ```


# %% solution="embedding_account"
def embedding_account(vocab_size, block_size, n_embd):
    """Return what the tables of tokens and positions cost: numbers and bytes."""
    ### BEGIN SOLUTION
    wte, wpe = vocab_size * n_embd, block_size * n_embd
    return {"wte": wte, "wpe": wpe, "bytes": 4 * (wte + wpe)}
    ### END SOLUTION


# %% check="embedding_account"
check("embedding_account", embedding_account)

# %% [markdown] exercise="get_batch"
# ## Windows and their targets
#
# Write
#
# ```
# get_batch(data, block_size, batch_size, generator) -> (x, y)
# ```
#
# `data (N,)` is one long row of token ids, of any integer type, with N > T. Cut `batch_size` = B
# windows of `block_size` = T tokens out of it: `x (B, T)`. `y (B, T)` is the same windows, one to
# the right in `data`. Both are int64. Draw the starts once, with just this line, so that a seed
# fixes the batch:
#
# ```
# starts = torch.randint(len(data) - block_size, (batch_size,), generator=generator)
# ```
#
# It gives 0 to N - T - 1, so the first window and the last are both possible. With `data` the
# numbers 0 to 9, T = 3 and the starts 4 and 6,
#
# ```
# x  is  [[4, 5, 6], [6, 7, 8]]        y  is  [[5, 6, 7], [7, 8, 9]]
# ```


# %% solution="get_batch"
def get_batch(data, block_size, batch_size, generator):
    """Return inputs x and targets y, each (B, T), from random positions in `data`."""
    ### BEGIN SOLUTION
    starts = torch.randint(len(data) - block_size, (batch_size,), generator=generator)
    x = torch.stack([data[s : s + block_size] for s in starts])  # (B, T)
    y = torch.stack([data[s + 1 : s + block_size + 1] for s in starts])  # (B, T)
    return x.long(), y.long()
    ### END SOLUTION


# %% check="get_batch"
check("get_batch", get_batch)

# %% [markdown] exercise="bigram_counts"
# ## A first model: count
#
# Write
#
# ```
# bigram_counts(ids, vocab_size) -> counts (V, V), int64
# ```
#
# `ids (N,)` is one row of token ids, int64, each from 0 to V - 1, where V is `vocab_size`.
# `counts[i, j]` says how often token j came directly after token i. Nothing came after the last
# token. With no ids, or one, all counts are 0.
#
# ```
# bigram_counts([0, 1, 0, 1, 2], 3)  is  [[0, 2, 0],
#                                         [1, 0, 1],
#                                         [0, 0, 0]]
# ```


# %% solution="bigram_counts"
def bigram_counts(ids, vocab_size):
    """Return the (V, V) table of how often each token came after each."""
    ### BEGIN SOLUTION
    counts = torch.zeros(vocab_size, vocab_size, dtype=torch.int64)
    for now, after in pairwise(ids):
        counts[now, after] += 1
    return counts
    ### END SOLUTION


# %% check="bigram_counts"
check("bigram_counts", bigram_counts)

# %% [markdown] exercise="bigram_loss"
# ## How surprised is the model?
#
# Write
#
# ```
# bigram_loss(counts, ids, extra) -> float
# ```
#
# `counts (V, V)` is a table as above; it may also be float32. Add `extra` to every count, then
# divide each row by its sum: that is the probability of each next token. The loss is the mean, over
# the N - 1 pairs of neighbours in `ids (N,)`, of minus the natural logarithm of their probability.
# N is at least 2. Return a float, or a tensor of one number without dimensions. `extra` is 0 only
# where no pair has the count 0. In the lesson it took the probabilities, which `smooth` had made of
# the counts; here it does both.
#
# ```
# counts = [[0, 2, 1], [1, 0, 1], [1, 1, 0]]     ids = [0, 1, 2, 0]     extra = 0.0
# probabilities 2/3, 1/2, 1/2                    loss = (0.405 + 0.693 + 0.693) / 3 = 0.597
# ```


# %% solution="bigram_loss"
def bigram_loss(counts, ids, extra):
    """Return the mean surprise at `ids`, in nats per token."""
    ### BEGIN SOLUTION
    smoothed = counts + extra
    P = smoothed / smoothed.sum(dim=1, keepdim=True)
    return -P[ids[:-1], ids[1:]].log().mean().item()
    ### END SOLUTION


# %% check="bigram_loss"
check("bigram_loss", bigram_loss)

# %% [markdown] exercise="uniform_loss"
# ## The loss of knowing nothing
#
# A model with GPT-2's vocabulary of 50,257 tokens gives every token the same probability, always.
# What is its loss, in nats per token? Put a number into `uniform_loss`, rounded to two decimals or
# finer. You may compute it. It is the first number to look for when a training starts.

# %% solution="uniform_loss"
uniform_loss = None
### BEGIN SOLUTION
uniform_loss = math.log(50257)  # -ln(1 / 50257) = 10.82
### END SOLUTION

# %% check="uniform_loss"
check("uniform_loss", uniform_loss)

# %% [markdown] exercise="batch_loss"
# ## Find the bugs: shifted, and shifted again
#
# Somebody wrote the loss of a learned bigram model for a batch:
#
# ```
# batch_loss(table, x, y) -> scalar tensor
# ```
#
# `table (V, V)` holds logits, as floats: row i scores what may come after token i. `x (B, T)` and
# `y (B, T)` are a batch as `get_batch` gives it, so `y[b, t]` is the target of `x[b, t]`. Right
# would be: the mean of the surprise (cross-entropy, in nats) over all targets, all rows and
# positions alike. Where `y` is -100 there is nothing to grade, and the mean leaves it out; at least
# one target counts. `F.cross_entropy(logits, targets)` takes `(N, V)` and `(N,)` and does that by
# itself. The result has the type of `table`, and gradients flow back to it.
#
# ```
# table = [[0, 2], [1, 0]]     x = [[0, 1, 1]]     y = [[1, 1, 0]]
# surprises 0.127, 1.313, 0.313                    loss = 0.584
# ```
#
# The code below runs, and with it the loss of a training even falls. But it holds **two** bugs.
# Find both. You may rewrite as much as you like.


# %% solution="batch_loss"
### BEGIN BROKEN
# def batch_loss(table, x, y):
#     """Return the mean surprise of the table at the targets y, in nats."""
#     logits = table[x]  # (B, T, V)
#     logits, targets = logits[:, :-1], y[:, 1:]  # each position predicts the next
#     logits = logits.transpose(0, 1).flatten(0, 1)
#     return F.cross_entropy(logits, targets.flatten())
### END BROKEN
### BEGIN SOLUTION
def batch_loss(table, x, y):
    """Return the mean surprise of the table at the targets y, in nats."""
    logits = table[x].flatten(0, 1)  # (B * T, V), row after row, as y.flatten() goes
    return F.cross_entropy(logits, y.flatten())  # y is shifted already


### END SOLUTION

# %% check="batch_loss"
check("batch_loss", batch_loss)

# %% [markdown] exercise="story_floor"
# ## The floor of a small language
#
# A teller tells stories of 12 tokens, the end mark included. In each story two fair coins are
# tossed and one fair die (six sides) is thrown, each by itself; they decide what is told. All else
# is always the same, and different throws give different stories. The mark before a story is given,
# so nobody has to predict it.
#
# What is the best loss that a model can reach on new stories, in nats per token? Put a number into
# `story_floor`, rounded to three decimals or finer. You may compute it.

# %% solution="story_floor"
story_floor = None
### BEGIN SOLUTION
story_floor = (math.log(2) + math.log(2) + math.log(6)) / 12  # 3.178 nats a story: 0.265
### END SOLUTION

# %% check="story_floor"
check("story_floor", story_floor)

# %% [markdown] exercise="below_the_floor"
# ## Too good to be true
#
# A friend trains a model on the course's stories and is proud: 0.30 nats per token, on held-out
# stories. The floor is 0.47. What do you say? Answer in five to eight sentences. A full answer
#
# - says why no model can do that on new stories, except by luck (one point),
# - names two different mistakes, each of which could push the loss below the floor (one point),
# - says for each how your friend can find out whether it is the one (one point).
#
# Your teacher marks this one. If you have none, mark it yourself: the steps are below.

# %% [markdown] written="below_the_floor"
# ### BEGIN SOLUTION
# ### END SOLUTION
