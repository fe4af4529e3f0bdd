# %% [markdown]
# # 03 · Attention
#
# **Afterwards you can** say what an attention head computes, write one in five lines, give a layer
# several heads, say what its pattern costs, and prove that yours equals PyTorch's and the one in
# this course's GPT-2.
#
# **Takes** about an hour and a quarter. **Needs** Python and a little PyTorch: tensors, shapes,
# `@`.

# %% [markdown]
# Attention is how a model looks back. Words of *one* text look at each other, so papers call it
# **self-attention**. You build it in stages: a loop, a matrix, a choice, a head, several heads.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from minigpt import viz

viz.use_style()

# %% [markdown]
# ## Six words
#
# Someone says: *red kite fell. colour?* You can answer, because you can look back. We carry these
# six words through the whole lesson.

# %% [markdown]
# To a model each word is a row of numbers, a **vector**. A model learns its numbers. Ours are made
# by hand, so that you can read them: three say what kind of word it is, the last what the word
# *says*. 10 stands for red, 20 for kite.

# %%
words = ["red", "kite", "fell", ".", "colour", "?"]
columns = ["is a colour", "is a thing", "asks", "says"]
x = torch.zeros(6, 4)
x[0] = torch.tensor([1, 0, 0, 10])  # red
x[1] = torch.tensor([0, 1, 0, 20])  # kite
x[5] = torch.tensor([0, 0, 1, 0])  # ?
viz.table(x, columns, rows=words)

# %% [markdown]
# Six words in time, four numbers each: the shape is `(T, C)` with T = 6 and C = 4. The letters
# stand for **time** and **channels**, here and in all lessons. A real model has tokens for words,
# and hundreds of channels.

# %% [markdown]
# ## Look back blindly: a loop
#
# The simplest way to look back: each word takes the average of everything so far, itself included.
# Never of what comes later. A model that is to predict the next word must not see it.

# %% [markdown]
# **Predict:** what will `?` *say* after this? And which answer would you have liked?

# %%
averages = torch.zeros(6, 4)
for t in range(6):
    averages[t] = x[: t + 1].mean(dim=0)
viz.table(averages, columns, rows=words)

# %% [markdown]
# It says 5. No word ever said 5. You wanted 10, and the average drowned it. Looking back needs
# choice. But first: the loop becomes one product.

# %% [markdown]
# ## The same as one product
#
# Row *t* of a matrix $W$ can hold the weights of word *t*'s average. Then one product does all
# rows at once:
#
# $$\bar x = W x, \qquad W_{ts} = \tfrac{1}{t+1} \text{ for } s \le t, \text{ else } 0$$

# %%
W = torch.ones(6, 6).tril()  # ones on and below the diagonal
W = W / W.sum(dim=1, keepdim=True)
viz.plot_attention(W, words)
plt.show()

# %% [markdown]
# Read it row by row. `red` sees only itself, 100 %. The full stop takes 25 % from each of four
# words. Hatched cells are the future: weight exactly 0. Hiding it is the **causal mask**: nothing
# depends on what comes later.

# %%
assert torch.allclose(W @ x, averages)
print("The product equals the loop.")

# %% [markdown]
# ## Any weights: softmax
#
# Now for choice. Each row may hold any weights that are positive and sum to 1. **Softmax** makes
# such a row out of any numbers at all, called **scores**:
#
# $$w_{ts} = \frac{e^{s_{ts}}}{\sum_u e^{s_{tu}}}$$

# %% [markdown]
# How does the future keep weight 0? $e^0$ is 1, so score 0 will not do. But $e^{-\infty}$ is 0. So
# the future gets the score −∞, *before* the softmax.

# %% [markdown]
# **Predict:** let all other scores be 0, equal for all. Which weights come out?

# %%
future = ~torch.ones(6, 6, dtype=torch.bool).tril()  # True above the diagonal
scores = torch.zeros(6, 6).masked_fill(future, -math.inf)
weights = scores.softmax(dim=1)
viz.table(weights, words, rows=words)

# %% [markdown]
# Equal scores, equal weights: the average again. From here on a word chooses where to look by
# giving scores that differ.

