# %% [markdown]
# # 11 · Scaling
#
# **Afterwards you can** say where the time and the memory of a training step go, and what holds
# your machine up. You can judge the usual switches by what they gain and what they cost, train
# with several processes, work out what a run costs, and fit a scaling law without trusting it too
# far.
#
# **Takes** about 220 minutes, in three sittings. **Needs** the accounts of lesson 05, training
# (06) and the KV cache (07).

# %% [markdown]
# Everything here is measured on your machine while you read. What else runs there at the same time
# is measured too. So a cell that you run again shows other numbers, now and then even in another
# order.

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

# %% tags=["nbval-ignore-output"]
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
# **Predict:** backward has twice the FLOPs of forward (lesson 05). Does it take as long as forward,
# about twice as long, or four times? (`fused=True` updates all weights in one call.)

# %% tags=["nbval-ignore-output"]
model = copy.deepcopy(teller)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
times = np.array([timed_step(model, optimizer, x, y) for _ in range(9)])[1:]
times = np.column_stack([times, times[:, 1] / times[:, 0]])
rows = np.quantile(times, [0.5, 0, 1], axis=0).tolist()
columns = ["forward (ms)", "backward", "update", "backward / forward"]
viz.table(rows, columns, rows=["median", "fastest", "slowest"])

# %% [markdown]
# The last column holds the answer, with its spread. The first step is left out: it also makes
# buffers. A gain that is smaller than the spread between fastest and slowest cannot be told from
# luck by one run.

# %% [markdown]
# And inside? PyTorch's **profiler** notes when each operation begins and ends. An operation's
# *own* time is what is left when those that it calls are taken out. So nothing counts twice.


# %% tags=["nbval-ignore-output"]
def step():
    timed_step(model, optimizer, x, y)


step()
own = Counter()
for event in profiling.recorded(step, model, repeats=1):
    if not profiling.is_range(event):  # a stretch that bears a name is no operation
        own[event.name.removeprefix("aten::")] += event.self_cpu_time_total / 1000
names, taken = zip(*own.most_common(6))
viz.table([[ms] for ms in taken], ["own time (ms)"], rows=names)

# %% [markdown]
# `mm` and `addmm` are products of matrices. But of which? An operation stands inside others, and
# hooks (lesson 08) give each module's forward pass a name. In the backward pass no module runs, but
# autograd numbers what it undoes; so a gradient is entered under the module that it belongs to.

# %% [markdown]
# `profile_step` sorts so. Open its picture: click on a part, or walk with the arrow keys and press
# Enter. **Predict:** which takes longer in the forward pass, all `attn` or all `mlp`?


# %% tags=["nbval-ignore-output"]
def at(part, *path):
    for name in path:
        part = next(inner for inner in part.parts if inner.name == name)
    return part


small_profile = profile_step(step, model, repeats=5)
for name in ("attn", "mlp"):
    inside = [at(small_profile, "forward", f"h.{i}", name) for i in range(teller.config.n_layer)]
    print(f"forward, all {name}: {1000 * sum(found.seconds for found in inside):.1f} ms")
viz.StepProfile(small_profile)

# %% [markdown]
# The two lines above the picture answer. What no operation accounts for is the last part: Python
# itself, and the profiler's own work.

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
# *All else* is LayerNorm, GELU, additions, embeddings. Shares depend on one another: the head grows
# with the vocabulary, and what grows makes all others smaller. (It weighs more here than in the
# real GPT-2, where twelve layers share it.) So we hold the scores against the layers' matrices.

# %% [markdown]
# For each token and layer, scores and mix take $4TC$ FLOPs, the matrices $24C^2$ (lesson 05):
#
# $$\frac{4TC}{24C^2} = \frac{T}{6C}$$

# %% tags=["nbval-ignore-output"]
rows = []
for found, (T, C) in ((narrow, (128, 128)), (broad, (256, 768))):
    rows.append([T / (6 * C), found["scores and mix"] / found["layers' matrices"]])
names = ["storyteller", "GPT-2's width"]
viz.table(rows, ["T / 6C", "scores' time / matrices' time"], rows=names)

# %% [markdown]
# A wider model makes attention cheaper beside the matrices, a longer text dearer. Where the two
# columns differ, a FLOP of the scores takes more time than one of the matrices, or less.

# %% [markdown]
# How many FLOPs a second does a part do, and how many *could* this machine? What it can do is what
# it did at its best. So here we take the fastest of many trials, and not their median.


# %%
def fastest(work, times=8):  # seconds
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def best_product(dtype=torch.float32):  # FLOPs a second, of square matrices
    squares = {size: torch.ones(size, size, dtype=dtype) for size in (256, 512, 1024)}
    return max(2 * size**3 / fastest(lambda a=a: a @ a) for size, a in squares.items())


peak = best_product()

# %% [markdown]
# **Predict:** does the same processor reach the same speed in both models?

# %% tags=["nbval-ignore-output"]
rows, names = [], []
for path in (["h.0", "mlp", "c_fc"], ["h.0", "attn", "scores, softmax, mix"], ["lm_head"], []):
    for size, profiled in (("small", small_profile), ("wide", wide_profile)):
        found = at(profiled, *(["forward", *path] if path else []))
        rows.append([found.flops / 1e9, found.flops / found.seconds / 1e9])
        names.append(f"{path[-1] if path else 'the whole step'}, {size}")
peak = max(peak, best_product(), *(1e9 * row[-1] for row in rows))
rows = [[*row, f"{1e9 * row[-1] / peak:.0%}"] for row in rows]
viz.table(rows, ["GFLOPs", "GFLOPs a second", "of the best seen"], rows=names)

# %% [markdown]
# One processor, yet every part has a speed of its own, and the whole step stays below the best that
# was seen. (If the best was a part of a model, then the bare products were timed in a worse moment.
# We keep whatever was highest.)

# %% [markdown]
# ## Where a step's memory goes
#
# Before any text, 16 bytes a parameter (lesson 05): weights, gradients, AdamW's two averages. On
# top come activations. The profiler notes each piece of memory that is taken or given back; its
# `kineto_results` are the raw notes.

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
def forward_backward(model, x=x, y=y):
    model_loss(model, x, y).backward()


model.zero_grad()
when, held = memory_of(lambda: forward_backward(model))
plt.step(when, held, where="post")
plt.gca().set(xlabel="time (ms)", ylabel="memory above the weights (MB)")
plt.show()

# %% [markdown]
# Between. Forward fills it, layer by layer; backward uses up what was kept, and gradients remain.
#
# Does the account of lesson 05 foresee the top? At that moment the loss holds two more arrays, each
# with a number for every word of the vocabulary: the gradients of log-probabilities and of logits.

# %%
c, MB = teller.config, 1e6
kept = c.n_layer * (16 * c.n_embd + c.n_head + 4) + 2 * c.n_embd + 2 + c.vocab_size
activations, weights = 4 * x.numel() * kept / MB, 4 * teller.num_parameters() / MB
two = 2 * 4 * x.numel() * c.vocab_size / MB
assert abs(held.max() / (activations + two) - 1) < 0.05 and abs(held[-1] / weights - 1) < 0.1
rows = [[activations, two, activations + two, float(held.max())]]
viz.table(rows, ["activations", "two for the loss", "sum", "measured top"], rows=["MB"])

# %% [markdown]
# It does. Beside that stand what a step holds without any text:

# %%
viz.table([[weights, weights, 2 * weights]], ["weights", "gradients", "averages"], rows=["MB"])

# %% [markdown]
# For eight windows of a small model, activations are most of a step's memory.

# %% [markdown]
# ## The roofline
#
# A processor computes, and its memory delivers. Both at once; the slower one decides. What a
# program asks for is its **arithmetic intensity**: FLOPs for each byte moved.
#
# $$\text{FLOPs a second} \le \min(\text{peak},\ \text{intensity} \cdot \text{bandwidth})$$
#
# On logarithmic axes that is a slope that meets a flat roof, hence **roofline** (Williams,
# Waterman and Patterson 2009).

# %% [markdown]
# The flat part is the best product of two matrices. The slope is the fastest reading of half a
# gigabyte, more than the processor's own small memory holds.

# %% tags=["nbval-ignore-output"]
numbers = torch.ones(128_000_000)
bandwidth = numbers.nbytes / fastest(numbers.sum)
del numbers
peak = max(peak, best_product())
print(f"{peak / 1e9:.0f} GFLOPs a second, {bandwidth / 1e9:.1f} GB a second")
print(f"the two meet at {peak / bandwidth:.1f} FLOPs a byte, the ridge")

# %% [markdown]
# Now GPT-2 at full size. Reading a prompt of T tokens is the prefill of lesson 07; making one token
# after S others, with the cache, is a step of decoding. Both need every weight once, but one row of
# the position table a token; and keys and values of all positions.


