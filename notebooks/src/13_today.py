# %% [markdown]
# # 13 · Today
#
# **Afterwards you can** read the code of a model of today as changes to your own GPT-2: make each
# of six changes in a few lines, say what it costs and what it saves, and measure at equal compute
# what it brings.
#
# **Takes** about 90 minutes. **Needs** attention (lesson 03), the block (04), the model and its
# accounts (05), the KV cache (07). Designs at equal compute were met in lesson 10.

# %% [markdown]
# GPT-2 is of 2019. LLaMA (Touvron et al. 2023, section 2) and many models since are GPT-2 with a
# handful of parts exchanged. Each part fits on a screen, and into *your* model.

# %%
import math
import time
from dataclasses import replace

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from minigpt import GPT, GPTConfig, load_data, viz
from minigpt.evaluation import designs
from minigpt.model import CausalSelfAttention, Linear, merge_heads, residual_std, split_heads
from minigpt.stories import GRAMMAR

viz.use_style()

# %% [markdown]
# | part | GPT-2 | today | since |
# | --- | --- | --- | --- |
# | normalisation | LayerNorm | RMSNorm | Zhang & Sennrich 2019 |
# | biases | everywhere | none | Chowdhery et al. 2022, section 2 |
# | MLP | GELU | SwiGLU | Shazeer 2020 |
# | positions | a table | rotary | Su et al. 2021 |
# | keys and values | as many heads as queries | fewer | Ainslie et al. 2023 |
# | head | the token table | a matrix of its own | |

# %% [markdown]
# First we build all six. Then each is trained on the stories, alone and all together. The floor
# (lesson 02) says how much is left. The model to change:

# %%
torch.manual_seed(0)
small = GPTConfig(vocab_size=1024, block_size=128, n_layer=2, n_head=4, n_embd=96)
gpt2 = GPT(small)
print(f"{gpt2.num_parameters():,} parameters")

# %% [markdown]
# ## RMSNorm
#
# LayerNorm takes the mean off and divides by the spread. **RMSNorm** only divides, by the root of
# the mean square (equation 4):
#
# $$y_i = \frac{x_i}{\sqrt{\frac{1}{C}\sum_j x_j^2 + \epsilon}}\ g_i$$


# %%
class RMSNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(n_embd)), eps

    def forward(self, x):  # (..., C) -> (..., C)
        mean_square = x.square().mean(dim=-1, keepdim=True)
        return x * torch.rsqrt(mean_square + self.eps) * self.weight


x = torch.randn(2, 3, 96)
assert torch.allclose(RMSNorm(96)(x), F.rms_norm(x, (96,), eps=1e-5), atol=1e-6)

# %% [markdown]
# **Predict:** we add 10 to every channel of a vector. Which of the two notices?

# %%
x = torch.tensor([[1.0, 2.0, 3.0], [11.0, 12.0, 13.0]])
rows = [[f"{value:.2f}" for value in norm(x).flatten()] for norm in (nn.LayerNorm(3), RMSNorm(3))]
titles = [f"{value:g}" for value in x.flatten()]
viz.table(rows, titles, rows=["LayerNorm", "RMSNorm"])

# %% [markdown]
# LayerNorm is blind to it, RMSNorm sees it. So they are not the same function. A usual mistake is
# to take the mean off all the same. What is it then?

# %%
x = torch.randn(2, 3, 96) + 1
centred = x - x.mean(dim=-1, keepdim=True)
assert torch.allclose(RMSNorm(96)(centred), F.layer_norm(x, (96,)), atol=1e-5)
assert not torch.allclose(RMSNorm(96)(x), F.layer_norm(x, (96,)), atol=0.1)

# %% [markdown]
# LayerNorm, exactly (without its bias). The mean was the only difference.

# %% [markdown]
# The paper's reason is time: 7 % to 64 % less for whole models (its abstract). **Predict:** on your
# machine, is our RMSNorm faster than PyTorch's LayerNorm?


# %%
def fastest(work, trials=30):  # in microseconds
    times = []
    for _ in range(trials):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1e6 * min(times)


# %% tags=["nbval-ignore-output"]
x, layer_norm, ours = torch.randn(8, 128, 768), nn.LayerNorm(768), RMSNorm(768)
with torch.no_grad():
    rows = [
        ["LayerNorm, PyTorch's", fastest(lambda: layer_norm(x))],
        ["RMSNorm, ours", fastest(lambda: ours(x))],
        ["RMSNorm, PyTorch's", fastest(lambda: F.rms_norm(x, (768,), eps=1e-5))],
    ]
viz.table(rows, ["", "microseconds"])

# %% [markdown]
# Fewer operations are not always less time. Ours is five calls, each over all the numbers; where
# PyTorch's is one piece of machine code for all of it, that is called fused. Compare like with
# like.