# %%
assert torch.allclose(weights, W)
print("Softmax of masked zeros equals the averaging matrix.")

# %% [markdown]
# ## Words that ask: queries and keys
#
# Who gives the scores? The words do. Each word makes two small vectors from its own:
#
# - a **query**: what am I looking for?
# - a **key**: by what can I be found?

# %% [markdown]
# The score is the dot product of the two. It is large where a question meets its answer.
#
# $$q = x W_q, \qquad k = x W_k, \qquad s_{ts} = q_t \cdot k_s$$

# %% [markdown]
# A model learns $W_q$ and $W_k$. We set them by hand: who *asks* calls out 16, loudly, and who *is
# a colour* answers to it. Query and key are two numbers wide; one is enough so far.

# %%
W_q, W_k = torch.zeros(4, 2), torch.zeros(4, 2)
W_q[2, 0] = 16  # asks
W_k[0, 0] = 1  # is a colour
q, k = x @ W_q, x @ W_k
scores = q @ k.T
viz.table(scores, words, rows=words)

# %% [markdown]
# One score is not 0: `?` asks, `red` answers. **Predict** the last row after mask and softmax. And
# the other five rows?

# %%
weights = scores.masked_fill(future, -math.inf).softmax(dim=1)
viz.plot_attention(weights, words)
plt.show()

# %% [markdown]
# `?` looks at `red` with 100 %; papers say it *attends* to it. The other words ask nothing, so
# their scores are equal and they average, as before. This picture is an **attention pattern**.

# %% [markdown]
# ## What is handed over: values
#
# The word that is found need not hand over its whole vector. It hands over a third one, its
# **value**. Ours is what the word says:
#
# $$v = x W_v, \qquad y = w v$$

# %%
W_v = torch.zeros(4, 2)
W_v[3, 0] = 1  # says
y = weights @ (x @ W_v)
viz.table(y, ["says", "(unused)"], rows=words)

# %% [markdown]
# `?` now says 10: red. It found the one word that matters and took over what that word says.

# %% [markdown]
# **Predict:** make the kite blue, which says 11. What changes, the pattern or the answer?

# %%
blue = x.clone()
blue[0, 3] = 11
scores = (blue @ W_q) @ (blue @ W_k).T
weights_blue = scores.masked_fill(future, -math.inf).softmax(dim=1)
print("same pattern:", torch.equal(weights_blue, weights))
print(f"answer: {(weights_blue @ (blue @ W_v))[-1, 0]:.0f}")

# %% [markdown]
# Only the answer. Queries and keys decide *where* to look, values decide *what* is fetched.

# %% [markdown]
# ## Why scores are divided by √hs
#
# One thing is missing. Our queries are 2 numbers wide; GPT-2's are 64. This width is the **head
# size**, hs. A dot product is a sum of hs products.

# %% [markdown]
# **Predict:** for random vectors with variance 1, how does the variance of the score grow with hs?


# %%
def random_scores(hs):
    torch.manual_seed(0)
    q, k = torch.randn(1000, 1, hs), torch.randn(1000, 8, hs)
    return (q * k).sum(dim=-1)  # a thousand words, each with 8 keys


rows = [[hs, round(random_scores(hs).var().item())] for hs in (4, 16, 64, 256)]
viz.table(rows, ["head size", "variance of the scores"])

# %% [markdown]
# It *is* hs, but for chance: each of the hs products adds variance 1. Dividing the scores by √hs
# brings it back to 1. What happens if you don't?


# %%
def top_weights(scores):
    return scores.softmax(dim=-1).max(dim=-1).values  # a thousand: one a word


sizes = [4, 16, 64, 256]
tops = [top_weights(random_scores(hs)) for hs in sizes]
tops_scaled = [top_weights(random_scores(hs) / math.sqrt(hs)) for hs in sizes]
raw, scaled = ([top.mean().item() for top in each] for each in (tops, tops_scaled))
assert max(scaled) < 0.4 and raw[-1] > 0.9
plt.plot(sizes, raw, "o-", label="scores as they are")
plt.plot(sizes, scaled, "s--", label="scores / √hs")
plt.xscale("log", base=2)
plt.xticks(sizes, sizes)
plt.gca().set(xlabel="head size", ylabel="largest of 8 weights (mean)", ylim=(0, 1))
plt.legend()
plt.show()

