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
from minigpt.stories import GRAMMAR, Stories

viz.use_style()

# %% [markdown]
# | part | GPT-2 | today | since |
# | --- | --- | --- | --- |
# | normalisation | LayerNorm | RMSNorm | Zhang & Sennrich 2019 |
# | biases | everywhere | none, or few | T5; Shazeer 2020, section 1 |
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
# The paper's reason is time: 7 % to 64 % less, on models of several kinds (its abstract).
# **Predict:** on your machine, is our RMSNorm faster than PyTorch's LayerNorm?


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
# stably without (Chowdhery et al. 2022, section 2). Nothing here is large enough to see that. And
# not all left them out: Qwen2 keeps those of queries, keys and values.

# %% [markdown]
# ## SwiGLU
#
# GPT-2's MLP widens, applies GELU, narrows. A **gated linear unit** makes two wide layers. One goes
# through an activation function and then scales the other, channel by channel. With **SiLU** as
# that function it is **SwiGLU** (Shazeer 2020, equation 6):
#
# $$\text{SwiGLU}(x) = (\text{SiLU}(xW) \odot xV)\,W_2 \qquad \text{SiLU}(z) = z\,\sigma(z)$$

# %%
z = torch.tensor([-6.0, -1.28, 0.0, 1.0, 6.0])
viz.table([F.gelu(z, approximate="tanh"), F.silu(z)], [f"{v:g}" for v in z], rows=["GELU", "SiLU"])

# %% [markdown]
# Much alike: both may be large, and a little below 0. So a gate is no valve between shut and open:
# it can make the other layer larger, or turn its sign. New is the product.

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
# arrow. At position m, rotate ("turn") it by the angle m. Keys the same.

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
# head has many pairs of channels, each with its own speed, from 1 radian a position (pair 0) down
# to 1/4,642 in our heads of hs = 24 (pair 11; equation 15):
#
# $$\theta_i = 10000^{-2i/hs}$$

# %%
hs = small.head_size
speeds = 10_000.0 ** (-torch.arange(0, hs, 2) / hs)
for i, style in zip((0, 2, 4, 8), ("-", "--", "-.", ":")):
    plt.plot((torch.arange(129) * speeds[i]).cos(), style, label=f"pair {i}")
assert math.isclose(1 / speeds[-1], 4642, rel_tol=1e-3)
plt.gca().set(xlabel="distance", ylabel="cosine of the angle")
plt.legend(loc="center left", bbox_to_anchor=(1, 0.5))
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
# Put in place, in a new model. (New weights are small: attention looks everywhere alike, whatever
# the positions. We make them five times as large, so that a wrong position shows.)


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
        weight.mul_(5 if weight.dim() == 2 else 1)
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
# one position, broadcast over all. Again no error. **Predict:** are its logits further off, less
# far, or as far?


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
# As far: token by token the two are one function. In both, the query and all keys are turned by the
# same angle, so every distance is 0. Training shows neither, because training has no cache. So
# compare both ways of reading.

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
        groups = self.n_head // self.heads[1]
        k, v = (part.repeat_interleave(groups, dim=1) for part in (k, v))
        return self.c_proj(merge_heads(self.attend(q, k, v)))


# %% [markdown]
# It is rotary already. What is repeated is repeated *behind* the cache, or nothing would be saved.

# %% [markdown]
# Now the bytes. Keys and values: 2 · layers · heads · head size · positions, each of two bytes. The
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
# is multiplied with, tied or not. LLaMA's weights have two matrices; small models still tie them:
# Llama 3.2 1B, Gemma 2B.

# %% [markdown]
# ## All six
#
# Put together they are a small Llama 3. (LLaMA, the first, had no grouped queries; Llama 2 had them
# in its larger ones.) What else differs at 8B are sizes: an MLP of 3.5 C, not 8/3 C, and speeds
# from 500,000, not 10,000 (Llama team 2024, table 3).


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
kept = KVCache(package.config).layers[0].keys  # its cache holds two heads, not four
assert kept.shape == (1, 2, 128, hs)

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
# How they are trained: matrices inside the blocks by Muon (lesson 06), all else by AdamW, at a rate
# that we searched for none of them. Every matrix of a block starts at N(0, 1/inputs); the
# `residual_std` of our SwiGLU is not used here. And Muon takes W and V, side by side, as one
# matrix; queries, keys and values, too.

# %% [markdown]
# The papers are older than Muon. Where we find the contrary of a paper, this is one of the reasons
# there may be; size and length are others.

