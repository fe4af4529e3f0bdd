"""GPT-2's tokenizer, tiktoken's, and a small one of our own."""

import pytest

from minigpt.tokenizer import Tokenizer
from minigpt.tokenizer.gpt2_files import openai_tokenizer
from tests.tokenizer.slow import PYTHON_DOCS


@pytest.fixture(scope="session")
def gpt2():
    return Tokenizer.gpt2()


@pytest.fixture(scope="session")
def reference():
    """tiktoken's own GPT-2."""
    return openai_tokenizer()


@pytest.fixture(scope="session")
def small():
    return Tokenizer.train(PYTHON_DOCS[:50_000], 400)
