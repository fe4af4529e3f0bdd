# %% [markdown]
# # Exercises 09: heads
#
# You score heads, take them out, patch one run into another, and follow a logit back to what made
# it; then you mend an ablation that goes wrong. About TIME, after lesson 09.
#
# Write in the cells that say so, then run the check below each. It runs your code on several
# inputs and says what is wrong, if anything is. Stuck? Each exercise has three hints. Here nothing
# becomes a part of your GPT: you look at it.

# %%
import torch
from torch.nn import functional as F

from minigpt.course import check

# %% [markdown] exercise="repeat_pieces"
# ## A text that repeats itself
#
# Write `repeat_pieces(pieces, T)`, which makes a batch to test heads on. Each piece is said again
# and again until its row is full.
#
# | | |
# | --- | --- |
# | `pieces` | a list of B tensors of ids, int64, each as long as it likes, `(n,)` |
# | `T` | a whole number: the length of a row |
# | result | a pair `x, y` of int64 tensors, each `(B, T)` |
#
# - `y` holds the next tokens: the text goes on after T, so the last one is there, too.
# - A target counts only where `x` itself is repeated already: from position n on, n being the length
#   of the row's piece. Every other target is -100, which PyTorch's cross-entropy leaves out.
# - A piece may be longer than T.
#
# For example, one piece `[7, 8, 9]` and `T = 7`:
#
# ```
# x   7    8    9    7  8  9  7
# y   -100 -100 -100 8  9  7  8
# ```


# %% solution="repeat_pieces"
def repeat_pieces(pieces, T):
    """Say each piece until its row is full: inputs and targets, each (B, T)."""
    ### BEGIN SOLUTION
    pairs = []
    for piece in pieces:
        ids = piece[torch.arange(T + 1) % len(piece)]  # (T + 1,)
        y = ids[1:].clone()
        y[: len(piece)] = -100
        pairs.append((ids[:-1], y))
    rows, targets = zip(*pairs)
    return torch.stack(rows), torch.stack(targets)
    ### END SOLUTION


# %% check="repeat_pieces"
check("repeat_pieces", repeat_pieces)

# %% [markdown] exercise="offset_score"
# ## How often does a head look so far back?
#
# A previous-token head looks one token back. Others look two back, or three. Write
# `offset_score(patterns, offset)`: the mean weight that a token gives to the one `offset` before
# it.
#
# | | |
# | --- | --- |
# | `patterns` | `(..., T, T)`: row t looks, column s is looked at; any number of leading axes |
# | `offset` | a whole number from 0 (the token itself) to T - 2 |
# | result | `(...)`, of the same dtype: a mean for each pattern; chance is left in |
#
# Looking at the **first token** does not count, whoever does it: the row that would have to look
# there is left out of the mean.
#
# For example, `[[1, 0, 0], [0.5, 0.5, 0], [0.1, 0.7, 0.2]]` scores 0.7 for offset 1, and
# 0.35 = (0.5 + 0.2) / 2 for offset 0.


# %% solution="offset_score"
def offset_score(patterns, offset):
    """Return the mean weight on the token so far back: (..., T, T) -> (...)."""
    ### BEGIN SOLUTION
    weights = patterns.diagonal(-offset, dim1=-2, dim2=-1)  # (..., T - offset)
    return weights[..., 1:].mean(dim=-1)
    ### END SOLUTION


# %% check="offset_score"
check("offset_score", offset_score)

# %% [markdown] exercise="induction_score"
# ## Induction, over a batch
#
# `head_scores` of the package judges one text. A single text may hold two or three tokens that stood
# there before: then chance decides. Write `induction_score(patterns, idx)`, which pools a batch.
#
# | | |
# | --- | --- |
# | `patterns` | `(B, nh, T, T)`: one layer's patterns for B texts |
# | `idx` | `(B, T)`: the texts, int64 |
# | result | `(nh,)`: a score for each head |
#
# - Where row t looks, the **targets** are the tokens that came right after an earlier token of the
#   same id: all s with 1 ≤ s < t and `idx[b, s - 1] == idx[b, t]`.
# - Rows **count** if they have a target. The rows of all texts are pooled, and each counts alike.
# - A row's *weight* is what it gives to all its targets together. Its *chance* is the share of
#   targets among the t + 1 tokens that it sees.
# - With W and c, the means of weight and chance over the rows that count, the score is
#   (W - c) / (1 - c). At least one row counts.
#
# For example, in the text 7 8 9 7 only the last row counts, and its target is the 8. A head that
# gives it 0.7 there scores (0.7 - 0.25) / 0.75 = 0.6.


# %% solution="induction_score"
def induction_score(patterns, idx):
    """Score each head of a layer on a batch: (B, nh, T, T) and (B, T) -> (nh,)."""
    ### BEGIN SOLUTION
    T = idx.size(1)
    targets = torch.zeros(len(idx), T, T, dtype=torch.bool)
    targets[:, :, 1:] = idx[:, :, None] == idx[:, None, :-1]
    targets = targets.tril(-1)
    rows = targets.any(dim=-1)  # (B, T)
    chance = (targets.sum(dim=-1) / torch.arange(1, T + 1))[rows].mean()
    weight = (patterns * targets[:, None]).sum(dim=-1).transpose(0, 1)  # (nh, B, T)
    return (weight[:, rows].mean(dim=-1) - chance) / (1 - chance)
    ### END SOLUTION


# %% check="induction_score"
check("induction_score", induction_score)

