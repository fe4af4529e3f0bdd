# %% [markdown]
# # Exercises 09: heads
#
# You score heads, take them out, patch one run into another, and follow a logit back to what made
# it; you mend an ablation that goes wrong, and explain one. About two hours and a half, after
# lesson 09.
#
# Write in the cells that say so, then run the check below each. It runs your code on several
# inputs and says what is wrong, if anything is. Stuck? Each exercise has three hints. Here
# nothing becomes a part of your GPT: you look at it.

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
# - A target counts only where `x` itself is repeated already: from position n on, n being the
#   length of the row's piece. Every other target is -100, which PyTorch's cross-entropy leaves
#   out.
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
# `head_scores` of the package judges one text. A single text may hold two or three tokens that
# stood there before: then chance decides. Write `induction_score(patterns, idx)`, which pools a
# batch.
#
# | | |
# | --- | --- |
# | `patterns` | `(B, nh, T, T)`: one layer's patterns for B texts |
# | `idx` | `(B, T)`: the texts, int64 |
# | result | `(nh,)`: a score for each head |
#
# - Where row t looks, the **targets** are the tokens that came right after an earlier token of
#   the same id: all s with 1 ≤ s < t and `idx[b, s - 1] == idx[b, t]`.
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
# A hook takes a head out while the model runs. The same can be written into the weights, once.
# Write `fold_means(weight, bias, heads, means)`: it returns the weight and bias of a `c_proj`
# that goes on as if some heads always gave the same.
#
# | | | |
# | --- | --- | --- |
# | `weight` | `(C, C)` | (out, in), as in Linear: the layer adds `weight @ gathered + bias` |
# | `bias` | `(C,)` | |
# | `heads` | a list of n whole numbers | which heads; each is there once, in any order |
# | `means` | `(n, hs)` | what each of them should give, in the order of `heads` |
# | result | a pair `weight, bias` | new tensors of the same shapes and dtype |
#
# - What comes in, `gathered`, has the heads side by side: head 0's hs channels first.
# - Whatever such a head gathers, the layer must no longer depend on it. Means of 0 are the
#   ablation by zero.
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
# Silence is something that a model has never met in training. A **mean ablation** puts in what
# the head gives on average over other texts. Write `mean_ablation(z, others, head)`.
#
# | | | |
# | --- | --- | --- |
# | `z` | `(B, nh, T, hs)` | what a layer's heads gathered in these texts, before c_proj |
# | `others` | `(N, nh, T, hs)` | what they gathered in N other texts |
# | `head` | a whole number | the one to take out |
# | result | `(B, nh, T, hs)` | `z`, with that head's mean over the other texts |
#
# The mean is taken **position by position**: position 3 gets the mean of the others' position 3.
# `z` and `others` stay as they are, the dtype is kept.
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
# A friend measures by how much the loss rises, in nats a token, when one head is silent. It runs,
# and gives numbers. But the loss of the whole model is far above what training showed, the
# numbers do not agree with a head cut out of the weights, and afterwards the model is another
# one.
#
# **Three things are wrong.** Mend them. What it should do:
#
# - `model` is a GPT, `idx` `(B, T)`. The loss is the mean cross-entropy of all next tokens in
#   `idx`.
# - The head is silent: what it gathered is 0 when `c_proj` mixes the heads. All else is as it
#   was.
# - The rise is returned, and the model is left as it was found, without a hook.
#
# The model is in evaluation mode already. A hook registered by `register_forward_pre_hook` is
# called as `hook(module, given)`, `given` being a tuple of the inputs, and may return another
# input.


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