# %% [markdown]
# Scaled (dashed), the largest of 8 weights stays below 0.4 at every size. As they are (solid), it
# climbs past 0.9: a head that has learned nothing is sure of itself already.

# %% [markdown]
# What does that do to learning? When a score moves, its weight $w$ moves with the slope
# $w(1 - w)$: what the loss has to say to the score is multiplied by it. **Predict:** at which head
# sizes does dividing matter?


# %%
def mean_slope(tops):
    return (tops * (1 - tops)).mean().item()


rows = [[hs, mean_slope(a), mean_slope(b)] for hs, a, b in zip(sizes, tops, tops_scaled)]
assert abs(rows[0][1] / rows[0][2] - 1) < 0.05 and rows[2][1] < rows[2][2] / 2
viz.table(rows, ["head size", "slope, as they are", "slope, scaled"])

# %% [markdown]
# At size 4 hardly at all. At 64, GPT-2's, less than half the slope is left, at 256 a fifth: an
# unscaled head hears the loss, but faintly. Scaled, the slope is almost the same at every size. All
# this is for variance 1. In a fresh GPT-2 a query's is 768 × 0.02² = 0.31: its heads start flatter
# still.

# %% [markdown]
# ## One head, complete
#
# Everything so far, in one formula (Vaswani et al. 2017, equation 1) and five lines:
#
# $$\text{attention}(q, k, v) =
# \text{softmax}\left(\frac{q k^\top}{\sqrt{hs}} + \text{mask}\right) v$$


# %%
def pattern(q, k):
    T, hs = q.shape[-2:]
    future = ~torch.ones(T, T, dtype=torch.bool).tril()
    scores = q @ k.transpose(-2, -1) / math.sqrt(hs)
    return scores.masked_fill(future, -math.inf).softmax(dim=-1)  # (..., T, T)


def attention(q, k, v):
    return pattern(q, k) @ v  # (..., T, hs)


print(attention(x @ W_q, x @ W_k, x @ W_v)[-1])

# %% [markdown]
# This is **scaled dot-product attention**, and `?` still says 10. PyTorch has the same in one call.
# Does it agree, on vectors that nobody chose?

# %%
torch.manual_seed(0)
q, k, v = torch.randn(3, 6, 16)  # three times T = 6, hs = 16
theirs = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
assert torch.allclose(attention(q, k, v), theirs, atol=1e-6)
print("Five lines equal PyTorch's own attention.")

# %% [markdown]
# ## Two questions at once: heads
#
# **Predict:** let `?` ask for the colour *and* the thing, in one query. What does it say?

# %%
W_q[2] = torch.tensor([16, 16])  # asks both
W_k[1, 1] = 1  # is a thing
viz.plot_attention(pattern(x @ W_q, x @ W_k), words)
plt.show()
print(f"? says {attention(x @ W_q, x @ W_k, x @ W_v)[-1, 0]:.2f}")

# %% [markdown]
# The last row is split, 50 % on `red` and 50 % on `kite`. So `?` says 15, halfway between the two
# answers. One softmax shares out *one* look.

# %% [markdown]
# Two questions need two **heads**, each with its own query, key and value: **multi-head
# attention**. The C channels are *cut* into nh heads of hs = C / nh each. A batch of B texts comes
# first, so the shape goes from `(B, T, C)` to `(B, nh, T, hs)`.


