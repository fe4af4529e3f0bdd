# %% [markdown]
# # Exercises 12: claims tested
#
# You mend a short GPT that is said to be GPT-2, and put a paragraph of your own choice to the
# test. About 50 minutes, after lesson 12.
#
# Write in the cells that say so, then run the check below. Stuck? There are three hints, and each
# exercise can be done without the other.

# %%
import torch
from torch import nn
from torch.nn import functional as F

from minigpt.course import check

# %% [markdown] exercise="ShortGPT"
# ## Mend: a short GPT
#
# *GPT-2 in thirty lines, from PyTorch's own parts.* The class below has GPT-2's parameters, trains
# and writes. But with GPT-2's weights it does not give GPT-2's logits: **five things are wrong**.
# None of them raises an error. Mend them.
#
# | | |
# | --- | --- |
# | `idx` | `(B, T)` int64, at most `block_size` tokens |
# | result | `(B, T, vocab_size)`: the logits that GPT-2 gives with the same weights |
#
# - `nn.TransformerEncoderLayer` is called an encoder, but it is attention, two additions, two
#   LayerNorms and an MLP: a block of GPT-2, if it is set up as one. `help(...)` says how.
# - The parameters keep their names and shapes: `tokens`, `positions`, `blocks`, `norm` and `head`
#   stay what they are. Embedding, tied head and dropout are right.
#
# For example, with two blocks, changing the last token of a text changes the logits at the last
# place, and at no other.


# %% solution="ShortGPT"
### BEGIN BROKEN
# class ShortGPT(nn.Module):
#     """GPT-2, from PyTorch's own parts."""
#
#     def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
#         super().__init__()
#         self.tokens = nn.Embedding(vocab_size, n_embd)
#         self.positions = nn.Embedding(block_size, n_embd)
#         block = nn.TransformerEncoderLayer(
#             n_embd,
#             n_embd // n_head,
#             4 * n_embd,
#             dropout=0.0,
#             activation="gelu",
#             batch_first=True,
#         )
#         self.blocks = nn.ModuleList([block] * n_layer)
#         self.norm = nn.LayerNorm(n_embd)
#         self.head = nn.Linear(n_embd, vocab_size, bias=False)
#         self.head.weight = self.tokens.weight
#
#     def forward(self, idx):
#         T = idx.size(1)
#         x = self.tokens(idx) + self.positions(torch.arange(T))
#         mask = torch.ones(T, T).triu(1)
#         for block in self.blocks:
#             x = block(x, src_mask=mask)
#         return self.head(self.norm(x))
### END BROKEN
### BEGIN SOLUTION
def gelu(x):
    """Bend as GPT-2 does. (nn.GELU("tanh") would do so only while gradients are recorded.)"""
    return F.gelu(x, approximate="tanh")  # 1. not the exact form


class ShortGPT(nn.Module):
    """GPT-2, from PyTorch's own parts."""

    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                n_embd,
                n_head,  # 2. heads, not channels of a head
                4 * n_embd,
                dropout=0.0,
                activation=gelu,
                batch_first=True,
                norm_first=True,  # 3. the stream itself is not normalised
            )
            for _ in range(n_layer)  # 4. a layer each, with weights of its own
        )
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, idx):
        T = idx.size(1)
        x = self.tokens(idx) + self.positions(torch.arange(T))
        mask = torch.ones(T, T, dtype=torch.bool).triu(1)  # 5. True: must not look there
        for block in self.blocks:
            x = block(x, src_mask=mask)
        return self.head(self.norm(x))


### END SOLUTION


# %% check="ShortGPT"
check("ShortGPT", ShortGPT)

# %% [markdown] exercise="claims_of_a_paragraph"
# ## What would show it false?
#
# Take one paragraph on GPT-2 from a public article: one that you have read, or that somebody sent
# you. Put it to the test as the lesson does. Answer in six to ten sentences. A full answer says
#
# - where the paragraph stands, and three or more claims that you make of it, each a sentence that
#   can be true or false (one point),
# - for each claim what you would have to see to call it false (one point),
# - of at least one claim how you tested it, by code or by a source that you read, and what came out
#   (one point),
# - a verdict on each, no stronger than its test: true, false, half, not decided (half a point),
# - what in the paragraph claims nothing that could be false (half a point).
#
# Without the network, take a paragraph of a book, or one that you remember. Your teacher marks this
# one. If you have none, mark it yourself: the steps are below.

# %% [markdown] written="claims_of_a_paragraph"
# ### BEGIN SOLUTION
# ### END SOLUTION
