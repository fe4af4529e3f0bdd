# %% [markdown]
# # Exercises 04: the block
#
# You write LayerNorm, GELU, the MLP and the block, mend a broken block, and count what a block
# weighs and how much it works. About an hour and a half, after lesson 04.
#
# Write in the cells that say so, then run the check below each. It runs your code on several
# inputs and says what is wrong, if anything is. Stuck? Under a check that failed there are three
# hints. What passes becomes a part of your own GPT.

# %%
import math

import torch
from torch import nn
from torch.nn import functional as F

from minigpt.course import check, part

# %% [markdown]
# The block needs lesson 03's layer. The next line takes yours if it has passed its check, and the
# course's if not.

# %%
CausalSelfAttention = part("CausalSelfAttention")

# %% [markdown] exercise="layer_norm"
# ## The same volume for everyone
#
# Write `layer_norm(x, weight, bias, eps=1e-5)`. Each row of C channels is normalised by itself:
#
# $$\text{weight} \cdot \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \text{bias}$$
#
# | | shape | |
# | --- | --- | --- |
# | `x` | `(..., C)` | any number of leading axes, or none |
# | `weight`, `bias` | `(C,)` | a factor and a shift for each channel |
# | result | `(..., C)` | |
#
# μ is the mean of the row, σ² the mean of the squared distances from it: the sum divided by C.
# Inputs and their dtype (float32 or float64) are kept, any strides are fine, numbers far from 0
# too, and gradients flow to all three.
#
# For example, `[1, 3]` with weight `[1, 1]` and bias `[0, 0]` becomes (nearly) `[-1, 1]`.
#
# Do not call PyTorch's own LayerNorm: it would pass, and teach you nothing.


# %% solution="layer_norm"
def layer_norm(x, weight, bias, eps=1e-5):
    """Normalise each row along its channels: (..., C) -> (..., C)."""
    ### BEGIN SOLUTION
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = (centred**2).mean(dim=-1, keepdim=True)
    return weight * centred / (variance + eps).sqrt() + bias
    ### END SOLUTION


# %% check="layer_norm"
check("layer_norm", layer_norm)

# %% [markdown] exercise="last_of_five"
# ## Predict: one loud number among zeros
#
# Work this out on paper. LayerNorm, with weight 1 and bias 0, reads the row
#
# `[0, 0, 0, 0, 1000]`
#
# What does the **last** number become? ε is too small to matter here. Set `last_of_five` to a
# number, right to two digits after the point. (For comparison: `[1, 3]` becomes `[-1, 1]`.)

# %% solution="last_of_five"
last_of_five = None
### BEGIN SOLUTION
# Mean 200; distances -200 (four times) and 800; variance (4 * 200² + 800²) / 5 = 160,000.
last_of_five = 800 / math.sqrt(160_000)
### END SOLUTION

# %% check="last_of_five"
check("last_of_five", last_of_five)

# %% [markdown] exercise="gelu"
# ## A smooth bend
#
# Write `gelu(x)` in the form GPT-2 has, with tanh:
#
# $$\frac{x}{2}\left(1 + \tanh\left(\sqrt{\tfrac{2}{\pi}}\, (x + 0.044715\, x^3)\right)\right)$$
#
# It works on each number by itself: `x` has any shape (a single number as well) and any strides,
# and the result has the same shape and dtype (float32 or float64). `x` stays as it is, and
# gradients flow. Numbers from -10,000 to 10,000 have to work.
#
# For example, `gelu` of `[-1, 0, 1, 2]` is about `[-0.1588, 0, 0.8412, 1.9546]`.


# %% solution="gelu"
def gelu(x):
    """Bend each number smoothly: GELU in its tanh form, any shape."""
    ### BEGIN SOLUTION
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return x / 2 * (1 + torch.tanh(inner))
    ### END SOLUTION


# %% check="gelu"
check("gelu", gelu)