# %%
from minigpt.speed import forward_bytes, forward_flops

count_parameters = part("count_parameters")  # your own, or ours where you have none


def flops_and_bytes(config, T, S=0):
    V, L, C = config.vocab_size, config.n_layer, config.n_embd
    flops = T * 2 * (12 * L * C**2 + V * C) + 4 * L * T * (T + S) * C
    weights = count_parameters(config) - (config.block_size - T) * C
    return flops, 4 * (weights + 2 * L * C * (S + T))


gpt2 = GPTConfig.preset("gpt2")
counted = forward_flops(gpt2, T=7, S=5), forward_bytes(gpt2, T=7, S=5)
assert flops_and_bytes(gpt2, 7, 5) == counted  # the package counts the same

# %% [markdown]
# These are the accounts of lesson 05, with the cache put in: each of T queries meets T + S keys.
# Activations are left out, as if none ever left the processor. So the true intensity is lower.
#
# **Predict:** how many FLOPs for each byte does decoding do: one half, ten, or a hundred?

# %%
rows = []
for T, S in [(256, 0), (16, 0), (1, 16)]:
    flops, moved = flops_and_bytes(gpt2, T, S)
    rows.append([flops / 1e9, moved / 1e6, flops / moved])
names = ["prefill of 256", "prefill of 16", "decoding, after 16"]
viz.table(rows, ["GFLOPs", "MB", "FLOPs a byte"], rows=names)

# %% [markdown]
# One half: a weight of 4 bytes is multiplied and added once. Where that lies below your ridge, and
# a long prefill above it, memory decides for the one and arithmetic for the other.

# %% [markdown]
# **Predict:** eight texts that each get one token: does that take eight times as long as one?


# %% tags=["nbval-ignore-output"]
def decoding(model, texts=1):  # one more token for each text, after 16
    dtype = model.transformer.wpe.weight.dtype
    cache = KVCache(gpt2, texts, room=40, dtype=dtype)
    model(torch.zeros(texts, 16, dtype=torch.long), cache)
    return lambda: model(torch.zeros(texts, 1, dtype=torch.long), cache)


full = GPT(gpt2).requires_grad_(False).eval()  # random weights take as long as real ones
took = {texts: fastest(decoding(full, texts)) for texts in (1, 2, 4, 8, 16)}
viz.table([[1000 * s for s in took.values()]], [*map(str, took)], rows=["ms, for so many texts"])

# %% [markdown]
# The weights are read once for all texts. That is why a server waits until it has several
# questions: a larger batch raises the intensity. What does the roof say?

# %% tags=["nbval-ignore-output"]
flops, moved = flops_and_bytes(gpt2, 1, 16)
cache_of_one = 4 * 2 * gpt2.n_layer * gpt2.n_embd * 17  # what each further text adds
points, rows = {}, []
for texts, seconds in took.items():
    asked, read = texts * flops, moved + (texts - 1) * cache_of_one
    points[f"decoding, texts: {texts}"] = asked / read, asked / seconds
    least = max(asked / peak, read / bandwidth)
    rows.append([asked / read, 1000 * least, 1000 * seconds, seconds / least])
columns = ["FLOPs a byte", "at the roof (ms)", "measured", "times the roof's"]
viz.table(rows, columns, rows=[f"texts: {texts}" for texts in took])

# %% [markdown]
# The roof allows the times of the second column, and promises none. Now with the two prefills, all
# the points under this machine's roof.

# %% tags=["nbval-ignore-output"]
for T in (16, 256):
    flops, moved = flops_and_bytes(gpt2, T)
    idx = torch.zeros(1, T, dtype=torch.long)
    points[f"prefill of {T}"] = flops / moved, flops / fastest(lambda idx=idx: full(idx), 3)
peak = max(peak, best_product())
viz.figures.plot_roofline(peak, bandwidth, points)
plt.show()

# %% [markdown]
# The dotted line above a point is what better code could gain with the same FLOPs and bytes. Only a
# point *on* the roof needs something else: fewer bytes on the slope, faster arithmetic on the flat.
# (A point above the roof says that the roof was measured in a bad moment. Measure again.)

# %% [markdown]
# ## The switches, one at a time
#
# Six are in common use. For each we ask three things: what it gains here, what it costs in
# accuracy, and what it cannot help.

# %% [markdown]
# Ways are timed *in turn*, so that a busy machine is busy for all of them. A gain is the median of
# the rounds' ratios: each compares neighbours in time. (So it need not be the ratio of the two
# medians.)


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
measured = {}  # what was compared -> how often as fast: median, least, most


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
# Weights and averages stay in fp32: **mixed precision** (Micikevicius et al. 2018 with fp16,
# Kalamkar et al. 2019 with bf16). PyTorch's word for it is `torch.autocast`.

# %% [markdown]
# The older fp16 has more digits, but a smaller range: small gradients become 0. So there the loss
# is multiplied before backward, and the gradients divided afterwards (loss scaling). bf16 has the
# range of fp32.

# %% [markdown]
# Some processors have instructions for bf16 and gain a lot. Others imitate it and lose.
# **Predict:** which is yours?


# %% tags=["nbval-ignore-output"]
def train_in(precision, model, x=x, y=y):
    with autocast(model, x.device, precision):
        loss = model_loss(model, x, y)
    model.zero_grad()
    loss.backward()
    return loss.item()


print(f"bf16 products: {best_product(torch.bfloat16) / peak:.2f} times the best of fp32")
ways = {p: partial(train_in, p, wide, wide_x, wide_x) for p in ("fp32", "bf16")}
compare("bf16", ways, rounds=3)

# %% [markdown]
# The line above the table is for bare products, the table for the wide model's step without its
# update. What does it cost? Float64 has 53 digits and serves as the truth. **Predict:** by how much
# is the storyteller's gradient off in bf16: a millionth, a thousandth, or a hundredth and more?


# %%
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
# far more. But a small error that points the same way every time would add up. Does bf16's? We
# compare its errors on two halves of the windows.

# %%
errors = []
for half in (slice(0, None, 2), slice(1, None, 2)):
    both = [gradient_of(*how, x[half], y[half]) for how in ((exact, "fp32"), (model, "bf16"))]
    errors.append(both[1] - both[0])
alike = torch.cosine_similarity(*errors, dim=0).item()
assert abs(alike) < 0.5
print(f"cosine between the two errors: {alike:.2f}")

# %% [markdown]
# Near 0: other windows, another direction. Autocast cannot help where a step waits for Python, or
# for its weights: those are read in fp32 as before. (Weights that are *kept* in bf16 have half the
# bytes. They come under *Eight bits*.)

# %% [markdown]
# ### Fused attention
#
# Your attention makes the whole pattern, T² numbers a head. The **fused** one works through it in
# pieces and keeps none (Dao et al. 2022 do so on GPUs). In PyTorch it is
# `F.scaled_dot_product_attention`.

# %%
from minigpt.model import explicit_attention, fused_attention

wide = None  # its memory is free again


def attention_of(attend, T):  # GPT-2's twelve heads, forward and backward
    parts = torch.randn(3, 1, 12, T, 64, requires_grad=True)
    return lambda: attend(*parts).sum().backward()


# %% [markdown]
# **Predict:** where does it save more memory, at 128 positions or at 1,024? And more time?

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
# The memory of the whole pattern grows with T², that of the fused one with T: read the two columns
# downwards. The time is in the last three. Is it exact?

# %%
q, k, v = torch.randn(3, 1, 12, 256, 64)
true = explicit_attention(q.double(), k.double(), v.double())
apart = [(f(q, k, v) - true).abs().max().item() for f in (explicit_attention, fused_attention)]
assert max(apart) < 1e-4
print("forward off by", " and ".join(f"{gap:.1e}" for gap in apart))

# %% [markdown]
# Both are off by rounding only: the same sums in another order. It cannot help the matrices.

# %% [markdown]
# ### Compiling
#
# `torch.compile` turns the operations between the products into few C++ loops. It needs a compiler,
# and time for itself. We compile a model of one layer, so that we need not wait long.

# %% tags=["nbval-ignore-output"]
from minigpt.training.steps import compiled_loss

layer, compiles = GPT(GPTConfig(1024, 128, n_layer=1, n_head=4, n_embd=128)), True
try:
    loss_of = compiled_loss()
    once = fastest(lambda: loss_of(layer, x, y).backward(), times=1)
    gap = abs(loss_of(layer, x, y).item() - model_loss(layer, x, y).item())
    assert gap < 1e-4
    print(f"first call: {once:.1f} s; the loss differs by {gap:.1e} nats")
except OSError as error:  # no compiler here: the lesson goes on without
    compiles = False
    print(error)

