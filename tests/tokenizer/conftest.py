"""GPT-2's tokenizer, tiktoken's, and a small one of our own."""

import hashlib

import pytest
import tiktoken
import tiktoken.load

from minigpt.tokenizer import Tokenizer, gpt2_files
from tests.tokenizer.slow import PYTHON_DOCS


@pytest.fixture(scope="session")
def gpt2():
    return Tokenizer.gpt2()


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """tiktoken's own GPT-2, given the two files as if it had downloaded them."""
    cache = tmp_path_factory.mktemp("tiktoken")
    for name in gpt2_files.GPT2_SHA256:
        key = hashlib.sha1((gpt2_files.GPT2_URL + name).encode()).hexdigest()
        (cache / key).write_bytes(gpt2_files.read_gpt2_file(name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        return tiktoken.get_encoding("gpt2")


@pytest.fixture(scope="session")
def small():
    return Tokenizer.train(PYTHON_DOCS[:50_000], 400)