# %% [markdown] exercise="fold_means"
# ## An ablation written into the weights
#
# A hook takes a head out while the model runs. The same can be written into the weights, once. Write
# `fold_means(weight, bias, heads, means)`: it returns the weight and bias of a `c_proj` that goes on
# as if some heads always gave the same.
#
# | | | |
# | --- | --- | --- |
# | `weight` | `(C, C)` | as PyTorch's Linear keeps it: (out, in). The layer adds `weight @ gathered + bias` |
# | `bias` | `(C,)` | |
# | `heads` | a list of n whole numbers | which heads; each is there once, in any order |
# | `means` | `(n, hs)` | what each of them should give, in the order of `heads` |
# | result | a pair `weight, bias` | new tensors of the same shapes and dtype |
#
# - What comes in, `gathered`, has the heads side by side: head 0's hs channels first.
# - Whatever such a head gathers, the layer must no longer depend on it. Means of 0 are the ablation by
#   zero.
# - What you are given stays as it is.
#
# For example, `[[1, 2], [3, 4]]` and `[10, 20]`, head 1 of one channel and its mean 5: the weight
# becomes `[[1, 0], [3, 0]]`, the bias `[10 + 2 * 5, 20 + 4 * 5] = [20, 40]`.


# %% solution="fold_means"
def fold_means(weight, bias, heads, means):
    """Let heads always give their means: the weight and bias of c_proj, changed."""
    ### BEGIN SOLUTION
    hs = means.size(-1)
    cut, told = weight.clone(), bias.clone()
    for head, mean in zip(heads, means):
        columns = slice(head * hs, head * hs + hs)
        told += weight[:, columns] @ mean
        cut[:, columns] = 0
    return cut, told
    ### END SOLUTION


# %% check="fold_means"
check("fold_means", fold_means)

# %% [markdown] exercise="mean_ablation"
# ## What it always says, in place of what it says now
#
# Silence is something that a model has never met in training. A **mean ablation** puts in what the
# head gives on average over other texts. Write `mean_ablation(z, others, head)`.
#
# | | | |
# | --- | --- | --- |
# | `z` | `(B, nh, T, hs)` | what a layer's heads gathered in these texts, before c_proj |
# | `others` | `(N, nh, T, hs)` | what they gathered in N other texts |
# | `head` | a whole number | the one to take out |
# | result | `(B, nh, T, hs)` | `z`, with that head's mean over the other texts |
#
# The mean is taken **position by position**: position 3 gets the mean of the others' position 3. `z`
# and `others` stay as they are, the dtype is kept.
#
# For example, one head of one channel, two positions, two other texts that gave `10, 20` and
# `30, 60`: every text gets `20, 40`.


# %% solution="mean_ablation"
def mean_ablation(z, others, head):
    """Put a head's mean over other texts in its place: (B, nh, T, hs), the same."""
    ### BEGIN SOLUTION
    result = z.clone()
    result[:, head] = others[:, head].mean(dim=0)  # (T, hs)
    return result
    ### END SOLUTION


# %% check="mean_ablation"
check("mean_ablation", mean_ablation)

# %% [markdown] exercise="cost_of_head"
# ## Mend: what does a head cost?
#
# A friend measures by how much the loss rises, in nats a token, when one head is silent. It runs, and
# gives numbers. But the loss of the whole model is far above what training showed, the numbers do
# not agree with a head cut out of the weights, and afterwards the model is another one.
#
# **Three things are wrong.** Mend them. What it should do:
#
# - `model` is a GPT, `idx` `(B, T)`. The loss is the mean cross-entropy of all next tokens in `idx`.
# - The head is silent: what it gathered is 0 when `c_proj` mixes the heads. All else is as it was.
# - The rise is returned, and the model is left as it was found, without a hook.
#
# The model is in evaluation mode already. A hook registered by `register_forward_pre_hook` is called
# as `hook(module, given)`, `given` being a tuple of the inputs, and may return another input.


# %% solution="cost_of_head"
### BEGIN BROKEN
# @torch.no_grad()
# def cost_of_head(model, idx, layer, head):
#     """Return by how much the loss rises without a head, in nats a token."""
#     hs = model.config.n_embd // model.config.n_head
#     c_proj = model.transformer.h[layer].attn.c_proj
#
#     def silence(module, given, result):
#         x = result.clone()
#         x[..., head * hs : head * hs + hs] = 0
#         return x
#
#     def loss():
#         logits = model(idx)
#         return F.cross_entropy(logits.flatten(0, 1), idx.flatten())
#
#     before = loss()
#     hook = c_proj.register_forward_hook(silence)
#     return loss() - before
### END BROKEN
### BEGIN SOLUTION
@torch.no_grad()
def cost_of_head(model, idx, layer, head):
    """Return by how much the loss rises without a head, in nats a token."""
    hs = model.config.n_embd // model.config.n_head
    c_proj = model.transformer.h[layer].attn.c_proj

    def silence(module, given):  # 1. what comes in: behind c_proj the heads are mixed
        x = given[0].clone()
        x[..., head * hs : head * hs + hs] = 0
        return x

    def loss():
        logits = model(idx)[:, :-1]  # 2. position t answers for the token at t + 1
        return F.cross_entropy(logits.flatten(0, 1), idx[:, 1:].flatten())

    before = loss()
    hook = c_proj.register_forward_pre_hook(silence)
    without = loss()
    hook.remove()  # 3. or the head stays silent
    return without - before


### END SOLUTION

# %% check="cost_of_head"
check("cost_of_head", cost_of_head)
