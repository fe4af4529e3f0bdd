# %% [markdown]
# # 11 · Scaling
#
# **Afterwards you can** say where the time and the memory of a training step go, and what holds
# your machine up. You can judge the usual switches by what they gain and what they cost, train
# with several processes, work out what a run costs, and fit a scaling law without trusting it too
# far.
#
# **Takes** about 180 minutes, in three sittings. **Needs** the accounts of lesson 05, training
# (06) and the KV cache (07).

# %% [markdown]
# Everything here is measured on your machine while you read. So your numbers differ from those in
# the book, and now and then even the order does. Where that can happen, the text says so.

# %%
import copy
import math
import re
import time
from collections import Counter
from functools import partial
from itertools import islice, pairwise
from statistics import median

import matplotlib.pyplot as plt
import numpy as np
import torch

from minigpt import GPT, GPTConfig, KVCache, Stories, from_pretrained, viz
from minigpt.course import part
from minigpt.speed import autocast, profile_step, profiling, quantize, recompute_blocks
from minigpt.training.steps import model_loss

viz.use_style()

# %% [markdown]
# ## Where a step's time goes
#
# Our model is the storyteller of lesson 00, our text eight windows of 128 tokens of its stories. A
# training step has three parts: forward, backward, update.

# %%
teller, tokenizer = from_pretrained("storyteller", verbose=False)
stories = islice(Stories(seed=7), 60)
mark = tokenizer.end_of_text  # stands before each story
ids = [i for story in stories for i in (mark, *tokenizer.encode(story))]
starts = [at for at, i in enumerate(ids) if i == mark][::4][:8]
windows = torch.tensor([ids[start : start + 129] for start in starts])
x, y = windows[:, :-1], windows[:, 1:]
print(f"{teller.num_parameters():,} parameters, {x.numel():,} tokens a step")
print("threads:", torch.get_num_threads())

# %% [markdown]
# Stop the clock between the parts:


# %%
def timed_step(model, optimizer, x, y):  # milliseconds of forward, backward, update
    marks = [time.perf_counter()]
    loss = model_loss(model, x, y)
    marks.append(time.perf_counter())
    loss.backward()
    marks.append(time.perf_counter())
    optimizer.step()
    optimizer.zero_grad()
    marks.append(time.perf_counter())
    return [1000 * (b - a) for a, b in pairwise(marks)]


# %% [markdown]
# **Predict:** backward has twice the FLOPs of forward (lesson 05). Does it also take twice the
# time: less, as much, or more?

# %% tags=["nbval-ignore-output"]
model = copy.deepcopy(teller)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
times = np.array([timed_step(model, optimizer, x, y) for _ in range(9)])
rows = np.quantile(times[1:], [0.5, 0, 1], axis=0).tolist()
columns = ["forward (ms)", "backward", "update"]
viz.table(rows, columns, rows=["median", "fastest", "slowest"])

# %% [markdown]
# The first step is left out: it also makes buffers. Mind the spread between fastest and slowest. A
# gain that is smaller than that cannot be told from luck by one run.

# %% [markdown]
# And inside? PyTorch's **profiler** notes when each operation begins and ends. An operation's
# *own* time is what is left when those that it calls are taken out. So nothing counts twice.


# %% tags=["nbval-ignore-output"]
def step():
    timed_step(model, optimizer, x, y)


step()
events = profiling.recorded(step, model, repeats=1)
operations = [event for event in events if not profiling.is_range(event)]
own = Counter()
for event in operations:
    own[event.name.removeprefix("aten::")] += event.self_cpu_time_total / 1000
names, taken = zip(*own.most_common(6))
viz.table([[ms] for ms in taken], ["own time (ms)"], rows=names)

# %% [markdown]
# `mm` and `addmm` are products of matrices. But of which? An operation stands inside others, and
# these inside stretches that bear a name. Going up from each tells its phase.