# %%
def split_heads(x, n_head):
    B, T, C = x.shape
    return x.view(B, T, n_head, C // n_head).transpose(1, 2)  # (B, nh, T, hs)


numbered = torch.arange(12).view(1, 3, 4)  # B = 1, T = 3, C = 4
print(numbered)
print(split_heads(numbered, 2))

# %% [markdown]
# Follow the 4: second word, first channel. After the split it is in the first head, second row.
# Each head holds every word, but half of its channels.

# %% [markdown]
# Afterwards the heads' answers are laid side by side again.


# %%
def merge_heads(x):
    B, nh, T, hs = x.shape
    return x.transpose(1, 2).reshape(B, T, nh * hs)  # (B, T, C)


assert torch.equal(merge_heads(split_heads(numbered, 2)), numbered)
print("Merging undoes splitting.")

# %% [markdown]
# Now the two questions go into two heads. Columns 0 and 1 of each matrix belong to head 0, columns
# 2 and 3 to head 1. `pattern` and `attention` stay as they are: they only touch the last two axes.

# %%
W_q, W_k, W_v = torch.zeros(3, 4, 4)
W_q[2, 0], W_k[0, 0], W_v[3, 0] = 16, 1, 1  # head 0: which colour?
W_q[2, 2], W_k[1, 2], W_v[3, 2] = 16, 1, 1  # head 1: which thing?
by_hand = [split_heads(x[None] @ W, 2) for W in (W_q, W_k, W_v)]  # q, k, v
y = merge_heads(attention(*by_hand))
viz.table(y[0], ["head 0", "", "head 1", ""], rows=words)

# %% [markdown]
# `?` has both answers now, side by side: 10 and 20. Here are your two heads on a map you can play
# with. **Predict** before you touch it: at which loudness, instead of 16, does `?` lose sight of
# `red`? What does switching off the scale do, and what the mask?

# %%
others = {"blue": x[0], "hat": x[1]}  # more words that you may write in: a colour, a thing
viz.ScoreMap(x, words, W_q, W_k, n_head=2, others=others)

# %% [markdown]
# It fades, rather than being lost: with less loudness `?` looks more and more like an average.
# Without the scale the same loudness counts √2 times as much. Without the mask, words look ahead.

# %%
q, k, v = by_hand
rows = [[loud, pattern(loud / 16 * q, k)[0, 0, -1, 0].item()] for loud in (16, 8, 4, 2, 1, 0)]
viz.table(rows, ["loudness", "how much ? looks at red"])

# %% [markdown]
# ## Mixing the answers: `c_proj`
#
# Each answer lies in its own head's channels. But in `x` the column *says* is the last one, and the
# next layer will look for it there. A last matrix, $W_o$, carries each head's answer to where it
# belongs, and adds them up. (It is `c_proj` in the **checkpoint**, the file of a model's weights.)

# %% [markdown]
# **Predict:** send both heads' first channel to the column *says*. What does `?` say?

# %%
W_o = torch.zeros(4, 4)
W_o[0, 3] = 1  # head 0's answer, to "says"
W_o[2, 3] = 1  # head 1's answer, to "says" too
viz.table(y[0] @ W_o, ["is a colour", "is a thing", "asks", "says"], rows=words)

# %% [markdown]
# 30, the sum. A row of $W_o$ belongs to one channel of one head. So each head has rows of its own,
# and what the layer writes is a plain sum over heads:

# %%
per_head = [y[0, :, i : i + 2] @ W_o[i : i + 2] for i in (0, 2)]  # each head by itself
assert torch.equal(sum(per_head), y[0] @ W_o)
print("One product with W_o equals the sum of the heads' own products.")

# %% [markdown]
# ## Two more parts: bias and dropout
#
# `nn.Linear(C, D)` computes $x W + b$. The **bias** $b$ is a vector of D learned numbers that is
# added whatever comes in. GPT-2 has one in every linear layer but the last. Here `config.bias`
# decides.

# %% [markdown]
# **Dropout** is for training: each number becomes 0 with a chance of p, drawn anew each time, so
# that a model cannot rely on any single one (Srivastava et al. 2014). **Predict:** what happens to
# the numbers that are left, so that the mean stays what it was?

# %%
torch.manual_seed(0)
ones = torch.ones(2, 8)
viz.table(F.dropout(ones, p=0.25, training=True), [str(i) for i in range(8)])

# %% [markdown]
# They are divided by 1 - p: 1 becomes 1.33. In use nothing is dropped, and nothing needs to be
# divided.

# %%
drawn = F.dropout(torch.ones(100_000), p=0.25, training=True)
assert abs(drawn.mean() - 1) < 0.02  # ten times the spread of such a mean
assert torch.equal(F.dropout(ones, p=0.25, training=False), ones)
print(f"mean in training {drawn.mean():.2f}, in use exactly 1")

# %% [markdown]
# ## The layer, with GPT-2's names
#
# All together. The three matrices lie in one, `c_attn`, three times as wide. Dropout acts twice: on
# the weights of the pattern, and on the result. The names are the checkpoint's, so that real
# weights fit.


# %%
class CausalSelfAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        C = config.n_embd
        self.c_attn = nn.Linear(C, 3 * C, bias=config.bias)
        self.c_proj = nn.Linear(C, C, bias=config.bias)
        self.attn_dropout = nn.Dropout(config.dropout)  # acts in training only
        self.resid_dropout = nn.Dropout(config.dropout)
        self.n_head = config.n_head

    def forward(self, x, cache=None):  # the cache is for lesson 07
        q, k, v = (split_heads(part, self.n_head) for part in self.c_attn(x).chunk(3, dim=-1))
        weights = self.attn_dropout(pattern(q, k))  # (B, nh, T, T)
        return self.resid_dropout(self.c_proj(merge_heads(weights @ v)))


# %% [markdown]
# Five shapes on the way, for a batch of B texts:
#
# | | shape |
# | --- | --- |
# | `x`, and the result | (B, T, C) |
# | `c_attn(x)` | (B, T, 3C) |
# | `q`, `k`, `v`, each | (B, nh, T, hs) |
# | pattern | (B, nh, T, T) |
# | the heads' answers | (B, nh, T, hs) |

# %% [markdown]
# First stage against last: put the hand-made matrices in. `nn.Linear` stores its weight as (out,
# in), the transpose of ours. Remember that for lesson 08.

# %%
from minigpt import GPTConfig

layer = CausalSelfAttention(GPTConfig(n_embd=4, n_head=2))
hand_made = {
    "c_attn.weight": torch.cat([W_q, W_k, W_v], dim=1).T,
    "c_attn.bias": torch.zeros(12),
    "c_proj.weight": torch.eye(4),  # mixes nothing yet
    "c_proj.bias": torch.zeros(4),
}
layer.load_state_dict(hand_made)
assert torch.allclose(layer(x[None]), y)
print("The layer equals the hand-made heads.")

# %% [markdown]
# What do more heads cost? **Predict** the number of weights with 1, 2 and 4 heads.

# %%
heads = [CausalSelfAttention(GPTConfig(n_embd=4, n_head=n)) for n in (1, 2, 4)]
counts = [sum(p.numel() for p in layer.parameters()) for layer in heads]
viz.table([counts], ["1 head", "2 heads", "4 heads"], rows=["weights"])

# %% [markdown]
# The same: heads share the channels out. What grows is something else. Each head has a pattern of
# T x T numbers. **Predict:** a text twice as long, how many times the memory?

# %%
rows = []
for T in (256, 512, 1024):
    w = pattern(torch.zeros(T, 64), torch.zeros(T, 64))
    rows.append([T, w.numel(), w.nbytes / 2**20])
viz.table(rows, ["T", "numbers in one pattern", "MiB"])

# %% [markdown]
# Four times: attention is **quadratic** in the length of the text. And GPT-2 has a pattern for each
# head of each layer. PyTorch's call usually does the same sums without storing one; lesson 05
# measures that.

# %% [markdown]
# ## The proof: equal to the package
#
# The course's own GPT-2 uses `minigpt.model.CausalSelfAttention`. Give yours the same weights, in
# the size of the real GPT-2: 768 channels, 12 heads. `load_state_dict` refuses any name or shape
# that differs. (Both have dropout; at `dropout=0` it does nothing.)

# %%
from minigpt import model as package

config = GPTConfig.preset("gpt2")
torch.manual_seed(0)
theirs, yours = package.CausalSelfAttention(config), CausalSelfAttention(config)
yours.load_state_dict(theirs.state_dict())
batch = torch.randn(2, 50, 768)
assert torch.allclose(yours(batch), theirs(batch), atol=1e-5)
print(f"Equal, with {sum(p.numel() for p in yours.parameters()):,} weights.")

# %% [markdown]
# That is one of GPT-2's twelve attention layers, complete. In the exercises you write it yourself.

# %% [markdown]
# ## A head that nobody made
#
# You set your heads by hand. The storyteller, the small model from lesson 00, has learned its 16
# heads from stories alone. Is there one that asks *which colour?* We need a story that ends so.

# %%
from copy import deepcopy
from textwrap import fill

from minigpt import Stories, from_pretrained

model, tokenizer = from_pretrained("storyteller", verbose=False)
story = next(story for story in Stories(seed=7) if "what colour was" in story)
beginning, answer = story.rsplit(" ", 1)
print(fill(story, 90))

# %% [markdown]
# Cut off the answer. **Predict:** does one of the 16 heads look at the colour from the last token:
# with a tenth of its weight, half, or nearly all?

# %%
from minigpt.interpret import attention_patterns
from minigpt.stories import GRAMMAR

colours = torch.tensor([tokenizer.encode(f" {c}")[0] for c in GRAMMAR["colour"]])


def cut(story):  # the ids up to the answer, and the answer's own
    beginning, answer = story.rsplit(" ", 1)
    ids = torch.tensor([[tokenizer.end_of_text, *tokenizer.encode(beginning)]])
    return ids, tokenizer.encode(" " + answer.strip("."))[0]


def shares(story):  # (layer, head): how much the last token looks at the colour
    ids, _ = cut(story)
    look = attention_patterns(model, ids)[:, 0, :, -1]
    return look[:, :, torch.isin(ids[0], colours)].sum(dim=-1)


share = shares(story)
heads, layers = [f"head {i}" for i in range(4)], [f"layer {i}" for i in range(4)]
viz.table((100 * share).round(), heads, rows=layers)

# %% [markdown]
# One head spends all of it there. One story may be chance. **Predict:** in 60 stories with such an
# ending, how often is it this head again? And where does it look if the end asks *who lived* there?

# %%
from itertools import islice

layer, head = divmod(int(share.argmax()), 4)
asked = list(islice((s for s in Stories(seed=7) if "what colour was" in s), 60))
all_shares = torch.stack([shares(s) for s in asked])  # (60, layer, head)
same = (all_shares.flatten(1).argmax(dim=1) == share.argmax()).sum()
least = all_shares[:, layer, head].min()
print(f"the same head in {same} of 60; its smallest share {least:.2%}")
who = islice((s for s in Stories(seed=7) if "And who lived" in s), 60)
print(f"asked who: its largest share {max(shares(s)[layer, head] for s in who):.2%}")

# %% [markdown]
# Always; and asked *who*, it ignores the colour. So it asks *which colour?*, as yours does, though
# nobody told it to. But does the model *use* it? **Take the head out**: set its rows of $W_o$ to 0,
# so that it writes nothing. **Predict:** how many of the 60 answers are still right? And without
# its neighbour?


# %%
@torch.no_grad()
def right_without(layer, head):
    changed = deepcopy(model)
    changed.transformer.h[layer].attn.c_proj.weight[:, 32 * head : 32 * (head + 1)] = 0
    pairs = [cut(story) for story in asked]
    return sum(int(changed(ids)[0, -1].argmax()) == colour for ids, colour in pairs)


without, neighbour = right_without(layer, head), right_without(layer, head + 1)
assert without < 20 and neighbour > 55
print(f"right of 60: without it {without}, without its neighbour {neighbour}")

# %% [markdown]
# So it looks there, and the answer depends on it. Here it is. The explorer can take heads out too:
# choose one, press **take out**, and see what comes next.

# %%
viz.AttentionExplorer(
    model,
    tokenizer,
    "<|endoftext|>" + beginning,
    layer=layer,
    head=head,
    parts=("patterns", "lines", "take out"),
)

# %% [markdown]
# The last token, `·was`, looks at `·brown` where it came first. And the others? A row of weights
# sums to 1, so a head that finds nothing must still look *somewhere*.

# %%
ids, _ = cut(story)
w = attention_patterns(model, ids)[layer, 0, head]  # (T, T)
sure = (w.max(dim=1).values > 0.5).float().mean()
even = (1 / torch.arange(2, len(w) + 1)).mean()  # an even look, the mean over all later tokens
print(f"{sure:.0%} of the tokens give one token more than half of their look")
print(f"the first token gets {w[1:, 0].mean():.1%}; an even look would give it {even:.1%}")

# %% [markdown]
# Most tokens give none more than half of their look. Larger models often have another way: such
# heads look at the *first* token, an **attention sink** (Xiao et al. 2023). This small one gives it
# little more than an even share.

# %% [markdown]
# One thing is left. Put *your* layer into the storyteller, four times, with its weights.
# **Predict:** does it still know the colour?

# %%
before = model(ids)
with_yours = deepcopy(model)  # the explorer above goes on with its own
for block in with_yours.transformer.h:
    yours = CausalSelfAttention(model.config)
    yours.load_state_dict(block.attn.state_dict())
    block.attn = yours
after = with_yours(ids)
assert torch.allclose(after, before, atol=1e-4)
print("It was" + tokenizer.decode([int(after[0, -1].argmax())]))

# %% [markdown]
# ## The usual mistakes
#
# Each of these runs without an error and returns the right shape. So look at what it *does*. A
# useful probe: change the last word only, and ask which words feel it.

# %%
torch.manual_seed(0)
q, k, v = torch.randn(3, 6, 16)
q2, k2, v2 = (part.clone().index_fill(0, torch.tensor(5), 1.0) for part in (q, k, v))


def feels_it(pattern):
    return (pattern(q2, k2) @ v2 - pattern(q, k) @ v).abs().amax(dim=1) > 1e-6


print(feels_it(pattern))

# %% [markdown]
# As it should be: only the last word itself. And every row of weights should sum to 1. A small
# report shows both.


# %%
def report(pattern):
    sums = pattern(q, k).sum(dim=1).tolist()
    felt = ["yes" if changed else "no" for changed in feels_it(pattern)]
    return viz.table(zip(sums, felt), ["row sums to", "feels the last word"], rows=words)


report(pattern)

# %% [markdown]
# **1. No division by √hs.** The pattern on the left is right. **Predict** how the one without the
# division differs.


# %%
def unscaled(q, k):
    return (q @ k.T).masked_fill(future, -math.inf).softmax(dim=-1)


_, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.8), layout="constrained")
viz.plot_attention(pattern(q, k), words, "right", left)
viz.plot_attention(unscaled(q, k), words, "unscaled", right)
plt.show()
assert unscaled(q, k).max(dim=1).values.min() > 0.8