# %% [markdown]
# **Predict:** what was spent on the first call comes back step by step. Will your machine say when,
# or that the gain cannot be told from luck?

# %% tags=["nbval-ignore-output"]
shown = None
if compiles:
    ways = {"as it is": lambda: forward_backward(layer)}
    ways["compiled"] = lambda: loss_of(layer, x, y).backward()
    shown = compare("compile", ways, rounds=9)
    gain, least, _ = measured["compile"]
    later = fastest(ways["compiled"])
    saved = (gain - 1) * later  # seconds a step
    print(f"paid for after {once / saved:,.0f} steps" if least > 1 else "no gain beyond luck")
shown

# %% [markdown]
# It hardly helps products of matrices, which are compiled already, by their makers. (What was
# compiled lies in a cache on disk: the second time you run this lesson the first call is shorter.)

# %% [markdown]
# ### Eight bits
#
# For writing, the weights can be whole numbers from -127 to 127, with one scale a row:
# **quantisation**. A quarter of the bytes to read. (Dettmers et al. 2022 round the activations too,
# except the few largest. Here only weights are rounded.)

# %%
full = three = None  # their memory is free again


def at_random(dtype):  # GPT-2's size
    torch.set_default_dtype(dtype)
    try:
        return GPT(gpt2).requires_grad_(False).eval()
    finally:
        torch.set_default_dtype(torch.float32)


three = {"fp32": at_random(torch.float32), "bf16": at_random(torch.bfloat16)}
three["int8"] = quantize(three["fp32"])

# %% [markdown]
# **Predict:** a quarter of the bytes. Is decoding less than four times as fast, four times, or
# more?

# %% tags=["nbval-ignore-output"]
compare("int8, decoding", {name: decoding(one) for name, one in three.items()})

# %% tags=["nbval-ignore-output"]
prompt = torch.zeros(1, 64, dtype=torch.long)
compare("int8, prefill", {n: partial(one, prompt) for n, one in three.items()}, rounds=3)

# %% [markdown]
# The first table is decoding. One token took longer than the roof allows, so not all of it is
# reading, and not all of it shrinks with the bytes. The second is a prefill of 64 tokens. There the
# whole numbers are turned into bf16 and multiplied as such: the gain is that of faster products,
# less what the turning takes. Hold int8 against bf16.

# %% [markdown]
# What does it cost? We ask the storyteller for its loss on each of the eight windows.

# %% tags=["nbval-ignore-output"]
three, smaller = None, quantize(teller)
with torch.no_grad():
    losses = [
        [model_loss(m, *xy[:, None]).item() for xy in torch.stack([x, y], 1)]
        for m in (teller, smaller)
    ]
changes = [after / before - 1 for before, after in zip(*losses)]
assert max(map(abs, changes)) < 0.05
print(f"by window: from {min(changes):+.2%} to {max(changes):+.2%}")
print(f"mean loss: {np.mean(losses[0]):.4f}, in int8 {np.mean(losses[1]):.4f}")

# %% [markdown]
# Some windows lose and others gain: that is rounding. In this form it cannot help training, for
# whole numbers have no gradient. (Others train with it: AdamW's averages in eight bits, or small
# new matrices beside weights that stay rounded.)

# %% [markdown]
# ### Recomputing
#
# A block may forget what it computed, keep its input alone, and compute the rest once more when
# backward asks: **gradient checkpointing**, or activation checkpointing (Chen et al. 2016). In
# PyTorch: `torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)`.

# %% tags=["nbval-ignore-output"]
plain = gradient_of(model, "fp32")
with recompute_blocks(model):
    assert torch.equal(gradient_of(model, "fp32"), plain)
    model.zero_grad()
    again, less = memory_of(lambda: forward_backward(model))
assert less.max() < 0.8 * held.max()
plt.step(when, held, where="post", label="kept")
plt.step(again, less, "--", where="post", label="computed again")
plt.gca().set(xlabel="time (ms)", ylabel="memory above the weights (MB)")
plt.legend()
plt.show()

# %% [markdown]
# Each hump on the way back is a block that is computed again and let go. The gradients are equal,
# bit for bit: the same operations in the same order.
#
# **Predict:** forward is a third of the FLOPs. How many times as fast is a step now: 0.5, 0.75, or
# 0.9?


# %% tags=["nbval-ignore-output"]
def recomputing():
    with recompute_blocks(model):
        forward_backward(model)


compare("recomputing", {"kept": lambda: forward_backward(model), "computed again": recomputing})

# %% [markdown]
# One more forward makes four thirds, so 0.75 by FLOPs. (A little more, for head and loss are not
# computed again.) It cannot help against weights and averages, which are most of a large model at
# a small batch.

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
compare("accumulation", {"at once": lambda: forward_backward(model), "in parts": in_parts})

# %% [markdown]
# Less memory, and the same gradient to rounding. For the time: if 1 lies between least and most,
# your machine saw no difference. It too cannot help against weights and averages.

# %% [markdown]
# ### All of them
#
# One table from what was measured here. Where 1 lies between least and most, the gain is *none*.

# %% tags=["nbval-ignore-output"]
KNOWN = {
    "bf16": [f"storyteller's gradient: {gaps['bf16']:.1%}", "Python, reading fp32 weights"],
    "fused": [f"forward, T = 256: {max(apart):.0e}", "matrices"],
    "compile": ["rounding", "matrices, short runs"],
    "int8": [f"a window's loss: up to {max(map(abs, changes)):.1%}", "training"],
    "recomputing": [f"nothing; memory {less.max() / held.max():.0%}", "weights, averages"],
    "accumulation": [f"rounding; memory {parts_held.max() / held.max():.0%}", "weights, averages"],
}
rows = []
for name, (gain, least, most) in measured.items():
    told = "none" if least <= 1 <= most else f"{gain:.2f}"
    rows.append([told, f"{least:.2f} to {most:.2f}", *KNOWN[re.split(r"[, ]", name)[0]]])
viz.table(rows, ["times as fast", "spread", "accuracy", "cannot help"], rows=list(measured))

# %% [markdown]
# None helps everywhere. Measure where *your* time goes, then choose. What the course's own code
# does about it stands in `docs/performance.md`.

# %% [markdown]
# This is a good place for a break.

# ## Several processes
#
# One process uses one device. With more devices the simplest way is **data-parallel** training:
# each process holds the whole model and takes its part of every batch.
#
# First we do that by hand, in one process with two models.

# %%
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors.torch import load_file

from minigpt import load_data
from minigpt.data import get_batch
from minigpt.training.checkpoints import read_history

# %%
data = load_data("stories", stories=200)
torch.manual_seed(0)
sizes = {"block_size": 128, "n_layer": 2, "n_head": 2, "n_embd": 32}
config = GPTConfig(vocab_size=data.tokenizer.vocab_size, **sizes)
model = GPT(config)
replicas = [copy.deepcopy(model), copy.deepcopy(model)]

# %% [markdown]
# Each takes every second row of eight, and computes its own loss and gradient.


# %%
def gradient(model, x, y):
    model.zero_grad()
    model_loss(model, x, y).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


# %%
x, y = get_batch(data.train, 128, 8, torch.Generator().manual_seed(0))
halves = [gradient(replica, x[i::2], y[i::2]) for i, replica in enumerate(replicas)]
assert torch.allclose((halves[0] + halves[1]) / 2, gradient(model, x, y), atol=1e-6)

# %% [markdown]
# The loss is a mean over tokens, so its gradient is one too: the mean of the halves' gradients is
# the gradient of the whole batch.

# %% [markdown]
# These windows were full. A batch of whole stories is not: behind a story's end the target is
# -100, which the loss leaves out. **Predict:** is the mean of the halves still right?

# %%
x, y = data.batch("train", 128, 8, torch.Generator().manual_seed(0))
whole = gradient(model, x, y)
halves = [gradient(replica, x[i::2], y[i::2]) for i, replica in enumerate(replicas)]
counts = [(y[i::2] >= 0).sum().item() for i in (0, 1)]
viz.table([counts], ["first half", "second half"], rows=["targets"])

# %% [markdown]
# Beside the mean we compute one that weighs each half by its share of the targets.
#
# $$\nabla L = \sum_r \frac{n_r}{\sum_s n_s}\, \nabla L_r$$

# %%
weighted = sum(n / sum(counts) * half for n, half in zip(counts, halves))


def distance(other):
    return ((other - whole).norm() / whole.norm()).item()


mean = (halves[0] + halves[1]) / 2
assert distance(weighted) < 1e-5 < distance(mean)
rows = [[f"{distance(mean):.2%}"], [f"{distance(weighted):.5%}"]]
viz.table(rows, ["from the right gradient"], rows=["mean of the halves", "weighted by targets"])