# %%
def phase(event):
    while event is not None:
        if event.name.startswith("autograd::engine"):
            return "backward"
        if event.name.startswith("Optimizer.step"):
            return "optimizer"
        event = event.cpu_parent
    return "forward"


# %% [markdown]
# The package sorts by the same rule, and so has to find the same sums.

# %%
by_phase = Counter()
for event in operations:
    by_phase[phase(event)] += event.self_cpu_time_total / 1e6
package = {p.name: p.seconds for p in profiling.as_profile(events, model, repeats=1).parts}
for name in ("backward", "optimizer"):
    assert math.isclose(by_phase[name], package[name], rel_tol=1e-6)
print("backward and optimizer: as the package sorts them")

# %% [markdown]
# The package goes on from there. Hooks (lesson 08) give each module's forward pass a name.

# %% [markdown]
# In the backward pass no module runs; but autograd numbers each operation, and the one that undoes
# it bears the same number. So a gradient is entered under the module whose operation it undoes.

# %% [markdown]
# Open it: click on a part, or walk with the arrow keys and press Enter. **Predict:** in a layer,
# which is longer, `attn` or `mlp`?

# %% tags=["nbval-ignore-output"]
small_profile = profile_step(step, model, repeats=5)
viz.StepProfile(small_profile)

# %% [markdown]
# What no operation accounts for is the last part: Python itself, and the profiler's own work.

# %% [markdown]
# Now GPT-2's own width: 768, with its 50,257 tokens and 256 positions, but two layers only, so
# that it trains in little memory. (The weights are random; they take as long as trained ones.)

# %%
torch.manual_seed(0)
wide = GPT(GPTConfig(n_layer=2))
wide_optimizer = torch.optim.AdamW(wide.parameters(), lr=1e-5, fused=True)
wide_x = torch.randint(50257, (1, 256))
wide_profile = profile_step(lambda: timed_step(wide, wide_optimizer, wide_x, wide_x), wide, 2)
wide_optimizer = None  # it holds twice the weights

# %% [markdown]
# To compare the two, we add up the tree's leaves by what they are.


# %%
GROUPS = {"c_attn": "layers' matrices", "c_fc": "layers' matrices", "c_proj": "layers' matrices"}
GROUPS |= {"lm_head": "head", "scores, softmax, mix": "scores and mix", "optimizer": "update"}
GROUPS |= {"loss": "loss", profiling.REST: "Python and the rest"}
NAMES = [*dict.fromkeys(GROUPS.values()), "all else"]


def shares(part, whole, path=()):  # {group: share of the whole}, from the leaves up
    path = (*path, part.name)
    if part.parts:
        return sum((shares(inner, whole, path) for inner in part.parts), Counter())
    group = next((GROUPS[name] for name in reversed(path) if name in GROUPS), "all else")
    return Counter({group: part.seconds / whole.seconds})


# %% [markdown]
# **Predict:** from the small model to the wide one, does attention's share (scores and mix) grow or
# shrink? And the head's?

# %% tags=["nbval-ignore-output"]
narrow, broad = (shares(each, each) for each in (small_profile, wide_profile))
assert all(abs(sum(found.values()) - 1) < 1e-6 for found in (narrow, broad))
assert narrow["scores and mix"] > broad["scores and mix"] and narrow["head"] < broad["head"]
rows = [[f"{found[name]:.1%}" for name in NAMES] for found in (narrow, broad)]
viz.table(rows, NAMES, rows=["storyteller", "GPT-2's width"])

# %% [markdown]
# *All else* is LayerNorm, GELU, additions, embeddings. Attention costs $T C$ a token, matrices
# $C^2$: its share shrinks. The head grows with the vocabulary, and weighs more here than in the
# real GPT-2, where twelve layers share it.

# %% [markdown]
# Where the products are counted, the profile knows a part's speed. **Predict:** does the same
# processor reach the same speed in both models?


# %% tags=["nbval-ignore-output"]
def at(part, *path):
    for name in path:
        part = next(inner for inner in part.parts if inner.name == name)
    return part


