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
# The lesson mended a GPT of PyTorch's encoder layers. Here is another one, of PyTorch's attention.
# It has GPT-2's parameters, trains and writes. But with GPT-2's weights it does not give GPT-2's
# logits: **five things are wrong**. None of them raises an error. Mend them.
#
# | | |
# | --- | --- |
# | `idx` | `(B, T)` int64, at most `block_size` tokens |
# | result | `(B, T, vocab_size)`: the logits that GPT-2 gives with the same weights |
#
# - `nn.MultiheadAttention` takes a query, a key, a value and a mask, and returns what the heads
#   found together with their weights, hence the `[0]`. `help(...)` says the rest.
# - The parameters keep their names and shapes. Embedding, MLP, tied head and dropout (none) are
#   right.
#
# For example, changing the last token of a text should change the logits at the last place, and at
# no other.


# %% solution="ShortGPT"
### BEGIN BROKEN
# class Block(nn.Module):
#     """Attention, then MLP."""
#
#     def __init__(self, n_head, n_embd):
#         super().__init__()
#         self.norm_1 = nn.LayerNorm(n_embd)
#         self.attn = nn.MultiheadAttention(n_embd, n_embd // n_head, batch_first=True)
#         self.norm_2 = nn.LayerNorm(n_embd)
#         self.fc = nn.Linear(n_embd, 4 * n_embd)
#         self.proj = nn.Linear(4 * n_embd, n_embd)
#
#     def forward(self, x, mask):
#         h = self.norm_1(x)
#         x = h + self.attn(h, x, x, attn_mask=mask)[0]
#         h = self.norm_2(x)
#         return x + self.proj(F.gelu(self.fc(h), approximate="tanh"))
#
#
# class ShortGPT(nn.Module):
#     """GPT-2, with PyTorch's own attention."""
#
#     def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
#         super().__init__()
#         self.tokens = nn.Embedding(vocab_size, n_embd)
#         self.positions = nn.Embedding(block_size, n_embd)
#         self.blocks = nn.ModuleList([Block(n_head, n_embd)] * n_layer)
#         self.norm = nn.LayerNorm(n_embd)
#         self.head = nn.Linear(n_embd, vocab_size, bias=False)
#         self.head.weight = self.tokens.weight
#
#     def forward(self, idx):
#         T = idx.size(1)
#         x = self.tokens(idx) + self.positions(torch.arange(T))
#         mask = torch.ones(T, T).triu(1)
#         for block in self.blocks:
#             x = block(x, mask)
#         return self.head(self.norm(x))
### END BROKEN
### BEGIN SOLUTION
class Block(nn.Module):
    """Attention, then MLP."""

    def __init__(self, n_head, n_embd):
        super().__init__()
        self.norm_1 = nn.LayerNorm(n_embd)
        self.attn = nn.MultiheadAttention(n_embd, n_head, batch_first=True)  # 1. heads
        self.norm_2 = nn.LayerNorm(n_embd)
        self.fc = nn.Linear(n_embd, 4 * n_embd)
        self.proj = nn.Linear(4 * n_embd, n_embd)

    def forward(self, x, mask):
        h = self.norm_1(x)
        # 2. The stream goes on as it is. 3. Query, key and value read the normalised copy.
        x = x + self.attn(h, h, h, attn_mask=mask)[0]
        h = self.norm_2(x)
        return x + self.proj(F.gelu(self.fc(h), approximate="tanh"))


class ShortGPT(nn.Module):
    """GPT-2, with PyTorch's own attention."""

    def __init__(self, vocab_size, block_size, n_layer, n_head, n_embd):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, n_embd)
        self.positions = nn.Embedding(block_size, n_embd)
        # 4. Each layer is a block with weights of its own.
        self.blocks = nn.ModuleList(Block(n_head, n_embd) for _ in range(n_layer))
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, idx):
        T = idx.size(1)
        x = self.tokens(idx) + self.positions(torch.arange(T))
        mask = torch.ones(T, T, dtype=torch.bool).triu(1)  # 5. True: must not look there
        for block in self.blocks:
            x = block(x, mask)
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