# %% [markdown] exercise="paired_interval"
# ## Is it more than chance?
#
# You have the loss of n stories with a head, and of the same n stories without it. Stories differ
# much in how hard they are; a head may change each of them only a little. Write
# `paired_interval(before, after)`: a 95 % confidence interval of the mean rise.
#
# | | |
# | --- | --- |
# | `before`, `after` | `(..., n)`: losses; entry i of both is the same story. n is at least 2 |
# | result | `(..., 2)`: the lower and the upper end, of the same dtype |
#
# - A story's rise is `after - before`. The interval is their mean, and **1.96 standard errors**
#   to each side.
# - The standard error of a mean of n is s / √n. s is the standard deviation of the rises, with n
#   - 1 below the line.
#
# For example, the losses 1, 2, 6 become 2, 2, 8. The rises are 1, 0, 2: their mean is 1, s = 1,
# and the interval is `[1 - 1.96 / √3, 1 + 1.96 / √3]`, about `[-0.13, 2.13]`: 0 lies inside.


# %% solution="paired_interval"
def paired_interval(before, after):
    """Return a 95 % interval of the mean rise: (..., n) twice -> (..., 2)."""
    ### BEGIN SOLUTION
    rise = after - before
    error = rise.std(dim=-1) / rise.size(-1) ** 0.5
    middle = rise.mean(dim=-1)
    return torch.stack([middle - 1.96 * error, middle + 1.96 * error], dim=-1)
    ### END SOLUTION


# %% check="paired_interval"
check("paired_interval", paired_interval)

# %% [markdown] exercise="patch_residual"
# ## One vector of another run
#
# Write `patch_residual(model, idx, other, layer, position)`: the model reads `idx`, but at one
# layer and one position its residual stream is the one that it had when it read `other`.
#
# | | | |
# | --- | --- | --- |
# | `model` | a GPT in evaluation mode | its parts are named as in lesson 05 |
# | `idx`, `other` | `(B, T)`, int64 | row i of one goes with row i of the other |
# | `layer` | from 0 to n_layer | 0: before the first block; n: when n blocks have run |
# | `position` | from 0 to T - 1 | |
# | result | `(B, V)` | the logits of the **last** position |
#
# What comes after the patch runs as always, at all positions. The model is left as it was; if you
# use hooks, remove them. Whether gradients are recorded is up to you.
#
# Two probes: patching the last position at layer n_layer gives what the model says of `other`;
# patching one of the others there changes nothing.


# %% solution="patch_residual"
@torch.no_grad()
def patch_residual(model, idx, other, layer, position):
    """Run idx with one vector of other's residual stream: the last logits, (B, V)."""
    ### BEGIN SOLUTION
    parts = model.transformer
    places = torch.arange(idx.size(1))
    x = parts.wte(idx) + parts.wpe(places)  # (B, T, C)
    y = parts.wte(other) + parts.wpe(places)
    for n, step in enumerate([*parts.h, parts.ln_f]):
        if n == layer:
            x[:, position] = y[:, position]
        x, y = step(x), step(y)
    return model.lm_head(x)[:, -1]
    ### END SOLUTION


# %% check="patch_residual"
check("patch_residual", patch_residual)

# %% [markdown] exercise="share_restored"
# ## What a patch brings back
#
# Work this out on paper. Two stories differ in one colour: blue in the clean one, red in the
# corrupt one. Measured is the logit of blue less the logit of red, where the colour is asked for:
#
# | run | logit of blue less logit of red |
# | --- | --- |
# | clean | 5 |
# | corrupt | -3 |
# | corrupt, with one vector of the clean run | 3 |
#
# Which share of what the corruption took away does the patch restore? A patch that does nothing
# restores 0, one that gives the clean run restores 1. Set `share_restored` to a number; two
# digits after the point will do.

# %% solution="share_restored"
share_restored = None
### BEGIN SOLUTION
# From -3 to 5 it is a way of 8; the patch goes 6 of it.
share_restored = (3 - -3) / (5 - -3)
### END SOLUTION

# %% check="share_restored"
check("share_restored", share_restored)

