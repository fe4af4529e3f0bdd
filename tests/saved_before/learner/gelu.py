# gelu, version 1: passed its check on 2026-11-26.
from minigpt.course.parts import part
import torch


def gelu(x):
    assert part("causal_mask")(2).sum() == 3
    return torch.nn.functional.gelu(x, approximate="tanh")