# %% [markdown] exercise="MLP"
# ## Each word thinks for itself
#
# Write the module `MLP`. `MLP(config)` builds one from `config.n_embd` (C), `config.bias` and
# `config.dropout`; called with `x` `(B, T, C)` it returns `(B, T, C)`.
#
# - `c_fc` is linear from C to 4C, `c_proj` from 4C back to C. GELU, in its tanh form, stands
#   between them.
# - `config.bias` says whether the two have a bias. There are no other parameters.
# - Dropout of `config.dropout` acts once, at the end, in training only.
#
# For example, with `config = GPTConfig(n_embd=2, n_head=1)` the MLP has 42 parameters.


# %% solution="MLP"
class MLP(nn.Module):
    """Each word thinks for itself, in four times the width."""

    def __init__(self, config):
        super().__init__()
        ### BEGIN SOLUTION
        C = config.n_embd
        self.c_fc = nn.Linear(C, 4 * C, bias=config.bias)
        self.c_proj = nn.Linear(4 * C, C, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        hidden = F.gelu(self.c_fc(x), approximate="tanh")  # (B, T, 4C)
        return self.dropout(self.c_proj(hidden))
        ### END SOLUTION


# %% check="MLP"
check("MLP", MLP)

# %% [markdown] exercise="Block"
# ## The block
#
# Write the module `Block`, pre-norm. `Block(config)` builds one; called with `x` `(B, T, C)` it
# returns `(B, T, C)`:
#
# $$x \leftarrow x + \text{attn}(\text{ln}_1(x)) \qquad
# x \leftarrow x + \text{mlp}(\text{ln}_2(x))$$
#
# - Its parts are called `ln_1`, `attn`, `ln_2` and `mlp`. `attn` is a
#   `CausalSelfAttention(config)`, `mlp` an `MLP(config)`. (If you skipped the last exercise,
#   `MLP = part("MLP")` is the course's.)
# - `ln_1` and `ln_2` are `nn.LayerNorm`s over the C channels, as they come, with a bias if
#   `config.bias` is True (it takes `bias=`).
# - The block has no dropout of its own: the two parts have theirs.
#
# For example, with `config = GPTConfig(n_embd=4, n_head=2)` the block has 244 parameters. If all
# weights and biases of both `c_proj` layers are 0, it returns `x` as it came.


# %% solution="Block"
class Block(nn.Module):
    """Attention, then MLP; each reads a normalised copy and adds to the stream."""

    def __init__(self, config):
        super().__init__()
        ### BEGIN SOLUTION
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))
        ### END SOLUTION


# %% check="Block"
check("Block", Block)

# %% [markdown] exercise="MendedBlock"
# ## Mend a block
#
# This block has a LayerNorm written by hand. It runs, and every name and shape is right. But with
# GPT-2's weights the logits are off, and the deeper the model, the worse it learns.
#
# There are **two mistakes**, one in each class. Find them and mend both classes; leave their
# names. When it is right, `MendedBlock(config)` does exactly what `Block` above is asked to do:
# `(B, T, C)` in, `(B, T, C)` out, pre-norm.
#
# A probe: let both parts write nothing (all weights and biases of both `c_proj` 0). What should
# then come out? (`x`, as it came.)


# %% solution="MendedBlock"
### BEGIN BROKEN
# SomeMLP = part("MLP")  # yours if it has passed, else the course's
#
#
# class HandmadeNorm(nn.Module):
#     def __init__(self, n_embd, bias):
#         super().__init__()
#         self.weight = nn.Parameter(torch.ones(n_embd))
#         self.bias = nn.Parameter(torch.zeros(n_embd)) if bias else None
#
#     def forward(self, x):
#         centred = x - x.mean(dim=-1, keepdim=True)
#         variance = x.var(dim=-1, keepdim=True)
#         y = self.weight * centred / torch.sqrt(variance + 1e-5)
#         return y if self.bias is None else y + self.bias
#
#
# class MendedBlock(nn.Module):
#     def __init__(self, config):
#         super().__init__()
#         self.ln_1 = HandmadeNorm(config.n_embd, config.bias)
#         self.attn = CausalSelfAttention(config)
#         self.ln_2 = HandmadeNorm(config.n_embd, config.bias)
#         self.mlp = SomeMLP(config)
#
#     def forward(self, x):
#         x = self.ln_1(x)
#         x = x + self.attn(x)
#         return x + self.mlp(self.ln_2(x))
### END BROKEN
### BEGIN SOLUTION
SomeMLP = part("MLP")  # yours if it has passed, else the course's


