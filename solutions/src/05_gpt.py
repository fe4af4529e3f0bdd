# %% [markdown]
# # Exercises 05: GPT
#
# You assemble GPT-2, mend a broken one, give it its first weights, and say what each size costs.
# An hour and three quarters, after lesson 05.
#
# Write in the cells that say so, then run the check below each. It runs your code on several
# inputs and says what is wrong, if anything is. Stuck? Each exercise has three hints, and every
# exercise can be done without the others.

# %%
import math

import torch
from torch import nn

from minigpt import GPT as PackageGPT
from minigpt import GPTConfig
from minigpt.course import check, part

# %% [markdown]
# The block is lesson 04's: yours if it has passed its check, else ours. And here is the tiny
# configuration of the examples below, to try things with.

# %%
Block = part("Block")
tiny = GPTConfig(vocab_size=6, block_size=8, n_layer=2, n_head=2, n_embd=4)

# %% [markdown] exercise="GPT"
# ## The whole model
#
# Write the class `GPT`. `GPT(config)` builds a model, and `model(idx)` returns logits:
#
# | | shape | |
# | --- | --- | --- |
# | `idx` | `(B, T)` int64 | ids, T at most `config.block_size` |
# | result | `(B, T, V)` | the scores before softmax, for every one of the T words |
#
# The parts have the checkpoint's names. `transformer` is an `nn.ModuleDict` of
#
# | name | what |
# | --- | --- |
# | `wte`, `wpe` | a row of C for each of the `vocab_size` ids, or `block_size` positions |
# | `h` | an `nn.ModuleList` of `n_layer` blocks, `Block(config)` |
# | `ln_f` | an `nn.LayerNorm` as it comes; without bias if `config.bias` is False |
#
# - The stream starts as token row plus position row, counted from 0. Dropout of `config.dropout`
#   acts on that sum, in training only; a module for it may have any name.
# - Then the blocks, `ln_f`, and the head: `lm_head`, linear, without bias.
# - The head is **tied**: `lm_head.weight` *is* the parameter `transformer.wte.weight`.
# - Keep the configuration as `self.config`.
#
# For example, with the tiny configuration above, `GPT(tiny)(torch.tensor([[0, 1, 2]]))` has the
# shape `(1, 3, 6)`, and the model has 552 parameters.


# %% solution="GPT"
class GPT(nn.Module):
    """GPT-2: ids (B, T) in, logits (B, T, V) out."""

    def __init__(self, config):
        super().__init__()
        ### BEGIN SOLUTION
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
        self.lm_head.weight = self.transformer.wte.weight
        ### END SOLUTION

    def forward(self, idx):
        ### BEGIN SOLUTION
        positions = torch.arange(idx.size(1), device=idx.device)
        x = self.transformer.wte(idx) + self.transformer.wpe(positions)  # (B, T, C)
        x = self.transformer.drop(x)
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(self.transformer.ln_f(x))  # (B, T, V)
        ### END SOLUTION


# %% check="GPT"
check("GPT", GPT)

# %% [markdown] exercise="MendedGPT"
# ## Mend a broken GPT
#
# Someone took the package's GPT and put its parts together anew. Its shapes are right, and on one
# short text nothing looks strange. But it has **three mistakes**: one in its layers, one in its
# positions, one in its head.
#
# Find them with experiments rather than by staring. Three that help: give it several texts at
# once; change one layer's weights and look at the other layers; count its parameters.
#
# Mend the class, and leave its names as they are. When it is right, it does what `GPT` above does:
# for `idx` of shape `(B, T)`, `MendedGPT(config)(idx)` is `(B, T, V)`. With two texts of three
# words, the broken one stops with an error.