# %% [markdown] exercise="direct_attribution"
# ## Who made this logit?
#
# At one position the residual stream is a sum of n parts: the embedding, and what each sublayer
# added. A logit is the final LayerNorm of that sum, times a direction: a token's row of the head,
# or the difference of two. Write `direct_attribution(parts, weight, bias, direction, eps=1e-5)`:
# what each part brings to it.
#
# | | | |
# | --- | --- | --- |
# | `parts` | `(n, C)` | their sum is the stream |
# | `weight`, `bias` | `(C,)` | those of the final LayerNorm |
# | `direction` | `(C,)` | |
# | `eps` | a number | added to the variance, under the root |
# | result | `(n + 1,)` | what each part brings, in their order; last, what `bias` brings |
#
# - **The results add up to the logit**, `layer_norm(stream) @ direction`.
# - The spread that a LayerNorm divides by is that of the whole stream, and counts as a fixed
#   number: the LayerNorm is *frozen*. All else that it does is done part by part.
#
# For example, with `weight` all 1, `bias` all 0, `direction` `[1, 0, 0, 0]` and the parts `[1, 0,
# 0, 1]` and `[2, 0, 2, 0]`: the stream is `[3, 0, 2, 1]`, its spread 1.118. Less their means the
# parts begin with 0.5 and 1, so they bring 0.447 and 0.894, and the bias 0.


# %% solution="direct_attribution"
def direct_attribution(parts, weight, bias, direction, eps=1e-5):
    """Share a logit out among the parts of the stream, and the bias: (n, C) -> (n + 1,)."""
    ### BEGIN SOLUTION
    spread = (parts.sum(dim=0).var(correction=0) + eps).sqrt()
    centred = parts - parts.mean(dim=-1, keepdim=True)
    told = (centred / spread * weight) @ direction  # (n,)
    return torch.cat([told, (bias * direction).sum()[None]])
    ### END SOLUTION


# %% check="direct_attribution"
check("direct_attribution", direct_attribution)

# %% [markdown] exercise="lens_rank"
# ## When does the answer come up?
#
# The logit lens reads the residual stream as if no block were left. Write
# `lens_rank(model, stream, answers)`: at each depth, how many tokens stand above the right one?
#
# | | | |
# | --- | --- | --- |
# | `model` | a GPT in evaluation mode | its final LayerNorm is `model.transformer.ln_f` |
# | `stream` | `(depth, T, C)` | the residual stream of one text, as the blocks left it |
# | `answers` | `(T,)`, int64 | the token that is right at each position (shifted already) |
# | result | `(depth, T)`, int64 | the answer's rank: 0 if no token has a larger logit |
#
# The model and the stream stay as they are. No two logits are so near that rounding could decide.
#
# For example, if the lens gives the logits 2, 5, 3 to a vocabulary of three, the ranks of the
# answers 0, 1 and 2 would be 2, 0 and 1.


# %% solution="lens_rank"
@torch.no_grad()
def lens_rank(model, stream, answers):
    """Rank the right token at each depth: (depth, T, C) and (T,) -> (depth, T)."""
    ### BEGIN SOLUTION
    logits = model.lm_head(model.transformer.ln_f(stream))  # (depth, T, V)
    own = logits.gather(-1, answers.expand(stream.shape[:-1]).unsqueeze(-1))
    return (logits > own).sum(dim=-1)
    ### END SOLUTION


# %% check="lens_rank"
check("lens_rank", lens_rank)

# %% [markdown] exercise="why_intervene"
# ## Why is a clean pattern no explanation?
#
# A friend has found a head that, wherever a story asks for a colour, looks at the colour and at
# nothing else. "So this head carries the colour." Explain in five to nine sentences why that does
# not follow, and how you would find out. A full answer says
#
# - what a pattern does not show, though the head looks there (one point),
# - what you would take out, what you would measure, and in how many stories (one point),
# - why you would put in a mean and not only 0 (half a point), and what you may say, and may not,
#   if the head's removal costs nothing (half a point).
#
# Your teacher marks this one. If you have none, mark it yourself: the steps are below.

# %% [markdown] written="why_intervene"
# ### BEGIN SOLUTION
# ### END SOLUTION