rows = []
for path in (["h.0", "mlp", "c_fc"], ["h.0", "attn", "scores, softmax, mix"], ["lm_head"]):
    for profile_of in (small_profile, wide_profile):
        found = at(profile_of, "forward", *path)
        rows.append([path[-1], found.flops / 1e9, found.flops / found.seconds / 1e9])
viz.table(rows, ["forward", "GFLOPs", "GFLOPs a second"], rows=["small", "wide"] * 3)

# %% [markdown]
# How much would be possible? That is the roofline's question, further down.

# %% [markdown]
# ## Where a step's memory goes
#
# Before any text, 16 bytes a parameter (lesson 05): weights, gradients, AdamW's two averages. On
# top come activations. The profiler notes each block of memory that is taken or given back.

# %%
from torch.profiler import ProfilerActivity, profile


def memory_of(work):  # milliseconds and MB more than before, at each change
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorder:
        work()
    changes = [e for e in recorder.profiler.kineto_results.events() if e.name() == "[memory]"]
    changes.sort(key=lambda change: change.start_ns())
    when = np.array([change.start_ns() for change in changes])
    return (when - when[0]) / 1e6, np.cumsum([change.nbytes() for change in changes]) / 1e6


# %% [markdown]
# **Predict:** when does a step hold the most: at its start, between forward and backward, or at
# its end?


# %% tags=["nbval-ignore-output"]
def there_and_back(model, x=x, y=y):
    model_loss(model, x, y).backward()


model.zero_grad()
when, held = memory_of(lambda: there_and_back(model))
plt.step(when, held, where="post")
plt.gca().set(xlabel="time (ms)", ylabel="memory above the weights (MB)")
plt.show()

# %% [markdown]
# Between. Forward fills it, layer by layer; backward uses up what was kept, and gradients remain.
# Does the account of lesson 05 foresee the top?

# %%
c = teller.config
kept = c.n_layer * (16 * c.n_embd + c.n_head + 4) + 2 * c.n_embd + 2 + c.vocab_size
activations, weights = 4 * x.numel() * kept / 1e6, 4 * teller.num_parameters() / 1e6
assert 0.9 * activations < held.max() < 2 * (activations + weights) and held[-1] > 0.9 * weights
rows = [[weights, weights, 2 * weights, activations, float(held.max())]]
viz.table(rows, ["weights", "gradients", "averages", "activations", "top"], rows=["MB"])

# %% [markdown]
# A little more than what is kept: for a moment the loss needs its gradient for every word of the
# vocabulary, beside the probabilities. For eight windows of a small model, activations are most of
# a step's memory.

# %% [markdown]
# ## The roofline
#
# A processor computes, and its memory delivers. Both at once; the slower one decides. What a
# program asks for is its **arithmetic intensity**: FLOPs for each byte moved.
#
# $$\text{FLOPs a second} \le \min(\text{peak},\ \text{intensity} \cdot \text{bandwidth})$$

# %% [markdown]
# On logarithmic axes that is a slope that meets a flat roof, hence **roofline** (Williams,
# Waterman and Patterson 2009).

# %% [markdown]
# What a machine can do is what it did at its best: here we do not take the median of several
# trials but the fastest.


# %%
def fastest(work, times=8):  # seconds
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


# %% [markdown]
# The two limits of this machine, then: the product of two square matrices, and reading half a
# gigabyte.

# %% tags=["nbval-ignore-output"]
square, numbers = torch.ones(1024, 1024), torch.ones(128_000_000)
peak = 2 * 1024**3 / fastest(lambda: square @ square)
bandwidth = numbers.nbytes / fastest(numbers.sum)
del numbers
print(f"{peak / 1e9:.0f} GFLOPs a second, {bandwidth / 1e9:.1f} GB a second")
print(f"the two meet at {peak / bandwidth:.1f} FLOPs a byte, the ridge")