# %% [markdown]
# ## No biases
#
# A linear layer has a bias, LayerNorm too. Leave them out; `GPTConfig` has the switch. **Predict:**
# what share of GPT-2's 124M parameters are biases: 0.1 %, 1 %, 10 %?

# %%
with torch.device("meta"):  # shapes without numbers
    sizes = [GPT(GPTConfig(bias=bias)).num_parameters() for bias in (True, False)]
biases = sizes[0] - sizes[1]
viz.table([[*sizes, biases, f"{biases / sizes[0]:.2%}"]], ["with", "without", "biases", "share"])

# %% [markdown]
# Hardly any. It is not about size: PaLM's authors left them out because large models trained more
# stably without (Chowdhery et al. 2022, section 2). Nothing here is large enough to see that.

# %% [markdown]
# ## SwiGLU
#
# GPT-2's MLP is wide, bends, narrows. A **gated linear unit** makes two wide layers: one is bent
# and decides how much of the other goes through, channel by channel. With **SiLU** as the bend it
# is **SwiGLU** (Shazeer 2020, equation 6):
#
# $$\text{SwiGLU}(x) = (\text{SiLU}(xW) \odot xV)\,W_2 \qquad \text{SiLU}(z) = z\,\sigma(z)$$

# %%
z = torch.linspace(-6, 4, 200)
plt.figure(figsize=(5, 3))
plt.plot(z, F.gelu(z, approximate="tanh"), label="GELU")
plt.plot(z, F.silu(z), "--", label="SiLU")
plt.gca().set(xlabel="in", ylabel="out")
plt.legend()
plt.show()

# %% [markdown]
# The bends differ little. New is the product: two things that were computed from the same x are
# multiplied.

# %% [markdown]
# That takes three matrices, not two. To compare fairly, make them narrower. GPT-2's two are C by
# 4C, so 8C² weights. **Predict:** how wide are three matrices with as many?


# %%
class SwiGLU(nn.Module):
    def __init__(self, config):
        super().__init__()
        C, H = config.n_embd, round(8 * config.n_embd / 3)
        self.c_fc = Linear(C, 2 * H, config.bias)  # W and V side by side
        self.c_proj = Linear(H, C, config.bias, std=residual_std(config))

    def forward(self, x):  # (B, T, C) -> (B, T, C)
        gate, content = self.c_fc(x).chunk(2, dim=-1)
        return self.c_proj(F.silu(gate) * content)


# %%
rows = []
for mlp in (gpt2.transformer.h[0].mlp, SwiGLU(small)):
    weights = [mlp.c_fc.weight, mlp.c_proj.weight]
    rows.append([*(str(tuple(w.shape)) for w in weights), sum(w.numel() for w in weights)])
assert rows[0][2] == rows[1][2]
viz.table(rows, ["c_fc", "c_proj", "weights"], rows=["GPT-2's", "SwiGLU"])

# %% [markdown]
# Two thirds as wide: 256 in place of 384. Why it should help, its author does not claim to know: he
# attributes it to "divine benevolence" (section 4). So measure.

# %% [markdown]
# ## Rotary positions
#
# GPT-2 adds a row of a table to each token: position 7 is a vector, as a word is. Attention has to
# work out from two such vectors how far apart two tokens are.

# %% [markdown]
# **Rotary positions** put the distance into the score itself. Take a query of two channels, an
# arrow. At position m, turn it by the angle m. Keys the same.

# %%
angles = torch.arange(6.0)
plt.figure(figsize=(3.4, 3.4))
for m, angle in enumerate(angles):
    plt.annotate("", (angle.cos(), angle.sin()), (0, 0), arrowprops=dict(arrowstyle="->"))
    plt.text(1.12 * angle.cos(), 1.12 * angle.sin(), f"{m}", ha="center", va="center")
plt.gca().set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
plt.title("one arrow at positions 0 to 5")
plt.show()

# %% [markdown]
# A score is the product of two arrows: it depends on the angle between them. Query at m, key at n.
# **Predict:** in the table of all scores, where are equal numbers?


# %%
def turn(pair, m):  # an arrow (2,), by m radians
    (a, b), cos, sin = pair, math.cos(m), math.sin(m)
    return torch.stack([a * cos - b * sin, a * sin + b * cos])


q, k = torch.tensor([1.0, 0.5]), torch.tensor([0.3, 0.9])
scores = torch.tensor([[(turn(q, m) @ turn(k, n)).item() for n in range(5)] for m in range(5)])
viz.table(scores, [f"key at {n}" for n in range(5)], rows=[f"query at {m}" for m in range(5)])

# %% [markdown]
# Along the diagonals, where the distance m − n is the same. Nobody had to learn that (Su et al.
# 2021, section 3.4).

