"""Room for more: a model whose context is longer, all else as it was."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from minigpt.config import check_whole
from minigpt.model import GPT, Embedding


def with_room(model: GPT, block_size: int) -> GPT:
    """Return a copy of the model that can read block_size tokens; the original stays as it is.

    The new rows of the position table are copies of the last one, and mean nothing yet: they are
    learned in fine-tuning. What fits into the old context comes out as before, bit for bit. All
    of the copy's weights can learn, also where the original is frozen.
    Raises ValueError for a block_size below the model's own.

    >>> from minigpt.config import GPTConfig
    >>> small = GPT(GPTConfig(vocab_size=10, block_size=8, n_layer=1, n_head=2, n_embd=4))
    >>> with_room(small, 12)(torch.zeros(1, 12, dtype=torch.int64)).shape
    torch.Size([1, 12, 10])
    """
    old = model.config.block_size
    check_whole("block_size", block_size, least=old)
    grown = copy.deepcopy(model)
    grown.config = replace(model.config, block_size=block_size)
    rows = model.transformer.wpe.weight.detach()
    rows = torch.cat([rows, rows[-1:].expand(block_size - old, -1)])
    grown.transformer.wpe = Embedding.from_pretrained(rows.clone(), freeze=False)
    return grown.requires_grad_(True)
