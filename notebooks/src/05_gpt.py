# %% [markdown]
# # 05 · GPT
#
# **Afterwards you can** assemble GPT-2, start it so that it can learn, say what each of its sizes
# costs in parameters, memory and arithmetic, and prove that it never looks ahead.
#
# **Takes** about an hour and a quarter. **Needs** Python and a little PyTorch. Lessons 03 and 04
# build the block that is used here.

# %%
import math
from copy import deepcopy

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from minigpt import GPTConfig, viz
from minigpt.model import Block

viz.use_style()

# %% [markdown]
# ## Seven words
#
# Someone says: *red kite fell. kite colour?* Seven words, *kite* twice. The whole vocabulary has
# six, and each word's **id** is its number there, counted from 0.

# %%
vocabulary = ["red", "kite", "fell", ".", "colour", "?"]
words = ["red", "kite", "fell", ".", "kite", "colour", "?"]
ids = torch.tensor([[vocabulary.index(word) for word in words]])
tiny = GPTConfig(vocab_size=6, block_size=8, n_layer=2, n_head=2, n_embd=4)
print(ids)

# %% [markdown]
# That is a batch of one text, shape `(B, T)` = (1, 7). The model is tiny too: 2 layers, 2 heads, 4
# numbers a word, at most 8 words. GPT-2 is the same with larger numbers.

# %% [markdown]
# ## What is it?
#
# First stage: an **embedding**, a table with one row for each id. A word's vector is its row. The
# checkpoint calls it `wte`, for *word token embedding*. Its rows start at random.

# %% [markdown]
# **Predict:** how many numbers does this table hold?

# %%
torch.manual_seed(1)
wte = nn.Embedding(6, 4)
print(wte.weight.numel(), "numbers")
channels = ["channel 0", "1", "2", "3"]
viz.table(wte(ids)[0], channels, rows=words)

# %% [markdown]
# Six rows of four. Both *kite* are the same, to the last digit: whatever compares vectors cannot
# tell the second word from the fifth.

# %% [markdown]
# ## Where is it?
#
# So every *position* has a vector too, in a second table, `wpe`: one row for each of the 8
# positions that this model can hold (its `block_size`). The two are added:
#
# $$x_t = \text{wte}[\text{id}_t] + \text{wpe}[t]$$

# %%
wpe = nn.Embedding(8, 4)
x = wte(ids) + wpe(torch.arange(7))  # (1, 7, 4)
viz.table(x[0], channels, rows=words)

# %% [markdown]
# Now *kite* differs from *kite*. These rows are the start of the residual stream: one vector a
# word, that every layer reads and adds to.

# %% [markdown]
# ## Blocks
#
# A block is attention, then an MLP (two matrices with an activation function between). Attention
# fetches from other words, the MLP works on each word alone. Lesson 04 builds it; here it is a box.
# `(B, T, C)` goes in and comes out.

# %%
blocks = nn.ModuleList(Block(tiny) for _ in range(tiny.n_layer))
stream = x
for block in blocks:
    stream = block(stream)
print(tuple(stream.shape))

# %% [markdown]
# As the shape stays, you can stack as many as you like. That is all that *deep* means here.

# %% [markdown]
# ## One last LayerNorm
#
# The stream is a sum, and nothing keeps a sum in bounds. So GPT-2 brings it to scale before it is
# read: LayerNorm gives every word's vector mean 0 and spread 1. (*Spread* is the standard
# deviation, in this lesson everywhere.)

# %%
ln_f = nn.LayerNorm(4)
normed = ln_f(stream)
before, after = (each[0].std(dim=1, correction=0).tolist() for each in (stream, normed))
rows = zip(words, before, after)
viz.table(rows, ["", "spread before", "after"])

# %% [markdown]
# It is called `ln_f`, f for *final*: the blocks have LayerNorms of their own.

# %% [markdown]
# ## What comes next?
#
# The head of the model, also called the **unembedding**, gives each word of the vocabulary a score,
# its logit. It has no table of its own: it takes the dot product with that word's row of `wte`.
#
# $$\text{logit}_{tv} = \text{LayerNorm}(x_t) \cdot \text{wte}[v]$$

# %%
logits = normed @ wte.weight.T  # (1, 7, 6)
viz.table(logits[0], vocabulary, rows=words)

# %% [markdown]
# Seven rows: at every word a score for each possible *next* word. Softmax makes probabilities of
# them. They mean nothing yet, since nothing is learned.

# %% [markdown]
# ## The model
#
# All stages in one class, with the checkpoint's names. Read it line by line: it is the whole model.
# `lm_head` is the head, *lm* for *language model*; `drop` is dropout, as in lesson 03.


# %%
class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        V, T, C = config.vocab_size, config.block_size, config.n_embd
        self.config = config
        parts = dict(
            wte=nn.Embedding(V, C),
            wpe=nn.Embedding(T, C),
            drop=nn.Dropout(config.dropout),
            h=nn.ModuleList(Block(config) for _ in range(config.n_layer)),
            ln_f=nn.LayerNorm(C, bias=config.bias),
        )
        self.transformer = nn.ModuleDict(parts)
        self.lm_head = nn.Linear(C, V, bias=False)
        self.lm_head.weight = self.transformer.wte.weight  # one matrix, used twice

    def embed(self, idx):
        positions = torch.arange(idx.size(1), device=idx.device)
        return self.transformer.wte(idx) + self.transformer.wpe(positions)  # (B, T, C)

    def forward(self, idx):
        x = self.transformer.drop(self.embed(idx))
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(self.transformer.ln_f(x))  # (B, T, V)


