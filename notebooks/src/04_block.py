# %% [markdown]
# # 04 · The block
#
# **Afterwards you can** say what the parts of a block do and what happens without each of them,
# write GPT-2's block, and prove that yours equals the one in this course's GPT-2.
#
# **Takes** about an hour and a quarter. **Needs** PyTorch tensors, and from lesson 03 what
# attention does: words look back and fetch.

# %% [markdown]
# GPT-2 is one part, the **block**, repeated: 12 times in the smallest model, 48 times in the
# largest. In a block, attention fetches from other words. Then an **MLP** works on each word alone.
# (Papers also call it a **feed-forward network**.)

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from minigpt import viz

viz.use_style()

# %% [markdown]
# ## Six words again
#
# Someone says: *red kite fell. colour?* Each word is a row of numbers, one row for each word, as in
# lesson 03. Two columns are new, and empty so far: what a word *heard*, and what it *answers*.

# %%
words = ["red", "kite", "fell", ".", "colour", "?"]
COLOUR, THING, ASKS, SAYS, HEARD, ANSWERS = range(6)
columns = ["is a colour", "is a thing", "asks", "says", "heard", "answers"]
start = torch.zeros(6, 6)
start[0, COLOUR], start[0, SAYS] = 1, 10  # red
start[1, THING], start[1, SAYS] = 1, 20  # kite
start[5, ASKS] = 1  # ?
viz.table(start, columns, rows=words)

# %% [markdown]
# Lesson 03 ended with a head made by hand: who *asks* looks at the *colour*; the others average. It
# fetches what the words say. Here it puts that into the column *heard*.

# %%
from minigpt.model import attention_pattern  # as in lesson 03


def attend(x):
    weights = attention_pattern(16 * x[:, [ASKS]], x[:, [COLOUR]])  # queries, keys
    made = torch.zeros_like(x)
    made[:, HEARD] = weights @ x[:, SAYS]
    return made


# %% [markdown]
# **Predict:** replace the words by what the head made. What does `?` know afterwards?

# %%
viz.table(attend(start), columns, rows=words)

# %% [markdown]
# It heard 10, red, and has forgotten everything else: that it asks. No word knows any longer what
# it is. A second layer would find no colour and no question.

# %% [markdown]
# ## Add, don't replace
#
# The cure is one plus sign. What a part makes is *added* to what was there:
#
# $$x \leftarrow x + \text{attention}(x)$$

# %%
x = start + attend(start)
viz.table(x, columns, rows=words)

# %% [markdown]
# Everything is still there, and the news beside it. Such a plus around a part is a **residual
# connection**, or **skip connection** (He et al. 2015). The rows of `x`, to which every part adds,
# are called the **residual stream**.

# %%
from minigpt.viz.figures import plot_stream

plot_stream([(["attention"], []), (["MLP"], [])])
plt.show()

# %% [markdown]
# Read it from left to right. Each part gets a copy of the stream, and adds what it makes at the ⊕.
# Nothing stands on the stream itself.

# %% [markdown]
# ## The stream of a real model
#
# The storyteller of lesson 00 has 4 blocks, so 8 parts write to its stream. Let us listen: keep the
# start and all 8 writes, for each token of a story.

# %%
from minigpt import from_pretrained

model, tokenizer = from_pretrained("storyteller", verbose=False)
model.double().requires_grad_(False)  # in double precision; we look, we do not train
story = (
    "Once upon a time there was a curious fox named Ruby, who lived in a teapot. "
    "Every night she sang to her purple kite. "
    "Next door lived Otto, a sleepy bear who snored like thunder. "
    "One windy Sunday a seagull stole the kite. "
    "First Ruby looked under the bed and found three kings. "
    '"What colour is it?" asked Otto. "It is purple," sobbed Ruby. '
    "In the end it was up the chimney. The moon was shining on it. "
    "Nobody ever explained the three kings. "
    "And what colour was the kite? It was"
)
ids = torch.tensor([[tokenizer.end_of_text, *tokenizer.encode(story)]])
print(ids.size(1), "tokens")

# %% [markdown]
# A token's vector plus its position's vector starts the stream. (`ln_1`, `ln_2` and `ln_f` are
# **LayerNorms**, built next; they prepare the copy that is read. At the end `lm_head` makes
# **logits** of it, a score for each next token: lesson 05.)

# %%
parts = model.transformer
stream = parts.wte(ids) + parts.wpe(torch.arange(ids.size(1)))
names, writes = ["start"], [stream]
for i, block in enumerate(parts.h):
    for name, norm, part in [("attn", block.ln_1, block.attn), ("MLP", block.ln_2, block.mlp)]:
        writes.append(part(norm(stream)))
        stream = stream + writes[-1]
        names.append(f"{name} {i}")
writes = torch.cat(writes)  # (9 writes, T, C)
assert torch.allclose(model.lm_head(parts.ln_f(stream)), model(ids), atol=1e-4)
print("Nine writes, and their sum makes the model's own logits.")

