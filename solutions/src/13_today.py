# %% [markdown]
# # Exercises 13: from GPT-2 to today
#
# You write RMSNorm for half-size numbers and rotary positions for several documents in a row, turn
# GPT-2's heads into grouped ones, and count what a model with windows keeps. About an hour, after
# lesson 13.
#
# Write in the cells that say so, then run the check below each. It runs your code on several
# inputs and says what is wrong, if anything is. Stuck? Each exercise has three hints. Here nothing
# becomes a part of your GPT.

# %%
import torch

from minigpt.course import check

# %% [markdown] exercise="rms_norm"
# ## RMSNorm, for half-size numbers too
#
# Large models compute in numbers of two bytes. Write `rms_norm(x, weight, eps)`, which is safe for
# them.
#
# | | | |
# | --- | --- | --- |
# | `x` | `(..., C)` | any number of leading axes; float16, float32 or float64 |
# | `weight` | `(C,)` | of x's dtype |
# | `eps` | a number | added to the mean square, under the root |
# | result | `(..., C)` | of x's dtype |
#
# $$\frac{x}{\sqrt{\frac{1}{C}\sum_i x_i^2 + \epsilon}} \cdot \text{weight}$$
#
# float16 holds numbers up to 65,504, and `x` may hold numbers about 300: take care on the way. What
# is float64 must not be rounded to float32.
#
# For example, x = `[3, 4]`, weight `[1, 2]` and eps 0: the mean square is 12.5, so the result is
# `[3 / 3.536, 2 * 4 / 3.536]`, about `[0.849, 2.263]`.


# %% solution="rms_norm"
def rms_norm(x, weight, eps):
    """Divide by the root of the mean square, and scale: (..., C) -> (..., C)."""
    ### BEGIN SOLUTION
    wide = x.float() if x.dtype == torch.float16 else x
    square = wide.square().mean(dim=-1, keepdim=True)
    return (wide * torch.rsqrt(square + eps) * weight).to(x.dtype)
    ### END SOLUTION


# %% check="rms_norm"
check("rms_norm", rms_norm)

# %% [markdown] exercise="rotate_packed"
# ## Rotary positions, for several documents in a row
#
# To waste no room, training rows are often **packed**: one document after the other, each counted
# from 0 again. And the paper pairs *neighbouring* channels. Write `rotate_packed(x, positions)` for
# both.
#
# | | | |
# | --- | --- | --- |
# | `x` | `(B, nh, T, hs)` | queries or keys; hs is even; float32 or float64 |
# | `positions` | `(B, T)`, int64 | each token's position in its own document |
# | result | `(B, nh, T, hs)` | of x's dtype |
#
# Channels 2i and 2i + 1 are pair i, for i from 0 to hs/2 - 1. At position m it turns by the angle
# m · 10000^(-2i/hs), in radians:
#
# $$(a, b) \to (a\cos - b\sin,\ \ a\sin + b\cos)$$
#
# The results go where a and b came from. For example, hs = 2, position 1: `[1, 0]` becomes
# `[cos 1, sin 1]`, about `[0.540, 0.841]`.


# %% solution="rotate_packed"
def rotate_packed(x, positions):
    """Turn neighbouring channels by each token's position: (B, nh, T, hs), the same."""
    ### BEGIN SOLUTION
    hs = x.size(-1)
    speeds = 10_000.0 ** (-torch.arange(0, hs, 2, dtype=x.dtype) / hs)
    angles = positions[:, None, :, None] * speeds  # (B, 1, T, hs/2)
    cos, sin = angles.cos(), angles.sin()
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)
    ### END SOLUTION


# %% check="rotate_packed"
check("rotate_packed", rotate_packed)

# %% [markdown] exercise="pool_heads"
# ## From GPT-2's heads to grouped ones
#
# A trained model need not be thrown away to have grouped queries. Ainslie et al. (2023, section
# 2.1) average the heads of keys and values that are to be one, and train on a little. Write
# `pool_heads(weight, n_head, n_kv_head)`, which does it to `c_attn`.
#
# | | | |
# | --- | --- | --- |
# | `weight` | `(3C, C)`, or `(3C,)` for a bias | rows: all queries, then keys, then values |
# | `n_head` | a whole number | heads there are; each has hs rows, one after the other |
# | `n_kv_head` | a divisor of `n_head` | heads of keys, and of values, that there shall be |
# | result | `(C + 2 * n_kv_head * hs, ...)` | of the same dtype and last axis, if any |
#
# Each new head is the mean of a group of *neighbouring* heads. Queries stay as they are, and so
# does `weight`.
#
# For example, a bias of four heads of one channel, `[1, 2, 3, 4, 10, 20, 30, 40, 100, 200, 300,
# 400]`, and two groups: `[1, 2, 3, 4, 15, 35, 150, 350]`.


# %% solution="pool_heads"
def pool_heads(weight, n_head, n_kv_head):
    """Average the heads of keys and values in groups: (3C, ...) -> (C + 2 nkv hs, ...)."""
    ### BEGIN SOLUTION
    q, k, v = weight.chunk(3)
    hs = len(q) // n_head
    pooled = [q]
    for part in (k, v):
        heads = part.reshape(n_kv_head, n_head // n_kv_head, hs, *part.shape[1:])
        pooled.append(heads.mean(dim=1).flatten(0, 1))
    return torch.cat(pooled)
    ### END SOLUTION


# %% check="pool_heads"
check("pool_heads", pool_heads)

# %% [markdown] exercise="windowed_cache_bytes"
# ## What is kept for a long text
#
# Some models let only a few layers look back over everything. The others have a **window**: a
# position looks at itself and the positions before it, `window` in all. Write
# `windowed_cache_bytes(T, full, windowed, window, n_head, n_kv_head, head_size)`: the bytes of the
# cache when T positions have been read.
#
# - `full` layers keep all positions; `windowed` layers keep the last `window`, or as many as there
#   are.
# - `n_head` heads of queries share `n_kv_head` heads of keys and values.
# - A number takes two bytes (bfloat16). The result is a whole number.
#
# For example, T = 10, one full layer, one with a window of 4, two heads of keys and values of 3
# channels: 336 bytes.


# %% solution="windowed_cache_bytes"
def windowed_cache_bytes(T, full, windowed, window, n_head, n_kv_head, head_size):
    """Count the bytes of a cache in which some layers keep a window only."""
    ### BEGIN SOLUTION
    positions = full * T + windowed * min(T, window)
    return 2 * 2 * n_kv_head * head_size * positions
    ### END SOLUTION


# %% check="windowed_cache_bytes"
check("windowed_cache_bytes", windowed_cache_bytes)
