# %% [markdown]
# # Exercises 03: attention
#
# You write attention from the mask to GPT-2's whole layer, mend a broken one, and answer three
# questions. About an hour and three quarters, after lesson 03.
#
# Write in the cells that say so, then run the check below each. It runs your code on several
# inputs and says what is wrong, if anything is. Stuck? Under a check that failed there are three
# hints. What passes becomes a part of your own GPT.

# %%
import math

import torch
from torch import nn
from torch.nn import functional as F

from minigpt.course import check

# %% [markdown]
# Later exercises may call functions you wrote in earlier ones. If you skipped one, take the
# course's: `from minigpt.course import part`, then for example `split_heads = part("split_heads")`.

# %% [markdown] exercise="causal_average"
# ## Look back blindly
#
# Write `causal_average(x)`: row t of the result is the average of rows 0 to t of `x`, row t
# included.
#
# | | shape |
# | --- | --- |
# | `x` | `(..., T, C)`: T words of C numbers, behind any number of leading axes (or none) |
# | result | the same |
#
# Time is the axis before the last. `x` stays as it is, its dtype (float32 or float64) is kept, and
# gradients flow through.
#
# For example, `[[10, 0], [20, 0], [0, 6]]` becomes `[[10, 0], [15, 0], [10, 2]]`.


# %% solution="causal_average"
def causal_average(x):
    """Average each row with the rows before it: (..., T, C) -> (..., T, C)."""
    ### BEGIN SOLUTION
    T = x.size(-2)
    counts = torch.arange(1, T + 1, dtype=x.dtype).unsqueeze(-1)  # (T, 1)
    return x.cumsum(dim=-2) / counts
    ### END SOLUTION


# %% check="causal_average"
check("causal_average", causal_average)

# %% [markdown] exercise="causal_mask"
# ## Who may look at whom
#
# Write `causal_mask(T)`: a `(T, T)` tensor of dtype `torch.bool`. Row t is the word that looks,
# column s the word that is looked at. It is True where looking is **allowed**: at itself and at
# what came before.
#
# For example, `causal_mask(3)` is
#
# ```
# [[True, False, False],
#  [True, True,  False],
#  [True, True,  True ]]
# ```
#
# T is a whole number of at least 1. In the lesson this was `future`, the other way round: there
# True means hidden.


# %% solution="causal_mask"
def causal_mask(T):
    """Say who may look at whom: (T, T) bool, True where allowed."""
    ### BEGIN SOLUTION
    return torch.ones(T, T, dtype=torch.bool).tril()
    ### END SOLUTION


# %% check="causal_mask"
check("causal_mask", causal_mask)

# %% [markdown] exercise="first_token_weight"
# ## Predict: how much does the first word get?
#
# Work this out on paper. There are three words, and one head with head size 4. The **second** word
# looks. Its dot products with the three keys, not yet divided by anything, are
#
# | | first word | second word | third word |
# | --- | --- | --- | --- |
# | $q \cdot k$ | 2 ln 3 (about 2.197) | 0 | 5 |
#
# Attention is as in GPT-2: scaled and causal. Which weight does the second word give to the
# **first** word? Set `first_token_weight` to a number between 0 and 1; two digits after the point
# will do. (If all three scores were 0, the answer would be 0.5.)

# %% solution="first_token_weight"
first_token_weight = None
### BEGIN SOLUTION
# Scaled by the root of 4, the scores are ln 3 and 0; the third word is hidden.
first_token_weight = 3 / (3 + 1)
### END SOLUTION

# %% check="first_token_weight"
check("first_token_weight", first_token_weight)

# %% [markdown] exercise="attention_weights"
# ## The pattern
#
# Write `attention_weights(q, k)`, one head's pattern. In the lesson this was `pattern`.
#
# $$\text{softmax}\left(\frac{q k^\top}{\sqrt{hs}} + \text{mask}\right)$$
#
# | | shape | |
# | --- | --- | --- |
# | `q`, `k` | `(..., T, hs)` | queries and keys; any number of leading axes, or none |
# | result | `(..., T, T)` | row t: how much word t looks at each word |
#
# - hs, the head size, is the last axis of `q`.
# - The future gets weight exactly 0, and every row sums to 1, also for scores of 100,000 or
#   -100,000.
# - Any strides, float32 and float64 are fine; the dtype is kept. `q` and `k` stay as they are, and
#   gradients flow to both.
#
# For example, with `q = [[1], [1]]` and `k = [[5], [5]]` (T = 2, hs = 1) the result is
# `[[1, 0], [0.5, 0.5]]`: equal scores, equal weights.


# %% solution="attention_weights"
def attention_weights(q, k):
    """How much each word looks at each word: q, k (..., T, hs) -> (..., T, T)."""
    ### BEGIN SOLUTION
    T, hs = q.shape[-2:]
    scores = q @ k.transpose(-2, -1) / math.sqrt(hs)  # (..., T, T)
    scores = scores.masked_fill(~causal_mask(T).to(q.device), -math.inf)
    return scores.softmax(dim=-1)
    ### END SOLUTION


