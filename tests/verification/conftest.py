"""A right model, and one to go wrong."""

import copy

import pytest

from minigpt.model import GPT
from tests.models import lively
from tests.verification.planting import CONFIG


@pytest.fixture(scope="module")
def right():
    return lively(GPT(CONFIG), 0.2)


@pytest.fixture
def wrong(right):
    return copy.deepcopy(right)
