# %% [markdown]
# # Exercises 07: sampling
#
# You write temperature, top-k and top-p, throw darts at a distribution, and make a model write;
# then you mend a loop that does not stop. About an hour and a half, after lesson 07.
#
# Write in the cells that say so, then run the check below each. It runs your code on several
# inputs and says what is wrong, if anything is. Stuck? Each exercise has three hints. What passes
# becomes a part of your own GPT.

# %%
import math

import torch

from minigpt.course import check

# %% [markdown] exercise="apply_temperature"
# ## Temperature
#
# Write `apply_temperature(logits, temperature)`: each logit divided by the temperature, and nothing
# else.
#
# | | |
# | --- | --- |
# | `logits` | `(..., V)`: any number of leading axes, or none; some may be `-inf` |
# | `temperature` | a number above 0, however small, int or float |
# | result | logits again, of the same shape and dtype (float64, float32 or bfloat16) |
#
# `logits` stays as it is, and gradients flow through.
#
# For example, `[1, 2, 3]` at temperature 2 becomes `[0.5, 1, 1.5]`.


# %% solution="apply_temperature"
def apply_temperature(logits, temperature):
    """Divide the logits: above 1 the distribution flattens, below 1 it sharpens."""
    ### BEGIN SOLUTION
    return logits / temperature
    ### END SOLUTION


# %% check="apply_temperature"
check("apply_temperature", apply_temperature)

# %% [markdown] exercise="top_k_filter"
# ## The k best
#
# Write `top_k_filter(logits, k)`: in each row the k largest logits stay, each at its place; all
# others become `-inf`.
#
# | | |
# | --- | --- |
# | `logits` | `(..., V)`: any number of leading axes, or none; some may be `-inf` already |
# | `k` | a whole number of at least 1; if it is V or more, everything stays |
# | result | logits again, of the same shape and dtype (float64, float32 or bfloat16) |
#
# - Logits that stay are unchanged. No two finite logits of a row are equal.
# - `logits` may be transposed, and stays as it is. Gradients flow to what is kept.
#
# For example, `[1, 3, 2]` with k = 2 becomes `[-inf, 3, 2]`.


# %% solution="top_k_filter"
def top_k_filter(logits, k):
    """Keep the k largest logits of each row: (..., V) -> (..., V)."""
    ### BEGIN SOLUTION
    k = min(k, logits.size(-1))
    smallest = logits.topk(k, dim=-1).values[..., -1:]  # (..., 1)
    return logits.masked_fill(logits < smallest, -math.inf)
    ### END SOLUTION


# %% check="top_k_filter"
check("top_k_filter", top_k_filter)

# %% [markdown] exercise="top_p_filter"
# ## The fewest that reach p
#
# Write `top_p_filter(logits, p)`: in each row the fewest tokens whose probabilities sum to p or
# more stay, likeliest first. All others become `-inf`.
#
# | | |
# | --- | --- |
# | `logits` | `(..., V)`: any number of leading axes, or none; some may be `-inf` already |
# | `p` | a number above 0 and at most 1 |
# | result | logits again, of the same shape and dtype (float64, float32 or bfloat16) |
#
# - Probabilities are the softmax of the row, with a sum of 1. The token that crosses p **stays**,
#   so at least one always does.
# - At p = 1 **everything** stays. That is a case of its own: the sum of the likeliest is rounded
#   to 1 (or past it) before the last token, or never gets there, in float64 as well. For every
#   other p no sum comes so near that rounding decides.
# - Logits that stay are unchanged, each at its place. No two that matter are equal.
# - `logits` may be transposed, and stays as it is. Gradients flow to what is kept.
#
# For example, probabilities of 0.1, 0.2, 0.4 and 0.3 with p = 0.65: the third and the fourth stay,
# 0.7 together. With p = 0.3 only the third stays.


# %% solution="top_p_filter"
def top_p_filter(logits, p):
    """Keep the fewest tokens that reach p in each row: (..., V) -> (..., V)."""
    ### BEGIN SOLUTION
    if p == 1:  # a rounded sum can reach 1 too early
        return logits
    ordered, order = logits.sort(dim=-1, descending=True)
    probabilities = ordered.softmax(dim=-1)
    sum_before = probabilities.cumsum(dim=-1) - probabilities
    removed = torch.zeros_like(logits, dtype=torch.bool)
    removed.scatter_(-1, order, sum_before >= p)  # back to the order of ids
    return logits.masked_fill(removed, -math.inf)
    ### END SOLUTION


# %% check="top_p_filter"
check("top_p_filter", top_p_filter)

