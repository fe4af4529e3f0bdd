# %% [markdown]
# # Exercises 11: scaling
#
# You work out how fast a machine can be at best, round as bf16 does, share a step out among
# micro-batches and among workers, cut weights into shards, mend a scaling law; then you question a
# colleague's figure. About TIME, after lesson 11.
#
# Write in the cells that say so, then run the check below each. Stuck? Each exercise has three
# hints, and every exercise can be done without the others.

# %%
import torch

from minigpt.course import check

# %% [markdown] exercise="attainable_time"
# ## The best a machine can do
#
# A pass is made of operations that run **one after the other**. Each needs so many FLOPs, and so
# many bytes have to be moved for it. At best an operation computes and moves bytes at the same
# time, so it takes the longer of the two times.
#
# Write `attainable_time(flops, traffic, peak, bandwidth)`:
#
# | | |
# | --- | --- |
# | `flops`, `traffic` | `(N, K)`: FLOPs and bytes of each of K operations, in N passes; above 0 |
# | `peak`, `bandwidth` | FLOPs and bytes a second that the machine manages at most |
# | result | `(seconds, share)`, both `(N,)`: the time of each pass, and which share of it |
# | | goes to operations that wait for memory |
#
# An operation waits for memory if moving takes longer than computing.
#
# For example, with `peak = 2` and `bandwidth = 1`, two operations of 8 and 2 FLOPs and of 1 and 5
# bytes take 4 and 5 seconds: 9 in all, and a share of 5/9.


# %% solution="attainable_time"
def attainable_time(flops, traffic, peak, bandwidth):
    """Return the least time of each pass, and the share that waits for memory."""
    ### BEGIN SOLUTION
    computing = flops / peak
    moving = traffic / bandwidth
    each = computing.maximum(moving)  # (N, K)
    seconds = each.sum(dim=1)
    return seconds, (each * (moving > computing)).sum(dim=1) / seconds
    ### END SOLUTION


# %% check="attainable_time"
check("attainable_time", attainable_time)

# %% [markdown] exercise="decode_intensity"
# ## Is writing worth the reading?
#
# A GPT-2 writes several texts at once, one token each in a step, with a KV cache. Write
# `decode_intensity(*, n_layer, n_embd, vocab_size, batch_size, positions, weight_bytes,
# cache_bytes)`: the FLOPs of one step, divided by the bytes that are read for it.
#
# - The matrices are those of the blocks, 12 × `n_embd`² weights in each of `n_layer`, and the
#   head, `vocab_size` × `n_embd`. Each weight costs 2 FLOPs a text. It has `weight_bytes` bytes,
#   and is read once for all `batch_size` texts.
# - In each layer a text's new query meets the keys of `positions` positions, its own among them,
#   and mixes their values. Each number of these keys and values costs 2 FLOPs. It has `cache_bytes`
#   bytes, and every text has its own.
# - All else is left out: biases, LayerNorms, looking up a row of a table, what is written.
#
# For example, 1 layer, 2 channels, 6 tokens, one text of 3 positions and 4 bytes everywhere:
# 144 FLOPs for 288 bytes, 0.5.


# %% solution="decode_intensity"
def decode_intensity(
    *, n_layer, n_embd, vocab_size, batch_size, positions, weight_bytes, cache_bytes
):
    """Return the FLOPs per byte of one step of decoding."""
    ### BEGIN SOLUTION
    weights = 12 * n_layer * n_embd**2 + vocab_size * n_embd
    cached = 2 * n_layer * positions * n_embd  # keys and values of one text
    flops = batch_size * (2 * weights + 2 * cached)
    n_bytes = weights * weight_bytes + batch_size * cached * cache_bytes
    return flops / n_bytes
    ### END SOLUTION


# %% check="decode_intensity"
check("decode_intensity", decode_intensity)

# %% [markdown] exercise="round_bits"
# ## Round as bf16 does
#
# A float32 has 32 bits: a sign, 8 for the exponent, 23 for the fraction. bf16 keeps the first 7 of
# those 23, the format TF32 the first 10. Write `round_bits(x, kept)` for any such number:
#
# | | |
# | --- | --- |
# | `x` | a float32 tensor of any shape |
# | `kept` | how many fraction bits are kept, from 1 to 22 |
# | result | float32, same shape: each number the nearest one whose other fraction bits are 0 |
#
# - A **tie**, just half-way between two such numbers, goes to the one whose last kept bit is 0.
# - Signs stay, that of -0.0 too. Infinities stay, and NaN stays NaN.
# - Behind the largest number that is left comes infinity, as if it were the next power of two.
# - Numbers too small for a normal exponent follow the same rule, on the same bits.
#
# For example, with one bit kept, 1, 1.5, 2, 3 and 4 are left. 1.2 becomes 1, and 1.75, half-way
# between 1.5 and 2, becomes 2: its last kept bit is 0.
#
# (PyTorch can change a tensor's type to bf16, but not keep 5 bits.)


# %% solution="round_bits"
def round_bits(x, kept):
    """Round to so many fraction bits, ties to even: float32 -> float32, same shape."""
    ### BEGIN SOLUTION
    dropped = 23 - kept
    pattern = x.view(torch.int32)
    odd = (pattern >> dropped) & 1  # the last kept bit
    nearly_half = 2 ** (dropped - 1) - 1  # of what that bit is worth
    rounded = ((pattern + nearly_half + odd) >> dropped) << dropped
    return torch.where(x.isnan(), x, rounded.view(torch.float32))
    ### END SOLUTION


# %% check="round_bits"
check("round_bits", round_bits)

# %% [markdown] exercise="best_segment"
# ## Compute it twice, hold it once
#
# A backward pass needs what the forward pass computed. To save memory, the `n_layer` blocks are cut
# into segments of `k` blocks, the last one perhaps shorter:
#
# - The forward pass keeps the **input of each segment**, `boundary` numbers, and nothing else.
# - The backward pass takes the last segment first. It runs its blocks forward again, and now keeps
#   all that they need: `inside` numbers for each block, and each block's input, `boundary` numbers;
#   the first one's is there already.
# - When a segment is done, all of it is freed, its input too. Then comes the segment before it.
#
# Write `best_segment(*, n_layer, inside, boundary)`: a pair `(k, peak)` of whole numbers, the `k`
# with which the most numbers held at once are fewest, and how many they are. If several `k` are
# equally good, take the smallest.
#
# For example, 5 blocks, `inside = 3` and `boundary = 2`. With k = 2 the last segment, one block,
# needs 3 × 2 + 3 = 9; the one before 2 × 2 + 2 × 3 + 2 = 12; the first 10. The peak is 12, and no
# other k has less: `(2, 12)`.


# %% solution="best_segment"
def best_segment(*, n_layer, inside, boundary):
    """Return the segment length that needs least, and what it needs: (k, peak)."""
    ### BEGIN SOLUTION
    best = None
    for k in range(n_layer, 0, -1):
        held = []
        for number, first in enumerate(range(0, n_layer, k)):
            blocks = min(k, n_layer - first)
            inputs = number + blocks  # kept ones, and those inside the segment
            held.append(inputs * boundary + blocks * inside)
        if best is None or max(held) <= best[1]:
            best = k, max(held)
    return best
    ### END SOLUTION


# %% check="best_segment"
check("best_segment", best_segment)