# %% [markdown]
# **Predict:** how long are the vectors of the stream at the end, compared with the start? Longer,
# shorter, the same?

# %%
lengths = writes.cumsum(dim=0).norm(dim=-1).mean(dim=-1)  # of the stream, after each write
plt.bar(names, writes.norm(dim=-1).mean(dim=-1), color="#56B4E9", hatch="//", label="one write")
plt.plot(names, lengths, "o-", color="#D55E00", label="the stream after it")
plt.gca().set(xlabel="part, in the order of the computation", ylabel="length (mean over tokens)")
plt.legend()
plt.show()
assert lengths[-1] > 50 * lengths[0] and lengths[6] > 30 * lengths[0]
print(f"start {lengths[0]:.1f}, before attn 3 {lengths[6]:.1f}, end {lengths[-1]:.1f}")

# %% [markdown]
# The stream (line) grows to more than fifty times its start. The hatched bars say who writes: most
# of it the MLPs.

# %% [markdown]
# So attention in the last block would read numbers more than thirty times as large as in the first.
# LayerNorm turns every copy to the same volume. (Further down a tower of blocks does without.)

# %% [markdown]
# ## LayerNorm, by hand
#
# Take one row. Subtract its mean $\mu$, then divide by its **standard deviation** $\sigma$: the
# typical distance from the mean. $\sigma^2$ is the **variance**, the mean of the squared distances.
#
# $$\hat x_c = \frac{x_c - \mu}{\sqrt{\sigma^2 + \varepsilon}}$$

# %%
row = x[5]  # ?
mean = row.sum() / 6
variance = ((row - mean) ** 2).sum() / 6
result = (row - mean) / (variance + 1e-5).sqrt()
steps = torch.stack([row, row - mean, result])
viz.table(steps, columns, rows=["the row of ?", "minus its mean", "divided by σ"])

# %% [markdown]
# Mean 0, variance 1: so rows come out. **Predict:** and if the row were 100 times as loud? Or if 7
# were added to all of it?


# %%
def normalise(x):
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = (centred**2).mean(dim=-1, keepdim=True)
    return centred / (variance + 1e-5).sqrt()


rows = ["?", "100 times ?", "? plus 7"]
viz.table(normalise(torch.stack([row, 100 * row, row + 7])), columns, rows=rows)

# %% [markdown]
# The same, to two digits. LayerNorm keeps the *shape* of a row and forgets its loudness. It looks
# along the channels of one word; other words do not matter.

# %% [markdown]
# What is the small ε for? **Predict:** a row of zeros has σ = 0. What comes out of it, with ε and
# without?

# %%
zeros = torch.zeros(1, 6)
print("with ε:   ", normalise(zeros)[0])
print("without ε:", ((zeros - zeros.mean()) / zeros.var(correction=0).sqrt())[0])

# %% [markdown]
# Without it, 0 / 0 is `nan`, *not a number*. ε sits *inside* the root. GPT-2's is 0.00001.

# %% [markdown]
# Last, each channel gets a learned factor and a learned shift. They start as 1 and 0, and their
# names in the checkpoint are `weight` and `bias` (Ba et al. 2016).
#
# $$\text{LayerNorm}(x) = \text{weight} \cdot \hat x + \text{bias}$$


# %%
class LayerNorm(nn.Module):
    def __init__(self, n_embd, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_embd))
        self.bias = nn.Parameter(torch.zeros(n_embd)) if bias else 0  # 0: no parameter
        self.normalise = normalise  # an attribute, so that mistakes can be put in later

    def forward(self, x):
        return self.weight * self.normalise(x) + self.bias


torch.manual_seed(0)
batch = 3 + 5 * torch.randn(2, 10, 768)
assert torch.allclose(LayerNorm(768)(batch), nn.LayerNorm(768)(batch), atol=1e-5)
print("Yours equals PyTorch's own LayerNorm.")

# %% [markdown]
# Back to the growing stream. **Predict** the lengths after `normalise`. There are 128 channels,
# with variance 1 each.

# %%
streams = writes.cumsum(dim=0)  # after each write: (9, T, 128)
lengths = torch.stack([s.norm(dim=-1).mean(dim=-1) for s in (streams, normalise(streams))])
viz.table(lengths, names, rows=["length", "normalised"])

# %% [markdown]
# All are √128 = 11.31 long, whatever they were before: the same volume for every reader.

# %% [markdown]
# ## Why a nonlinearity is needed
#
# Now the second part. A **linear layer** is a product with a matrix. Two in a row look stronger
# than one. **Predict:** are they?

# %%
torch.manual_seed(0)
first, second = torch.randn(6, 24), torch.randn(24, 6)
one = first @ second  # a single 6 by 6 matrix
assert torch.allclose((x @ first) @ second, x @ one, atol=1e-4)
print("Two linear layers equal one.")

# %% [markdown]
# They are not. Something that is no matrix must stand between them: an **activation function**,
# also called a **nonlinearity**. The simplest is **ReLU**: negative numbers become 0. GPT-2 uses a
# smooth one, **GELU** (Hendrycks and Gimpel 2016).