# %% [markdown] exercise="chance_after_the_cut"
# ## What is left for kite
#
# A model gives these probabilities to the next word:
#
# | kite | fox | hat | goose | saw |
# | --- | --- | --- | --- | --- |
# | 0.5 | 0.2 | 0.15 | 0.1 | 0.05 |
#
# One word is drawn with temperature 0.5 and then top-p with p = 0.9, in this order. How likely is
# *kite*? Set `chance_after_the_cut` to a number between 0 and 1; two digits after the point will
# do. (With temperature 1 and p = 0.6 it would be 0.5 / 0.7 = 0.71.)

# %% solution="chance_after_the_cut"
chance_after_the_cut = None
### BEGIN SOLUTION
# The power 1 / 0.5 = 2: 0.25, 0.04, 0.0225, 0.01, 0.0025, which sum to 0.325. Of that, the first
# two have 0.892 and the first three 0.962: three stay.
chance_after_the_cut = 0.25 / (0.25 + 0.04 + 0.0225)
### END SOLUTION

# %% check="chance_after_the_cut"
check("chance_after_the_cut", chance_after_the_cut)

# %% [markdown] exercise="sample_next_token"
# ## One dart for each row
#
# Write `sample_next_token(logits, generator)`: draw one token for each row, by a dart of its own.
#
# | | |
# | --- | --- |
# | `logits` | `(B, V)`, float32 or float64; some may be `-inf` |
# | `generator` | a `torch.Generator` |
# | result | `(B,)` int64: the ids that were drawn |
#
# - Lay the probabilities of a row end to end, in the order of ids: a line from 0 to 1.
# - The darts are `torch.rand(B, 1, generator=generator)`, drawn once: the first for row 0, the next
#   for row 1 and so on.
# - A row's token is the one in whose stretch its dart lies: the first whose stretch ends *beyond*
#   the dart. No dart comes so near to a border that rounding decides.
#
# So draw with darts, not with `torch.multinomial`: then the same seed draws the same for everybody.
#
# For example, probabilities of 0.2, 0.5 and 0.3 end at 0.2, 0.7 and 1. A dart at 0.6 draws token 1,
# and one at 0.1 token 0.


# %% solution="sample_next_token"
def sample_next_token(logits, generator):
    """Draw one token for each row, independently: (B, V) -> (B,)."""
    ### BEGIN SOLUTION
    ends = logits.softmax(dim=-1).cumsum(dim=-1)  # (B, V)
    darts = torch.rand(logits.size(0), 1, generator=generator)
    return (darts >= ends).sum(dim=-1)  # so many stretches lie before the dart
    ### END SOLUTION


# %% check="sample_next_token"
check("sample_next_token", sample_next_token)

# %% [markdown] exercise="entropy"
# ## How open is the choice?
#
# The surprise at a token is $-\ln p$. Its mean, weighted by how often each token comes, is the
# **entropy** of the distribution: 0 where the model is sure, large where it rolls dice.
#
# $$H = -\sum_i p_i \ln p_i$$
#
# Write `entropy(logits)`, in nats. The lesson does not build it: this formula is all you need.
#
# | | |
# | --- | --- |
# | `logits` | `(..., V)`: any number of leading axes, or none, perhaps transposed |
# | result | `(...)`: one entropy for each row, of the same dtype (float32 or float64) |
#
# - The probabilities are the softmax of a row.
# - A token with probability 0 adds nothing. Some logits may be `-inf`, from a filter, or so far
#   below the others that their probability is rounded to 0. At least one in each row is finite.
# - `logits` stays as it is. Gradients flow through where no probability is 0.
#
# For example, probabilities of 1/2, 1/4 and 1/4 have the entropy 1.04, and four equal tokens
# ln 4 = 1.386.


# %% solution="entropy"
def entropy(logits):
    """Return the entropy of each row in nats: (..., V) -> (...)."""
    ### BEGIN SOLUTION
    log_p = logits.log_softmax(dim=-1)
    p = log_p.exp()
    terms = torch.where(p > 0, p * log_p, 0.0)  # 0 times -inf is NaN
    return -terms.sum(dim=-1)
    ### END SOLUTION


# %% check="entropy"
check("entropy", entropy)

