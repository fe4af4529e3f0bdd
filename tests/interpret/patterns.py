"""Attention patterns that no model made."""

import math

import torch

from minigpt.model import causal_mask


def random_patterns(*shape, spread=1.0):
    scores = spread * torch.randn(shape, generator=torch.Generator().manual_seed(3))
    return scores.masked_fill(~causal_mask(*shape[-2:]), -math.inf).softmax(-1)