# %% [markdown]
# GELU multiplies $x$ by Φ(x), the chance that a standard normal number lies below $x$. The exact
# form has the function erf in it. GPT-2 has an approximation by tanh:
#
# $$\text{GELU}(x) \approx \frac{x}{2}\left(1 + \tanh\left(\sqrt{\tfrac{2}{\pi}}\,
# (x + 0.044715\, x^3)\right)\right)$$


# %%
def gelu(x):
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def exact_gelu(x):
    return x / 2 * (1 + torch.erf(x / math.sqrt(2)))


at = torch.linspace(-4, 4, 401)
assert torch.allclose(gelu(at), F.gelu(at, approximate="tanh"), atol=1e-6)
assert torch.allclose(exact_gelu(at), F.gelu(at), atol=1e-6)
print("Both equal PyTorch's.")

# %% [markdown]
# **Predict:** how far apart are the two GELUs at most? 0.1, 0.01, 0.001?

# %%
_, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.2), layout="constrained")
left.plot(at, gelu(at), label="GELU, tanh")
left.plot(at, exact_gelu(at), ":", lw=3, label="GELU, erf")
left.plot(at, at.relu(), "--", label="ReLU")
left.set(
    title="activation functions", xlabel="input", ylabel="output", xlim=(-4, 2.5), ylim=(-0.4, 2.5)
)
left.legend()
right.plot(at, 1000 * (gelu(at) - exact_gelu(at)))
right.set(title="tanh minus erf", xlabel="input", ylabel="difference (thousandths)")
plt.show()

# %% [markdown]
# Left, the dotted line lies on the solid one. Right, their difference: never more than half a
# thousandth. ReLU (dashed) has a kink; GELU rounds it off and dips below 0.

# %% [markdown]
# Learning follows slopes. Where ReLU cuts off, its slope is 0. **Predict** the sign of GELU's slope
# at −1.

# %%
points = torch.tensor([-3.0, -1.0, -0.5, 0.5, 1.0, 3.0], requires_grad=True)
slopes = [torch.autograd.grad(f(points).sum(), points)[0] for f in (torch.relu, gelu)]
viz.table(torch.stack(slopes), [f"at {p:g}" for p in points.tolist()], rows=["ReLU", "GELU"])

# %% [markdown]
# Negative, and not 0. Below zero GELU still lets some of the loss's signal through, ReLU none.

# %% [markdown]
# ## The MLP, by hand
#
# Two linear layers with an activation function between: that is the **MLP** (multi-layer
# perceptron). It can do what no matrix can: say *and*.

# %% [markdown]
# All six words heard something. Only `?` should *answer*: who asks **and** heard. One hidden number
# will do, positive only then:
#
# $$h = \text{GELU}(30 \cdot \text{asks} + \text{heard} - 30)$$

# %% [markdown]
# **Predict** $h$ for `?`, which asks and heard 10. And for `kite`, which heard 15?

# %%
hidden = gelu(30 * x[:, ASKS] + x[:, HEARD] - 30)
made = torch.zeros_like(x)
made[:, ANSWERS] = hidden
viz.table(x + made, columns, rows=words)

# %% [markdown]
# `?` answers 10: red. For the others the sum is far below 0, and GELU makes 0 of it.

# %% [markdown]
# In GPT-2 the hidden row is four times as wide as the stream: C → 4C → C. So there are 4C such
# **hidden units**, all learned. `c_fc` goes in, `c_proj` out. Bias and dropout are as in lesson 03.


# %%
class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        C = config.n_embd
        self.c_fc = nn.Linear(C, 4 * C, bias=config.bias)
        self.c_proj = nn.Linear(4 * C, C, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)
        self.activation = gelu  # an attribute, for the mistakes to come

    def forward(self, x):  # (B, T, C) -> (B, T, C)
        return self.dropout(self.c_proj(self.activation(self.c_fc(x))))


# %% [markdown]
# First stage against last: put the hand-made unit into it. It is the first of 24; the others stay
# empty.

# %%
from minigpt import GPTConfig

mlp = MLP(GPTConfig(n_embd=6, n_head=1)).requires_grad_(False)
for parameter in mlp.parameters():
    parameter.zero_()
mlp.c_fc.weight[0, ASKS], mlp.c_fc.weight[0, HEARD], mlp.c_fc.bias[0] = 30, 1, -30
mlp.c_proj.weight[ANSWERS, 0] = 1
assert torch.allclose(mlp(x), made)
print("The MLP equals the hand-made unit.")

# %% [markdown]
# Attention mixes words, the MLP mixes channels. **Predict:** change the third word only, `fell`.
# Whose output changes, in each part?

# %%
changed = x.clone()
changed[2, SAYS], changed[2, HEARD] = 30, 50
felt = [(part(changed) - part(x)).abs().amax(dim=1) > 1e-3 for part in (attend, mlp)]
marks = [["yes" if feels else "no" for feels in pair] for pair in zip(*felt)]
viz.table(marks, ["attention", "MLP"], rows=words)