# %% [markdown]
# We measure on 128 stories that none has seen. `data.floor` is a mean over all stories there are.
# For these 128 we know the probability of each, so we know their own floor exactly:

# %%
stories = [data.tokenizer.decode(row[row >= 0].tolist()[:-1]) for row in y]
tokens = (y >= 0).sum().item()
floor = -sum(map(Stories.log_prob, stories)) / tokens
assert abs(floor - data.floor) < 0.02
viz.table([[f"{data.floor:.4f}", f"{floor:.4f}"]], ["all stories", "these"], rows=["nats a token"])

# %% [markdown]
# First one seed: eight models, in a minute or two. What is noted is how far each is above that
# floor, in nats a token.


# %% tags=["nbval-ignore-output"]
def trained(change, seed):  # -> losses of the batches, nats at each target (128, 128)
    torch.manual_seed(seed)
    design = designs.Today(replace(base, **change))
    losses = designs.train_at(design, data, BUDGET, batch_size=4, seed=seed)
    with torch.no_grad():
        return losses, design.eval().nats(x, y)


runs = {(name, 0): trained(change, 0) for name, change in KINDS.items()}

# %% [markdown]
# Their mean over all tokens, less the floor:


# %% tags=["nbval-ignore-output"]
def above_floor(name, seed):
    return runs[name, seed][1].nansum().item() / tokens - floor


rows = [[f"{above_floor(name, 0):.3f}"] for name in KINDS]
viz.table(rows, ["nats above the floor"], rows=list(KINDS))

# %% [markdown]
# All began near ln 1024 = 6.93 nats; more than nine tenths of the way to the floor are behind each.
# **Write down** which changes you would take into your model, and which you would leave. Then
# **predict:** of how many of the seven will two other seeds say the same?

# %% tags=["nbval-ignore-output"]
runs |= {(name, 1): trained(change, 1) for name, change in KINDS.items()}

# %% [markdown]
# And the third.

# %% tags=["nbval-ignore-output"]
runs |= {(name, 2): trained(change, 2) for name, change in KINDS.items()}

# %% [markdown]
# One dot is one model with one seed.

# %% tags=["nbval-ignore-output"]
total = torch.tensor([[above_floor(name, seed) for seed in range(3)] for name in KINDS])  # (8, 3)
assert (total < 0.1 * (math.log(1024) - floor)).all()
for row, values in enumerate(total):
    plt.plot(values, [row] * 3, "o", color="C0")
plt.yticks(range(8), list(KINDS))
plt.gca().set(xlabel="nats above the floor", xlim=(0, None), ylim=(7.5, -0.5))
plt.show()

# %% [markdown]
# Where a row spreads as far as two rows differ, a difference of means says little. Now each change
# less GPT-2 of the same seed, which read the same stories in the same order:


# %% tags=["nbval-ignore-output"]
def less_gpt2(table):  # (8, 3): a row for each change
    rows = []
    for row in table[1:]:
        values, unpaired = row - table[0], math.hypot(row.std(), table[0].std())
        signs = "less" if values.max() < 0 else "more" if values.min() > 0 else "both"
        shown = [f"{value:+.3f}" for value in [*values, values.mean()]]
        rows.append([*shown, signs, f"{values.std():.3f}", f"{unpaired:.3f}"])
    titles = ["seed 0", "seed 1", "seed 2", "mean", "all three", "spread", "unpaired"]
    return viz.table(rows, titles, rows=list(CHANGES))


less_gpt2(total)

# %% [markdown]
# "Spread" is the standard deviation of the three differences; "unpaired" what it would be if the
# two models had nothing in common. In our run spread is the larger for rotary, grouped and no
# biases: pairing gains little here. A pair shares its stories; parts of another shape draw other
# weights.

# %% [markdown]
# Where a change does nothing at all, three seeds agree one time in four: of seven rows one or two
# would, by luck. In our run five do: rotary and RMSNorm are less, SwiGLU, untied and all six more.
# (Another machine rounds otherwise: rows of yours may differ.)

# %% [markdown]
# More than luck, then? The seven are not independent: all are compared with the same three runs of
# GPT-2. If one of these was lucky, every row looks worse there. And the paper on SwiGLU reports the
# contrary. So take the numbers apart.

# %% [markdown]
# ### What are the differences made of?
#
# In a story names, things and colours are said again. From lesson 09 you know the heads that look
# them up, and that they come all at once. A second saying is no choice of the grammar: its floor is
# 0. So the distance to the floor has two exact parts: at words said again, and at all others.