# %% check="attention_weights"
check("attention_weights", attention_weights)

# %% [markdown] exercise="attention"
# ## One head
#
# Write `attention(q, k, v)`: each word gets the average of the values, weighted by its row of the
# pattern.
#
# | | shape | |
# | --- | --- | --- |
# | `q`, `k` | `(..., T, hs)` | as in `attention_weights` |
# | `v` | `(..., T, width)` | the values; their width is usually hs, but need not be |
# | result | `(..., T, width)` | for each word, what it fetched |
#
# All that `attention_weights` keeps is kept here too, and gradients flow to all three.
#
# For example, with `q = [[1], [1]]`, `k = [[5], [5]]` and `v = [[10], [20]]` the result is
# `[[10], [15]]`.


# %% solution="attention"
def attention(q, k, v):
    """Fetch from the words so far: q, k, v (..., T, hs) -> (..., T, hs)."""
    ### BEGIN SOLUTION
    return attention_weights(q, k) @ v
    ### END SOLUTION


# %% check="attention"
check("attention", attention)

# %% [markdown] exercise="split_heads"
# ## Cut the channels into heads
#
# Write `split_heads(x, n_head)`:
#
# | | shape | |
# | --- | --- | --- |
# | `x` | `(B, T, C)` | B texts of T words with C channels |
# | `n_head` | a whole number, nh | it divides C |
# | result | `(B, nh, T, hs)` | hs = C / nh channels for each head |
#
# Head 0 gets the first hs channels of every word, head 1 the next hs, and so on. Any dtype and any
# strides are fine; `x` stays as it is. The result may share its memory.
#
# For example, one text of 3 words with 4 channels, two heads:
#
# ```
# x        [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]]
# result   [[[[0, 1], [4, 5], [8, 9]], [[2, 3], [6, 7], [10, 11]]]]
# ```