# %% [markdown]
# In attention, `fell` itself and the later words that average; `?` looks only at `red`. In the MLP,
# `fell` alone.

# %% [markdown]
# ## The block
#
# Now put it together. A part reads a *normalised copy*, and adds to the stream itself. This order
# is called **pre-norm**, because the norm comes before the part:
#
# $$x \leftarrow x + \text{attn}(\text{ln}_1(x)) \qquad
# x \leftarrow x + \text{mlp}(\text{ln}_2(x))$$

# %%
plot_stream([(["LayerNorm", "attention"], []), (["LayerNorm", "MLP"], [])], "pre-norm")
plt.show()

# %% [markdown]
# LayerNorm stands beside the stream, never on it. On the line there is nothing but pluses.


# %%
from minigpt.model import CausalSelfAttention  # as in lesson 03


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = LayerNorm(config.n_embd, config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = LayerNorm(config.n_embd, config.bias)
        self.mlp = MLP(config)

    def forward(self, x, cache=None):  # the cache is for lesson 07
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


# %% [markdown]
# First stage against last, once more: the six words go through a block with the hand-made head and
# the hand-made unit in it. Those were made for rows as they are, so LayerNorm is switched off here.

# %%
hand_made = Block(GPTConfig(n_embd=6, n_head=1)).requires_grad_(False)
hand_made.mlp = mlp
hand_made.ln_1.normalise = hand_made.ln_2.normalise = lambda x: x
for parameter in hand_made.attn.parameters():
    parameter.zero_()
queries, keys, values = hand_made.attn.c_attn.weight.chunk(3)  # (out, in), each 6 by 6
queries[0, ASKS], keys[0, COLOUR] = 16 * math.sqrt(6), 1  # √6: scores are divided by it
values[0, SAYS] = 1
hand_made.attn.c_proj.weight[HEARD, 0] = 1
assert torch.allclose(hand_made(start[None])[0], x + made, atol=1e-4)
viz.table(hand_made(start[None])[0], columns, rows=words)

# %% [markdown]
# The same table: heard by attention, answered by the MLP, both added.

# %% [markdown]
# ## The proof: equal to the package
#
# Give yours the package's weights, in GPT-2's size, and the same batch. All weights are made random
# first: a new LayerNorm, with weight 1 and bias 0, would hide mistakes in its weight and bias.

# %%
from minigpt import model as package

config = GPTConfig.preset("gpt2")
torch.manual_seed(0)
theirs, yours = package.Block(config), Block(config)
for parameter in theirs.parameters():
    nn.init.normal_(parameter, std=0.1)
yours.load_state_dict(theirs.state_dict())
with torch.no_grad():
    difference = (yours(batch) - theirs(batch)).abs().max() / theirs(batch).abs().max()
assert difference < 1e-5
print("Equal.")

# %% [markdown]
# That is GPT-2's block. **Predict:** which part holds most of its weights?

# %%
counts = {name: sum(p.numel() for p in part.parameters()) for name, part in yours.named_children()}
total = sum(counts.values())
rows = [[name, n, f"{n / total:.1%}"] for name, n in counts.items()]
viz.table([*rows, ["together", total, ""]], ["part", "weights", "share"])

# %% [markdown]
# The MLP, with two thirds: 8C² against attention's 4C². LayerNorms cost next to nothing. For each
# word, each weight of a matrix is multiplied once; the patterns' products come on top.

# %% [markdown]
# ## Why pre-norm? Towers of 12 blocks
#
# The first transformer had it the other way round: **post-norm**, the LayerNorm *on* the stream,
# after each plus (Vaswani et al. 2017).

# %%
plot_stream([(["attention"], ["LayerNorm"]), (["MLP"], ["LayerNorm"])], "post-norm")
plt.show()

# %% [markdown]
# Now nothing flows past the LayerNorms. Does it matter? We stack 12 blocks four ways: pre-norm,
# post-norm, without the plus, and without any LayerNorm.


# %%
class PostNorm(Block):
    def forward(self, x, cache=None):
        x = self.ln_1(x + self.attn(x))
        return self.ln_2(x + self.mlp(x))


class NoPlus(Block):
    def forward(self, x, cache=None):
        return self.mlp(self.ln_2(self.attn(self.ln_1(x))))


class NoNorm(Block):
    def __init__(self, config):
        super().__init__(config)
        del self.ln_1, self.ln_2

    def forward(self, x, cache=None):
        x = x + self.attn(x)
        return x + self.mlp(x)


# %% [markdown]
# When a model learns, each weight gets a **gradient**: which way the loss rises, and how steeply; a
# step goes the other way. Gradients travel from the last block back to the first. We measure their
# length (their **norm**) in each block.


# %%
def tower(kind, seed):
    torch.manual_seed(seed)
    config = GPTConfig(vocab_size=1024, block_size=32, n_layer=12, n_head=4, n_embd=64)
    model = package.GPT(config)
    for i in range(12):
        model.transformer.h[i] = kind(config)
    for module in model.transformer.h.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight)  # the start that was usual then
            nn.init.zeros_(module.bias)
    return model