# %% [markdown]
# Unscaled, every row puts more than 80 % on one word: the head has made up its mind before it has
# learned anything.

# %% [markdown]
# **2. Softmax over the wrong axis**, `dim=-2`. **Predict** the row sums, and who feels the last
# word.


# %%
def over_queries(q, k):
    return (q @ k.T / 4).masked_fill(future, -math.inf).softmax(dim=-2)


report(over_queries)

# %% [markdown]
# It is the columns that sum to 1 now. Each column's sum runs over *later* words, so all of them
# feel the last one: the future leaks in.

# %% [markdown]
# **3. Mask after the softmax.** The future's weights are set to 0, so all seems well. **Predict**
# the row sums again.


# %%
def mask_after(q, k):
    return (q @ k.T / 4).softmax(dim=-1).masked_fill(future, 0)


report(mask_after)

# %% [markdown]
# The future is gone from the weights, but not from the sum they were divided by. Rows fall short
# of 1, and the sum still carries news from the future.

# %% [markdown]
# **4. A strict mask.** It hides each word from itself too, one diagonal too many. **Predict** what
# the first word sees.


# %%
def strict(q, k):
    hidden = ~torch.ones(6, 6, dtype=torch.bool).tril(-1)
    return (q @ k.T / 4).masked_fill(hidden, -math.inf).softmax(dim=-1)


