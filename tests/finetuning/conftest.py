"""The storyteller, and a model small enough to train in a moment."""

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained


@pytest.fixture(scope="session")
def storyteller():
    """The shipped model and its tokenizer; tests leave the model as it is."""
    return from_pretrained("storyteller", verbose=False)


@pytest.fixture(scope="session")
def tokenizer(storyteller):
    return storyteller[1]


@pytest.fixture
def small(tokenizer) -> GPT:
    torch.manual_seed(0)
    config = GPTConfig(tokenizer.vocab_size, block_size=160, n_layer=2, n_head=2, n_embd=16)
    return GPT(config).eval()