# %% [markdown]
# Now GPT-2 at full size. Reading a prompt of T tokens is called **prefill**; making one token
# after S others, with the cache, is a step of **decoding**. Both need every weight once, but one
# row of the position table a token; and keys and values of all positions.


# %%
count_parameters = part("count_parameters")  # your own, or ours where you have none


def flops_and_bytes(config, T, S=0):
    V, L, C = config.vocab_size, config.n_layer, config.n_embd
    flops = T * 2 * (12 * L * C**2 + V * C) + 4 * L * T * (T + S) * C
    weights = count_parameters(config) - (config.block_size - T) * C
    return flops, 4 * (weights + 2 * L * C * (S + T))


# %% [markdown]
# These are the accounts of lesson 05, with the cache put in: each of T queries meets T + S keys.
#
# **Predict:** how many FLOPs for each byte does decoding do: one half, ten, or a hundred?

# %%
gpt2 = GPTConfig.preset("gpt2")
rows = []
for T, S in [(256, 0), (16, 0), (1, 64)]:
    flops, moved = flops_and_bytes(gpt2, T, S)
    rows.append([flops / 1e9, moved / 1e6, flops / moved])
assert rows[2][2] < peak / bandwidth < rows[0][2]
names = ["prefill of 256", "prefill of 16", "decoding, after 64"]
viz.table(rows, ["GFLOPs", "MB", "FLOPs a byte"], rows=names)

# %% [markdown]
# One half: a weight of 4 bytes is multiplied and added once. That lies below the ridge, so memory
# decides. A long prefill lies above it.

# %% [markdown]
# **Predict:** eight texts that each get one token: does that take eight times as long as one?

# %% tags=["nbval-ignore-output"]
full = GPT(gpt2).requires_grad_(False).eval()  # random weights take as long as real ones


def decode(model, texts=1):  # seconds for one token each, after 64
    dtype = model.transformer.wpe.weight.dtype
    cache = KVCache(gpt2, texts, room=80, dtype=dtype)
    model(torch.zeros(texts, 64, dtype=torch.long), cache)
    return fastest(lambda: model(torch.zeros(texts, 1, dtype=torch.long), cache))


took = {texts: decode(full, texts) for texts in (1, 8)}
print(f"one text {1000 * took[1]:.0f} ms, eight {1000 * took[8]:.0f} ms")

# %% [markdown]
# The weights are read once for all eight. That is why a server waits until it has several
# questions: a larger **batch** raises the intensity. Here are all the points under this machine's
# roof.

# %% tags=["nbval-ignore-output"]
points = {}
for T in (16, 256):
    flops, moved = flops_and_bytes(gpt2, T)
    idx = torch.zeros(1, T, dtype=torch.long)
    points[f"prefill of {T}"] = flops / moved, flops / fastest(lambda idx=idx: full(idx), 3)
flops, moved = flops_and_bytes(gpt2, 1, 64)
caches = 4 * 2 * gpt2.n_layer * gpt2.n_embd * 65  # what each further text adds
for texts, seconds in took.items():
    bytes_moved = moved + (texts - 1) * caches
    points[f"decoding, texts: {texts}"] = texts * flops / bytes_moved, texts * flops / seconds
viz.figures.plot_roofline(peak, bandwidth, points)
plt.show()

# %% [markdown]
# The dotted line above a point is what could be gained without changing the work. A point
# on the slope moves up only if fewer bytes are read; one under the flat part only by faster
# arithmetic. (The roof is what *we* saw at best. A busy machine may lie.)

# %% [markdown]
# ## The switches, one at a time
#
# Six are in common use. For each we ask three things: what it gains here, what it costs in
# accuracy, and what it cannot help.

# %% [markdown]
# Ways are timed *in turn*, so that a busy machine is busy for
# all of them; a gain is the median of the rounds' ratios.


# %%
def in_turn(ways, rounds=5):  # {name: work}; the first is what the others are held against
    for work in ways.values():
        work()  # the first call is another matter
    taken = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            taken[name].append(fastest(work, times=1))
    return taken