# %% [markdown]
# No, the mean is off: each half divided by *its own* number of targets. Rounding errs to all sides;
# this always errs to one: a token counts for more where there are few. And it never crashes.

# %% [markdown]
# So the processes of `train` first add up their targets, and each weighs its loss by its share.

# %% [markdown]
# ## The same with real processes
#
# `torchrun` starts the same program several times and tells each copy its **rank**, counted from 0,
# and how many there are, the **world size**. Our command needs no other word:
#
# `torchrun --nproc-per-node 2 -m minigpt train ...`

# %%
folder = Path(tempfile.mkdtemp())
size = (folder / "stories.txt").write_text(
    "\n".join(islice(Stories(seed=1), 300)), encoding="utf-8"
)

# %% [markdown]
# Here are a text, the settings, and a function that starts it. (`--standalone`: on this machine.)

# %%
SMALL = "--vocab-size 300 --block-size 64 --batch-size 8 --n-layer 2 --n-head 2 --n-embd 64"
SMALL += " --optimizer adamw --lr 0.0005 --precision fp32 --device cpu"


def launch(processes, *command, threads=1):
    start = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    line = [sys.executable, "-m", *start, *command]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


# %% [markdown]
# **Predict:** one process and two, 30 steps each. Do they end with the same weights: bit for bit,
# up to rounding, or not at all?


# %%
def launch_training(processes, name, *more, threads=1):
    shutil.rmtree(folder / name, ignore_errors=True)  # where this cell is run once more
    place = f"--data stories.txt --out {name} --steps 30 {SMALL}"
    return launch(processes, "-m", "minigpt", "train", *place.split(), *more, threads=threads)


said = {"alone": launch_training(1, "alone"), "data-parallel": launch_training(2, "parallel")}


# %%
def checkpoint(name):
    return load_file(folder / name / "checkpoint.safetensors")


def furthest(name):
    one, other = checkpoint("alone"), checkpoint(name)
    weights = [key for key in one if key.startswith("model.")]
    return max((one[key] - other[key]).abs().max().item() for key in weights)


assert furthest("parallel") < 1e-5
apart = {name: furthest(name) for name in ("alone", "parallel")}
viz.table([[f"{gap:.0e}"] for gap in apart.values()], ["largest difference"], rows=list(apart))

# %% [markdown]
# Up to rounding: a sum in another order rounds otherwise. Both processes drew the same windows with
# the same generator, and each read every second one. So a run may be stopped, and go on with
# another number of processes.

# %% [markdown]
# ## How often they speak
#
# To add up everybody's numbers and give the sum to all is called an **all-reduce**. PyTorch's
# **DDP**, `DistributedDataParallel`, does it during the backward pass: what is ready travels while
# earlier layers still compute.

# %% [markdown]
# The next program counts. `init_process_group` joins the processes; `gloo` is how CPUs talk (GPUs:
# `nccl`). DDP gathers gradients in **buckets**, and calls our function for each bucket it sends.

# %%
script = """
import copy, hashlib
from contextlib import nullcontext
import torch, torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from minigpt import GPT, GPTConfig
from minigpt.training import model_loss

dist.init_process_group("gloo")
alone = GPT(GPTConfig(vocab_size=300, block_size=64, n_layer=2, n_head=2, n_embd=64))
for p in alone.parameters(): dist.broadcast(p.data, 0)  # all begin with the same weights
parallel, sent = torch.nn.parallel.DistributedDataParallel(copy.deepcopy(alone)), []
def count(state, bucket):
    sent.append(bucket.buffer().numel() * 4)
    return allreduce_hook(None, bucket)
parallel.register_comm_hook(None, count)
x = torch.randint(300, (4, 64), generator=torch.Generator().manual_seed(dist.get_rank()))
"""

# %% [markdown]
# Four micro-batches before one update, as in lesson 06. **Predict:** how many times do gradients
# have to travel: four times or once?

# %%
accumulate = """
for wait in (False, True):
    sent.clear()
    for i in range(4):
        with parallel.no_sync() if wait and i < 3 else nullcontext():
            model_loss(parallel, x, x).backward()
    if dist.get_rank() == 0: print(len(sent), sum(sent))
dist.destroy_process_group()
"""
(folder / "count.py").write_text(script + accumulate, encoding="utf-8")
(often, much), (seldom, little) = (map(int, s.split()) for s in launch(2, "count.py").splitlines())
assert often == 4 * seldom and much == 4 * little
viz.table([[often, much], [seldom, little]], ["buckets", "bytes"], rows=["each time", "once"])

# %% [markdown]
# Once is enough: gradients of the same weights add up, here or there. `no_sync` waits, and
# `train_step` uses it for all micro-batches but the last.
#
# **Predict:** after the update, do the processes have to send each other their weights too?

# %% [markdown]
# Each process now has its own rows, updates, and reports a **checksum** of its weights: a short
# number that differs if a single bit does. Once without an exchange, once with it.

# %% tags=["nbval-ignore-output"]
update = """
for model in (alone, parallel):
    model.zero_grad()
    model_loss(model, x, x).backward()
    torch.optim.AdamW(model.parameters()).step()
    bits = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
    dist.all_gather_object(sums := [None, None], hashlib.sha256(bits).hexdigest()[:8])
    if dist.get_rank() == 0: print(*sums)
dist.destroy_process_group()
"""
(folder / "update.py").write_text(script + update, encoding="utf-8")
own, shared = (line.split() for line in launch(2, "update.py").splitlines())
assert own[0] != own[1] and shared[0] == shared[1]
viz.table([own, shared], ["process 0", "process 1"], rows=["own gradients", "exchanged"])

# %% [markdown]
# No: the same weights, gradients and rule give the same weights. So no weight travels.

# %% [markdown]
# ## What travels
#
# Nobody sends everything to everybody. In a **ring** (Patarasuk and Yuan 2009), each of $n$
# processes cuts its numbers into $n$ parts. Each turn it passes one part to the next process: first
# to be added, then to be copied.


# %%
def ring_all_reduce(vectors):  # one vector for each process
    n = len(vectors)
    parts, turns = [list(vector.chunk(n)) for vector in vectors], []
    for turn in range(2 * (n - 1)):
        turns.append([(rank - turn) % n for rank in range(n)])  # which part each one sends
        for rank, j in enumerate(turns[-1]):  # all at once, in a real ring
            there = parts[(rank + 1) % n]
            there[j] = there[j] + parts[rank][j] if turn < n - 1 else parts[rank][j]
    return [torch.cat(each) for each in parts], turns


# %%
vectors = list(torch.arange(48.0).view(4, 12))
summed, turns = ring_all_reduce(vectors)
assert all(torch.equal(each, sum(vectors)) for each in summed)
assert len(turns) * 12 / 4 == 2 * 3 / 4 * 12  # numbers that each sends
names = [f"turn {i}: {'add' if i < 3 else 'copy'}" for i in range(6)]
table = [[f"part {j}" for j in turn] for turn in turns]
viz.table(table, [f"process {rank} sends" for rank in range(4)], rows=names)

# %% [markdown]
# Follow part 0 down the diagonal: it collects four summands on its way. After three turns each
# process has the sum of one part: that half is called **reduce-scatter**. The other hands the sums
# round: **all-gather**.

# %% [markdown]
# So each sends, in $2(n-1)$ turns of $N/n$ numbers, for $N$ weights
#
# $$\text{sent by each} = 2\,\frac{n-1}{n}\,N$$
#
# For a thousand processes that is not even twice as much as for two. (Every turn also costs a
# **latency**, however little is sent: $2(n-1)$ of them.)

# %% [markdown]
# Is that much? Take two **H100**, GPUs for such work: up to 989 · 10¹² FLOPs a second in bf16, by
# NVIDIA's data sheet of the SXM card. Say a run uses 40 % of it. A step takes about $6N$ FLOPs
# a token. **Predict:** for one window each, what takes longer, computing or sending?

# %%
N = 124_439_808  # GPT-2's weights
bits = 2 * (2 - 1) / 2 * N * 32  # that each of two processes sends
rows = []
for windows in (1, 8, 64):
    compute = 6 * N * windows * 1024 / (0.4 * 989e12)
    rows.append([windows, *(f"{1000 * t:,.0f}" for t in (compute, bits / 100e9, bits / 1e9))])
columns = ["windows each", "computing (ms)", "at 100 Gbit/s (ms)", "at 1 Gbit/s (ms)"]
viz.table(rows, columns)

# %% [markdown]
# Sending, by far. What travels does not grow with the batch; the computing does. The faster the
# device, the more windows it needs between two exchanges, or the faster a network. (All of it is
# formulas; nothing here is measured.)

# %% [markdown]
# Now measured. **Predict:** are two processes on this machine faster than one with two threads?