# %% [markdown]
# Stages against class: put the parts from above into it. The logits must be the same.

# %%
model = GPT(tiny)
parts = nn.ModuleDict(dict(wte=wte, wpe=wpe, h=blocks, ln_f=ln_f))
model.transformer.load_state_dict(parts.state_dict())
assert torch.allclose(model(ids), logits, atol=1e-6)
print("The class equals the stages.")

# %% [markdown]
# And here is the real one: the smallest GPT-2, with the shapes that one text of 1,024 tokens has on
# its way down. **Predict** the largest of them before you look for it.

# %%
from minigpt.viz.figures import plot_model

plot_model(GPTConfig.preset("gpt2"), 1024)
plt.show()

# %% [markdown]
# The logits, with 51 million numbers; then the patterns of one layer, 12.6 million. All else keeps
# the width of the stream, or four times that.

# %% [markdown]
# ## It never looks ahead
#
# In training every row is asked for its next word, and that word stands in the text. If a row could
# see it, it could just copy it. Is your assembly safe? Test it: change one word, and see which rows
# move.

# %% [markdown]
# We give the model loud random weights, so that every effect is large enough to see. **Predict:**
# change the fifth word. Which rows move?


# %%
def moved_rows(model, position):
    changed = ids.clone()
    changed[0, position] = (ids[0, position] + 1) % 6  # some other word
    return (model(changed) - model(ids))[0].abs().amax(dim=1).detach()  # (T,)


torch.manual_seed(0)
for parameter in model.parameters():
    nn.init.normal_(parameter, std=0.7)
viz.table(moved_rows(model, position=4)[:, None], ["moves by"], rows=words)

# %% [markdown]
# The four rows before it do not move at all. Now change each of the seven in turn. And ask a
# second witness, calculus: the **gradient** says how one number made of a row's logits would move
# with a tiny change of each position's vector.


# %%
def by_change(model):
    return torch.stack([moved_rows(model, p) for p in range(7)], dim=1)


def by_gradient(model):
    wpe = model.transformer.wpe.weight  # row s is used at position s, and nowhere else
    scores = model(ids)[0].logsumexp(dim=1)  # one number a row
    slopes = [torch.autograd.grad(s, wpe, retain_graph=True)[0] for s in scores]
    return torch.stack([slope.norm(dim=1)[:7] for slope in slopes])


# %% [markdown]
# Both give a square: a row for each row of logits, a column for each position that is touched. In
# the picture each row is shared out to 100 %, and an exact 0 above the diagonal is hatched.


# %%
def show_effects(model):
    _, axes = plt.subplots(1, 2, figsize=(8.4, 4.2), layout="constrained")
    for ax, witness in zip(axes, [by_change, by_gradient]):
        effect = witness(model)
        viz.plot_attention(effect / effect.sum(dim=1, keepdim=True), words, ax=ax)
        ax.set(xlabel="word touched (% of the effect)", ylabel="row that moves")
        ax.set_title(witness.__name__.replace("_", " "))
    plt.show()


show_effects(model)

# %% [markdown]
# Above the diagonal all is hatched: no row feels a later word. On and below it every row feels
# every word, if only a little (a plain 0 is less than half a percent). Both witnesses agree on
# *where*; how much, they measure differently.

# %%
for witness in (by_change, by_gradient):
    effect = witness(model)
    assert effect.triu(1).max() < 1e-6 and effect.tril().ne(0).sum() == 28
print("28 cells on and below the diagonal move. The other 21 stay.")

# %% [markdown]
# Would this test notice a leak? **Predict** the picture when *one* of the two layers forgets its
# mask.

# %%
leaking = deepcopy(model)
attention = leaking.transformer.h[1].attn
attention.attend = lambda q, k, v, dropout: F.scaled_dot_product_attention(q, k, v)
show_effects(leaking)

# %% [markdown]
# The hatching is gone. One leaking layer is enough, and the shape of the logits is still right.

# %% [markdown]
# ## One matrix, used twice
#
# The head shares its matrix with the embedding. That is **weight tying** (Press & Wolf 2017). What
# does it save?

# %%
gpt2 = GPTConfig.preset("gpt2")
matrix = gpt2.vocab_size * gpt2.n_embd
print(f"{matrix:,} numbers, {matrix / (124_439_808 + matrix):.0%} of an untied GPT-2")

# %% [markdown]
# A tied matrix learns from both ends. **Predict:** how does its gradient relate to the two that an
# untied pair would get?


# %%
class Untied(GPT):
    def __init__(self, config):
        super().__init__(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)


tied, untied = GPT(tiny), Untied(tiny)
untied.load_state_dict(tied.state_dict())  # the same numbers, but in two matrices
for model in (tied, untied):
    model(ids).logsumexp(dim=-1).sum().backward()
two = untied.transformer.wte.weight.grad + untied.lm_head.weight.grad
assert torch.allclose(tied.transformer.wte.weight.grad, two, atol=1e-5)
print("The gradient of one shared matrix is the sum of the two.")

# %% [markdown]
# ## The first loss
#
# Before it has learned anything, how surprised should a model be? Knowing nothing, it gives each
# of V words the probability 1/V. Surprise is minus the logarithm of a probability, in nats. The
# mean of it is the **loss**:
#
# $$-\ln \tfrac{1}{V} = \ln V$$