# %% [markdown]
# What we find goes into one table, which comes last.

# %%
measured = {}  # switch -> how often as fast, cost


def compare(switch, ways, rounds=5):
    taken = in_turn(ways, rounds)
    plain, rows = next(iter(taken.values())), []
    for seconds in taken.values():
        ratios = sorted(a / b for a, b in zip(plain, seconds))
        rows.append([1000 * median(seconds), median(ratios), ratios[0], ratios[-1]])
    measured[switch] = rows[-1][1:]
    return viz.table(rows, ["median (ms)", "times as fast", "least", "most"], rows=list(ways))


# %% [markdown]
# ### bf16
#
# Products in numbers of 16 bits: eight binary digits of precision instead of 24, in half the bytes.
# Weights and averages stay in fp32: **mixed precision** (Micikevicius et al. 2018).

# %% [markdown]
# Some processors have instructions for bf16 and gain a lot. Others imitate it and lose. Which is
# yours?


# %% tags=["nbval-ignore-output"]
def train_in(precision, model, x=x, y=y):
    with autocast(model, x.device, precision):
        loss = model_loss(model, x, y)
    model.zero_grad()
    loss.backward()
    return loss.item()


compare("bf16, small", {p: partial(train_in, p, model) for p in ("fp32", "bf16")})

# %% tags=["nbval-ignore-output"]
ways = {p: partial(train_in, p, wide, wide_x, wide_x) for p in ("fp32", "bf16")}
compare("bf16, wide", ways, rounds=3)

# %% [markdown]
# What does it cost? Float64 has 53 digits and serves as the truth. **Predict:** by how much is the
# gradient off in bf16: a millionth, a thousandth, or a hundredth and more?


# %%
wide = None  # its memory is free again


def gradient_of(model, *how):
    train_in(how[0], model, *how[1:])
    return torch.cat([p.grad.flatten().double() for p in model.parameters()])


exact, model = copy.deepcopy(teller).double(), copy.deepcopy(teller)
truth = gradient_of(exact, "fp32")


def off(gradient):  # as a share of the true gradient's length
    return ((gradient - truth).norm() / truth.norm()).item()


gaps = {precision: off(gradient_of(model, precision)) for precision in ("fp32", "bf16")}
gaps["fp32, on half of the windows"] = off(gradient_of(model, "fp32", x[::2], y[::2]))
assert gaps["fp32"] < 1e-3 < gaps["bf16"] < gaps["fp32, on half of the windows"]
viz.table([[f"{gap:.1e}"] for gap in gaps.values()], ["gradient off by"], rows=list(gaps))

# %% [markdown]
# The last row is what training bears at every step: another choice of windows changes the gradient
# far more. bf16 cannot help where memory or Python is what you wait for.

# %% [markdown]
# ### Fused attention
#
# Your attention makes the whole pattern, T² numbers a head. The **fused** one works through it in
# pieces and keeps none (Dao et al. 2022 do so on GPUs).

# %%
from minigpt.model import explicit_attention, fused_attention


def attention_of(attend, T):  # GPT-2's twelve heads, there and back
    parts = torch.randn(3, 1, 12, T, 64, requires_grad=True)
    return lambda: attend(*parts).sum().backward()


# %% [markdown]
# **Predict:** where does it gain more time, at 128 positions or at 1,024?

# %% tags=["nbval-ignore-output"]
rows = []
for T in (128, 1024):
    ways = {f.__name__: attention_of(f, T) for f in (explicit_attention, fused_attention)}
    compare(f"fused attention, {T}", ways)
    tops = [float(memory_of(work)[1].max()) for work in ways.values()]
    assert tops[1] < tops[0]
    rows.append([str(T), *tops, *measured[f"fused attention, {T}"]])
viz.table(rows, ["T", "whole (MB)", "fused (MB)", "times as fast", "least", "most"])

# %% [markdown]
# Its memory grows with T, that of the whole pattern with T². Is it exact?

