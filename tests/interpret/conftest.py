"""A model far from uniform patterns, in training mode, and two rows of ids for it."""

import pytest
import torch

from minigpt.model import GPT
from tests.models import lively, some_ids


@pytest.fixture
def model(request) -> GPT:
    """A model of the CONFIG that the file of tests asks for."""
    return lively(GPT(request.module.CONFIG)).train()


@pytest.fixture
def idx(request) -> torch.Tensor:
    return some_ids(request.module.CONFIG, 2, 11, seed=1)