# %%
def tokens_per_second(name):
    speeds = [r.tokens_per_second for r in read_history(folder / name / "checkpoint.safetensors")]
    return torch.tensor(speeds[10:]).median().item()


# %% tags=["nbval-ignore-output"]
launch_training(1, "two", threads=2)
names = {
    "one process, one thread": "alone",
    "one process, two threads": "two",
    "two processes, one thread each": "parallel",
}
viz.table([[round(tokens_per_second(n))] for n in names.values()], ["tokens/s"], rows=list(names))

# %% [markdown]
# Two processes share the cores that two threads share, and pay for the exchange. Whether either
# gains anything with so small a model, your table says. On one machine without further devices,
# several processes prove that the program is right.

# %% [markdown]
# ## A model that does not fit
#
# Data-parallel, each process holds all that a single one would: weights, gradients, and AdamW's two
# averages. That is 16 bytes a weight.

# %% [markdown]
# In **sharded** training each process holds a part of every one of them. Before a block computes,
# it is put together; afterwards it is let go. PyTorch calls that **FSDP**, fully sharded
# data-parallel; the idea is ZeRO's (Rajbhandari et al. 2020).

# %% [markdown]
# **Predict:** of all of that, how much does each of two processes hold?

# %% tags=["nbval-ignore-output"]
said["sharded"] = launch_training(2, "sharded", "--sharded")
assert furthest("sharded") < 1e-5
pattern = r"Process (\d) holds: weights (.+?), gradients (.+?), optimizer (.+?), peak (.+)"
rows = [[how, *found] for how, text in said.items() for found in re.findall(pattern, text)]
print(f"largest difference from the weights of one alone: {furthest('sharded'):.0e}")
viz.table(rows, ["", "process", "weights", "gradients", "optimizer", "peak of the process"])

# %% [markdown]
# Each holds about half, and the weights at the end are the same up to rounding. The peak is mostly
# Python and PyTorch: a model must be large before its own part shows. By the formula, in GB:

# %%
sizes = {"gpt2": 124_439_808, "gpt2-xl": 1_557_611_200}
rows = [[16 * size / n / 1e9 for n in (1, 2, 8)] for size in sizes.values()]
viz.table(rows, ["whole", "in 2 parts", "in 8 parts"], rows=list(sizes))

# %% [markdown]
# Activations come on top, and each block while it is put together. The price is more to send. An
# all-reduce is a reduce-scatter and an all-gather; sharded, the weights are gathered going forward
# and going back, and the gradients reduced and scattered: three halves instead of two, so 1.5 times
# as much (Rajbhandari et al. 2020, section 7).

# %% [markdown]
# Two more ways to divide a model, not in this course. **Tensor parallelism** divides each matrix
# product among devices (Shoeybi et al. 2019). **Pipeline parallelism** gives each device some of
# the blocks, and passes micro-batches along (Huang et al. 2019). All of them can be combined.

# %% [markdown]
# The sharded run's checkpoint is like any other. One process goes on with it.

# %%
more = "train --out sharded --no-sharded --resume --steps 40"
launch(1, "-m", "minigpt", *more.split())
steps = len(read_history(folder / "sharded" / "checkpoint.safetensors"))
assert steps == 40
print(steps, "steps")

# %% [markdown]
# If a process dies, the others say so and end. The last checkpoint is whole, and the same command
# with `--resume` goes on. `docs/cluster.md` has several machines, Slurm (the
# queue of many shared clusters), and what each error means.

# %% [markdown]
# Another good place for a break.

# %% [markdown]
# ## What it costs
#
# Before a large run you work out what it takes. How long GPT-2 was trained, its paper does not say.
# nanoGPT, which repeats the smallest size, reads 300 billion tokens (`config/train_gpt2.py`).

# %% [markdown]
# Your account of lesson 05, and three times as much for training. (The $6N$ above leaves out the
# attention's scores; here they count.)


# %%
from torch.nn import functional as F
from tqdm.auto import tqdm

from minigpt import train
from minigpt.training import costs


def flops_per_token(config, T):
    V, L, C = config.vocab_size, config.n_layer, config.n_embd
    return 2 * (L * 12 * C**2 + V * C) + 4 * L * T * C


def training_flops(config, T):  # of one token: there, and twice as much on the way back
    return 3 * flops_per_token(config, T)


# %%
gpt2 = GPTConfig.preset("gpt2")
needed = 300e9 * training_flops(gpt2, T=1024)
assert needed == costs.training_flops(gpt2, tokens=300e9)
SIZES = 124_439_808, 354_823_168, 774_030_080, 1_557_611_200  # weights
rows = []
for name, N in zip(("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"), SIZES):
    each = training_flops(GPTConfig.preset(name), T=1024)
    rows.append([6 * N / 1e9, each / 1e9, f"{300e9 * each:.3g}"])
columns = ["6N (GFLOPs a token)", "with the scores", "300 billion tokens (FLOPs)"]
viz.table(rows, columns, rows=["gpt2", "medium", "large", "xl"])

# %% [markdown]
# What can your machine do? Take GPT-2's width and, to save memory, half of its layers: 256 random
# tokens, the loss and the way back. (The optimizer's step is left out.)

# %% [markdown]
# **Predict:** for 300 billion tokens, does this machine need days, years or centuries?


# %%
def measured_flops(config, T=256, steps=3):  # a second, while training
    torch.manual_seed(0)
    model, x = GPT(config), torch.randint(config.vocab_size, (1, T))
    times = []
    for _ in range(steps):
        started = time.perf_counter()
        model_loss(model, x, x).backward()
        times.append(time.perf_counter() - started)
    return T * training_flops(config, T) / min(times)


# %% tags=["nbval-ignore-output"]
here = measured_flops(GPTConfig(n_layer=6))
pace = here / training_flops(gpt2, T=1024)  # tokens a second
row = [round(here / 1e9), round(pace), costs.time_in_words(300e9 / pace / 3600)]
viz.table([row], ["GFLOPs a second", "tokens a second", "300 billion tokens"])

# %% [markdown]
# No training reaches a machine's peak. (NVIDIA's sheet for the H100 even prints twice the peak,
# "with sparsity".) The part that a run does reach is its **model FLOPs utilisation**, MFU
# (Chowdhery et al. 2022, section 4.1):
#
# $$\text{MFU} = \frac{\text{tokens per second} \cdot \text{FLOPs per token}}
# {\text{peak FLOPs per second}}$$

# %% tags=["nbval-ignore-output"]
print(f"here: {here / peak:.0%} of the peak that the roofline's section measured")

# %% [markdown]
# Two runs of 124M parameters are public, both on eight A100 (312 · 10¹² each):
#
# - [nanoGPT](https://github.com/karpathy/nanoGPT): 600,000 steps of 491,520 tokens, "about 4 days".
# - [llm.c](https://github.com/karpathy/llm.c/blob/master/scripts/run_gpt2_124M.sh): 18,865 steps of
#   524,288 tokens, about 300 ms each.

# %% [markdown]
# **Predict:** which part of the peak did they use: a hundredth, about half, nearly all?

# %%
runs = {"nanoGPT": (600_000 * 491_520, 4 * 24)}  # tokens, hours
runs["llm.c"] = 18_865 * 524_288, 18_865 * 0.3 / 3600
rows = []
for tokens, hours in runs.values():
    mfu = costs.utilisation(gpt2, tokens / (3600 * hours), peak_flops=8 * 312e12)
    rows.append([f"{tokens / 1e9:.0f} billion", costs.time_in_words(hours), f"{mfu:.0%}"])
viz.table(rows, ["tokens", "time", "MFU"], rows=list(runs))

# %% [markdown]
# Between a quarter and two thirds. And llm.c read 30 times fewer tokens. Its script counts about 20
# dollars, at 14 an hour.

# %% [markdown]
# Now your own estimate. What is in capitals is an assumption of November 2026: type your own.
# Energy is power times time, times the **PUE** (power usage effectiveness): what the whole building
# draws, cooling included, for each watt of its machines.

# %%
PEAK, MFU = 989e12, 0.4  # an H100 in bf16; which part of it a good run uses
WATTS, PUE = 1000, 1.2  # 700 W is the card's limit; the rest, its share of the computer
PRICE = 3.00  # dollars for a card and an hour
LAPTOP_WATTS = 40
card = costs.training_speed(gpt2, PEAK, MFU)
print(f"an H100: {card:,.0f} tokens a second")

# %% [markdown]
# **Predict:** eight cards instead of one: the same money, an eighth of it, or eight times as much?

# %% tags=["nbval-ignore-output"]
machines = {
    "this machine": (pace, LAPTOP_WATTS, 0.0, 1.0),
    "an H100": (card, WATTS, PRICE, PUE),
    "eight H100": (8 * card, 8 * WATTS, 8 * PRICE, PUE),
}
rows = []
for rate, watts, price, pue in machines.values():
    how = dict(watts=watts, price_per_hour=price, overhead=pue)
    cost = costs.training_cost(gpt2, 300e9, rate, **how)
    rows.append([costs.time_in_words(cost.hours), cost.money, cost.kilowatt_hours])