print(strict(q, k)[0])
print("the mean of the whole result:", (strict(q, k) @ v).mean().item())

# %% [markdown]
# Nothing to look at: 0 divided by 0, which is `nan`. And one such row is enough to make any mean
# `nan`, a loss too.

# %% [markdown]
# **5. The upper triangle.** Everyone sees the future and nobody the past. In training the next
# word is in plain sight; when the model has to write, it is not there.


# %%
def upper(q, k):
    hidden = ~torch.ones(6, 6, dtype=torch.bool).triu()
    return (q @ k.T / 4).masked_fill(hidden, -math.inf).softmax(dim=-1)


viz.plot_attention(upper(q, k), words, "upper triangle")
plt.show()

# %% [markdown]
# The weights lie above the diagonal, where hatching should be. Below it all is 0.

# %% [markdown]
# **6. Masking with 0.** $e^0 = 1$: a score of 0 hides nothing. The first word should see itself,
# 100 %. **Predict** what the future gets.


# %%
def mask_with_zero(q, k):
    return (q @ k.T / 4).masked_fill(future, 0).softmax(dim=-1)


viz.plot_attention(mask_with_zero(q, k), words, "masked with 0")
plt.show()

# %% [markdown]
# No hatching: nothing is hidden. `red` gives 19 % to each later word and keeps 7 % for itself.