# %%
q, k, v = torch.randn(3, 1, 12, 256, 64)
true = explicit_attention(q.double(), k.double(), v.double())
apart = [(f(q, k, v) - true).abs().max().item() for f in (explicit_attention, fused_attention)]
assert max(apart) < 1e-4
print("off by", " and ".join(f"{gap:.1e}" for gap in apart))

# %% [markdown]
# Both are off by rounding only: the same sums in another order. It cannot help the matrices.

# %% [markdown]
# ### Compiling
#
# `torch.compile` turns the operations between the products into few C++ loops. It needs a compiler,
# and time for itself. We compile a model of one layer, so that we need not wait long.

# %% [markdown]
# **Predict:** after how many steps is the first call paid for: ten, a hundred, or more?

# %% tags=["nbval-ignore-output"]
from minigpt.training.steps import compiled_loss

layer, compiles = GPT(GPTConfig(1024, 128, n_layer=1, n_head=4, n_embd=128)), True
try:
    loss_of = compiled_loss()
    first = fastest(lambda: loss_of(layer, x, y).backward(), times=1)
    gap = abs(loss_of(layer, x, y).item() - model_loss(layer, x, y).item())
    assert gap < 1e-4
    print(f"first call: {first:.1f} s; the loss differs by {gap:.1e} nats")
except OSError as error:  # no compiler here: the lesson goes on without
    compiles = False
    print(error)

# %% tags=["nbval-ignore-output"]
shown = None
if compiles:
    ways = {"as it is": lambda: model_loss(layer, x, y).backward()}
    ways["compiled"] = lambda: loss_of(layer, x, y).backward()
    shown = compare("compile", ways, rounds=7)
    saved = fastest(ways["as it is"]) - fastest(ways["compiled"])
    print(f"paid for after {first / saved:,.0f} steps" if saved > 0 else "nothing gained here")
shown

# %% [markdown]
# It cannot help products of matrices, which are compiled already, by their makers. What it fuses
# is LayerNorm, GELU, softmax, loss. (What was compiled lies in a cache on disk: the second time you
# run this lesson the first call is shorter.)

# %% [markdown]
# ### Eight bits
#
# For writing, the weights can be whole numbers from -127 to 127, with one scale a row:
# **quantisation** (Dettmers et al. 2022). A quarter of the bytes to read.

# %% [markdown]
# **Predict:** which gains more from fewer bytes, decoding or prefill?

# %% tags=["nbval-ignore-output"]
half, eight = copy.deepcopy(full).bfloat16(), quantize(full)
prompt = torch.zeros(1, 64, dtype=torch.long)
rows = []
for other in (full, half, eight):
    rows.append([1000 * decode(other), 1000 * fastest(lambda m=other: m(prompt), 4)])
for column, name in enumerate(("decoding", "prefill")):
    measured[f"int8, {name}"] = [rows[0][column] / rows[2][column]]
viz.table(rows, ["a token (ms)", "prefill of 64 (ms)"], rows=["fp32", "bf16", "int8"])

# %% [markdown]
# In a prefill the whole numbers are first turned into bf16, and multiplied as such; that gains what
# bf16 gains on your machine. What does it cost? We ask the storyteller for its loss on the eight
# windows.

# %%
full = half = eight = None  # a gigabyte that is free again
smaller = quantize(teller)
with torch.no_grad():
    losses = {n: model_loss(m, x, y).item() for n, m in {"fp32": teller, "int8": smaller}.items()}
more = losses["int8"] / losses["fp32"] - 1
assert abs(more) < 0.02
print(f"loss {losses['fp32']:.4f}, in int8 {losses['int8']:.4f}: {more:+.2%}")

# %% [markdown]
# It cannot help training: whole numbers have no gradient.

# %% [markdown]
# ### Recomputing
#
# A block may forget what it computed, keep its input alone, and compute the rest once more when
# backward asks: **gradient checkpointing**, or activation checkpointing (Chen et al. 2016).

