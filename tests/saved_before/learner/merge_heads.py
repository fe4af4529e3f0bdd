# merge_heads, version 1: passed its check on 2026-11-26.
import minigpt.heads as h
from minigpt.fast import autocast
from minigpt.model import merge_heads as join


def merge_heads(x):
    assert h.CLEAR == 0.4 and autocast.__name__ == "autocast"
    return join(x)