# %% solution="split_heads"
def split_heads(x, n_head):
    """Cut the channels into heads: (B, T, C) -> (B, nh, T, hs)."""
    ### BEGIN SOLUTION
    B, T, C = x.shape
    return x.reshape(B, T, n_head, C // n_head).transpose(1, 2)
    ### END SOLUTION


# %% check="split_heads"
check("split_heads", split_heads)

# %% [markdown] exercise="merge_heads"
# ## Lay the heads side by side again
#
# Write `merge_heads(x)`, which undoes the splitting:
#
# | | shape | |
# | --- | --- | --- |
# | `x` | `(B, nh, T, hs)` | each head's answer for each word |
# | result | `(B, T, C)` | C = nh times hs: for each word, head 0's channels, then head 1's, ... |
#
# Any dtype and any strides are fine; `x` stays as it is.
#
# For example, two heads, three words, two channels each:
#
# ```
# x        [[[[0, 1], [4, 5], [8, 9]], [[2, 3], [6, 7], [10, 11]]]]
# result   [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]]
# ```


# %% solution="merge_heads"
def merge_heads(x):
    """Put the heads side by side again: (B, nh, T, hs) -> (B, T, C)."""
    ### BEGIN SOLUTION
    B, nh, T, hs = x.shape
    return x.transpose(1, 2).reshape(B, T, nh * hs)
    ### END SOLUTION


# %% check="merge_heads"
check("merge_heads", merge_heads)

# %% [markdown] exercise="CausalSelfAttention"
# ## The layer, with GPT-2's names
#
# Write the module `CausalSelfAttention`. `CausalSelfAttention(config)` builds one from
# `config.n_embd` (C), `config.n_head`, `config.bias` and `config.dropout`; called with `x`
# `(B, T, C)` it returns `(B, T, C)`. T is at most `config.block_size`.
#
# - `c_attn`, linear from C to 3C, makes **query, key, value**, in this order: three thirds. Each is
#   then cut into heads.
# - Each head attends, causal and scaled; the answers are merged. `c_proj`, from C to C, comes
#   last.
# - `config.bias` says whether the two linear layers have a bias. There are no other parameters.
# - Dropout of `config.dropout` acts twice, in training only: on the weights, after the softmax, and
#   on the result, after `c_proj`.
#
# For example, with `config = GPTConfig(n_embd=4, n_head=2)` the layer has 80 parameters. The first
# row of its result depends on `x[0, 0]` alone.


# %% solution="CausalSelfAttention"
class CausalSelfAttention(nn.Module):
    """Every word gathers what it needs from itself and the words before it."""

    def __init__(self, config):
        super().__init__()
        ### BEGIN SOLUTION
        C = config.n_embd
        self.c_attn = nn.Linear(C, 3 * C, bias=config.bias)
        self.c_proj = nn.Linear(C, C, bias=config.bias)
        self.n_head = config.n_head
        self.attn_dropout = nn.Dropout(config.dropout)
        self.resid_dropout = nn.Dropout(config.dropout)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        q, k, v = (split_heads(third, self.n_head) for third in self.c_attn(x).chunk(3, dim=-1))
        weights = self.attn_dropout(attention_weights(q, k))  # (B, nh, T, T)
        y = merge_heads(weights @ v)  # (B, T, C)
        return self.resid_dropout(self.c_proj(y))
        ### END SOLUTION


# %% check="CausalSelfAttention"
check("CausalSelfAttention", CausalSelfAttention)

# %% [markdown] exercise="MendedAttention"
# ## Mend a layer
#
# A friend wrote this layer from scratch. It runs, shapes and names are right. In training its loss
# falls suspiciously low, but what it writes is nonsense: somewhere it sees the future. And loaded
# with GPT-2's weights it is wrong from the start.
#
# There are **two mistakes**. Find them and mend the class; leave its name. When it is right, it
# does what `CausalSelfAttention` above does: `(B, T, C)` in, `(B, T, C)` out.
#
# A probe for one of them: in a text of three words, change the last word only. Which rows of the
# result may move? (Only the last.)


# %% solution="MendedAttention"
### BEGIN BROKEN
# class MendedAttention(nn.Module):
#     def __init__(self, config):
#         super().__init__()
#         C = config.n_embd
#         self.n_head, self.head_size = config.n_head, C // config.n_head
#         self.c_attn = nn.Linear(C, 3 * C, bias=config.bias)
#         self.c_proj = nn.Linear(C, C, bias=config.bias)
#         self.dropout = config.dropout
#
#     def forward(self, x):
#         B, T, C = x.shape
#         q, k, v = self.c_attn(x).split(C, dim=2)
#         q = q.view(B, T, self.n_head, self.head_size).transpose(1, 2)
#         k = k.view(B, T, self.n_head, self.head_size).transpose(1, 2)
#         v = v.view(B, T, self.n_head, self.head_size).transpose(1, 2)
#         scores = q @ k.transpose(2, 3) / math.sqrt(C)
#         future = torch.ones(T, T, dtype=torch.bool).triu(1)
#         weights = scores.masked_fill(future, -math.inf).softmax(dim=-1)
#         y = F.dropout(weights, self.dropout, self.training) @ v
#         y = self.c_proj(y.reshape(B, T, C))
#         return F.dropout(y, self.dropout, self.training)
### END BROKEN
### BEGIN SOLUTION
class MendedAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        C = config.n_embd
        self.n_head, self.head_size = config.n_head, C // config.n_head
        self.c_attn = nn.Linear(C, 3 * C, bias=config.bias)
        self.c_proj = nn.Linear(C, C, bias=config.bias)
        self.dropout = config.dropout

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.c_attn(x).split(C, dim=2)
        q = q.view(B, T, self.n_head, self.head_size).transpose(1, 2)
        k = k.view(B, T, self.n_head, self.head_size).transpose(1, 2)
        v = v.view(B, T, self.n_head, self.head_size).transpose(1, 2)
        # A score sums over the channels of one head, not over all C.
        scores = q @ k.transpose(2, 3) / math.sqrt(self.head_size)
        future = torch.ones(T, T, dtype=torch.bool).triu(1)
        weights = scores.masked_fill(future, -math.inf).softmax(dim=-1)
        y = F.dropout(weights, self.dropout, self.training) @ v  # (B, nh, T, hs)
        # Time comes back before the heads; reshaping alone mixed several words into one row.
        y = self.c_proj(y.transpose(1, 2).reshape(B, T, C))
        return F.dropout(y, self.dropout, self.training)


### END SOLUTION

# %% check="MendedAttention"
check("MendedAttention", MendedAttention)

# %% [markdown] exercise="pattern_bytes"
# ## What do the patterns weigh?
#
# GPT-2 (the smallest) has 12 layers with 12 heads each, 768 channels, and reads up to 1,024 tokens.
# For training, all the attention patterns of a pass are kept, as whole `(T, T)` squares of float32
# numbers, the hidden zeros included.
#
# How many bytes do the patterns of all layers take for **one** text of 1,024 tokens? Set
# `pattern_bytes` to a whole number; it may be a formula such as `2 * 3`. It has to be exact.
#
# (A tiny example: 1 layer with 2 heads and 3 tokens takes 72 bytes.)

# %% solution="pattern_bytes"
pattern_bytes = None
### BEGIN SOLUTION
# One (T, T) pattern for each head of each layer, 4 bytes a number: 576 MiB. This is why the fast
# attention of PyTorch never stores it.
pattern_bytes = 12 * 12 * 1024 * 1024 * 4
### END SOLUTION

# %% check="pattern_bytes"
check("pattern_bytes", pattern_bytes)

# %% [markdown] exercise="why_scale"
# ## Why the root of the head size?
#
# Attention divides its scores by the root of the head size. Explain in four to eight sentences why.
# A full answer says
#
# - how the spread of a dot product depends on the head size, and why (one point),
# - what happens to the softmax's weights if nothing is divided (one point),
# - what that does to learning (half a point), and why it is the *root*, not the head size itself
#   (half a point).
#
# Your teacher marks this one. If you have none, mark it yourself: the steps are below.

# %% [markdown] written="why_scale"
# ### BEGIN SOLUTION
# ### END SOLUTION