# %% [markdown]
# After a full turn, 6.28 positions, an angle comes again: one arrow can hardly tell 1 from 7. So a
# head has many pairs of channels, each with its own speed, from 1 radian a position down to nearly
# 1/10,000 (equation 15):
#
# $$\theta_i = 10000^{-2i/hs}$$

# %%
hs = small.head_size
speeds = 10_000.0 ** (-torch.arange(0, hs, 2) / hs)
for i, style in zip((0, 2, 4, 8), ("-", "--", "-.", ":")):
    plt.plot((torch.arange(129) * speeds[i]).cos(), style, label=f"pair {i}")
plt.gca().set(xlabel="distance", ylabel="cosine of the angle")
plt.legend(loc="lower left")
plt.show()

# %% [markdown]
# Fast pairs tell neighbours apart, slow ones far places. Now all pairs at once. Which channels are
# a pair is a choice: here i and i + hs/2, as in LLaMA's weights at Hugging Face.


# %%
def rotate(x, positions):  # (..., T, hs), (T,) -> (..., T, hs)
    half = x.size(-1) // 2
    speeds = 10_000.0 ** -(torch.arange(half) / half)
    angles = positions[:, None] * speeds  # (T, hs/2)
    a, b = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


x = torch.randn(2, 4, 10, hs)
turned = rotate(x, torch.arange(10))
assert torch.allclose(turned.norm(dim=-1), x.norm(dim=-1), atol=1e-5)  # only turned, not stretched
assert torch.equal(turned[:, :, 0], x[:, :, 0])

# %% [markdown]
# An arrow is a complex number, and to turn it is to multiply by $e^{im\theta}$. That is an
# independent check:

# %%
arrows = torch.complex(*x.chunk(2, dim=-1))
spins = torch.exp(1j * torch.arange(10)[:, None] * 10_000.0 ** -(torch.arange(hs // 2) / (hs // 2)))
expected = arrows * spins
assert torch.allclose(turned, torch.cat([expected.real, expected.imag], dim=-1), atol=1e-5)


# %% [markdown]
# Where does it go in lesson 03's layer? Behind the split into heads, before the scores; and before
# the cache, which then holds keys that are turned already.


# %%
class RotaryAttention(CausalSelfAttention):
    def forward(self, x, cache=None):  # (B, T, C) -> (B, T, C)
        q, k, v = (split_heads(part, self.n_head) for part in self.c_attn(x).chunk(3, dim=-1))
        start = 0 if cache is None else cache.length
        positions = torch.arange(start, start + x.size(1))
        q, k = rotate(q, positions), rotate(k, positions)
        if cache is not None:
            k, v = cache.extend(k, v)
        return self.c_proj(merge_heads(self.attend(q, k, v)))


class NoTable(nn.Module):  # in place of wpe
    def forward(self, positions):
        return 0.0


# %% [markdown]
# Put in place, in a new model:


# %%
def with_rotary(model):
    for block in model.transformer.h:
        attn = RotaryAttention(model.config)
        attn.load_state_dict(block.attn.state_dict())
        block.attn = attn
    model.transformer.wpe = NoTable()
    return model


torch.manual_seed(0)
rotary = with_rotary(GPT(small))
with torch.no_grad():
    for weight in rotary.parameters():
        weight.mul_(5 if weight.dim() == 2 else 1)  # so that every part matters
counts = [[model.num_parameters()] for model in (gpt2, rotary)]
viz.table(counts, ["parameters"], rows=["a table of positions", "rotary"])

# %% [markdown]
# Does it read the same with a cache, token by token, as at once?


# %%
from minigpt.kv_cache import KVCache

idx = torch.randint(1024, (1, 40), generator=torch.Generator().manual_seed(1))


def step_by_step(model, cache):  # the largest difference from reading at once
    with torch.no_grad():
        steps = [model(idx[:, t : t + 1], cache) for t in range(40)]
        return (torch.cat(steps, dim=1) - model(idx)).abs().max().item()


largest = step_by_step(rotary, KVCache(small))
assert largest < 1e-3
viz.table([[f"{largest:.2f}"]], ["logits differ by at most"])

# %% [markdown]
# ### Usual mistakes
#
# **Counted from 0 again.** With a cache each call brings one new token. Whoever writes
# `torch.arange(T)` turns every token as if it were the first. **Predict:** an error, or wrong
# logits?


# %%
class ForgetsStart(RotaryAttention):
    def forward(self, x, cache=None):
        if cache is None:
            return super().forward(x)
        q, k, v = (split_heads(part, self.n_head) for part in self.c_attn(x).chunk(3, dim=-1))
        positions = torch.arange(x.size(1))  # without cache.length
        k, v = cache.extend(rotate(k, positions), v)
        return self.c_proj(merge_heads(self.attend(rotate(q, positions), k, v)))


def apart(kind):  # both ways of reading, with another attention
    for block in rotary.transformer.h:
        block.attn.__class__ = kind
    return step_by_step(rotary, KVCache(small))


assert apart(ForgetsStart) > 0.1 and apart(RotaryAttention) < 1e-3
print(f"logits differ by {apart(ForgetsStart):.2f}")

# %% [markdown]
# **Turned behind the cache.** The right positions, but all keys of the cache are turned by them:
# one position, broadcast over all. Again no error.


# %%
class BehindTheCache(RotaryAttention):
    def forward(self, x, cache=None):
        if cache is None:
            return super().forward(x)
        q, k, v = (split_heads(part, self.n_head) for part in self.c_attn(x).chunk(3, dim=-1))
        positions = torch.arange(cache.length, cache.length + x.size(1))
        k, v = cache.extend(k, v)
        q, k = rotate(q, positions), rotate(k, positions)
        return self.c_proj(merge_heads(self.attend(q, k, v)))


found = [apart(kind) for kind in (ForgetsStart, BehindTheCache, RotaryAttention)]
assert math.isclose(found[0], found[1], rel_tol=1e-2) and found[1] > 0.1 and found[2] < 1e-3
names = ["counted from 0", "behind the cache", "as it should be"]
viz.table([[f"{largest:.2f}"] for largest in found], ["logits differ by at most"], rows=names)

# %% [markdown]
# The same number twice: in both, query and key are turned alike, so the distance is gone. Training
# shows neither, because training has no cache. So compare both ways of reading.

# %% [markdown]
# **Values turned, too.** Queries and keys meet in a product, where only the difference of two
# angles is left. Values are added up: a turned value says something else at every place. Let us
# shift the whole text by 100 positions. **Predict:** which output stays?


# %%
def attend_at(shift, turn_values):
    g = torch.Generator().manual_seed(2)
    q, k, v = (torch.randn(1, 4, 10, hs, generator=g) for _ in range(3))
    places = torch.arange(10) + shift
    v = rotate(v, places) if turn_values else v
    q, k = rotate(q, places), rotate(k, places)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


rows = []
for name, values in (("queries and keys", False), ("values too", True)):
    moved = (attend_at(100, values) - attend_at(0, values)).abs().max().item()
    rows.append([name, f"{moved:.1e}"])
assert float(rows[0][1]) < 1e-4 and float(rows[1][1]) > 0.1
viz.table(rows, ["turned", "output changes by"])

# %% [markdown]
# **Another pairing.** The paper pairs neighbours, 2i with 2i + 1. Both are right, but weights
# learned with the one are wrong with the other. And the shapes agree, so nothing complains.


# %%
def rotate_neighbours(x, positions):
    order = torch.arange(x.size(-1)).view(-1, 2).T.flatten()  # 0 2 4 ... 1 3 5 ...
    return rotate(x[..., order], positions)[..., order.argsort()]


def scores(turning, q, k):
    return turning(q, torch.arange(10)) @ turning(k, torch.arange(10)).mT


q, k = torch.randn(2, 4, 10, hs)
order = torch.arange(hs).view(-1, 2).T.flatten()
paper, halves = scores(rotate_neighbours, q, k), scores(rotate, q, k)
sorted_first = scores(rotate, q[..., order], k[..., order])
assert (paper - halves).abs().max() > 0.1 and torch.allclose(paper, sorted_first, atol=1e-4)
print(f"{(paper - halves).abs().max():.1f} apart; equal once the channels are sorted")

# %% [markdown]
# So whoever loads weights of another layout sorts the rows of the query and key matrices, head by
# head, once. Then first-divergence (lesson 08) says whether it was right.

# %% [markdown]
# ## Grouped queries
#
# What makes long texts dear is the cache: keys and values of every position in every layer. With
# **grouped queries** several heads of queries share one head of keys and values. One for all is
# called **multi-query attention** (Shazeer 2019), one for each is GPT-2's.

# %% [markdown]
# Four heads of queries, two of keys and values. Give each to two queries, then attend as always.
# **Predict:** which is right for heads 0 1 2 3: keys 0 1 0 1, or 0 0 1 1?

# %%
q, (k, v) = torch.randn(1, 4, 10, hs), torch.randn(2, 1, 2, 10, hs)
expected = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
rows = []
for name, spread in {
    "0 1 0 1": lambda x: x.repeat(1, 2, 1, 1),
    "0 0 1 1": lambda x: x.repeat_interleave(2, dim=1),
}.items():
    got = F.scaled_dot_product_attention(q, spread(k), spread(v), is_causal=True)
    rows.append([name, f"{(got - expected).abs().max():.1e}"])
assert float(rows[0][1]) > 0.1 and float(rows[1][1]) < 1e-5
viz.table(rows, ["keys for heads 0 1 2 3", "apart from PyTorch's"])

# %% [markdown]
# Groups are neighbours: `repeat_interleave`, not `repeat`. A model trained with the other order
# works as well; a checkpoint of others does not.


# %%
class GroupedAttention(CausalSelfAttention):
    def __init__(self, config, n_kv_head):
        super().__init__(config)
        hs = config.head_size
        self.heads = (self.n_head, n_kv_head, n_kv_head)
        self.c_attn = Linear(config.n_embd, sum(self.heads) * hs, config.bias)
        self.widths = [n * hs for n in self.heads]

    def forward(self, x, cache=None):  # (B, T, C) -> (B, T, C)
        parts = self.c_attn(x).split(self.widths, dim=-1)
        q, k, v = (split_heads(part, n) for part, n in zip(parts, self.heads))
        start = 0 if cache is None else cache.length
        positions = torch.arange(start, start + x.size(1))
        q, k = rotate(q, positions), rotate(k, positions)
        if cache is not None:
            k, v = cache.extend(k, v)  # few heads
        k, v = (x.repeat_interleave(self.n_head // self.heads[1], dim=1) for x in (k, v))
        return self.c_proj(merge_heads(self.attend(q, k, v)))


# %% [markdown]
# It is rotary already. What is repeated is repeated *behind* the cache, or nothing would be saved.

# %% [markdown]
# Now the bytes. Keys and values: 2 · layers · heads · head size · positions, two bytes each. The
# sizes are those of GPT-2 and of Llama 3 8B (Llama team 2024, table 3). **Predict:** a text of
# 131,072 tokens in the 8B model with 32 heads of keys and values: 1, 17 or 69 GB?


# %%
def cache_gb(layers, kv_heads, hs, T):
    return 2 * layers * kv_heads * hs * T * 2 / 1e9


rows = [
    ["GPT-2, 12 heads", cache_gb(12, 12, 64, 1024)],
    ["8B, if it had 32 heads", cache_gb(32, 32, 128, 131_072)],
    ["8B, 8 heads, as it is", cache_gb(32, 8, 128, 131_072)],
    ["8B, one head", cache_gb(32, 1, 128, 131_072)],
]
viz.table(rows, ["", "GB for one text"])

# %% [markdown]
# 16 GB are the weights of an 8B model at two bytes each: with all heads, one long text would take
# four times as much. This is why it is done. The measure in the paper is time: nearly as good as
# all heads, nearly as fast as one (Ainslie et al. 2023, abstract).

# %% [markdown]
# ## A head of its own
#
# GPT-2's head is the token table (lesson 05). Untie it, and the model has a second matrix, V by C.
# **Predict:** by how much does GPT-2's 124M grow: 3 %, 31 %, 100 %?

# %%
rows = []
for name, V, C, total in (
    ("ours", 1024, 96, gpt2.num_parameters()),
    ("gpt2", 50257, 768, sizes[0]),
    ("gpt2-xl", 50257, 1600, 1_557_611_200),
):
    rows.append([name, V * C, f"{V * C / total:.0%}"])
viz.table(rows, ["model", "a head's weights", "grows by"])

# %% [markdown]
# The larger the model, the less it matters. It costs no compute: a table is looked up, and a head
# is multiplied with, tied or not. PaLM has them tied (section 2), LLaMA's released weights have
# two.

# %% [markdown]
# ## All six
#
# Put together they are a LLaMA.


# %%
def todays(config, n_kv_head):
    model, C = GPT(config), config.n_embd
    for block in model.transformer.h:
        block.attn, block.mlp = GroupedAttention(config, n_kv_head), SwiGLU(config)
        block.ln_1, block.ln_2 = RMSNorm(C), RMSNorm(C)
    model.transformer.ln_f, model.transformer.wpe = RMSNorm(C), NoTable()
    model.lm_head = Linear(C, config.vocab_size, bias=False)
    return model


# %% [markdown]
# The package has the same, as settings. (Its tests give it the weights of a LLaMA of the library
# transformers, and compare the logits.) Same weights, same logits?

# %%
base = designs.TodayConfig(vocab_size=1024, block_size=128, n_layer=2, n_head=4, n_embd=96)
CHANGES = {
    "rotary": dict(rotary=True),
    "RMSNorm": dict(rms_norm=True),
    "SwiGLU": dict(swiglu=True),
    "grouped": dict(n_kv_head=2),
    "untied": dict(tied=False),
    "no biases": dict(bias=False),
}
CHANGES["all six"] = {name: value for change in CHANGES.values() for name, value in change.items()}
package = designs.TodayGPT(replace(base, **CHANGES["all six"]))
mine = todays(replace(small, bias=False), n_kv_head=2)
mine.load_state_dict({n: w for n, w in package.state_dict().items() if "wpe" not in n})
with torch.no_grad():
    assert torch.allclose(mine(idx), package(idx), atol=1e-5)

# %% [markdown]
# And its cache keeps only the heads there are. In our small model, for one text:

# %%
rows = []
for name, kv in (("four, as GPT-2", 4), ("two", 2), ("one", 1)):
    layers = KVCache(replace(base, n_kv_head=kv)).layers
    rows.append([name, sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)])
viz.table(rows, ["heads of keys and values", "bytes"])

# %% [markdown]
# ## What does it bring?
#
# Each change alone, all six together, and GPT-2 as it is: eight models. All get the same FLOPs
# (lesson 10), the same stories in the same order, the same rate. **Predict:** which of the eight
# comes nearest to the floor?

# %%
data = load_data("stories")
KINDS = {"GPT-2": {}, **CHANGES}
x, y = data.batch("val", 128, 128, torch.Generator().manual_seed(5))
BUDGET, rows = 5e11, []
for name, change in KINDS.items():
    design = designs.Today(replace(base, **change))
    cost = designs.training_flops(design, x[:4])
    weights = sum(w.numel() for w in design.parameters())
    rows.append([name, weights, f"{cost / 1e9:.2f}", round(BUDGET / cost)])
viz.table(rows, ["model", "parameters", "GFLOPs a batch", "batches"])

# %% [markdown]
# Only grouped queries make a batch cheaper, so they may read more. An untied head has more
# parameters at the same cost. Sums, norms and turning count nothing, as in lesson 10: they take
# time, but hardly any multiplications.

# %% [markdown]
# First one seed: eight models, in a minute or two. What is noted is how far each is above the
# floor, in nats a token, on 128 stories that none has seen.


# %% tags=["nbval-ignore-output"]
def trained(change, seed, max_lr=1e-2):
    torch.manual_seed(seed)
    design = designs.Today(replace(base, **change))
    designs.train_at(design, data, BUDGET, batch_size=4, max_lr=max_lr, seed=seed)
    return design.eval().requires_grad_(False)


def above_floor(design):
    return design.nats(x, y).nanmean().item() - data.floor


runs = {(name, 0): trained(change, 0) for name, change in KINDS.items()}
left = {run: above_floor(design) for run, design in runs.items()}
viz.table([[f"{left[name, 0]:.3f}"] for name in KINDS], ["nats above the floor"], rows=list(KINDS))

# %% [markdown]
# All began near ln 1024 = 6.93 nats, the floor is at 0.47: every model is most of its way down.
# **Write down** which changes you would take into your model, and which you would leave. Then
# **predict:** of how many of the seven will two other seeds say the same?

# %% tags=["nbval-ignore-output"]
runs |= {(name, 1): trained(change, 1) for name, change in KINDS.items()}

# %% [markdown]
# And the third.

# %% tags=["nbval-ignore-output"]
runs |= {(name, 2): trained(change, 2) for name, change in KINDS.items()}
left = {run: above_floor(design) for run, design in runs.items()}
table = torch.tensor([[left[name, seed] for seed in range(3)] for name in KINDS])  # (8, 3)
assert (table > 0).all() and (table < 0.6).all()
shown = [[f"{value:.3f}" for value in [*row, row.mean()]] for row in table]
viz.table(shown, ["seed 0", "seed 1", "seed 2", "mean"], rows=list(KINDS))

# %% [markdown]
# Look along a row: one model, three seeds. Where a row spreads as far as two rows differ, a
# difference of means says little.

# %% [markdown]
# Better take each change paired with GPT-2 of the same seed, which read the same stories in the
# same order. Left of the line is better than GPT-2.

# %% tags=["nbval-ignore-output"]
differences = table[1:] - table[0]
plt.figure(figsize=(6.4, 3.4))
for row, values in enumerate(differences):
    plt.plot(values, [row] * 3, "o")
plt.axvline(0, color="gray", linestyle=":")
plt.yticks(range(7), list(CHANGES))
plt.gca().set(xlabel="nats above GPT-2 of the same seed", ylim=(6.5, -0.5))
plt.show()

# %% tags=["nbval-ignore-output"]
rows = []
for name, values in zip(CHANGES, differences):
    signs = "better" if values.max() < 0 else "worse" if values.min() > 0 else "both"
    low, middle, high = values.min(), values.mean(), values.max()
    rows.append([name, f"{middle:+.3f}", f"{low:+.3f} to {high:+.3f}", signs])
viz.table(rows, ["change", "mean difference", "the three", "all three are"])

# %% [markdown]
# Where a change does nothing at all, three seeds agree one time in four, by luck alone. And all
# rows are compared with the same three runs of GPT-2: if one of these was lucky, every row looks
# worse there. Take "all three are" as a hint, not as a proof.

# %% [markdown]
# In our run rotary and RMSNorm are better three times, though once by a hair; SwiGLU, the untied
# head and all six are worse three times. (Another machine rounds otherwise: rows of yours may
# differ.) The paper on SwiGLU reports the contrary. So ask what these differences are made of.

# %% [markdown]
# ### What is it that they learn sooner?
#
# In a story names, things and colours are said again. From lesson 09 you know the heads that look
# them up, and that they come all at once. A second saying costs nothing for who looks it up, and
# between ln 12 = 2.5 nats and ln 24 = 3.2 for who guesses. What does it cost each of the 24?

# %% tags=["nbval-ignore-output"]
words = [word for kind in ("name", "thing", "colour") for word in GRAMMAR[kind]]
first = torch.tensor([data.tokenizer.encode(f" {word}")[0] for word in words])
again = torch.isin(y, first) & (designs.tokens_back(x, y) > 0)  # (B, T): said before
nats = {run: design.nats(x, y, again).nanmean().item() for run, design in runs.items()}
for name, marker in zip(KINDS, "osD^v<>*"):
    plt.plot(
        [nats[name, s] for s in range(3)], [left[name, s] for s in range(3)], marker, label=name
    )
plt.gca().set(xlabel="nats at a word said again", ylabel="nats above the floor, all tokens")
plt.legend(fontsize=8)
plt.show()
both = torch.tensor([[nats[run], left[run]] for run in runs]).T
print(f"correlation {torch.corrcoef(both)[0, 1]:.2f}; {again.sum() / (y >= 0).sum():.0%} of tokens")

# %% [markdown]
# Nearly a line: what tells the 24 apart is what a word said again costs. Those at the top right
# have not begun to look words up. So the table says who *begins* sooner within these FLOPs, not who
# is better in the end; and when a run begins is partly luck, as lesson 09's seeds were.

# %% [markdown]
# Why does rotary begin sooner? A head that looks one token back needs a distance, and rotary has it
# in the score. That would be a reason. We did not test it.

# %% [markdown]
# ### Was the rate fair?
#
# All had the rate 0.01, which was hardly searched. It may suit GPT-2 and not the others. So all six
# get half of it and twice of it, with one seed. **Predict:** will another rate put them ahead?

# %% tags=["nbval-ignore-output"]
half, double = (above_floor(trained(KINDS["all six"], 0, rate)) for rate in (5e-3, 2e-2))
row = [f"{value:.3f}" for value in (half, left["all six", 0], double, left["GPT-2", 0])]
viz.table([row], ["rate 0.005", "0.01", "0.02", "GPT-2 at 0.01"], rows=["all six, seed 0"])

# %% [markdown]
# Of three rates none puts all six ahead of GPT-2 here. One seed, one model: it is a look, not a
# search. The single changes had no other rate at all.

# %% [markdown]
# ## Beyond the trained length
#
# GPT-2's table ends: with 64 rows there is no position 64. Rotary has no table, so it *can* read
# on. Does it read well there? We train both on windows of 64 tokens, cut from the stories one after
# the other, and read windows of 256. (The table gets rows that no training has touched.)


# %%
def longer(design, T):  # the same weights, in a longer context
    big = designs.Today(replace(design.config, block_size=T)).eval()
    with torch.no_grad():
        for name, weight in design.state_dict().items():
            big.state_dict()[name][: len(weight)] = weight
    return big


stream = replace(data, train_starts=None, val_starts=None, floor=None)
far_x, far_y = stream.batch("val", 256, 64, torch.Generator().manual_seed(5))

# %% [markdown]
# For comparison a rotary model that was trained on windows of 256, with the same FLOPs.
# **Predict:** beyond 64, is rotary as good as before, a little worse, or as bad as the table?

# %% tags=["nbval-ignore-output"]
lines = {}
for name, change, T in (
    ("table, trained on 64", {}, 64),
    ("rotary, trained on 64", dict(rotary=True), 64),
    ("rotary, trained on 256", dict(rotary=True), 256),
):
    torch.manual_seed(0)
    design = designs.Today(replace(base, block_size=T, **change))
    designs.train_at(design, stream, 3e11, batch_size=512 // T)
    with torch.no_grad():
        lines[name] = longer(design, 256).nats(far_x, far_y).view(64, 16, 16).mean(dim=(0, 2))

# %% tags=["nbval-ignore-output"]
for style, (name, nats) in zip(("--", "-", ":"), lines.items()):
    plt.plot(range(8, 256, 16), nats, style, label=name)
plt.axvline(64, color="gray", linewidth=0.5)
plt.gca().set(xlabel="position", ylabel="nats a token", ylim=(0, None))
plt.legend(loc="lower right", bbox_to_anchor=(1, 0.3))
plt.show()
table64, rotary64, rotary256 = lines.values()
assert table64[4:].mean() > 1.5 * rotary64[4:].mean()

# %% [markdown]
# The table is lost where it ends. Rotary reads on as if nothing were, in our run to about 100; then
# it lies above the model that was trained on 256, and the gap grows. To *have* a position is not to
# have learned it.

# %% [markdown]
# To make a trained model longer, its positions are squeezed into the trained range and it is
# trained a little more: **position interpolation** (Chen et al. 2023), and YaRN after it (Peng et
# al. 2023).

# %% [markdown]
# ## What cannot be seen at this size
#
# Ours has a third of a million parameters and reads 128 tokens. The reasons of others are beyond
# that. Here they are as *their* claims:
#
# | change | the claim | who says so |
# | --- | --- | --- |
# | RMSNorm | as good, 7 % to 64 % less time | Zhang & Sennrich 2019, abstract |
# | no biases | large models train more stably | Chowdhery et al. 2022, section 2 |
# | SwiGLU | better at equal parameters and compute | Shazeer 2020, section 3 |
# | rotary | relative distances, flexible in length | Su et al. 2021, abstract |
# | grouped | near full quality, near the speed of one head | Ainslie et al. 2023, abstract |

# %% [markdown]
# And a warning: many changes to transformers were compared in one code base, and most brought
# nothing that mattered (Narang et al. 2021, abstract). Gated MLPs and RMSNorm are among those that
# did.

# %% [markdown]
# ## What else has changed
#
# **Data.** What a model reads is filtered, freed of copies, mixed. Start with FineWeb (Penedo et
# al. 2024), whose steps are tried one by one, and Chinchilla (Hoffmann et al. 2022) on how much a
# model should read.

# %% [markdown]
# **Post-training.** A base model continues texts; an assistant is made of it by examples and by
# preferences. Start with InstructGPT (Ouyang et al. 2022), then DPO (Rafailov et al. 2023). Lesson
# 10's fine-tuning is the first step of it.

# %% [markdown]
# **Mixture of experts.** Several MLPs stand side by side, and each token goes through a few. Start
# with Switch Transformers (Fedus et al. 2021), then Mixtral (Jiang et al. 2024).

# %% [markdown]
# **Long context.** Besides positions it is a matter of memory traffic: FlashAttention (Dao et al.
# 2022) computes attention without storing the pattern, PagedAttention (Kwon et al. 2023) keeps the
# cache in pages, sliding windows (Jiang et al. 2023, Mistral) keep less of it.

# %% [markdown]
# ## Where to read on
#
# Code, from small to large:
#
# | read | for |
# | --- | --- |
# | nanoGPT, nanochat (Karpathy) | GPT-2 trained in few files; then a whole assistant |
# | llm.c (Karpathy) | the same without PyTorch: what it does for you |
# | LitGPT (Lightning) | many models of today as settings of one readable file |
# | transformers (Hugging Face) | the reference for a released model; `modeling_llama.py` |
# | vLLM, llama.cpp | how models are served, on many GPUs and on a laptop |

# %% [markdown]
# Courses and books:
#
# | read | for |
# | --- | --- |
# | CS336, Stanford | a language model from scratch, with kernels, scaling laws and data |
# | Raschka 2024, Build a Large Language Model (From Scratch) | near to this course, in print |
# | Jurafsky & Martin, Speech and Language Processing, 3rd edition | the field around it |
# | The Annotated Transformer (Rush and others) | the paper of 2017, line by line |
# | Elhage et al. 2021, A Mathematical Framework for Transformer Circuits | lesson 09's theory |

# %% [markdown]
# Models whose making is open, so that claims can be tested:
#
# | read | for |
# | --- | --- |
# | Pythia (Biderman et al. 2023) | sixteen models, one order of data, 154 checkpoints each |
# | OLMo (Groeneveld et al. 2024) | data, code, logs and weights |
# | Llama 3 (Llama team 2024) | weights and a long report, without the data |

# %% [markdown]
# ## In short
#
# - A model of today is GPT-2 with parts exchanged; each is a few lines.
# - Prove a part against something independent, and both ways of reading, at once and with a cache,
#   against each other: most mistakes here raise no error.
# - At equal compute, on these stories, with three seeds: the table above, and no more.
# - What is done for cost (grouped queries, RMSNorm) is judged by cost.

# %% [markdown]
# ## Your turn
#
# The exercises are in `exercises/13_today.ipynb`: RMSNorm in half-size numbers, rotary positions
# for several documents in a row, GPT-2's heads pooled into groups, the cache of a model with
# windows.
#
# Without them: do all six stay behind, or do they only begin later? Train them and GPT-2 with four
# times the FLOPs, a minute each. And write GPT-2 with rotary positions and one more change,
# whichever you like: which of them delays the beginning?
