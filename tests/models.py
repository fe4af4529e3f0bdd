"""Small models whose weights are large enough for a mistake to show, and ids for them to read."""

import torch
from torch import nn

from minigpt.config import GPTConfig
from minigpt.model import explicit_attention, fused_attention

TINY = GPTConfig(vocab_size=37, block_size=12, n_layer=3, n_head=4, n_embd=16)
ATTENTIONS = [fused_attention, explicit_attention]


def lively(model: nn.Module, std: float = 0.3, vectors: float | None = None, seed: int = 0):
    """Give every weight, biases and LayerNorms too, a value that matters; evaluation mode.

    Fresh models have near-uniform logits, biases of 0 and LayerNorms of 1, and so hide mistakes.
    `vectors` is the spread of biases and LayerNorms, where it is not that of the matrices.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            spread = std if weight.dim() > 1 or vectors is None else vectors
            weight.normal_(0.0, spread, generator=generator)
            if ".ln_" in name and name.endswith("weight"):
                weight += 1.0
    return model.eval()


def some_ids(config: GPTConfig, batch: int = 2, time: int = 8, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(config.vocab_size, (batch, time), generator=generator)