# %%
rows = [[V, math.log(V)] for V in (6, 1024, 50257)]
viz.table(rows, ["V", "ln V (nats)"])

# %% [markdown]
# 1,024 is the vocabulary of the storyteller, the small model that comes with the course. We take
# its shape for a while, and random ids.

# %%
small = GPTConfig(vocab_size=1024, block_size=128, n_layer=4, n_head=4, n_embd=128)


@torch.no_grad()
def first_loss(model):
    V, generator = model.config.vocab_size, torch.Generator().manual_seed(0)
    text = torch.randint(V, (4, 33), generator=generator)
    logits = model(text[:, :-1]).flatten(0, 1)  # (4 * 32, V)
    return F.cross_entropy(logits, text[:, 1:].flatten()).item()  # targets: one to the right


# %% [markdown]
# Lesson 06 derives `cross_entropy`; here it is the mean surprise. PyTorch's layers come with a
# start of their own. (The package's `Block` starts as GPT-2 does, so we undo that.)

# %% [markdown]
# **Predict:** your model should be at 6.93, knowing nothing. Is it, with PyTorch's start?


# %%
def start_like_pytorch(model):  # the embeddings have it already
    for module in model.transformer.h.modules():
        if isinstance(module, nn.Linear):
            nn.Linear.reset_parameters(module)


torch.manual_seed(0)
model = GPT(small)
start_like_pytorch(model)
print(f"first loss {first_loss(model):.0f} nats")
print(f"spread of the logits {model(torch.arange(100)[None]).std():.0f}")

# %% [markdown]
# Far above! Worse than knowing nothing: it is sure of something. **Predict:** which token does it
# expect to come next?


# %%
@torch.no_grad()
def expects(model):
    text = torch.randint(1024, (4, 32), generator=torch.Generator().manual_seed(1))
    logits = model(text)
    own = logits.gather(-1, text[..., None])  # of the token that stands there itself
    others = logits.masked_fill(F.one_hot(text, 1024).bool(), math.nan)
    best = (logits.argmax(dim=-1) == text).float().mean().item()
    return [f"{best:.0%}", own.mean().item(), others[~others.isnan()].std().item()]


table = expects(model)
assert table[0] == "100%" and table[1] > 70
columns = ["the best is the token itself", "its own logit", "spread of the others"]
viz.table([table], columns)

# %% [markdown]
# Itself! `nn.Embedding` starts with spread 1. Token plus position alone would give the logit 128/√2
# ≈ 91; 87 is not far off, so the blocks change little. The stream still points along the token's
# own row of `wte`, and the tied head multiplies with that row: it sees its own embedding come back.

# %% [markdown]
# Then the fault should be gone where the next token *is* the same one. **Predict** the loss on a
# text that says one token over and over. And with an untied head, started with spread 1 too?

# %%
same = torch.full((1, 33), 7)
with torch.no_grad():
    repeated = F.cross_entropy(model(same[:, :-1])[0], same[0, 1:]).item()
losses = []
for seed in range(5):
    torch.manual_seed(seed)
    untied = Untied(small)
    start_like_pytorch(untied)
    nn.init.normal_(untied.lm_head.weight)
    losses.append(first_loss(untied))
assert repeated < 0.01 and min(losses) > 25 and max(losses) < 50
print(f"one token over and over: {repeated:.1f} nats")
print(f"untied: {min(losses):.0f} to {max(losses):.0f} nats in five starts")

# %% [markdown]
# 0: it was right for once. Untied, no token is favoured, but the loss is still five times ln V. A
# logit is a sum of 128 products of size about 1, and by chance such sums spread by √128 ≈ 11.

# %% [markdown]
# What if all weights start smaller? We try several spreads.


# %%
def loss_at(std):
    torch.manual_seed(0)
    model = GPT(small)
    for parameter in model.parameters():
        if parameter.dim() == 2:  # matrices and embeddings
            nn.init.normal_(parameter, std=std)
    return first_loss(model)


spreads = [0.002, 0.005, 0.02, 0.05, 0.1, 0.3, 1]
plt.loglog(spreads, [loss_at(std) for std in spreads], "o-", label="first loss")
plt.axhline(math.log(1024), color="#D55E00", linestyle="--", label="ln V = 6.93")
plt.yticks([7, 10, 20, 50, 100], [7, 10, 20, 50, 100])
plt.minorticks_off()
plt.gca().set(xlabel="spread of the weights at the start", ylabel="first loss (nats)")
plt.legend()
plt.show()

# %% [markdown]
# Up to 0.05 the loss (dots) lies on the dashed line, ln V, or hardly above it. From 0.1 on it
# climbs. GPT-2 takes 0.02.

# %% [markdown]
# ## 48 layers deep
#
# One more care. Each block adds to the stream twice, so XL with its 48 blocks adds 96 times.
# Independent additions of spread $a$ pile up: after $n$ of them the spread is $a\sqrt n$.

# %% [markdown]
# So GPT-2 shrinks the matrices that *write* to the stream, both called `c_proj`, by
# $1/\sqrt{2L}$ for L layers. Then all 2L additions together spread like a single one.


# %%
def start_like_gpt2(model, shrink=True):
    L = model.config.n_layer
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif "ln_" in name:
            nn.init.ones_(parameter)
        else:
            writes = shrink and name.endswith("c_proj.weight")
            nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * L) if writes else 0.02)


