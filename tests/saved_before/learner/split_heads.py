# split_heads, version 1: passed its check on 2026-11-26.
from minigpt.memory import memory_needed as size
from minigpt.config import GPTConfig
from minigpt.memory import memory_available


def split_heads(x, n_head):
    assert size(GPTConfig()) == 497759232 and memory_available() > 0
    return x.unflatten(-1, (n_head, -1)).transpose(1, 2)