def block_norms(model):  # of the gradient, a number for each block
    gradients = [[p.grad.norm() for p in block.parameters()] for block in model.transformer.h]
    return [torch.stack(each).norm().item() for each in gradients]


# %% [markdown]
# Each tower learns from 100 stories for 150 steps, without any precautions. (Training is lesson 06;
# here it is a loop of five lines.) Chance has a part, so each learns three times.

# %%
from itertools import islice

from minigpt import Stories

text = "<|endoftext|>".join(islice(Stories(seed=3), 100))
corpus = torch.tensor(tokenizer.encode(text, allowed_special={"<|endoftext|>"}))


def learn(model, seed, steps=150):
    generator, losses, norms = torch.Generator().manual_seed(seed), [], []
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps + 1):
        starts = torch.randint(len(corpus) - 33, (4,), generator=generator)
        ids = torch.stack([corpus[start : start + 33] for start in starts])
        loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
        norms.append(block_norms(model))
        optimizer.step()
    return losses, norms


# %% [markdown]
# A yardstick: whoever knows only how *frequent* each token is pays the entropy of the frequencies
# (lesson 02). To do better one must look at the words before.

# %%
frequency = corpus.bincount() / len(corpus)
by_frequency = -torch.special.xlogy(frequency, frequency).sum().item()
print(f"{by_frequency:.2f} nats")

# %% [markdown]
# **Predict:** which of the four get below it? (The twelve runs take about a minute.)

# %% tags=["nbval-ignore-output"]
kinds = {"pre-norm": Block, "post-norm": PostNorm, "no plus": NoPlus, "no LayerNorm": NoNorm}
towers = {name: [tower(kind, seed) for seed in range(3)] for name, kind in kinds.items()}
runs = {name: [learn(m, seed) for seed, m in enumerate(three)] for name, three in towers.items()}
for (name, three), style in zip(runs.items(), ("-", "--", ":", "-.")):
    losses = torch.tensor([losses[:150] for losses, _ in three])
    each_ten = losses.view(3, 15, 10).mean(dim=(0, 2))  # of three runs and ten steps
    plt.plot(range(5, 150, 10), each_ten, style, lw=2, label=name)
plt.axhline(by_frequency, color="gray", lw=1, label="frequencies alone")
plt.gca().set(xlabel="step", ylabel="loss (nats per token)", ylim=(4.4, 7))
plt.legend()
plt.show()

# %% [markdown]
# By step 150 only pre-norm (solid); until step 80 it lay with two of the others. Whether they would
# follow, later or with other steps, this does not say. The mean of the last 20 losses, run by run:

# %% tags=["nbval-ignore-output"]
last = {name: [sum(losses[-20:]) / 20 for losses, _ in three] for name, three in runs.items()}
assert max(last["pre-norm"]) < by_frequency - 0.05
assert min(min(last[name]) for name in list(runs)[1:]) > by_frequency - 0.05
viz.table(list(last.values()), ["run 1", "run 2", "run 3"], rows=list(last))

# %% [markdown]
# The three others do no better than the frequencies of tokens. So what differs inside? **Predict:**
# where does the gradient get through to block 1?

# %% tags=["nbval-ignore-output"]
_, axes = plt.subplots(1, 2, figsize=(8.2, 3.4), sharey=True, layout="constrained")
for ax, step, title in zip(axes, (0, 15), ("first step", "after 15 steps")):
    for style, (name, three) in zip(("C0o-", "C1s--", "C2^:", "C3v-."), runs.items()):
        norms = torch.tensor([norms[step] for _, norms in three]).T  # (12 blocks, 3 runs)
        ax.plot(range(1, 13), norms, style, markersize=3, lw=1, label=[name, None, None])
    ax.set(title=title, xlabel="block (12 is next to the loss)", yscale="log")
axes[0].set_ylabel("gradient norm of its weights")
axes[1].legend()
plt.show()

# %% [markdown]
# At the first step it does in all twelve runs. After 15, pre-norm (solid) is still level; in
# post-norm (dashed) and without the plus (dotted) hardly anything arrives. How far has block 1
# *moved*, and how long has the stream become?


# %%
@torch.no_grad()
def inside(name, seed):
    model, norms = towers[name][seed], runs[name][seed][1]
    fresh = tower(kinds[name], seed).transformer.h[0].parameters()
    moved = [(new - old).square() for new, old in zip(model.transformer.h[0].parameters(), fresh)]
    first = x = model.transformer.wte(corpus[None, :32]) + model.transformer.wpe.weight
    for block in model.transformer.h:
        x = block(x)
    longer = (x.norm(dim=-1).mean() / first.norm(dim=-1).mean()).item()
    way = norms[15][0] / norms[15][-1]
    return [way, torch.cat([m.flatten() for m in moved]).mean().sqrt().item(), longer]


def short(number):
    return f"{number:,.0f}" if number >= 10 else f"{number:.1g}"


