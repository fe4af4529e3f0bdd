"""An empty cache for each test, a few stories, and a text in a file."""

from itertools import islice

import pytest

from minigpt.data import corpora, load_data
from minigpt.data.corpora import TRAIN_SEED
from minigpt.stories import Stories
from minigpt.tokenizer import Tokenizer
from tests.data.draws import TEXT


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Give each test an empty cache of its own."""
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def story_tokenizer() -> Tokenizer:
    return Tokenizer.train(list(islice(Stories(TRAIN_SEED), 300)), 600)


@pytest.fixture
def few_stories(monkeypatch, story_tokenizer):
    monkeypatch.setattr(corpora, "VAL_STORIES", 40)
    return load_data("stories", story_tokenizer, stories=60)


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "fuchs.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path