# %% [markdown] exercise="generate"
# ## The loop that writes
#
# Write `generate(model, idx, max_new_tokens)`: continue each text greedily, with the most likely
# token each time.
#
# | | |
# | --- | --- |
# | `model` | `model(x)` gives logits `(B, T, V)`, for at most `model.config.block_size` tokens |
# | `idx` | `(B, T)` int64, at least one token each; T may be larger than `block_size` |
# | `max_new_tokens` | a whole number of at least 0 |
# | result | `(B, T + max_new_tokens)` int64: the whole prompt, then the new tokens |
#
# - The model always sees as much of the text's end as it can: the last `block_size` tokens.
# - The model may arrive in training mode. While you generate it is in evaluation mode; afterwards
#   it is in the mode it was in before.
# - PyTorch keeps no record for gradients meanwhile. Afterwards it does again.
# - `idx` stays as it is. No logits are equal.
#
# For example, if the model says 5 after everything, `generate(model, [[1, 2]], 3)` is
# `[[1, 2, 5, 5, 5]]`.


# %% solution="generate"
def generate(model, idx, max_new_tokens):
    """Continue each text with its most likely tokens: (B, T) -> (B, T + max_new_tokens)."""
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for _ in range(max_new_tokens):
            seen = idx[:, -model.config.block_size :]
            token = model(seen)[:, -1].argmax(dim=-1, keepdim=True)  # (B, 1)
            idx = torch.cat([idx, token], dim=1)
    model.train(was_training)
    return idx
    ### END SOLUTION


# %% check="generate"
check("generate", generate)

# %% [markdown] exercise="write_until"
# ## Mend: stop at the end mark
#
# `write_until(model, idx, max_new_tokens, stop_token)` continues each text greedily, and knows when
# to stop. It runs without an error, but **three things are wrong**. Mend them. What it should do:
#
# - The model sees the last `model.config.block_size` tokens of the text.
# - A text that has drawn `stop_token` gets it again at each later turn, whatever the model says.
#   (A `stop_token` in the prompt does not count.)
# - When *every* text has drawn it, the loop ends, perhaps before `max_new_tokens`.
# - It returns the whole texts, prompt included.
#
# The model is in evaluation mode already. For example, with the stop token 0 and two texts, of
# which the first draws 7, 0 and the second 4, 8, 0: the new parts are `[7, 0, 0]` and `[4, 8, 0]`.


# %% solution="write_until"
### BEGIN BROKEN
# @torch.no_grad()
# def write_until(model, idx, max_new_tokens, stop_token):
#     """Continue each text greedily until all have drawn stop_token."""
#     stopped = torch.zeros(len(idx), dtype=torch.bool)
#     for _ in range(max_new_tokens):
#         seen = idx[:, : model.config.block_size]
#         token = model(seen)[:, -1].argmax(dim=-1)  # (B,)
#         token.masked_fill(stopped, stop_token)
#         stopped = stopped | (token == stop_token)
#         idx = torch.cat([seen, token[:, None]], dim=1)
#         if stopped.all():
#             break
#     return idx
### END BROKEN
### BEGIN SOLUTION
@torch.no_grad()
def write_until(model, idx, max_new_tokens, stop_token):
    """Continue each text greedily until all have drawn stop_token."""
    stopped = torch.zeros(len(idx), dtype=torch.bool)
    for _ in range(max_new_tokens):
        seen = idx[:, -model.config.block_size :]  # 1. the last ones
        token = model(seen)[:, -1].argmax(dim=-1)  # (B,)
        token = token.masked_fill(stopped, stop_token)  # 2. it returns a new tensor
        stopped = stopped | (token == stop_token)
        idx = torch.cat([idx, token[:, None]], dim=1)  # 3. behind the whole text
        if stopped.all():
            break
    return idx


### END SOLUTION


# %% check="write_until"
check("write_until", write_until)

# %% [markdown] exercise="cache_bytes"
# ## What the cache weighs
#
# Write `cache_bytes(*, n_layer, n_head, n_embd, tokens, texts, bytes_per_number)`: the bytes that a
# full KV cache takes, a whole number.
#
# - The model has `n_layer` layers. In each, `n_head` heads share `n_embd` channels.
# - The cache holds what GPT-2's attention has to keep of `tokens` positions, for each of `texts`
#   texts. Each number takes `bytes_per_number` bytes.
#
# For example, 1 layer, 1 head, 2 channels, 3 tokens, 1 text and 4 bytes a number make 48 bytes.
# (Not every argument has to appear in the answer.)


# %% solution="cache_bytes"
def cache_bytes(*, n_layer, n_head, n_embd, tokens, texts, bytes_per_number):
    """Count the bytes of a KV cache."""
    ### BEGIN SOLUTION
    numbers = 2 * n_layer * n_embd * tokens * texts  # a key and a value; heads share the channels
    return numbers * bytes_per_number
    ### END SOLUTION


# %% check="cache_bytes"
check("cache_bytes", cache_bytes)