# %% tags=["nbval-ignore-output"]
found = torch.tensor([[inside(name, seed) for seed in range(3)] for name in kinds])
low, high = found.amin(dim=1), found.amax(dim=1)
assert low[0, 0] > 0.1 > high[1:3, 0].max() and low[3, 0] > 0.01
assert low[1:3, 1].min() > high[0, 1] / 10 and low[3, 2] > 10 * high[0, 2]
rows = [[f"{short(a)} to {short(b)}" for a, b in zip(*both)] for both in zip(low, high)]
assert all(runs["post-norm"][i][1][0][-1] > 2 * runs["pre-norm"][i][1][0][-1] for i in range(3))
heads = ["gradient, block 1 / block 12", "block 1 moved by", "stream longer, times"]
viz.table(rows, heads, rows=list(kinds))

# %% [markdown]
# In post-norm and without the plus, block 1 gets less than a tenth of block 12's
# gradient. Yet it *moves*, as AdamW divides the size out (lesson 06): moving is not learning.
# Without LayerNorm the gradient gets through, but the stream ends more than ten times as long as
# pre-norm's.

# %% [markdown]
# Cause, or effect? At the first step nothing had vanished. Xiong et al. (2020) blame gradients that
# are too *large* near the output then; at block 12 ours are more than twice pre-norm's. Post-norm
# models *can* be trained, with a gentler start: **warm-up** (lesson 06).

# %% [markdown]
# ## Who wrote the answer?
#
# The stream at the end is a plain *sum*. So you can ask each part for its share. Our story ends:
# *And what colour was the kite? It was* …

# %% [markdown]
# Lesson 03 found a head that looks back at the colour. It is the first one of block 1. (In the
# storyteller we count blocks from 0, so this is the second; its write is `attn 1`.)

# %%
from minigpt.interpret import attention_patterns

look = attention_patterns(model, ids)[1, 0, 0, -1]  # block 1, first head, from the last token
at_purple = ids[0] == tokenizer.encode(" purple")[0]
print(f"It spends {look[at_purple].sum():.0%} of its look on purple.")

# %% [markdown]
# **Predict:** is it attention in block 1, then, that writes the answer?

# %%
purple, *others = (
    tokenizer.encode(f" {c}")[0] for c in ["purple", "golden", "green", "red", "blue"]
)
logits = model(ids)[0, -1]
lead = logits[purple] - logits[others].mean()
print(f"purple leads the four other colours by {lead:.1f} logits")

# %% [markdown]
# The lead is a dot product: of the normalised stream with the *direction* purple minus the others,
# taken from the rows of `lm_head`. LayerNorm divides all nine writes by one number, the σ of their
# sum. So each write's share of the lead is a dot product too.

# %%
U = model.lm_head.weight  # a row for each token of the vocabulary
direction = U[purple] - U[others].mean(dim=0)
last = writes[:, -1]  # the nine writes of the last token: (9, C)
centred = last - last.mean(dim=-1, keepdim=True)
sigma = last.sum(dim=0).std(correction=0)
shares = (parts.ln_f.weight * centred / sigma) @ direction
assert torch.allclose(shares.sum() + parts.ln_f.bias @ direction, lead, atol=1e-3)
assert shares[[6, 8]].sum() > 0.8 * lead  # MLP 2 and MLP 3
bars = plt.barh(names, shares)
plt.bar_label(bars, fmt="%.2f", padding=3)
plt.gca().invert_yaxis()
plt.gca().set(xlabel="share of purple's lead (logits)", ylabel="written by", xlim=(-1, 8))
plt.show()

# %% [markdown]
# Hardly: the last two MLPs write more than four fifths of it. But what did they need for that?
# Leave something out, let all later parts run, and read what the model says instead.


# %%
def without(*left_out):
    stream = writes[0][None]
    for i, block in enumerate(parts.h):
        if f"attn {i}" not in left_out:
            stream = stream + block.attn(block.ln_1(stream))
        if f"MLP {i}" not in left_out:
            stream = stream + block.mlp(block.ln_2(stream))
    return model.lm_head(parts.ln_f(stream))[0, -1].softmax(dim=-1)


def said(name, chances):
    best = tokenizer.decode([int(chances.argmax())])
    return [name, f"{chances[purple]:.1%}", best, f"{chances.max():.0%}"]


cases = [(), *((name,) for name in names[1:]), ("MLP 2", "MLP 3")]
rows = [said(" and ".join(case) or "nothing", without(*case)) for case in cases]
viz.table(rows, ["left out", "chance of purple", "it says", "with"])

# %% [markdown]
# Think: without `attn 1` it does not say another colour. What does that tell you?

# %% [markdown]
# Without `attn 1` it says *the*, without `attn 0` *gone*: it no longer knows that a colour is due.
# Each late MLP can be spared; without both, purple still leads, but with 23 %. Who *writes* an
# answer and who is *needed* for it are two questions.

# %% [markdown]
# Switch parts off yourself, as many as you like. **Predict** first: with all attention off, or all
# MLPs, does it still speak of colours?

# %%
viz.StreamParts(model, tokenizer, "<|endoftext|>" + story)