# %% [markdown]
# Who says so? Three sources, which differ:
#
# | | weights | `wpe` | what writes to the stream |
# | --- | --- | --- | --- |
# | the paper (Radford et al. 2019, 2.3) | not said | not said | times 1/√N, N *residual layers* |
# | OpenAI's published code | 0.02 | 0.01 | 0.02, not scaled |
# | custom since, and this course | 0.02 | 0.02 | 0.02 / √(2L) |

# %% [markdown]
# (The published code only *runs* weights that are loaded, so its start was never seen. 0.02 stands
# in the paper on the first GPT, Radford et al. 2018.) Now the storyteller's shape with 48 layers.
# **Predict:** how many times wider is the stream at the end, without the shrinking and with it?

# %%
from dataclasses import replace


@torch.no_grad()
def stream_spreads(shrink):
    torch.manual_seed(0)
    model = GPT(replace(small, n_layer=48))
    start_like_gpt2(model, shrink)
    start = x = model.embed(torch.randint(1024, (4, 64)))
    spreads = [x.std().item()]
    for block in model.transformer.h:
        x = block(x)
        spreads.append(x.std().item())
    same = F.cosine_similarity(start, x, dim=-1).mean().item()
    return spreads, same, first_loss(model)


plain, shrunk = stream_spreads(shrink=False), stream_spreads(shrink=True)

# %%
plt.plot(plain[0], label="all weights start at 0.02")
plt.plot(shrunk[0], "--", label="c_proj shrunk by 1/√96")
root = [plain[0][-1] * math.sqrt(layer / 48) for layer in range(49)]
plt.plot(root, ":", color="gray", label="a square root")
plt.gca().set(xlabel="layer", ylabel="spread of the residual stream", ylim=(0, None))
plt.legend()
plt.show()

# %% [markdown]
# Without shrinking (solid) the stream grows and grows, almost on the square root (dotted). Shrunk
# (dashed), it stays low. What becomes of the *word* in it?

# %%
rows = [[s[0][0], s[0][-1], s[0][-1] / s[0][0], s[1], s[2]] for s in (plain, shrunk)]
columns = ["spread at the start", "behind layer 48", "times", "likeness to the word", "first loss"]
assert rows[0][3] < 0.2 < 0.4 < rows[1][3] and abs(rows[0][4] - rows[1][4]) < 0.1
viz.table(rows, columns, rows=["all at 0.02", "c_proj shrunk"])

# %% [markdown]
# *Likeness* is the cosine between the vector that came in and the one that comes out: 1 is the
# same direction, 0 is none of it. Unshrunk, the word is all but drowned in noise that 48 layers
# made up.

# %% [markdown]
# And look at the last column: the first loss is fine *both* times, as `ln_f` brings both streams to
# the same scale. So check the spread as well.

# %% [markdown]
# ## What it costs: parameters
#
# A **parameter** is a number that is learned. Per block, with C channels:
#
# | part | weights | biases |
# | --- | --- | --- |
# | attention: `c_attn`, `c_proj` | 3C² + C² | 3C + C |
# | MLP: `c_fc`, `c_proj` | 4C² + 4C² | 4C + C |
# | two LayerNorms | 2C | 2C |


# %%
def parameters(config):
    V, T, L, C = config.vocab_size, config.block_size, config.n_layer, config.n_embd
    return {
        "tokens (wte)": V * C,  # the tied head is the same matrix: counted once
        "positions (wpe)": T * C,
        "attention": L * (4 * C**2 + 4 * C),
        "MLP": L * (8 * C**2 + 5 * C),
        "LayerNorms": L * 4 * C + 2 * C,  # and the final one
    }


def count_parameters(config):
    return sum(parameters(config).values())


assert count_parameters(small) == sum(p.numel() for p in GPT(small).parameters())
print(f"{count_parameters(small):,}, by formula and by counting")

# %% [markdown]
# Does it hold for the large ones? XL takes 6 GB, too much for many machines. But PyTorch has a
# device called **meta**: its tensors have a shape and no storage. So we can build XL and count,
# for free.

# %%
sizes = {name: GPTConfig.preset(name) for name in ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")}
with torch.device("meta"):
    models = {name: GPT(config) for name, config in sizes.items()}
for name, model in models.items():
    assert sum(p.numel() for p in model.parameters()) == count_parameters(sizes[name])
print("Formula and count agree for all four.")

# %% [markdown]
# GPT-2's paper has a name for each size (Radford et al. 2019, table 2). **Predict:** do the names
# say the truth?

# %%
labels = [117, 345, 762, 1542]  # millions, as the paper has them
rows = []
for (name, config), label in zip(sizes.items(), labels):
    N = count_parameters(config)
    rows.append([name, config.n_layer, config.n_head, config.n_embd, N, f"{label}M"])
    rows[-1].append(f"{N / 1e6 - label:.1f}M")
viz.table(rows, ["", "layers", "heads", "width", "parameters", "paper's label", "missing"])

# %% [markdown]
# All four labels undercount, by 7 to 16 million. (OpenAI's README: "our original parameter counts
# were wrong due to an error".) Both names are in use: 117M and 124M are the same model.

# %% [markdown]
# Where do they sit? **Predict:** which part is the largest, in the smallest model and in XL?


# %%
def stacked_bars(bars, unit):  # {model: {part: amount}}
    _, ax = plt.subplots(figsize=(6.8, 3.8))
    base = [0.0] * len(bars)
    for part, hatch in zip(next(iter(bars.values())), ["", "//", "..", "xx", "--"]):
        heights = [bar[part] for bar in bars.values()]
        ax.bar(list(bars), heights, 0.6, base, hatch=hatch, edgecolor="white", label=part)
        base = [low + height for low, height in zip(base, heights)]
    ax.set_ylabel(unit)
    handles, names = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], names[::-1], loc="center left", bbox_to_anchor=(1, 0.5))
    plt.show()


