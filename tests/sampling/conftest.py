"""A model whose every context gives clearly different logits."""

import pytest

from minigpt.model import GPT
from tests.models import lively
from tests.sampling.slow import TINY


@pytest.fixture(scope="module")
def model() -> GPT:
    """A tiny model with weights so large that every context gives clearly different logits."""
    return lively(GPT(TINY), 0.4)