rows = [[time_taken, *(f"{figure:,.0f}" for figure in others)] for time_taken, *others in rows]
viz.table(rows, ["time", "dollars", "kWh"], rows=list(machines))

# %% [markdown]
# The same money and energy, in an eighth of the time, *if* eight lose nothing by waiting for each
# other. And is the slow machine the thrifty one? Look at its kWh.

# %% [markdown]
# ## A scaling law of your own
#
# Such a sum is spent once. So one wants to know *before* how low the loss will come: train small,
# and go on with a line.

# %% [markdown]
# For the loss L after a compute of C FLOPs, suppose
#
# $$L(C) = L_\infty + a \, C^{-b}$$
#
# That is a **power law**: ten times the compute divides what is above $L_\infty$ by the same factor
# each time. Both axes logarithmic, it is a straight line.

# %% [markdown]
# Such a rule for the loss is called a **scaling law** (Kaplan et al. 2020, section 1.2). $L_\infty$
# is the **irreducible loss**: on average no model gets below it. On real text nobody knows it. On
# the stories you do.

# %% [markdown]
# It is the floor, their entropy. We can even know it for the very stories that we measure on: from
# each one's $-\ln p$.

# %%
data = load_data("stories")
x, y = data.batch("val", 128, 256, torch.Generator().manual_seed(5))  # held out
held_out = [data.tokenizer.decode(row[row >= 0][:-1].tolist()) for row in y]  # but for the mark
targets = (y >= 0).sum().item()
floor = -sum(Stories.log_prob(story) for story in held_out) / targets
print(f"floor {floor:.4f} nats per token; of all held-out stories {data.floor:.4f}")

# %% [markdown]
# Twelve runs: four widths, two layers each, at three budgets of compute. For the same FLOPs a small
# model reads many stories, a large one few.


# %%
def shape(width):
    return GPTConfig(vocab_size=1024, block_size=128, n_layer=2, n_head=2, n_embd=width)


def steps_for(width, budget):  # of eight stories
    return round(budget / (8 * 128 * training_flops(shape(width), T=128)))


# %%
WIDTHS, BUDGETS = (8, 12, 16, 32), (20e9, 40e9, 80e9)
stories = (data.train == data.tokenizer.end_of_text).sum().item()
print(f"the longest run reads each story {8 * steps_for(8, 80e9) / stories:.1f} times")
rows = [[str(steps_for(width, budget)) for budget in BUDGETS] for width in WIDTHS]
viz.table(rows, [f"{b / 1e9:.0f} GFLOPs" for b in BUDGETS], rows=[f"width {w}" for w in WIDTHS])

# %% [markdown]
# The table holds steps, of eight stories each. What do we measure? The surprise at each held-out
# token, and how far its mean is above the floor.


# %%
@torch.no_grad()
def surprises(model):  # (256, 128); where no target is, 0
    return F.cross_entropy(model(x).transpose(1, 2), y, reduction="none")


def above(nats):
    return nats.sum().item() / targets - floor


# %%
results = {}  # what was run once is kept