shares = {}
for name, config in sizes.items():
    N = count_parameters(config)
    shares[name] = {part: 100 * n / N for part, n in parameters(config).items()}
stacked_bars(shares, "share of the parameters (%)")

# %% [markdown]
# From the bottom up: tokens (plain), attention (dotted), MLP (crossed). Positions and LayerNorms
# are too thin to see. The MLP is the largest part in all four. The token table shrinks from almost
# a third to a twentieth. In numbers, in percent:

# %%
columns = list(shares["gpt2"])
viz.table([list(share.values()) for share in shares.values()], columns, rows=list(shares))

# %% [markdown]
# ## What it costs: memory
#
# A parameter takes 4 bytes in **fp32**, the usual floating-point number, and 2 in **bf16**, a
# shorter one with fewer digits. Training needs more. **Predict:** how many bytes a parameter?

# %% [markdown]
# AdamW, the optimiser of lesson 06, keeps two running averages for each parameter. Let one step
# tell.

# %%
model = GPT(small)
optimizer = torch.optim.AdamW(model.parameters())
model(torch.zeros(1, 8, dtype=torch.long)).sum().backward()
optimizer.step()
N = count_parameters(small)
averages = [t for state in optimizer.state.values() for t in state.values() if t.dim() > 0]
for what, tensors in [
    ("weights", list(model.parameters())),
    ("gradients", [p.grad for p in model.parameters()]),
    ("AdamW's averages", averages),
]:
    print(f"{what}: {sum(t.nbytes for t in tensors) / N:.0f} bytes a parameter")

# %% [markdown]
# 4 + 4 + 8 = 16 bytes. That is before any text has come in.

# %% [markdown]
# **Activations** are what a forward pass computes, from ids to logits. To find gradients, PyTorch
# must keep many of them. Per position a block keeps 16C + nh + 4 numbers:
#
# | kept | numbers |
# | --- | --- |
# | what each LayerNorm read, and made | 4C, and 4 for mean and spread |
# | q, k, v, and what the heads found | 4C, and nh for the softmax |
# | the MLP's middle, before and after GELU | 8C |


# %%
def activations(config):  # numbers kept per position
    V, L, C, nh = config.vocab_size, config.n_layer, config.n_embd, config.n_head
    return L * (16 * C + nh + 4) + (2 * C + 2) + V  # blocks, ln_f and head, loss


# %% [markdown]
# The V at the end is the loss: it keeps the log-probability of every word of the vocabulary. Is
# the account right? PyTorch lets you watch what it keeps.


