# %% [markdown]
# # Exercises 11: scaling
#
# You work out how fast a machine can be at best, round as bf16 does, share a step out among
# micro-batches and among workers, cut weights into shards, mend a scaling law; then you question a
# colleague's figure. About two hours and a quarter, after lesson 11.
#
# Write in the cells that say so, then run the check below each. Stuck? Each exercise has three
# hints, and every exercise can be done without the others.

# %%
import math

import torch
from torch.nn import functional as F

from minigpt.course import check

# %% [markdown] exercise="attainable_time"
# ## The best a machine can do
#
# How far is a program from what its machine can do, and would a faster processor or a faster memory
# help? A pass is made of operations that run **one after the other**. Each needs so many FLOPs, and
# so many bytes have to be moved for it. At best an operation computes and moves bytes at the same
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
# One text alone waits for memory. What helps: more texts at once, smaller weights, a smaller cache?
# The account says. A GPT-2 writes several texts, one token each in a step, with a KV cache. Write
# `decode_intensity(*, n_layer, n_embd, vocab_size, batch_size, positions, weight_bytes,
# cache_bytes)`: the arithmetic intensity of a step, its FLOPs divided by the bytes that are read.
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
# A format is a rule for rounding, so you can try one that no machine has. A float32 has 32 bits: a
# sign, 8 for the exponent, 23 for the fraction. bf16 keeps the first 7 of those 23, the format TF32
# the first 10. Write `round_bits(x, kept)` for any such number:
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
# A backward pass needs what the forward pass computed. What was not kept is computed again. How
# much is it best to forget? The `n_layer` blocks are cut into segments of `k` blocks, the last one
# perhaps shorter:
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

# %% [markdown] exercise="accumulated_gradients"
# ## Many small batches, one exchange
#
# A batch that fits no device is cut twice: among processes, and there in micro-batches. The
# gradient should not notice, and what travels should not grow. `model` is wrapped as PyTorch's
# `DistributedDataParallel` wraps it: `model(x)` gives logits, and
#
# - a backward pass **exchanges** gradients: those that have been added up so far become the *mean*
#   over all processes;
# - but for a forward pass **within** `with model.no_sync():`. What its backward pass gives is added
#   up here, and not exchanged.
#
# Write `accumulated_gradients(model, batches, total, size)`:
#
# | | |
# | --- | --- |
# | `batches` | a list of micro-batches `(x, y)`, both `(B, T)` int64, of different shapes |
# | | a target `y` of -100 does not count; a micro-batch may have no other |
# | `total` | the targets that count, of **all** processes together |
# | `size` | the number of processes |
# | result | a float: the sum of this process's surprises, in nats, divided by `total` |
#
# - Afterwards the gradients are those of the mean surprise over the targets of all processes, given
#   that the others do the same. They are clear when you are called.
# - Gradients are exchanged **once**, by the last micro-batch. All processes have as many
#   micro-batches, and wait for each other there.
# - No micro-batch's activations are held longer than necessary.
#
# For example, if one of two processes has 12 of 43 targets, each of its surprises counts 1/43.


# %% solution="accumulated_gradients"
def accumulated_gradients(model, batches, total, size):
    """Leave the gradients of the mean over all processes; return this process's share of it."""
    ### BEGIN SOLUTION
    nats = 0.0

    def learn(x, y):
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum")
        (loss * size / total).backward()  # the exchange divides by size again
        return loss.item()

    with model.no_sync():
        for x, y in batches[:-1]:
            nats += learn(x, y)
    return (nats + learn(*batches[-1])) / total
    ### END SOLUTION


# %% check="accumulated_gradients"
check("accumulated_gradients", accumulated_gradients)

# %% [markdown] exercise="sharded_step"
# ## Round the ring, with a step on the way
#
# So a model is trained that no worker could keep with its optimizer. Its weights are cut in W
# **chunks**, and worker w alone keeps chunk w, its **shard**. Each of the W workers has worked out
# the gradient of all chunks, on its own data. They stand in a ring: each can send to its right
# neighbour only.
#
# - First phase, W - 1 rounds: each worker sends one chunk of gradients, and adds what it receives
#   to its own chunk of that number. The next one that it sends is the one that it has just added
#   to. At the end **worker w has the sum of chunk w**.
# - Each worker steps: its shard, minus `rate` times the *mean* gradient over the workers.
# - Second phase, W - 1 rounds: the new weights are passed on, one chunk a round, until everybody
#   has all of them.
#
# Write `sharded_step(shards, gradients, rate, exchange)`:
#
# | | |
# | --- | --- |
# | `shards` | `shards[w]` are the weights of chunk w, `(n,)`; chunks may differ in length |
# | `gradients` | `gradients[w][c]` is worker w's gradient of chunk c |
# | `exchange` | `exchange(messages)` is one round: takes a list of W tensors, one of each worker, |
# | | and returns a list of W, what each receives: `messages[w]` goes to worker `(w + 1) % W` |
# | result | a list for each worker, of all W chunks: the new weights |
#
# What you are given stays as it is. One worker alone has nothing to send.
#
# For example, with two workers round 0 carries worker 0's gradient of chunk 1, and worker 1's of
# chunk 0; round 1 carries the new weights of chunks 0 and 1.