def run(width, budget, seed=0, max_lr=0.05):
    key = width, budget, seed, max_lr
    if key not in results:
        torch.manual_seed(seed)
        model, steps = GPT(shape(width)), steps_for(width, budget)
        how = dict(optimizer="muon", max_lr=max_lr, min_lr=0.0, warmup_steps=steps // 10)
        how |= dict(max_steps=steps, batch_size=8, precision="fp32", device="cpu", seed=seed)
        train(model, data, **how, eval_interval=steps, eval_batches=1, progress=False)
        results[key] = surprises(model)
    return results[key]


# %% [markdown]
# Is one learning rate fair to all? The narrowest and the widest, at half of 0.05, at 0.05 and at
# twice as much, at the middle budget. **Predict:** which of the two cares more?

# %% tags=["nbval-ignore-output"]
rates, ends = (0.025, 0.05, 0.1), (WIDTHS[0], WIDTHS[-1])
tries = [(width, BUDGETS[1], 0, rate) for width in ends for rate in rates]
found = [above(run(*each)) for each in tqdm(tries, leave=False)]
tried = np.array(found).reshape(len(ends), len(rates))
assert (tried[:, 1] < 1.3 * tried.min(axis=1)).all()
viz.table(tried.tolist(), [f"rate {r:g}" for r in rates], rows=[f"width {w}" for w in ends])

# %% [markdown]
# The narrow one. At both ends 0.05 is the best or near it, so it serves for all: after one budget
# and one seed. Muon does not promise that. Only the blocks' matrices get it; the embedding, most of
# the weights in models so narrow, has AdamW.

# %% [markdown]
# Now all twelve runs, each from two seeds, in one or two minutes.

# %% tags=["nbval-ignore-output"]
grid = [(width, budget, seed) for seed in (0, 1) for budget in BUDGETS for width in WIDTHS]
left = {each: above(run(*each)) for each in tqdm(grid, leave=False)}
assert all(0 < value < math.log(1024) for value in left.values())
means = {b: [(left[w, b, 0] + left[w, b, 1]) / 2 for w in WIDTHS] for b in BUDGETS}
print(f"above the floor: from {max(left.values()):.2f} to {min(left.values()):.2f}")

# %% [markdown]
# **Predict:** for equal compute, is the smallest model the best, the largest, or one between? And
# with more compute, does the best become larger?

# %% tags=["nbval-ignore-output"]
for budget, style in zip(BUDGETS, ["o-", "s--", "^:"]):
    line = plt.plot(WIDTHS, means[budget], style, label=f"{budget / 1e9:.0f} GFLOPs")
    seeds = [[left[width, budget, seed] for width in WIDTHS] for seed in (0, 1)]
    plt.vlines(WIDTHS, *seeds, color=line[0].get_color())
plt.gca().set(xscale="log", yscale="log", xlabel="width", ylabel="loss above the floor (nats)")
plt.minorticks_off()
plt.xticks(WIDTHS, map(str, WIDTHS))
plt.yticks([0.3, 0.5, 1], ["0.3", "0.5", "1"])
plt.legend()
plt.show()

# %% tags=["nbval-ignore-output"]
from minigpt.training.scaling_law import best_size, fit_power_law, leave_one_out, resample_law

rows = []
for budget in BUDGETS:
    runs_of = [[left[width, budget, seed] for width in WIDTHS] for seed in (0, 1)]
    lowest = [best_size(WIDTHS, losses) for losses in runs_of]
    best_run = WIDTHS[int(np.argmin(means[budget]))]
    rows.append([f"{budget / 1e9:.0f}", *(f"{width:.1f}" for width in lowest), best_run])
viz.table(rows, ["GFLOPs", "parabola, seed 0", "seed 1", "best width of the four"])

# %% [markdown]
# One between. On the left they are too small, on the right they have read too little. Such a curve
# is an **IsoFLOP profile**, and its lowest point the **compute-optimal** size (Hoffmann et al.
# 2022, section 3.2). With the budget it seems to drift to the right; so coarse a grid shows no
# more.

# %% [markdown]
# By how much it moves, was a dispute. Kaplan et al. (2020) put most of a larger budget into a
# larger model. Hoffmann et al. (2022, table 2) found that model and data should grow alike. Pearce
# and Song (2024) explain most of that by small models whose embeddings went uncounted.

# %% [markdown]
# ## A prediction
#
# Take the best width of each budget, both seeds: six points. With the floor known, the law is a
# straight line through $\ln(L - L_\infty)$ against $\ln C$: two numbers, by least squares.

# %% [markdown]
# **Predict:** with 160 GFLOPs, will nearly as much be left as with 80, three quarters, or half?

# %% tags=["nbval-ignore-output"]
winners = [(WIDTHS[int(np.argmin(means[budget]))], budget) for budget in BUDGETS]
points = [(width, budget, seed) for width, budget in winners for seed in (0, 1)]
compute = [budget for _, budget, _ in points]
law = resample_law(compute, [floor + left[each] for each in points], floor)
low, high = law.interval(160e9)
print(f"exponent b = {law.law.exponent:.2f}")
print(f"predicted: {law(160e9) - floor:.3f} ({low - floor:.3f} to {high - floor:.3f})")

# %% [markdown]
# How the interval comes about: a thousand times, six losses are drawn anew around the line, as far
# off it as the real ones, and a line is fitted to them. It should hold a new run in 95 of 100
# cases, *if* a power law is the truth.

# %% [markdown]
# The law says: about three quarters. That stands. Now the run, at two widths and from two seeds.

# %% tags=["nbval-ignore-output"]
new = [(width, 160e9, seed) for width in (16, 32) for seed in (0, 1)]
left |= {each: above(run(*each)) for each in tqdm(new, leave=False)}
assert all(left[each] > law(160e9) - floor for each in new)
rows = []
for width, budget, seed in new:
    value = left[width, budget, seed]
    where = "inside" if low <= floor + value <= high else "outside"
    rows.append([f"width {width}, seed {seed}", f"{value:.3f}", where])
viz.table(rows, ["run", "above the floor", "the interval"])


# %% tags=["nbval-ignore-output"]
def show(law, losses):  # losses above the floor, of points and new
    names = [f"width {width}" for width, _, _ in points + new]
    amounts = compute + [160e9] * len(new)
    how = dict(floor=floor, above_floor=True, fitted=(BUDGETS[0], BUDGETS[-1]), names=names)
    losses = [floor + loss for loss in losses]
    viz.figures.plot_power_law(
        amounts, losses, law, band=law.interval, xlabel="compute (FLOPs)", **how
    )
    plt.show()


show(law, [left[each] for each in points + new])

# %% [markdown]
# All four (hollow) lie above the line, and above its interval. Hardly less is left than with 80
# GFLOPs. Yet six points lay on a line as straight as one could wish. What did it not know?

# %% [markdown]
# One suspect first. The winners are small and nearly of one size. Then the points are less a
# **frontier**, the best for each budget, than a **learning curve**: one model that reads more and
# more. Such a curve flattens where the *model* is too small. But at 160 GFLOPs width 32 is no
# better. A larger model does not save the line.

# %% [markdown]
# ## Two kinds of words
#
# Lesson 06 told the choices of a story from recall. What a story says for the first time, nobody
# can know; the best is to know what there is to choose from.

# %% [markdown]
# What it says *again*, pronouns too, is certain for whoever looks back: no part of the floor is
# there. So the loss above the floor falls into two.


# %%
from minigpt.interpret.recall import repeated_words
from minigpt.stories import retell


def said_again(story, ids):  # of each token: does it belong to a word that was fixed before?
    *_, (telling, _) = retell(story)
    spans = [(at, at + len(telling.chosen[slot])) for slot, at in repeated_words(story)]
    spans += [match.span() for match in re.finditer(r"\b(he|she|him|her|his)\b", story)]
    ends = np.cumsum([len(data.tokenizer.decode([i])) for i in ids])
    return torch.tensor([any(start < end <= stop for start, stop in spans) for end in ends])


# %%
mask = torch.zeros_like(y, dtype=torch.bool)
for row, story in enumerate(held_out):
    ids = y[row][y[row] >= 0][:-1].tolist()
    mask[row, : len(ids)] = said_again(story, ids)
print(f"{mask.sum() / targets:.0%} of the tokens; in the first story:")
print(data.tokenizer.decode(y[0][mask[0]].tolist()))

# %% [markdown]
# A forgetful model (lesson 06) knows every list and never looks back. So it guesses again, one
# of as many as there are: 12 colours cost ln 12, *he* or *she* costs ln 2. For these very stories:


# %%
def cost_of_forgetting(story):
    choices = {telling.slot: len(options) for telling, options in retell(story)}
    pronouns = len(re.findall(r"\b(he|she|him|her|his)\b", story))
    again = [choices[slot] for slot, _ in repeated_words(story)]
    return sum(map(math.log, again)) + pronouns * math.log(2)


# %%
forgetting = sum(map(cost_of_forgetting, held_out)) / targets
columns = ["floor (nats per token)", "forgetting", "together"]
viz.table([[f"{n:.3f}" for n in (floor, forgetting, floor + forgetting)]], columns)

# %% [markdown]
# **Predict** for both kinds of words: with eight times the compute, does their part of the loss
# fall far, or hardly?

# %% tags=["nbval-ignore-output"]
again = {each: run(*each)[mask].sum().item() / targets for each in points + new}
rows = []
for width, budget in [*winners, (16, 160e9), (32, 160e9)]:
    twice = [(width, budget, seed) for seed in (0, 1)]
    parts = [[left[each] - again[each], again[each]] for each in twice]
    rows.append([f"{budget / 1e9:.0f}", str(width), *(f"{p:.3f}" for p in np.mean(parts, axis=0))])
assert min(again.values()) > 0.7 * forgetting
rows.append(["", "forgetful", "0.000", f"{forgetting:.3f}"])
viz.table(rows, ["GFLOPs", "width", "said first", "said again"])

# %% [markdown]
# What is said first falls to a small part of what it was. What is said again slows down towards the
# forgetful model's cost: so far these models hardly look back. Above the true floor lie one part
# that falls and one that nearly stays: a sum that no straight line follows for long, however
# straight six points lie.

# %% [markdown]
# So take only what is said first. Its floor is known just as well. Again the law is fitted to the
# three small budgets. **Predict:** do the new runs fall into this interval?

# %% tags=["nbval-ignore-output"]
first = {each: left[each] - again[each] for each in points + new}
first_law = resample_law(compute, [floor + first[each] for each in points], floor)
low, high = first_law.interval(160e9)
print(f"exponent b = {first_law.law.exponent:.2f}")
print(f"predicted: {first_law(160e9) - floor:.4f} ({low - floor:.4f} to {high - floor:.4f})")
print("measured:", *(f"{first[each]:.4f}" for each in new))
show(first_law, [first[each] for each in points + new])

# %% [markdown]
# They do. But look at the points: is that a line? Here is its slope, from each budget to the next.

# %% tags=["nbval-ignore-output"]
pairs = [*(points[i : i + 2] for i in (0, 2, 4)), new[:2]]  # both seeds; the last of width 16
heights = [np.mean([math.log2(first[each]) for each in pair]) for pair in pairs]
slopes = [before - after for before, after in pairwise(heights)]
assert slopes[0] < slopes[1]
columns = ["20 to 40", "40 to 80", "80 to 160 (width 16)"]
viz.table([[f"{b:.2f}" for b in slopes]], columns, rows=["b"])

# %% [markdown]
# No: the seeds nearly agree, and yet the points bend. That is **lack of fit**: a straight line is
# wrong. The interval knows of no bend. It takes the misfit for luck, and becomes wide. To fall
# inside *that* is no great praise for a law.

# %% [markdown]
# ## The floor that nobody tells
#
# With real text you would have the losses alone. Then $L_\infty$ is a third number to fit, as
# Hoffmann et al. do (2022, section 3.3).

# %% [markdown]
# Take the loss of all words, and all ten runs. **Predict:** is the fitted floor too low, about
# right, or too high?

# %% tags=["nbval-ignore-output"]
amounts = compute + [160e9] * len(new)
losses = [floor + left[each] for each in points + new]
free = resample_law(amounts, losses)
ends = np.quantile(free.others[:, 0], [0.025, 0.975])
off = max(abs(free(c) / loss - 1) for c, loss in zip(amounts, losses))

# %% tags=["nbval-ignore-output"]
assert free.law.floor > floor + 0.1
print(f"floor fitted {free.law.floor:.2f} ({ends[0]:.2f} to {ends[1]:.2f}), true {floor:.2f}")
print(f"the true floor, and what forgetting costs: {floor + forgetting:.2f}")
print(f"no run lies further from the fit than {off:.1%}")

# %% [markdown]
# Too high, and no accident: it is about the true floor *plus what a forgetful model pays*. Runs
# that do not look back tell of the floor of models that do not look back. The fit is good, and
# calls irreducible what is not.

# %% [markdown]
# The storyteller that ships with the course had the same stories and the same optimizer. It is
# larger, and was trained much longer. **Predict:** is it below that floor?

# %% tags=["nbval-ignore-output"]
teller, _ = from_pretrained("storyteller")
spent = 1000 * 32 * 128 * training_flops(teller.config, T=128)  # scripts/make_storyteller.py
nats = surprises(teller)

# %% tags=["nbval-ignore-output"]
recall, loss = nats[mask].sum().item() / targets, floor + above(nats)
assert loss < free.law.floor - 0.05
rows = [[f"{above(nats) - recall:.4f}", f"{recall:.4f}", f"{loss:.3f}"]]
rows[0] += [f"{law(spent):.3f}", f"{free(spent):.3f}"]
print(f"{spent / 1e9:,.0f} GFLOPs")
viz.table(rows, ["said first", "said again", "loss", "floor known", "floor fitted"])

# %% [markdown]
# It is far below, because it recalls: somewhere in between lies the fall that you watched in lesson
# 06. A line says what becomes of what is being learned now; of a new ability it says nothing.

# %% [markdown]
# The last two columns are what the two lines say of so much compute. The one with the true floor
# comes near, though it failed at 160 GFLOPs: so far out, little but the floor is left of it.

# %% [markdown]
# ## GPT-2's own four points
#
# The paper has four sizes, and reports their perplexity per word on two texts, WikiText-103 and
# WikiText-2 (Radford et al. 2019, table 3). As losses they are $\ln$ of it.

# %% [markdown]
# Four points, three numbers to fit. **Predict:** leave one point out, and fit again. Does the floor
# move by hundredths, tenths, or whole nats?

# %%
from minigpt.evaluation.paper import TABLE

texts = {}
for text in ("wikitext-103", "wikitext-2"):
    texts[text] = [math.log(p) for p in TABLE[text]["perplexity per word"]]
fits = {text: [fit_power_law(SIZES, n), *leave_one_out(SIZES, n)] for text, n in texts.items()}

# %%
names, rows = ["all four", *(f"without {size}" for size in ("124M", "355M", "774M", "1.6B"))], []
for text, laws in fits.items():
    every, *others = zip(names, laws)
    others.sort(key=lambda one: one[1].floor)
    for name, fit in (every, others[0], others[-1]):  # the least floor and the largest
        perplexities = math.exp(fit.floor), math.exp(fit(10 * SIZES[-1]))
        rows.append([text, name, fit.floor, f"{fit.exponent:.3f}", *perplexities])
viz.table(rows, ["text", "fitted to", "floor", "b", "as perplexity", "at 15.6 billion"])

# %% [markdown]
# By whole nats: on WikiText-103 the floor is 0, or 2.6, as you leave out this point or that. A
# floor of 0 would be a model that is always certain of the next word, and right.

# %%
_, sides = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
reach = np.geomspace(SIZES[0], 100 * SIZES[-1])
for ax, (text, nats) in zip(sides, texts.items()):
    for fit in fits[text][1:]:
        ax.plot(reach, [fit(size) for size in reach], color="#999999", linewidth=1)
    viz.figures.plot_power_law(
        SIZES, nats, fits[text][0], until=reach[-1], xlabel="parameters", ax=ax
    )
    ax.set_title(text)
plt.show()

# %% [markdown]
# Grey are the fits to three of the points. Among the four sizes all agree; beyond, they part.

# %% [markdown]
# WikiText-2 looks tamer, with floors near 2.7. But both names mean the same test text (lesson 10),
# measured in two ways. One text, and two "irreducible" losses.

# %% [markdown]
# The published laws were fitted to many more runs. Kaplan et al. find $b = 0.076$ for parameters,
# embeddings left out, without a floor (2020, equation 1.1). Hoffmann et al. fit a floor of 1.69
# nats per token of their own text (2022, appendix D.3).

# %% [markdown]
# Besiroglu et al. (2024) read those runs off the figures and fitted again. They found other
# numbers, and the published intervals far too narrow.

# %% [markdown]
# How far may such a line be trusted, then?
#
# - Among its points, well. Beyond, with an interval, and as long as nothing new is learned.
# - A straight line is no proof. Six points made one, and the next runs lay off it.
# - A fitted floor is that of what the runs have learned to do, not of the language.

# %% [markdown]
# **Your turn.** Three seeds instead of two: how much narrower is the interval? Fit to 40 and 80
# GFLOPs alone. Give the runs three layers: does what is left at 80 GFLOPs change?

# %% [markdown]
# %% [markdown]
# ## Usual mistakes
#
# **The first call timed.** AdamW makes its averages in its first step; a compiled function is
# compiled in its first call. **Predict:** which of the two moves even the mean of a hundred calls?

# %% tags=["nbval-ignore-output"]
fresh = GPT(GPTConfig(1024, 128, n_layer=1, n_head=4, n_embd=128))
forward_backward(fresh)
update = torch.optim.AdamW(fresh.parameters(), fused=True).step
rows = [[1000 * fastest(update, times=1), 1000 * fastest(update)]]
if compiles:
    rows.append([1000 * once, 1000 * later])
table = [[*row, (row[0] + 99 * row[1]) / 100] for row in rows]
names = ["update", "compiled"][: len(rows)]
viz.table(table, ["first (ms)", "later", "mean of 100"], rows=names)

# %% [markdown]
# Compare the last two columns: one call that is long enough shows even among a hundred. It has no
# place among those that are timed.
#
# **No waiting for the device.** A GPU is given work and computes while Python goes on. Who stops
# the clock then has timed the giving. A second thread shows the same. **Predict:** what does the
# first clock say?

# %% tags=["nbval-ignore-output"]
from concurrent.futures import ThreadPoolExecutor

square = torch.ones(1024, 1024)
with ThreadPoolExecutor(1) as device:  # it takes work and returns at once, as a GPU does
    start = time.perf_counter()
    job = device.submit(lambda: [square @ square for _ in range(20)])
    given = time.perf_counter() - start
    job.result()  # on a GPU: torch.cuda.synchronize()
    done = time.perf_counter() - start
print(f"without waiting {1000 * given:.2f} ms, with {1000 * done:.0f} ms")

# %% [markdown]
# **Two machines compared.** "Mine takes 60 ms, theirs 90: my change is a third faster." Or the
# machine is. Even one machine differs from itself: here the very same work, timed twice.

# %% tags=["nbval-ignore-output"]
same = {name: partial(forward_backward, fresh) for name in ("the work", "the same work")}
shown = compare("nothing", same, rounds=9)
del measured["nothing"]  # no switch
shown

# %% [markdown]
# A gain inside that spread is none.
#
# **Weights in bf16.** Autocast leaves the weights in fp32, and for a reason. **Predict:** add
# 0.001 to 1 a thousand times, in bf16. What is it: 1, 2, or something between?

# %%
weight = torch.ones(2, dtype=torch.bfloat16)
exact_weight = torch.ones(2)
for _ in range(1000):
    weight += 0.001
    exact_weight += 0.001
assert weight[0] == 1 and abs(exact_weight[0] - 2) < 0.01
print(f"bf16 {weight[0]:.3f}, fp32 {exact_weight[0]:.3f}")

# %% [markdown]
# Between 1 and 2 there are only 128 numbers in bf16. Each step is less than half of one, and is
# rounded away. Does that matter in training? Storytellers learn the eight windows by heart. One
# computes in fp32. Two compute loss and gradient in bf16; AdamW works in fp32 for all.

# %% [markdown]
# Of those two, one keeps its weights in fp32 besides (**master weights**), the other rounds them
# after each update. Nothing else differs.


# %%
def learn(dtype, rounded, steps=15):
    master, worker = copy.deepcopy(teller), copy.deepcopy(teller).to(dtype)
    pairs = [*zip(master.parameters(), worker.parameters())]
    rule, curve = torch.optim.AdamW(master.parameters(), lr=1e-4, weight_decay=0.0), []
    for _ in range(steps):
        curve.append(train_in("fp32", worker))
        for kept, used in pairs:
            kept.grad = used.grad.float()
        rule.step()
        with torch.no_grad():
            for kept, used in pairs:
                used.copy_(kept)
                if rounded:
                    kept.copy_(used)
    return curve


# %% [markdown]
# **Predict:** which of the two stays with the one in fp32?

# %% tags=["nbval-ignore-output"]
curves = {"fp32": learn(torch.float32, rounded=False)}
curves["bf16, master weights"] = learn(torch.bfloat16, rounded=False)
curves["bf16, rounded"] = learn(torch.bfloat16, rounded=True)
ends = [curve[-1] for curve in curves.values()]
assert abs(ends[1] - ends[0]) < ends[2] - ends[0]
for (name, curve), style in zip(curves.items(), ("-", "--", ":")):
    plt.plot(curve, style, label=f"{name}: {curve[-1]:.3f}")
plt.gca().set(xlabel="step", ylabel="loss (nats)")
plt.legend()
plt.show()

# %% [markdown]
# The one with master weights. Rounded products cost little here; updates that are rounded away cost
# a good part of the way.

# %% [markdown]
# ## Summary
#
# - Measure first. A step's time is a tree, and its parts add up.
# - Memory is fullest between forward and backward.
# - Below the ridge memory is the limit, above it arithmetic. Decoding one text lies below; a larger
#   batch or a longer prompt moves to the right.
# - Each switch helps one of the two, or trades memory for time. None helps everywhere, and a gain
#   inside the spread is none.
# - Processes share gradients, weighed by their targets, once per update; sharded, also the memory.
# - FLOPs, a measured speed and a price give the cost of a run before it begins.
# - A scaling law holds among its points. It knows of no jump, and a fitted floor belongs to the
#   models that were fitted, not to the language.

# %% [markdown]
# ## Your turn
#
# The exercises are in `exercises/11_scaling.ipynb`.
#
# Without them: profile a step of your own model from lesson 06. Which part would you make faster
# first, and how much of the step could you gain at the most?