# %% [markdown]
# **Predict:** forward is a third of a step's FLOPs. How much longer does the step become?

# %% tags=["nbval-ignore-output"]
plain = gradient_of(model, "fp32")
with recompute_blocks(model):
    assert torch.equal(gradient_of(model, "fp32"), plain)
    model.zero_grad()
    again, less = memory_of(lambda: there_and_back(model))
assert less.max() < 0.8 * held.max()
plt.step(when, held, where="post", label="kept")
plt.step(again, less, "--", where="post", label="computed again")
plt.gca().set(xlabel="time (ms)", ylabel="memory above the weights (MB)")
plt.legend()
plt.show()

# %% [markdown]
# Each hump on the way back is a block that is computed again and let go. The gradients are equal,
# bit for bit: the same operations in the same order. And the time?


# %% tags=["nbval-ignore-output"]
def recomputing():
    with recompute_blocks(model):
        there_and_back(model)


compare("recomputing", {"kept": lambda: there_and_back(model), "computed again": recomputing})

# %% [markdown]
# It cannot help against weights and averages, which are most of a large model at a small batch.

# %% [markdown]
# ### Accumulation
#
# Eight windows one after the other, two at a time, and one update (lesson 06). **Predict** for
# time and for memory: less, the same, or more?


# %% tags=["nbval-ignore-output"]
def in_parts(parts=4):
    for some_x, some_y in zip(x.chunk(parts), y.chunk(parts)):
        (model_loss(model, some_x, some_y) / parts).backward()


model.zero_grad()
_, parts_held = memory_of(in_parts)
summed = torch.cat([p.grad.flatten().double() for p in model.parameters()])
assert torch.allclose(summed, plain, atol=1e-6)
assert parts_held.max() < 0.8 * held.max()
print(f"at the most {held.max():.0f} MB at once, {parts_held.max():.0f} MB in four parts")
compare("accumulation", {"at once": lambda: there_and_back(model), "in parts": in_parts})

# %% [markdown]
# The gradient is the same to rounding. It saves memory, as recomputing does, and it too cannot help
# against weights and averages.

# %% [markdown]
# ### All of them
#
# One table from what was measured here.

# %% tags=["nbval-ignore-output"]
KNOWN = {
    "bf16": [f"gradient off by {gaps['bf16']:.1%}", "waiting for memory, Python"],
    "fused": [f"off by {max(apart):.0e}", "matrices"],
    "compile": ["rounding", "matrices, short runs"],
    "int8": [f"loss {more:+.2%}", "training"],
    "recomputing": [f"nothing; memory {less.max() / held.max():.0%}", "weights, averages"],
    "accumulation": [f"rounding; memory {parts_held.max() / held.max():.0%}", "weights, averages"],
}
found = {name: gain for name, gain in measured.items() if name != "nothing"}
rows = [[f"{g[0]:.2f}", *KNOWN[re.split(r"[, ]", name)[0]]] for name, g in found.items()]
viz.table(rows, ["times as fast", "costs", "cannot help"], rows=list(found))

# %% [markdown]
# None helps everywhere. Measure where *your* time goes, then choose. What the course's own code
# does about it stands in `docs/performance.md`.

# %% [markdown]
# This is a good place for a break.

# %% [markdown]
# ## Usual mistakes
#
# **The first call timed.** It makes buffers, chooses ways to compute, and perhaps compiles. How
# many times as long as the others?

# %% tags=["nbval-ignore-output"]
fresh = GPT(GPTConfig(1024, 128, n_layer=1, n_head=4, n_embd=128))
taken = [fastest(lambda: there_and_back(fresh), 1) for _ in range(10)]
print(f"first {1000 * taken[0]:.1f} ms, median of the others {1000 * median(taken[1:]):.1f} ms")
if compiles:
    mean = (first + 99 * fastest(lambda: loss_of(layer, x, y).backward())) / 100
    print(f"compiled, mean of its first 100 calls: {1000 * mean:.0f} ms")