# %%
def bytes_kept(model, text):
    own = {parameter.data_ptr() for parameter in model.parameters()}
    kept = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and tensor.is_floating_point():
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        logits = model(text[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten())
    assert loss.requires_grad
    return sum(kept.values())


model, T = GPT(small), 128
kept = bytes_kept(model, torch.zeros(1, T + 1, dtype=torch.long))
expected = 4 * T * activations(small)
assert abs(kept / expected - 1) < 0.05
print(f"{expected / 1e6:.1f} MB by formula, {kept / 1e6:.1f} MB watched")

# %% [markdown]
# That was PyTorch's one call (lesson 03), named *fused*. Your own from lesson 03 makes whole
# patterns, and keeps them: nh rows of T numbers a position in each layer. **Predict:** does that
# matter, at T = 128? At 1,024?

# %%
from minigpt.model import explicit_attention

own = deepcopy(model)
for block in own.transformer.h:
    block.attn.attend = explicit_attention
kept_by_own = bytes_kept(own, torch.zeros(1, T + 1, dtype=torch.long))
patterns = 4 * small.n_layer * small.n_head * T * T
assert abs((kept_by_own - kept) / patterns - 1) < 0.05
rows = []
for config, long in [(small, T), (gpt2, 1024)]:
    fused = 4 * long * activations(config)
    rows.append([fused / 1e6, (fused + 4 * config.n_layer * config.n_head * long**2) / 1e6])
columns = ["fused (MB)", "with whole patterns (MB)"]
viz.table(rows, columns, rows=["storyteller, T = 128", "gpt2, T = 1,024"])

# %% [markdown]
# A fifth more for the small one, three quarters more for GPT-2: patterns grow with T², all else
# with T. The table of memory below counts the fused way.

# %% [markdown]
# The last item is for writing, not training. The **KV cache** of lesson 07 keeps keys and values
# of all layers, so that they need not be computed again for every new token: 2LC numbers a
# position.

# %%
from minigpt import KVCache


def cache_size(config):  # numbers, for one text as long as the model can hold
    return 2 * config.n_layer * config.n_embd * config.block_size


cache = KVCache(gpt2, device="meta")
held = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
assert held == cache_size(gpt2)
print(f"gpt2: {cache_size(gpt2):,} numbers")

# %% [markdown]
# All together, in GB (a thousand million bytes). Activations and cache are in fp32, for one text
# of 1,024 tokens. **Predict:** does XL train on a GPU of 24 GB?

# %%
rows = []
for config in sizes.values():
    N, kept = count_parameters(config), 1024 * activations(config)
    counts = [4 * N, 2 * N, 4 * cache_size(config), 16 * N, 4 * kept, 16 * N + 4 * kept]
    rows.append([count / 1e9 for count in counts])
columns = ["weights fp32", "weights bf16", "KV cache", "before any text", "activations", "training"]
viz.table(rows, columns, rows=list(sizes))

# %% [markdown]
# *Before any text* are the 16 bytes a parameter; *training* adds the activations. XL needs 30 GB,
# so no. Yet to *write*, its weights in bf16 take 3, and the cache adds less than 1.

# %%
bars = {}
for (name, config), row in zip(sizes.items(), rows):
    weights = 4 * count_parameters(config) / 1e9
    bars[name] = {"weights": weights, "gradients": weights, "AdamW's averages": 2 * weights}
    bars[name]["activations"] = row[4]
stacked_bars(bars, "memory to train (GB)")

# %% [markdown]
# From the bottom up: weights, gradients as much again, the two averages (dotted) twice as much,
# activations on top. More texts at a time raise the top part only. In the smallest model one text
# of activations already outweighs the weights.

# %% [markdown]
# ## What it costs: arithmetic
#
# A **FLOP** is one addition or multiplication of floating-point numbers. A matrix uses each of its
# weights once a token: multiply, then add. So 2 FLOPs a weight.

# %% [markdown]
# Attention itself comes on top: with T words in the text, each query meets T keys and mixes T
# values, of C numbers in all. (The masked half is usually counted too.)
#
# $$2 \cdot (12 L C^2 + V C) + 4 L T C$$


# %%
def flops_per_token(config, T):
    V, L, C = config.vocab_size, config.n_layer, config.n_embd
    matrices = 2 * (L * 12 * C**2 + V * C)  # the blocks, the head
    scores_and_mix = 4 * L * T * C
    return matrices + scores_and_mix


# %% [markdown]
# PyTorch has a counter that looks at every operation. On meta tensors it counts and computes
# nothing.

# %%
from torch.utils.flop_counter import FlopCounterMode


def counted_flops(model, T, backward=False):
    with FlopCounterMode(display=False) as counter:
        logits = model(torch.zeros(1, T, dtype=torch.long, device="meta"))
        if backward:
            logits.sum().backward()
    return counter.get_total_flops()


for name, config in sizes.items():
    T = 1024 if name == "gpt2" else 10  # one long text is enough
    assert counted_flops(models[name], T) == T * flops_per_token(config, T)
print("Equal to PyTorch's count, to the last FLOP, for all four.")

# %% [markdown]
# The embedding costs nothing here: fetching a row is no arithmetic. But as the head, the same
# matrix works for every token. **Predict:** how many FLOPs a parameter, then?

# %%
rows = []
for config in sizes.values():
    per_token = flops_per_token(config, 1024)
    attention = 4 * config.n_layer * 1024 * config.n_embd
    per_parameter = per_token / count_parameters(config)
    rows.append([per_token / 1e9, f"{attention / per_token:.0%}", per_parameter])
columns = ["GFLOPs a token", "of which scores and mix", "FLOPs a parameter"]
viz.table(rows, columns, rows=list(sizes))

# %% [markdown]
# A little over 2 a parameter, the usual rule of thumb. (Kaplan et al. 2020, section 2.1, leave the
# embeddings out of both; here they are in.) A GFLOP is a thousand million FLOPs. **Predict:** and
# the backward pass, which finds the gradients?

# %%
forward = counted_flops(models["gpt2"], 1024)
both = counted_flops(models["gpt2"], 1024, backward=True)
assert both == 3 * forward
rows = [[forward / 1e9, (both - forward) / 1e9]]
viz.table(rows, ["forward (GFLOPs)", "backward"], rows=["gpt2, 1,024 tokens"])

# %% [markdown]
# Backward costs twice the forward: each product needs one for its input's gradient and one for
# its weight's. So training takes about 6 FLOPs a parameter and token.

# %% [markdown]
# Now set the sizes yourself, and see what each costs. **Predict** first: double the width, and what
# grows four times? Double the context: does anything?

# %%
viz.SizeExplorer()

# %% [markdown]
# In numbers, from your own accounts: how many times as much, when one size of GPT-2 is doubled?

# %%
doubled = {"layers": dict(n_layer=24), "width": dict(n_embd=1536)}
doubled |= {"context": dict(block_size=2048), "vocabulary": dict(vocab_size=2 * 50257)}
rows = []
for change in doubled.values():
    config = replace(gpt2, **change)
    T = config.block_size
    rows.append([count_parameters(config) / count_parameters(gpt2)])
    rows[-1].append(T * activations(config) / (1024 * activations(gpt2)))
    rows[-1].append(flops_per_token(config, T) / flops_per_token(gpt2, 1024))
viz.table(rows, ["parameters", "activations", "FLOPs a token"], rows=list(doubled))

# %% [markdown]
# The width costs most parameters and FLOPs: its square is in every block. Nothing grows a full four
# times, as each model has parts that only double. The context doubles the activations, and no more:
# the fused way keeps no patterns.

# %% [markdown]
# ## The proof: equal to the package
#
# Now GPT-2's real shape, 124 million weights, in your own class. Shapes first, on meta; then
# storage; then your start. (Moving off meta unties the head, so it is tied again.)

# %%
with torch.device("meta"):
    yours = GPT(gpt2)
yours.to_empty(device="cpu")
yours.lm_head.weight = yours.transformer.wte.weight
torch.manual_seed(0)
start_like_gpt2(yours)
print(f"{sum(p.numel() for p in yours.parameters()):,} parameters")

# %% [markdown]
# **Predict** its first loss. A hint: the logits are not quite equal. Each is a sum of 768 products
# of spread 0.02, so their variance is $s^2 = 768 \cdot 0.02^2$. It lifts the loss by about
# $s^2/2$.

# %%
loss = first_loss(yours)
guess = math.log(50257) + 768 * 0.02**2 / 2
assert abs(loss - guess) < 0.1
print(f"first loss {loss:.2f}; ln V {math.log(50257):.2f}; with the lift {guess:.2f}")

# %% [markdown]
# Is it `minigpt.GPT`? Give the package's model the very same tensors: `assign=True` copies
# nothing. A name or shape that differs would be refused.

# %%
from minigpt import GPT as PackageGPT

with torch.device("meta"):
    theirs = PackageGPT(gpt2)
theirs.load_state_dict(yours.state_dict(), assign=True)
text = torch.randint(50257, (1, 24))
with torch.no_grad():
    assert torch.allclose(yours(text), theirs(text), atol=1e-4)
print("Equal at GPT-2's shape.")

# %% [markdown]
# And does yours *start* as the package's does? Random numbers differ, but their spreads must not.
# We compare every tensor, in the small shape.


# %%
def starts_alike(model, reference):
    for name, parameter in reference.named_parameters():
        expected, found = parameter.std(), model.get_parameter(name).std()
        if abs(found - expected) > 0.1 * expected:
            return False
    return True


del yours, theirs  # half a gigabyte would be in our way
yours, theirs = GPT(small), PackageGPT(small)
start_like_gpt2(yours)
assert starts_alike(yours, theirs)
names = ["transformer.wte.weight", "transformer.wpe.weight"]
names += [f"transformer.h.0.{part}.weight" for part in ("attn.c_attn", "attn.c_proj", "mlp.c_proj")]
rows = [[f"{m.get_parameter(name).std():.3f}" for m in (yours, theirs)] for name in names]
viz.table(rows, ["yours", "the package's"], rows=names)

# %% [markdown]
# 0.02 everywhere but in `c_proj`: divided by √8 for 4 layers, that is 0.007.

# %% [markdown]
# ## A trained model in your own GPT
#
# Now the storyteller's weights. **Predict:** its file lacks one of your model's names. Which?

# %%
from pathlib import Path

from safetensors import safe_open

import minigpt

folder = Path(minigpt.__file__).parent / "assets" / "storyteller"
with safe_open(folder / "model.safetensors", "pt") as file:
    in_the_file = set(file.keys())
print(set(yours.state_dict()) - in_the_file)

# %% [markdown]
# The head: as it is tied, the file holds the matrix once. Load exactly what the file holds;
# with `strict=False` a missing name is no error. (Some of it lies there on its side;
# `from_pretrained` has turned it. Lesson 08 shows why.)

# %%
from minigpt import from_pretrained

theirs, tokenizer = from_pretrained("storyteller", verbose=False)
weights = {name: theirs.state_dict()[name] for name in sorted(in_the_file)}
print(yours.load_state_dict(weights, strict=False))

# %% [markdown]
# Missing, and yet not: loading `wte` has filled both. Does your model tell a story? Greedy, the
# best token each time:

# %%
from textwrap import fill


@torch.no_grad()
def tell(model, beginning, tokens):
    text = torch.tensor([[tokenizer.end_of_text, *tokenizer.encode(beginning)]])
    for _ in range(tokens):
        best = model(text)[:, -1:].argmax(dim=-1)
        if best == tokenizer.end_of_text:
            break
        text = torch.cat([text, best], dim=1)
    return tokenizer.decode(text[0, 1:].tolist())


story = tell(yours, "Once upon a time", 120)
print(fill(story, 90))

# %%
text = torch.tensor([[tokenizer.end_of_text, *tokenizer.encode(story)]])
with torch.no_grad():
    assert torch.allclose(yours(text), theirs(text), atol=1e-4)
print("Equal to the package's storyteller, in every logit.")

# %% [markdown]
# Now cut off the story's last word and its full stop, and ask for the next. **Predict:** how sure
# is your model of the colour?

# %%
with torch.no_grad():
    probabilities = yours(text[:, :-2])[0, -1].softmax(dim=-1)
viz.plot_next_token(probabilities, tokenizer, top=5)
plt.show()

# %% [markdown]
# As good as certain: the first bar has it all. That is a whole GPT-2, in some 25 lines around the
# block. In the exercises you write them yourself.

# %% [markdown]
# ## The usual mistakes
#
# None of these raises an error, and the shape is always right. The first five go into your class,
# with the storyteller's weights. We look at its loss on ten stories that it has not read, at the
# spread of its logits, and at how it tells.

# %%
from itertools import islice

from minigpt import Stories

unread = [[tokenizer.end_of_text, *tokenizer.encode(s)] for s in islice(Stories(seed=100), 10)]


@torch.no_grad()
def story_loss(model):
    texts = [torch.tensor([text]) for text in unread]
    nats = [F.cross_entropy(model(t)[0, :-1], t[0, 1:], reduction="sum") for t in texts]
    return sum(nats).item() / sum(t.size(1) - 1 for t in texts)


def report(kind):
    model = kind(small)
    model.load_state_dict(weights, strict=False)
    with torch.no_grad():
        spread = model(text).std().item()
    told = tell(model, "Once upon a time", 18)
    columns = ["loss (nats a token)", "spread of the logits", "it tells"]
    return viz.table([[story_loss(model), spread, told]], columns)


report(GPT)

# %% [markdown]
# As it should be. Remember the number.

# %% [markdown]
# **1. Positions not added.** **Predict:** is the loss doubled, or worse?


# %%
class NoPositions(GPT):
    def embed(self, idx):
        return self.transformer.wte(idx)


report(NoPositions)

# %% [markdown]
# Almost three times the loss: the story stumbles. Some order is left. (Each row still sees only
# what came before it, so rows differ.)

# %% [markdown]
# **2. The same position for all.** Here every word is said to stand at position 0.


# %%
class SamePosition(GPT):
    def embed(self, idx):
        return self.transformer.wte(idx) + self.transformer.wpe(torch.zeros_like(idx))


report(SamePosition)

# %% [markdown]
# Worse still: worse than ln V, knowing nothing. In training, position 0 held nothing but the mark
# (lesson 02). Now every word passes for it, and the answers are beginnings of stories: *Before*,
# *In*. (Lesson 02 gave all words the *mean* position: 1.55.)

# %% [markdown]
# Both mistakes fail a simple probe. Say one word many times: without positions, all rows must be
# equal. **Predict** the three answers.


# %%
@torch.no_grad()
def tells_positions_apart(model):
    logits = model(torch.full((1, 5), 7))[0]  # id 7, five times
    return not torch.allclose(logits, logits[:1].expand_as(logits), atol=1e-5)


for kind in (GPT, NoPositions, SamePosition):
    print(f"{kind.__name__:13}", tells_positions_apart(kind(small)))

# %% [markdown]
# **3. The head not tied.** **Predict:** what does it say, with weights from the file?

# %%
extra = sum(p.numel() for p in Untied(small).parameters()) - count_parameters(small)
print(f"{extra:,} parameters too many")
torch.manual_seed(0)
report(Untied)

# %% [markdown]
# The file has no head, so it stayed random. Nobody complained, because of `strict=False`. The
# count gives it away.

# %% [markdown]
# **4. The final LayerNorm missing.** **Predict:** is that the end of the story?


# %%
class NoFinalNorm(GPT):
    def forward(self, idx):
        x = self.embed(idx)
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(x)


report(NoFinalNorm)

# %% [markdown]
# It tells on! Only the loss shows that something is wrong, and the logits, which spread five times
# as wide. A fluent text proves little.

# %% [markdown]
# **5. Embeddings times √C.** The first Transformer did that (Vaswani et al. 2017, section 3.4).
# GPT-2 does not.


# %%
class ScaledEmbeddings(GPT):
    def embed(self, idx):
        positions = self.transformer.wpe(torch.arange(idx.size(1)))
        return self.transformer.wte(idx) * math.sqrt(self.config.n_embd) + positions


report(ScaledEmbeddings)

# %% [markdown]
# Five times the loss. Every word vector is 11 times as long, beside positions and writes that are
# as long as before.

# %% [markdown]
# **6 and 7. PyTorch's own start**, and **`c_proj` not shrunk**. You have seen both: a first loss
# far above ln V, and a stream that drowns the word. Loaded weights would hide both.

# %% [markdown]
# Which test finds which mistake? The last one, *equal*, loads the storyteller's weights and
# compares with the package. **Predict:** which two pass it, though they are wrong?


# %%
def results(name, kind, start):
    torch.manual_seed(0)
    model = kind(small)
    start(model)
    tests = [
        model(text).shape == (*text.shape, 1024),
        sum(p.numel() for p in model.parameters()) == count_parameters(small),
        abs(first_loss(model) - math.log(1024)) < 0.2,
        starts_alike(model, PackageGPT(small)),
        tells_positions_apart(model),
    ]
    model.load_state_dict(weights, strict=False)
    with torch.no_grad():
        tests.append(torch.allclose(model(text), theirs(text), atol=1e-4))
    return [name, *("ok" if passed else "fails" for passed in tests)]


# %%
kinds = [GPT, NoPositions, SamePosition, Untied, NoFinalNorm, ScaledEmbeddings]
rows = [results(kind.__name__, kind, start_like_gpt2) for kind in kinds]
rows.append(results("PyTorch's start", GPT, start_like_pytorch))
rows.append(results("c_proj not shrunk", GPT, lambda model: start_like_gpt2(model, False)))
viz.table(rows, ["", "shape", "count", "first loss", "spreads", "positions", "equal"])

# %% [markdown]
# The last two. *Equal* finds all that is wrong in the code, and nothing that is wrong with the
# start: for that you compare spreads. You need both. The shape finds none, the first loss one.

# %% [markdown]
# ## In short
#
# - Token vector plus position vector, blocks, LayerNorm, head. The head is the token table again.
# - The first loss is about ln V. If it is far above, look at what the model expects.
# - Matrices that write to the stream start smaller, by 1/√(2L).
# - 12C² parameters a block; 16 bytes a parameter to train; 2 FLOPs a parameter to read a token, 6
#   to learn from it.
# - No row of logits feels a later word. Touch a word and see.

# %% [markdown]
# **Your turn.** Design a GPT of 10 million parameters with `count_parameters`: deep and narrow, or
# wide and flat? Which of them needs more FLOPs a token? And from which T on do scores and mix
# cost as much as the matrices?
#
# **Exercises:** [05_gpt](../exercises/05_gpt.ipynb). Each check says what went wrong, and what
# passes becomes a part of your own GPT.
#
# Lesson 06 trains what you have built.