# %%
kinds_off = {kind: [f"{kind} {i}" for i in range(4)] for kind in ("attn", "MLP")}
rows = [said(f"all {kind}", without(*off)) for kind, off in kinds_off.items()]
viz.table(rows, ["left out", "chance of purple", "it says", "with"])

# %% [markdown]
# Without attention: *gone*, quite sure. Without MLPs a colour leads, but a wrong one, with a tenth.
# Now finer, as a part may do several things. Take out single heads:


# %%
def without_head(layer, head):
    c_proj = parts.h[layer].attn.c_proj
    kept = c_proj.weight.clone()
    c_proj.weight[:, 32 * head : 32 * (head + 1)] = 0  # it writes nothing
    chances = without()
    c_proj.weight.copy_(kept)
    return chances


rows = [said(f"head {head} of attn 1", without_head(1, head)) for head in range(4)]
viz.table(rows, ["left out", "chance of purple", "it says", "with"])

# %% [markdown]
# Without head 0, which looks at *purple*, it names a colour still, the wrong one. Without head 2 it
# says *the*. In this story the one is needed for *which* colour, the other for *that* a colour
# comes. Two heads of one part, two tasks.

# %% [markdown]
# ## The usual mistakes
#
# All of them run, and return the right shape. To see what each one does, we put your blocks into
# the storyteller, with its weights, and let it read 20 new stories.


# %%
from copy import deepcopy

tests = [
    torch.tensor([[tokenizer.end_of_text, *tokenizer.encode(s)]]) for s in islice(Stories(9), 20)
]


def storyteller_with(kind=Block, norm=normalise, activation=gelu):
    changed = deepcopy(model)
    for i, old in enumerate(model.transformer.h):
        new = kind(model.config).double().requires_grad_(False)
        new.load_state_dict(old.state_dict())
        new.ln_1.normalise = new.ln_2.normalise = norm
        new.mlp.activation = activation
        changed.transformer.h[i] = new
    return changed


# %% [markdown]
# The **loss** is the mean surprise at the true next token, in nats (lesson 00). Beside it we print
# by how much the logits of our story differ from the right ones, at most.


# %%
def loss_of(model):
    losses = [F.cross_entropy(model(t)[0, :-1], t[0, 1:], reduction="sum") for t in tests]
    return sum(losses).item() / sum(t.size(1) - 1 for t in tests)


def try_out(name, **mistake):
    wrong = storyteller_with(**mistake)
    results[name] = loss_of(wrong), (wrong(ids) - model(ids)).abs().max().item()
    print(f"{name}: loss {results[name][0]:.3f} nats, logits off by up to {results[name][1]:.1g}")


results, yours = {}, storyteller_with()
assert torch.allclose(yours(ids), model(ids))
print(f"right: loss {loss_of(yours):.3f} nats, logits equal")

# %% [markdown]
# So your block reads stories as well as the package's. Now the mistakes. **1. Post-norm**, and **2.
# no plus**. **Predict:** do weights that were trained with pre-norm survive?

# %%
try_out("post-norm", kind=PostNorm)
try_out("no plus", kind=NoPlus)
print(f"knowing nothing: {math.log(1024):.3f} nats")

# %% [markdown]
# No. Without the plus it is almost as bad as knowing nothing, ln 1,024.

# %% [markdown]
# **3. The plus in the wrong place:** added to the normalised copy, not to the stream. The slip is
# `x = self.ln_1(x)`. **Predict** how the length of the stream develops.


# %%
class AddsToCopy(Block):
    def forward(self, x, cache=None):
        x = self.ln_1(x)
        x = x + self.attn(x)
        x = self.ln_2(x)
        return x + self.mlp(x)


try_out("plus on the copy", kind=AddsToCopy)
for name, kind in [("right", Block), ("wrong", AddsToCopy)]:
    stream, lengths = writes[0][None], []
    for block in storyteller_with(kind).transformer.h:
        stream = block(stream)
        lengths.append(stream.norm(dim=-1).mean())
    plt.plot(lengths, {"right": "o-", "wrong": "s--"}[name], label=name)
plt.gca().set(xlabel="after block", ylabel="length of the stream", ylim=0, xticks=range(4))
plt.legend()
plt.show()

# %% [markdown]
# Right (solid), the stream grows: each part adds to all that is there. Wrong (dashed), it is longer
# after block 0, for LayerNorm turns the quiet start up. Then it falls behind: every LayerNorm
# turns down what the parts before have written.

# %% [markdown]
# **4. The unbiased variance.** `x.var()` divides by C − 1, not by C: PyTorch's default.
# **Predict:** for which width does that matter most?


# %%
def unbiased(x):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (x.var(dim=-1, keepdim=True) + 1e-5).sqrt()


rows = [[C, 100 * (math.sqrt(C / (C - 1)) - 1)] for C in (6, 128, 768)]
try_out("unbiased variance", norm=unbiased)
viz.table(rows, ["channels C", "σ too large by (%)"])

# %% [markdown]
# For small ones. At 128 channels the loss does not show it. But the logits are off: loaded weights
# do not match the original.