# %% [markdown]
# **No waiting for the device.** A GPU is given work and computes while Python goes on. Who stops
# the clock then has timed the giving. A second thread shows the same. **Predict:** what does the
# first clock say?

# %% tags=["nbval-ignore-output"]
from concurrent.futures import ThreadPoolExecutor

with ThreadPoolExecutor(1) as device:  # it takes work and returns at once, as a GPU does
    start = time.perf_counter()
    job = device.submit(lambda: [square @ square for _ in range(20)])
    given = time.perf_counter() - start
    job.result()  # on a GPU: torch.cuda.synchronize()
    done = time.perf_counter() - start
assert given < done
print(f"without waiting {1000 * given:.2f} ms, with {1000 * done:.0f} ms")

# %% [markdown]
# **Two machines compared.** "Mine takes 60 ms, theirs 90: my change is a third faster." Or the
# machine is. Even one machine differs from itself: here the very same work, timed twice.

# %% tags=["nbval-ignore-output"]
same = {name: partial(there_and_back, fresh) for name in ("the work", "the same work")}
compare("nothing", same, rounds=9)

# %% [markdown]
# A gain inside that spread is none.
#
# **Weights in bf16.** Autocast leaves the weights in fp32, and for a reason. **Predict:** add
# 0.001 to 1 a thousand times, in bf16. What is it?

# %%
weight = torch.ones(2, dtype=torch.bfloat16)
master = torch.ones(2)
for _ in range(1000):
    weight += 0.001
    master += 0.001
assert weight[0] == 1 and abs(master[0] - 2) < 0.01
print(f"bf16 {weight[0]:.3f}, fp32 {master[0]:.3f}")

# %% [markdown]
# Between 1 and 2 there are only 128 numbers in bf16. Each step is less than half of one, and is
# rounded away. Does that matter in training? Two storytellers learn the eight windows by heart.
#
# **Predict:** which of them is ahead after fifteen steps?

# %% tags=["nbval-ignore-output"]
curves = {}
for name in ("fp32", "bf16"):
    pupil = copy.deepcopy(teller).to(torch.bfloat16 if name == "bf16" else torch.float32)
    rule = torch.optim.AdamW(pupil.parameters(), lr=1e-4, weight_decay=0.0)
    curves[name] = []
    for _ in range(15):
        curves[name].append(train_in("fp32", pupil))
        rule.step()
    plt.plot(curves[name], "-" if name == "fp32" else "--", label=f"weights in {name}")
assert curves["fp32"][-1] < curves["bf16"][-1]
plt.gca().set(xlabel="step", ylabel="loss (nats)")
plt.legend()
plt.show()

# %% [markdown]
# The one in bf16 still learns, from the updates that are large enough. It is slower.

# %% [markdown]
# ## As the package has it
#
# What you built above is what `minigpt.speed` does. A last look: the same counts, the same sorting,
# the same gradients.

# %%
from minigpt.speed import Limits, forward_bytes, forward_flops

for T, S in [(1, 0), (7, 5), (128, 896)]:
    assert flops_and_bytes(gpt2, T, S) == (forward_flops(gpt2, T, S), forward_bytes(gpt2, T, S))
limits = Limits(peak, bandwidth)
for intensity in (0.5, limits.ridge, 100):
    assert limits.rate(intensity) == min(peak, intensity * bandwidth)
for whole in (small_profile, wide_profile):
    assert math.isclose(sum(inner.seconds for inner in whole.parts), whole.seconds)
print("The counts, the roof and the parts of a step: equal.")

# %% [markdown]
# ## Summary
#
# - Measure first. A step's time is a tree, and its parts add up.
# - Memory is fullest between forward and backward.
# - Decoding waits for memory, prefill for arithmetic; the ridge divides them.
# - Each switch helps one of the two, or trades memory for time. None helps everywhere.

# %% [markdown]
# Exercises: `exercises/11_scaling.ipynb`.