# %% solution="MendedGPT"
### BEGIN BROKEN
# class MendedGPT(PackageGPT):
#     def __init__(self, config):
#         super().__init__(config)  # wte, wpe, drop, ln_f are fine
#         layers = [Block(config)] * config.n_layer
#         self.transformer.h = nn.ModuleList(layers)
#         table = self.transformer.wte.weight.detach().clone()
#         self.lm_head.weight = nn.Parameter(table)
#
#     def forward(self, idx):
#         positions = torch.arange(len(idx))
#         stream = self.transformer.wte(idx) + self.transformer.wpe(positions)
#         stream = self.transformer.drop(stream)
#         for layer in self.transformer.h:
#             stream = layer(stream)
#         return self.lm_head(self.transformer.ln_f(stream))
### END BROKEN
### BEGIN SOLUTION
class MendedGPT(PackageGPT):
    def __init__(self, config):
        super().__init__(config)  # wte, wpe, drop, ln_f are fine
        # A list of one, times n_layer, holds the same block n_layer times.
        layers = [Block(config) for _ in range(config.n_layer)]
        self.transformer.h = nn.ModuleList(layers)
        # A copy is equal only until the first step of training.
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, idx):
        # One position for each word, not for each text: with one text, all stood at position 0.
        positions = torch.arange(idx.shape[1])
        stream = self.transformer.wte(idx) + self.transformer.wpe(positions)
        stream = self.transformer.drop(stream)
        for layer in self.transformer.h:
            stream = layer(stream)
        return self.lm_head(self.transformer.ln_f(stream))


### END SOLUTION

# %% check="MendedGPT"
check("MendedGPT", MendedGPT)

# %% [markdown] exercise="why_tied"
# ## Why tie the head?
#
# In GPT-2 one matrix serves twice: its rows are the token vectors, and the head scores each
# possible next word by the dot product with its row. Explain in five to ten sentences:
#
# - what tying saves, in numbers and as a share of the model, for the smallest GPT-2 (V = 50,257,
#   C = 768; one point);
# - why it makes *sense* that the vector of a word and the vector that the head compares with are
#   the same (one point);
# - what it means for the gradient of that matrix (one point);
# - how you would find out that somebody's model is *not* tied, although all its logits are right
#   (one point).
#
# Your teacher marks this one. If you have none, mark it yourself: the steps are below.

# %% [markdown] written="why_tied"
# ### BEGIN SOLUTION
# ### END SOLUTION

# %% [markdown] exercise="first_loss"
# ## The first loss
#
# A new GPT-2 knows nothing, but its logits are not all equal. Take it that each is drawn by itself
# from a normal distribution of mean 0 and variance $s^2 = 0.31$. (A stream of 768 channels of
# variance 1, times weights of spread 0.02: $768 \cdot 0.02^2$.) What is its mean loss over very
# many positions, in nats? The vocabulary has V = 50,257 tokens.
#
# The loss at one position is $-\ln\,(e^{l_y} / \sum_j e^{l_j})$, and the right token y is one like
# any other. The mean of $e^l$, for such an $l$, is $e^{s^2/2}$; with so many tokens you may take V
# times the mean for the sum.
#
# Give two decimals. With V = 1,024 and $s^2 = 0.08$ the answer would be `6.97`.

# %% solution="first_loss"
first_loss = None
### BEGIN SOLUTION
# -l is 0 on average, and the sum is V times e^(s²/2).
first_loss = math.log(50257) + 0.31 / 2  # 10.98
### END SOLUTION

# %% check="first_loss"
check("first_loss", first_loss)

# %% [markdown] exercise="init_weights"
# ## A start that can learn
#
# Write `init_weights(model)`, which gives a GPT its first weights, in place, and returns nothing.
# `model` has the checkpoint's names, **every** parameter holds something else before, and
# `model.config.n_layer` is the number of layers L.
#
# | parameters | start |
# | --- | --- |
# | `wte`, `wpe`, `c_attn.weight`, `c_fc.weight` | normal, mean 0, spread 0.02 |
# | both `c_proj.weight` of every block | normal, mean 0, spread $0.02 / \sqrt{2L}$ |
# | weights of LayerNorms (`ln_1`, `ln_2`, `ln_f`) | 1 |
# | every bias, those of LayerNorms too | 0 |
#
# *Spread* is the standard deviation. The head stays tied, and everything can still be trained. Set
# no seed: whoever calls you decides that.
#
# For example, with two layers the spread of `transformer.h.0.mlp.c_proj.weight` is 0.01.


# %% solution="init_weights"
def init_weights(model):
    """Start a GPT as GPT-2 does: N(0, 0.02), less for what writes to the stream."""
    ### BEGIN SOLUTION
    shrunk = 0.02 / math.sqrt(2 * model.config.n_layer)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif "ln_" in name:
            nn.init.ones_(parameter)
        elif name.endswith("c_proj.weight"):
            nn.init.normal_(parameter, std=shrunk)
        else:
            nn.init.normal_(parameter, std=0.02)
    ### END SOLUTION


