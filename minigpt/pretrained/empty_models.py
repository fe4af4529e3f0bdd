"""Models of shapes alone: to be filled, or to say how much memory they would take."""

from __future__ import annotations

import torch

from minigpt.config import GPTConfig
from minigpt.model import GPT


def empty_model(config: GPTConfig) -> GPT:
    """Return a model of shapes without storage: nothing is allocated, nothing initialised."""
    with torch.device("meta"):
        return GPT(config)


def memory_needed(config: GPTConfig, dtype: torch.dtype = torch.float32) -> int:
    """Return the bytes that the weights of such a model take; the tied head counts once.

    >>> memory_needed(GPTConfig.preset("gpt2"))  # 124,439,808 numbers of 4 bytes
    497759232
    """
    return empty_model(config).num_parameters() * dtype.itemsize