# %% tags=["nbval-ignore-output"]
words = [word for kind in ("name", "thing", "colour") for word in GRAMMAR[kind]]
first = torch.tensor([data.tokenizer.encode(f" {word}")[0] for word in words])
again = torch.isin(y, first) & (designs.tokens_back(x, y) > 0)  # (B, T): said before
print(f"{again.sum() / tokens:.1%} of the tokens are words said again")

# %% [markdown]
# Both parts in nats a token of the whole, so that they add up. **Predict:** which is the larger?

# %% tags=["nbval-ignore-output"]
at_again = [[runs[name, seed][1][again].sum() / tokens for seed in range(3)] for name in KINDS]
at_again = torch.tensor(at_again)
others = total - at_again
rows = [[f"{value:.3f}" for value in row] for row in torch.cat([at_again, others], dim=1)]
titles = [f"{part}, {seed}" for part in ("again", "others") for seed in range(3)]
viz.table(rows, titles, rows=list(KINDS))

# %% [markdown]
# The first is large and jumps; the second is small. Take the first for each such word: who guesses
# among twelve colours pays ln 12 = 2.5 nats, for a name or a thing more. **Predict:** how many of
# the 24 do not yet do better than that?

# %% tags=["nbval-ignore-output"]
a_word = at_again * tokens / again.sum()
late = a_word > math.log(12)
rows = [[*(f"{value:.2f}" for value in a_word[i]), late[i].sum().item()] for i in range(8)]
print(f"{late.sum()} of 24 have not begun to look words up")
viz.table(rows, ["seed 0", "seed 1", "seed 2", "not begun"], rows=list(KINDS))

# %% [markdown]
# In our run 13: all nine of SwiGLU, untied and all six, two of grouped, one of no biases, one of
# GPT-2. So the totals say above all who has *begun* within these FLOPs. When did they? Those that
# have not are grey:

# %% tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 3, figsize=(9.6, 3.4), sharey=True)
for seed, ax in enumerate(axes):
    for i, name in enumerate(KINDS):
        smooth = torch.tensor(runs[name, seed][0]).unfold(0, 20, 1).mean(dim=-1)
        look = dict(color="lightgray") if late[i, seed] else dict(color=f"C{i}", label=name)
        ax.plot(smooth, **look)
    ax.set(title=f"seed {seed}", xlabel="batch", ylim=(0.5, 1.2))
    ax.legend(fontsize=8)
axes[0].set_ylabel("loss, mean of 20 batches")
plt.show()

# %% [markdown]
# First all come down; then a line bends once more: that run has begun. Rotary does so first with
# two seeds, and hardly with the third. All six hold rotary, too, and have not begun once: changes
# do not simply add up.

# %% [markdown]
# A head that looks one token back needs a distance, and rotary has it in the score. That would be
# a reason to begin sooner. We did not test it.

# %% [markdown]
# And all other tokens, where nobody waits for a head to come? (Places and habits are said again,
# too; they are among these.)

# %% tags=["nbval-ignore-output"]
less_gpt2(others)

# %% [markdown]
# Here pairing helps: in our run every spread is below "unpaired". Rotary and RMSNorm are less three
# times, by 0.010 and 0.005 on average. SwiGLU and all six are no longer more three times: nearly
# all they lost, they lost at words said again.

# %% [markdown]
# So we may say: on these stories, with these FLOPs, rotary and RMSNorm were a little better with
# three seeds of three: a hint, no proof. What SwiGLU, an untied head and all six would end at,
# these runs cannot say: they stopped before they had begun.

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
plt.axhline(lines["rotary, trained on 64"][1:4].mean(), color="gray", linewidth=0.5)
plt.gca().set(xlabel="position", ylabel="nats a token", ylim=(0, None))
plt.legend(loc="lower right", bbox_to_anchor=(1, 0.3))
plt.show()
table64, rotary64, rotary256 = lines.values()
own = rotary64[1:4].mean()  # positions 16 to 63
assert table64[4:].mean() > 1.5 * rotary64[4:].mean()
assert rotary64[12:].mean() > own + 0.05 and rotary64[12:].mean() > rotary256[12:].mean() + 0.05

# %% [markdown]
# The table is lost where it ends. Rotary, in our run, keeps its own level (the flat line) to about
# 110, almost twice what it was trained on. From there on it lies above that level, and above the
# model that was trained on 256. To *have* a position is not to have learned it.