# %% [markdown]
# **5. ε in the wrong place:** added to σ, outside the root. **Predict:** which rows feel that, loud
# ones or quiet ones?


# %%
def outside(x):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (x.std(dim=-1, keepdim=True, correction=0) + 1e-5)


try_out("ε outside the root", norm=outside)
quiet = torch.stack([row * factor for factor in (1, 0.01, 0.001, 0.0001)])
lengths = torch.stack([norm(quiet).norm(dim=-1) for norm in (normalise, outside)])
viz.table(lengths, ["?", "? / 100", "? / 1,000", "? / 10,000"], rows=["inside", "outside"])

# %% [markdown]
# Quiet ones. Inside the root, ε = 0.00001 counts like a σ of √ε = 0.003; outside, like 0.00001.
# Inside, quiet rows stay quiet; outside, they are turned up.

# %% [markdown]
# **6. Normalising over time**, `dim=-2`, and **7. over the batch**, `dim=0`. **Predict:** change
# the last word only. Who feels it? And what is left of a batch of one text?


# %%
def along(dim):
    def wrong(x):
        centred = x - x.mean(dim=dim, keepdim=True)
        return centred / ((centred**2).mean(dim=dim, keepdim=True) + 1e-5).sqrt()

    return wrong


two = torch.stack([x, x.flip(0)])  # a batch of two texts
later = two.clone()
later[0, 5] += 1  # the last word of the first text
rows = []
for name, norm in [("channels", normalise), ("time", along(-2)), ("batch", along(0))]:
    felt = (norm(later) - norm(two)).abs().amax(dim=2) > 1e-4
    alone = norm(x[None]).abs().max().item()
    rows.append([name, felt[0, :5].sum().item(), felt[1].sum().item(), alone])
felt_by = [
    "earlier words that feel it",
    "words of the other text",
    "largest number, one text alone",
]
viz.table(rows, ["normalised over", *felt_by])

# %% [markdown]
# Over time, all five earlier words feel it: the future leaks in. Over the batch, the *other* text
# feels it. And one text alone equals its own mean, so nothing is left: all 0.

# %%
try_out("over time", norm=along(-2))
try_out("over the batch", norm=along(0))

# %% [markdown]
# **8. erf for tanh**, and **9. ReLU**. The two GELUs differ by half a thousandth at most.
# **Predict:** which mistake does the loss show?

# %%
try_out("erf GELU", activation=exact_gelu)
try_out("ReLU", activation=torch.relu)

# %% [markdown]
# Neither, much. erf is the hardest to see: only a comparison with the right logits finds it.

# %% [markdown]
# **10. One LayerNorm for both parts.** In your block, `self.ln_2 = self.ln_1`. **Predict:** does
# loading the weights complain?


# %%
class Shared(Block):
    def __init__(self, config):
        super().__init__(config)
        self.ln_2 = self.ln_1


try_out("one shared LayerNorm", kind=Shared)
print(f"{sum(p.numel() for p in Shared(model.config).parameters()):,} weights in a block,", end=" ")
print(f"not {sum(p.numel() for p in Block(model.config).parameters()):,}")

# %% [markdown]
# No: both names exist, and whoever loads last wins. The logits are off all the same. Counting the
# weights finds it: two rows of 128 are missing.

# %% [markdown]
# All ten, in a picture. **Predict:** how many could you find by looking at the loss?

# %%
_, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8), sharey=True, layout="constrained")
losses, offs = zip(*results.values())
left.barh(list(results), losses, color="#0072B2")
right.barh(list(results), offs, color="#E69F00", hatch="//")
left.invert_yaxis()
right_loss = loss_of(model)
assert sum(loss < right_loss + 0.05 for loss in losses) == 5
left.axvline(right_loss, color="gray", ls="--")
left.set(xlabel="loss (nats per token)", ylabel="mistake")
right.set(xlabel="logits off by up to", xscale="log", xlim=(1e-3, 100))
plt.show()

# %% [markdown]
# Left, the dashed line is the right loss: five of ten mistakes end within 0.05 of it. Right, all
# ten are seen; your own block's logits were equal. Compare with something independent: a good loss
# alone proves little.

# %% [markdown]
# ## In short
#
# - The residual stream carries what is known of a word. Parts read a copy and **add**.
# - LayerNorm gives every reader the same volume: along the channels, variance over C, ε inside the
#   root. It stands beside the stream: pre-norm.
# - Attention fetches from other words; the MLP, with GELU in tanh form, works on each word alone,
#   and holds two thirds of the weights.

# %% [markdown]
# **Your turn.** Make `kite` ask too (`start[1, ASKS] = 1`) and run all: what does it answer,
# and why? Then let the towers start gently, with `nn.init.normal_(module.weight, std=0.02)`: does
# post-norm learn?
#
# **Exercises:** [04_block](../exercises/04_block.ipynb). Each check says what went wrong, and
# what passes becomes a part of your own GPT.
#
# **Next:** lesson 05 stacks your blocks into GPT-2.
