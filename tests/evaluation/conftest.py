"""One random-weight model, ours and that of transformers, with GPT-2's vocabulary."""

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.pretrained import save_pretrained
from minigpt.tokenizer import Tokenizer
from tests.models import lively

TEXT = (
    "The fox found the red kite by the river. 小狐狸在河边找到了红色的风筝。 "
    "Nobody knew why it sang, and nobody asked. "
    "It wasn't the first kite to do so, nor would it be the last one. "
) * 2


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.gpt2()


@pytest.fixture(scope="session")
def model() -> GPT:
    config = GPTConfig(block_size=24, n_layer=2, n_head=2, n_embd=16)
    return lively(GPT(config), 0.3, 0.2)


@pytest.fixture(scope="session")
def theirs(model, tmp_path_factory):
    """The same weights, as transformers reads and runs them."""
    from transformers import GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("weights")
    save_pretrained(model, folder)
    return GPT2LMHeadModel.from_pretrained(folder).eval()


@pytest.fixture(scope="session")
def slowly(theirs):
    """The surprise of the last id of a row, one forward pass of transformers for it alone."""

    @torch.no_grad()
    def nats(ids: list[int]) -> float:
        logits = theirs(torch.tensor([ids[:-1]])).logits[0, -1].double()
        return -logits.log_softmax(dim=-1)[ids[-1]].item()

    return nats