# %% [markdown]
# To make a trained model longer, its positions are squeezed into the trained range and it is
# trained a little more: **position interpolation** (Chen et al. 2023), and YaRN after it (Peng et
# al. 2023). Or one begins with slower speeds: Llama 3 has 500,000 where we have 10,000.

# %% [markdown]
# ## What cannot be seen at this size
#
# Ours has a third of a million parameters and reads 128 tokens. The reasons of others are beyond
# that. Here they are as *their* claims:
#
# | change | the claim | who says so |
# | --- | --- | --- |
# | RMSNorm | as good, 7 % to 64 % less time, on several models | Zhang & Sennrich 2019, abstract |
# | no biases | large models train more stably | Chowdhery et al. 2022, section 2 |
# | SwiGLU | better at equal parameters and compute | Shazeer 2020, section 3 |
# | rotary | relative distances, flexible in length | Su et al. 2021, abstract |
# | grouped | near full quality, near the speed of one head | Ainslie et al. 2023, abstract |

# %% [markdown]
# And a warning: many changes to transformers were compared in one code base, and most brought
# nothing that mattered; what did help was mostly minor, or came from the same code base (Narang et
# al. 2021, abstract).

# %% [markdown]
# ## What else has changed
#
# **In the block.** Queries and keys are normalised before the scores, called **QK-norm** (Qwen3
# has it in place of Qwen2's biases). **Latent attention** caches one short vector a position, from
# which all keys and values are made (DeepSeek-V2, 2024).

# %% [markdown]
# **The optimizer.** AdamW is the rule; Muon, which you used above, is the newcomer (Jordan et al.
# 2024).

# %% [markdown]
# **Data.** What a model reads is filtered, freed of copies, mixed. Start with FineWeb (Penedo et
# al. 2024), whose steps are tried one by one, and Chinchilla (Hoffmann et al. 2022) on how much a
# model should read.

# %% [markdown]
# **Post-training.** A base model continues texts; an assistant is made of it by examples and by
# preferences. Start with InstructGPT (Ouyang et al. 2022), then DPO (Rafailov et al. 2023). Lesson
# 10's fine-tuning is the first step of it.

# %% [markdown]
# Where an answer can be checked, in mathematics and in code, the check itself is the reward:
# **reinforcement learning with verifiable rewards** (Lambert et al. 2024, Tülu 3; DeepSeek-R1,
# 2025).

# %% [markdown]
# **Mixture of experts.** Several MLPs stand side by side, and each token goes through one of them
# (Switch Transformers, Fedus et al. 2021) or a few (Mixtral, Jiang et al. 2024).

# %% [markdown]
# **Long context.** Besides positions it is a matter of memory traffic: FlashAttention (Dao et al.
# 2022) computes attention without storing the pattern, PagedAttention (Kwon et al. 2023) keeps the
# cache in pages, sliding windows (Jiang et al. 2023, Mistral) keep less of it.

# %% [markdown]
# ## Where to read on
#
# | read | for |
# | --- | --- |
# | nanoGPT (Karpathy) | GPT-2 trained, in two files |
# | transformers, `modeling_llama.py` (Hugging Face) | the reference for a released model |
# | llama.cpp | how such a model runs on a laptop |
# | CS336, Stanford | a language model from scratch, with kernels, scaling laws and data |
# | Raschka 2024, Build a Large Language Model (From Scratch) | near to this course, in print |
# | Pythia (Biderman et al. 2023) | models in many sizes, one order of data, many checkpoints |
# | OLMo (Groeneveld et al. 2024) | a model with its data, code and logs |

# %% [markdown]
# ## In short
#
# - A model of today is GPT-2 with parts exchanged; each is a few lines.
# - Prove a part against something independent, and both ways of reading, at once and with a cache,
#   against each other: most mistakes here raise no error.
# - At equal compute, on these stories, with three seeds: the tables above, and no more.
# - Before you compare two numbers, ask what they are sums of.
# - What is done for cost (grouped queries, RMSNorm) is judged by cost.

# %% [markdown]
# ## Your turn
#
# The exercises are in `exercises/13_today.ipynb`: RMSNorm in half-size numbers, rotary positions
# for several documents in a row, GPT-2's heads pooled into groups, the cache of a model with
# windows.
#
# Without them: do all six stay behind, or do they only begin later? Train them and GPT-2 with four
# times the FLOPs, about a minute each. And write GPT-2 with rotary positions and one more change,
# whichever you like: which of them delays the beginning?