class HandmadeNorm(nn.Module):
    def __init__(self, n_embd, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_embd))
        self.bias = nn.Parameter(torch.zeros(n_embd)) if bias else None

    def forward(self, x):
        centred = x - x.mean(dim=-1, keepdim=True)
        # var divides by C - 1 unless told not to; LayerNorm divides by C.
        variance = x.var(dim=-1, keepdim=True, correction=0)
        y = self.weight * centred / torch.sqrt(variance + 1e-5)
        return y if self.bias is None else y + self.bias


class MendedBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = HandmadeNorm(config.n_embd, config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = HandmadeNorm(config.n_embd, config.bias)
        self.mlp = SomeMLP(config)

    def forward(self, x):
        # Attention reads a normalised copy; the stream itself stays as it is.
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


### END SOLUTION

# %% check="MendedBlock"
check("MendedBlock", MendedBlock)

# %% [markdown] exercise="block_parameters"
# ## The weights of a block
#
# Write `block_parameters(n_embd, bias)`: how many numbers does one of GPT-2's blocks learn?
#
# - `n_embd` is the width C. The block is lesson 04's: two LayerNorms, attention (`c_attn`,
#   `c_proj`) and an MLP (`c_fc`, `c_proj`) with a hidden row of 4C.
# - `bias` says whether the linear layers *and* the LayerNorms have biases. A LayerNorm always has
#   its weight.
# - Return an `int`. Count; do not build a block.
#
# For example, `block_parameters(6, True)` is 510, and `block_parameters(6, False)` is 444.


# %% solution="block_parameters"
def block_parameters(n_embd, bias):
    """Count what one block learns: an int."""
    ### BEGIN SOLUTION
    C = n_embd
    matrices = 3 * C * C + C * C + 4 * C * C + 4 * C * C  # attention's two, the MLP's two
    norms = 2 * C
    biases = (3 * C + C) + (4 * C + C) + 2 * C  # of attention, the MLP and both LayerNorms
    return matrices + norms + (biases if bias else 0)
    ### END SOLUTION


# %% check="block_parameters"
check("block_parameters", block_parameters)

# %% [markdown] exercise="block_multiplications"
# ## The work of a block
#
# Write `block_multiplications(T, n_embd, n_head)`: how many multiplications do the matrix products
# of one block take, for one text of T tokens? The lesson counted parameters only; the rule for a
# product is the first of these:
#
# - A product of an `(a, b)` and a `(b, c)` matrix takes a · b · c multiplications.
# - Count the four linear layers for all T tokens, and in every head the two products without
#   weights: queries with keys, pattern with values. These are whole `(T, T)` squares, the hidden
#   half included.
# - Nothing else counts: no LayerNorm, GELU, softmax or scaling, no biases, no additions.
# - `n_head` divides `n_embd`. Return an `int`.
#
# For example, `block_multiplications(1, 2, 1)` is 52: 48 with weights and 4 without.


# %% solution="block_multiplications"
def block_multiplications(T, n_embd, n_head):
    """Count the multiplications in one block's matrix products: an int."""
    ### BEGIN SOLUTION
    C, hs = n_embd, n_embd // n_head
    with_weights = T * C * (3 * C + C + 4 * C + 4 * C)
    per_head = T * hs * T + T * T * hs  # queries with keys, pattern with values
    return with_weights + n_head * per_head
    ### END SOLUTION


# %% check="block_multiplications"
check("block_multiplications", block_multiplications)