# %% solution="sharded_step"
def sharded_step(shards, gradients, rate, exchange):
    """Sum gradients round the ring, step, pass the weights on: a list for each worker."""
    ### BEGIN SOLUTION
    W = len(shards)
    sums = [list(chunks) for chunks in gradients]
    for r in range(W - 1):
        received = exchange([sums[w][(w - 1 - r) % W] for w in range(W)])
        for w in range(W):
            c = (w - 2 - r) % W  # what the left neighbour sent
            sums[w][c] = sums[w][c] + received[w]
    new = [{w: shards[w] - rate * sums[w][w] / W} for w in range(W)]
    for r in range(W - 1):
        received = exchange([new[w][(w - r) % W] for w in range(W)])
        for w in range(W):
            new[w][(w - 1 - r) % W] = received[w]
    return [[new[w][c] for c in range(W)] for w in range(W)]
    ### END SOLUTION


# %% check="sharded_step"
check("sharded_step", sharded_step)

# %% [markdown] exercise="reshard"
# ## On another number of processes
#
# A parameter of n numbers is cut in **shards**, one for each process: n / processes numbers each,
# rounded up, side by side. The last ones are filled with **padding**, or are padding alone. Then a
# run goes on with `size` processes: a machine was lost, or came in.
#
# Write `reshard(shards, n, size)`: the shards for the new number of processes.
#
# | | |
# | --- | --- |
# | `shards` | a list of tensors of one length and dtype: what each process held |
# | `n` | how many numbers the parameter has |
# | `size` | the new number of processes |
# | result | a list of `size` tensors of one length, of that dtype |
#
# - What the old padding holds means nothing. The new padding is 0.
# - Each shard is a tensor of its own, not a view: it keeps no more in memory than itself.
#
# For example, `[[1, 2, 3], [4, 5, 9]]` with `n = 5` becomes `[[1, 2], [3, 4], [5, 0], [0, 0]]` for
# four processes.


# %% solution="reshard"
def reshard(shards, n, size):
    """Cut what the shards hold anew: a list of `size` tensors."""
    ### BEGIN SOLUTION
    length = -(-n // size)  # rounded up
    new = torch.zeros(size, length, dtype=shards[0].dtype)
    new.view(-1)[:n] = torch.cat(shards)[:n]
    return [shard.clone() for shard in new]
    ### END SOLUTION


# %% check="reshard"
check("reshard", reshard)

# %% [markdown] exercise="size_for"
# ## Mend: how large for this loss?
#
# Models of several sizes were trained, and their losses follow `floor + a × size ** -b`, give or
# take. `size_for(sizes, losses, floor, target)` fits that law and reads it backwards: which size
# would have the loss `target`? It runs without an error, but **four things are wrong**. Mend them.
# What it should do:
#
# - The floor is known, as the stories' is. A line of least squares goes through the logarithms of
#   the sizes (x) and of what lies **above the floor** (y).
# - Points at the floor or below, which chance can bring about, are left out. (That part is right.)
# - The result is the size, a float, at which the line has what the target has above the floor.
#
# `sizes` and `losses` are lists of numbers, `floor` and `target` are numbers. The target is above
# the floor, and so are at least two points.
#
# For example, sizes 16, 64 and 256 with losses 3, 2 and 1.5 and a floor of 1: the loss 1.25 belongs
# to 1024.


# %% solution="size_for"
### BEGIN BROKEN
# def size_for(sizes, losses, floor, target):
#     """Return the size that a fitted power law gives the loss `target`."""
#     points = [(n, loss) for n, loss in zip(sizes, losses) if loss > floor]
#     xs = [math.log10(n) for n, _ in points]
#     ys = [math.log(loss) for _, loss in points]
#     mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
#     both = sum((x - mean_x) * y for x, y in zip(xs, ys))
#     slope = sum((y - mean_y) ** 2 for y in ys) / both
#     return math.exp(mean_x + (math.log(target) - mean_y) / slope)
### END BROKEN
### BEGIN SOLUTION
def size_for(sizes, losses, floor, target):
    """Return the size that a fitted power law gives the loss `target`."""
    points = [(n, loss) for n, loss in zip(sizes, losses) if loss > floor]
    xs = [math.log(n) for n, _ in points]  # 1. of the base that exp belongs to
    ys = [math.log(loss - floor) for _, loss in points]  # 2. above the floor
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    both = sum((x - mean_x) * y for x, y in zip(xs, ys))
    slope = both / sum((x - mean_x) * x for x in xs)  # 3. of y over x
    return math.exp(mean_x + (math.log(target - floor) - mean_y) / slope)  # 4. above the floor


### END SOLUTION


# %% check="size_for"
check("size_for", size_for)

# %% [markdown] exercise="twice_the_tokens"
# ## Twice as good?
#
# A colleague says: *On one machine we trained on 50,000 tokens a second, on two it is 100,000. Two
# machines are twice as good.* What do you ask before you believe it? Answer in four to nine
# sentences. A full answer says
#
# - what has to be the same in both runs, and what may have changed without being said (one point),
# - which other measure would show that training is better, and how (one point),
# - how a speed can be measured wrongly (half a point),
# - what the second machine costs (half a point).
#
# Your teacher marks this one. If you have none, mark it yourself: the steps are below.

# %% [markdown] written="twice_the_tokens"
# ### BEGIN SOLUTION
# ### END SOLUTION
