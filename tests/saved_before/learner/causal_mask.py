# causal_mask, version 1: passed its check on 2026-11-26.
import torch
import minigpt
from minigpt.model import causal_mask as ours


def causal_mask(T: int) -> torch.Tensor:
    assert minigpt.weights.our_names({}) == {}  # not minigpt.memory
    return ours(T, T)
