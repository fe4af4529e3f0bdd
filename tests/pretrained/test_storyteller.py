"""The shipped model: small, whole, and close to the best that any model could do."""

from itertools import islice

import pytest
import torch
from torch.nn import functional as F

from minigpt.data.corpora import TOKENIZER_STORIES, TRAIN_SEED
from minigpt.files import STORYTELLER
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained
from minigpt.stories import GRAMMAR, Stories
from minigpt.tokenizer import Tokenizer

FRESH_SEED = 20_000  # told nowhere else


@pytest.fixture(scope="module")
def storyteller() -> tuple[GPT, Tokenizer]:
    return from_pretrained("storyteller", verbose=False)


@torch.no_grad()
def nats(model: GPT, tokenizer: Tokenizer, story: str) -> float:
    """Return -log p of one story and its end: one token after another, as in the definition."""
    ids = torch.tensor([tokenizer.end_of_text, *tokenizer.encode(story), tokenizer.end_of_text])
    log_p = F.log_softmax(model(ids[None, :-1])[0].double(), dim=-1)
    return -sum(log_p[t, ids[t + 1]].item() for t in range(len(ids) - 1))


def test_the_loss_on_fresh_stories_is_within_5_percent_of_the_floor(storyteller):
    told = list(islice(Stories(FRESH_SEED), 200))
    loss = sum(nats(*storyteller, story) for story in told) / len(told)
    their_own = -sum(map(Stories.log_prob, told)) / len(told)
    assert loss <= 1.05 * Stories.entropy()
    assert loss <= 1.05 * their_own
    assert loss >= their_own - 0.5  # below the floor would mean that the floor is wrong


def test_the_file_is_at_most_5_megabytes():
    assert (STORYTELLER / "model.safetensors").stat().st_size <= 5_000_000


def test_its_tokenizer_is_the_one_that_its_recipe_trains(storyteller):
    told = islice(Stories(TRAIN_SEED), TOKENIZER_STORIES)
    assert storyteller[1] == Tokenizer.train(told, 1024)


def test_every_story_fits_in_its_context(storyteller):
    model, tokenizer = storyteller
    longest = max(len(tokenizer.encode(story)) for story in islice(Stories(FRESH_SEED), 1000))
    assert longest + 1 <= model.config.block_size


@torch.no_grad()
def test_it_recalls_what_the_story_told(storyteller):
    model, tokenizer = storyteller
    right = 0
    for story in islice(Stories(FRESH_SEED), 200):
        asked, answer = story.removesuffix(".").rsplit(" ", 1)  # every story ends with an answer
        ids = torch.tensor([[tokenizer.end_of_text, *tokenizer.encode(asked)]])
        right += tokenizer.decode([model(ids)[0, -1].argmax().item()]) == f" {answer}"
    assert right >= 0.95 * 200


def test_names_colours_and_things_are_one_token_each(storyteller):
    # So that a head which copies a name points from one token to one token.
    for words in (GRAMMAR[name] for name in ("name", "colour", "thing", "animal")):
        assert all(len(storyteller[1].encode(f" {word}")) == 1 for word in words)