# %% check="init_weights"
check("init_weights", init_weights)

# %% [markdown] exercise="count_parameters"
# ## How many parameters?
#
# Write `count_parameters(config) -> int`: the number of parameters of a GPT with this
# configuration, by arithmetic. Build no model; XL would take 6 GB.
#
# The tied head counts once, with the token table. With `config.bias=False` the linear layers of the
# blocks and all LayerNorms have no bias. Nothing else depends on the heads or on dropout.
#
# `GPTConfig(vocab_size=6, block_size=8, n_layer=2, n_head=2, n_embd=4)` has 552 parameters:
# 24 + 32 in the tables, 244 in each block, 8 in `ln_f`. And `GPTConfig.preset("gpt2")` has
# 124,439,808.


# %% solution="count_parameters"
def count_parameters(config):
    """Count the parameters of a GPT: the tied head once."""
    ### BEGIN SOLUTION
    V, T, L, C = config.vocab_size, config.block_size, config.n_layer, config.n_embd
    attention = C * 3 * C + C * C
    mlp = C * 4 * C + 4 * C * C
    norms = 2 * C
    final_norm = C
    if config.bias:
        attention += 3 * C + C
        mlp += 4 * C + C
        norms += 2 * C
        final_norm += C
    return V * C + T * C + L * (attention + mlp + norms) + final_norm
    ### END SOLUTION


# %% check="count_parameters"
check("count_parameters", count_parameters)

# %% [markdown]
# The next exercise counts parameters as well. `count` is your function if it has passed, else ours.

# %%
count = part("count_parameters")

# %% [markdown] exercise="training_bytes"
# ## What training takes
#
# Write `training_bytes(config, T) -> int`: the bytes that training needs with AdamW, on one text
# of T positions, everything in fp32 (4 bytes a number), without dropout.
#
# For every parameter: the weight, its gradient, and AdamW's two running averages.
#
# For every position, what the forward pass keeps for the backward pass, in numbers:
#
# | where | numbers |
# | --- | --- |
# | in each block | 16C + nh + 4 |
# | `ln_f` and the head, together | 2C + 2 |
# | the loss | V |
#
# (With or without biases, these are the same.)
#
# `count(config)`, from the cell above, counts the parameters; or do it yourself. The tiny model,
# `GPTConfig(vocab_size=6, block_size=8, n_layer=2, n_head=2, n_embd=4)`, has 552. With T = 7 it
# takes 4 * (4 * 552 + 7 * 156) = 13,200 bytes.


# %% solution="training_bytes"
def training_bytes(config, T):
    """Count the bytes of training a GPT with AdamW on one text of T positions, in fp32."""
    ### BEGIN SOLUTION
    V, L, C, nh = config.vocab_size, config.n_layer, config.n_embd, config.n_head
    per_parameter = 1 + 1 + 2  # weight, gradient, two averages
    per_position = L * (16 * C + nh + 4) + (2 * C + 2) + V
    return 4 * (per_parameter * count(config) + T * per_position)
    ### END SOLUTION


# %% check="training_bytes"
check("training_bytes", training_bytes)

# %% [markdown] exercise="flops_per_token"
# ## What reading takes
#
# Write `flops_per_token(config, T) -> int`: the FLOPs of the forward pass for **one** token of a
# text of T tokens. A multiplication is one FLOP, an addition is one.
#
# - Every weight of a matrix that the token goes through costs two: the four matrices of each block,
#   and the head.
# - Attention costs more: each query meets T keys, of C numbers in all heads together, and mixes T
#   values in the same way. Count the hidden half as well.
# - Everything else is left out: looking up rows of a table, biases, LayerNorms, softmax, GELU.
#
# With the tiny model, `GPTConfig(vocab_size=6, block_size=8, n_layer=2, n_head=2, n_embd=4)`, and
# T = 7: 816 for the 408 weights of the matrices, 224 for attention, 1,040 together.


# %% solution="flops_per_token"
def flops_per_token(config, T):
    """Count the FLOPs of reading one of T tokens."""
    ### BEGIN SOLUTION
    V, L, C = config.vocab_size, config.n_layer, config.n_embd
    matrices = 2 * (L * 12 * C**2 + V * C)
    scores, mix = 2 * L * T * C, 2 * L * T * C
    return matrices + scores + mix
    ### END SOLUTION


# %% check="flops_per_token"
check("flops_per_token", flops_per_token)
