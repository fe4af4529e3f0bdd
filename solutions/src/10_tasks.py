# %% [markdown]
# # Exercises 10: tasks
#
# You measure text and tasks, mend a perplexity that counts twice, build prompts, and teach a model
# a task with few new numbers; then you ask who prefers which text. About an hour, after lesson 10.
#
# Write in the cells that say so, then run the check below each. Stuck? Each exercise has three
# hints, and every exercise can be done without the others.

# %%
import math

import torch

from minigpt.course import check

# %% [markdown] exercise="per_token_word_byte"
# ## Per token, per word, per byte
#
# Write `per_token_word_byte(surprises, text)`: three measures of one model on one text.
#
# | | |
# | --- | --- |
# | `surprises` | a list of tensors `(n,)`, one for each window, with the surprises of its tokens in nats; together all tokens of the text |
# | `text` | the text that these tokens spell |
# | result | `(perplexity per token, perplexity per word, bits per byte)`, three floats |
#
# - All tokens count the same, in whichever window they stand. Windows differ in length.
# - The perplexity per word is the exponential of the text's whole surprise, shared out among its
#   words. A word is what `text.split()` finds.
# - Bytes are those of the text's UTF-8. A bit is ln 2 nats.
#
# For example, the surprises `[[1.0, 2.0]]` and the text `Good night` give 4.48, 4.48 and 0.433.


# %% solution="per_token_word_byte"
def per_token_word_byte(surprises, text):
    """Return the perplexity per token and per word, and the bits per byte."""
    ### BEGIN SOLUTION
    nats = sum(window.sum().item() for window in surprises)
    tokens = sum(len(window) for window in surprises)
    words = len(text.split())
    n_bytes = len(text.encode("utf-8"))
    return math.exp(nats / tokens), math.exp(nats / words), nats / math.log(2) / n_bytes
    ### END SOLUTION


# %% check="per_token_word_byte"
check("per_token_word_byte", per_token_word_byte)

# %% [markdown] exercise="strided_perplexity"
# ## Mend: windows that overlap
#
# A long text is read in windows of `block_size` tokens. If they overlap, a token near a window's
# start is scored by the window before, where it has more context. `strided_perplexity(model, idx,
# stride)` runs without an error, but **three things are wrong**. Mend them. What it should do:
#
# - A window begins at places 0, `stride`, 2 `stride`, ... The last ones may be shorter.
# - Every token but the first is scored exactly once: by the first window that holds it. (The
#   stride is less than `block_size`, so that window always holds a token before it.)
# - The first token of the text is not predicted by anything, and does not count.
# - The result is the perplexity per token that was scored, a float.
#
# `idx` is `(T,)` int64 with at least two tokens, perhaps fewer than a window. The model is in
# evaluation mode already. For example, ten tokens, windows of 6 and a stride of 4: the first window
# scores places 1 to 5, the second 6 to 9.


# %% solution="strided_perplexity"
### BEGIN BROKEN
# @torch.no_grad()
# def strided_perplexity(model, idx, stride):
#     """Return the perplexity of a long text, read in windows that overlap."""
#     size, total = model.config.block_size, 0.0
#     for start in range(0, len(idx) - size + 1, stride):
#         window = idx[start : start + size]
#         log_p = model(window[None])[0, :-1].log_softmax(dim=-1)
#         nats = -log_p.gather(-1, window[1:, None])[:, 0]  # of places start + 1, start + 2, ...
#         total += nats.sum().item()
#     return math.exp(total / len(idx))
### END BROKEN
### BEGIN SOLUTION
@torch.no_grad()
def strided_perplexity(model, idx, stride):
    """Return the perplexity of a long text, read in windows that overlap."""
    size, total, done = model.config.block_size, 0.0, 1
    for start in range(0, len(idx) - 1, stride):  # 1. short windows, too
        window = idx[start : start + size]
        log_p = model(window[None])[0, :-1].log_softmax(dim=-1)
        nats = -log_p.gather(-1, window[1:, None])[:, 0]  # of places start + 1, start + 2, ...
        total += nats[done - start - 1 :].sum().item()  # 2. places before `done` have been scored
        done = start + len(window)
    return math.exp(total / (len(idx) - 1))  # 3. nothing predicts the first


### END SOLUTION


# %% check="strided_perplexity"
check("strided_perplexity", strided_perplexity)

# %% [markdown] exercise="last_words_right"
# ## The whole last word
#
# LAMBADA asks for the last word of a passage. Write `last_words_right(logits, idx, n_tokens)`: for
# each text, would a model that always takes the likeliest token say its last word?
#
# | | |
# | --- | --- |
# | `logits` | `(B, T, V)`: what a model gave for `idx` |
# | `idx` | `(B, T)` int64: the texts, last word included; all end at the last place |
# | `n_tokens` | `(B,)` int64: of how many tokens each last word is made, from 1 to T - 1 |
# | result | `(B,)` bool |
#
# A word of several tokens is right only if each of them is the likeliest at its turn. No two
# logits that matter are equal.
#
# For example, the last word is *bridge*, two tokens. If the model is right about the first and
# wrong about the second, the result is False, and the other way round, too.


# %% solution="last_words_right"
def last_words_right(logits, idx, n_tokens):
    """Say which texts end as the model would end them: (B, T, V), (B, T), (B,) -> (B,)."""
    ### BEGIN SOLUTION
    T = idx.size(1)
    right = logits[:, :-1].argmax(dim=-1) == idx[:, 1:]  # (B, T - 1): of places 1, 2, ...
    inside = torch.arange(1, T) >= T - n_tokens[:, None]  # (B, T - 1): does it belong to the word?
    return (right | ~inside).all(dim=-1)
    ### END SOLUTION


# %% check="last_words_right"
check("last_words_right", last_words_right)

# %% [markdown] exercise="fill_the_gap"
# ## A gap in the middle
#
# The Children's Book Test takes a word out of the *middle* of a sentence and offers candidates.
# Write `fill_the_gap(model, before, candidates, after, per_token)`: one score for each candidate,
# the log-probability of the candidate **and of all that follows**, given what stands before.
#
# | | |
# | --- | --- |
# | `model` | `model(x)` gives logits `(B, T, V)`; it is in evaluation mode already |
# | `before` | `(n,)` int64, at least one token |
# | `candidates` | a list of tensors `(k,)` int64 of at least one token, of different lengths |
# | `after` | `(m,)` int64, perhaps of no token |
# | `per_token` | False: add the log-probabilities up. True: their mean, over the tokens scored |
# | result | `(len(candidates),)` float32; more is better |
#
# Everything fits into the model's window. PyTorch keeps no record for gradients meanwhile.
#
# For example, if the model gave each of V tokens the same chance, a candidate of 2 tokens with 3
# tokens behind it would have the score `-5 ln V`, or `-ln V` per token.


# %% solution="fill_the_gap"
def fill_the_gap(model, before, candidates, after, per_token):
    """Score each candidate by itself and what follows it: -> (len(candidates),)."""
    ### BEGIN SOLUTION
    scores = []
    with torch.no_grad():
        for candidate in candidates:
            told = torch.cat([candidate, after])
            idx = torch.cat([before, told])
            log_p = model(idx[None])[0].log_softmax(dim=-1)  # (n + k + m, V)
            predictions = log_p[len(before) - 1 : -1]  # each from the place before
            each = predictions.gather(-1, told[:, None])
            scores.append(each.mean() if per_token else each.sum())
    return torch.stack(scores)
    ### END SOLUTION


# %% check="fill_the_gap"
check("fill_the_gap", fill_the_gap)