# %% [markdown]
# **7. Query and key swapped.** The mask is right and rows sum to 1. **Predict** what `?` says now,
# in the two heads made by hand.


# %%
def swapped(q, k):
    return pattern(k, q)


hand_q, hand_k, hand_v = by_hand
print("right:  ", merge_heads(pattern(hand_q, hand_k) @ hand_v)[0, -1])
print("swapped:", merge_heads(swapped(hand_q, hand_k) @ hand_v)[0, -1])

# %% [markdown]
# Both answers are gone: 5 is the plain average, where we began. Now `red` calls out for `?`, which
# comes too late for `red` to see.

# %% [markdown]
# **8. Heads merged without transposing back.** The shape is right, so nothing complains. Find the
# 4, which belongs to the second word.

# %%
split = split_heads(numbered, 2)
print(split.reshape(1, 3, 4))
print("right:", merge_heads(split).tolist())

# %% [markdown]
# It sits in the first row: the first word gets channels of the second, straight from its future.

# %% [markdown]
# Which test finds which mistake? **Predict** how many of the seven pass both the row sums and the
# probe.


# %%
def results(candidate):
    w, right = candidate(q, k), pattern(q, k)
    tests = [
        w.shape == right.shape,
        torch.allclose(w.sum(dim=-1), torch.ones(6)),
        feels_it(candidate).nonzero().tolist() == [[5]],
        torch.allclose(w, right),
    ]
    return [candidate.__name__, *("ok" if passed else "fails" for passed in tests)]


wrong = [unscaled, over_queries, mask_after, strict, upper, mask_with_zero, swapped]
columns = ["", "shape", "rows sum to 1", "only ? feels it", "equal to the right one"]
viz.table([results(candidate) for candidate in [pattern, *wrong]], columns)

# %% [markdown]
# Two. The shape catches none. Comparing with something independent catches all seven. That is why
# lessons here end with such a proof.

# %% [markdown]
# ## In short
#
# - A head averages **values**. The weights come from **queries** and **keys**, by softmax.
# - The future gets −∞ *before* the softmax, and scores are divided by √hs.
# - Heads share the channels. `c_attn` makes q, k and v of all heads, `c_proj` adds up their
#   answers.
# - A pattern costs T x T numbers for each head.
# - The right shape proves nothing.

# %% [markdown]
# **Your turn.** Let `kite` ask too: set its *asks* to 1 at the top and run all. What does it say,
# and why?
#
# **Exercises:** [03_attention](../exercises/03_attention.ipynb). Each check says what went wrong,
# and what passes becomes a part of your own GPT.
#
# **Next:** lesson 04 builds what GPT-2 repeats, around this layer.
