"""Where texts come from, and how they become the ids of a corpus, kept on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from http.client import HTTPException
from itertools import islice
from pathlib import Path

import numpy as np

from minigpt import files
from minigpt.config import check_whole
from minigpt.data.batches import Data
from minigpt.data.cache import cache_folder, cached_ids, cached_tokenizer, digest
from minigpt.files import STORYTELLER, fetch
from minigpt.stories import Stories
from minigpt.tokenizer import END_OF_TEXT, Tokenizer

SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)

SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"

SHORTEST = 10  # characters: nine to train on, one to hold out


def python_docs() -> str:
    """Return the language reference that every Python carries: half a megabyte of real English.

    It differs a little from one version of Python to the next, and so do losses on it.
    Raises FileNotFoundError for a Python that was stripped of it.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise FileNotFoundError(
            "this Python came without its documentation (the module pydoc_data); "
            "install its full standard library, or train on the stories"
        ) from None
    return "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"


def read_text(path: str | os.PathLike) -> str:
    r"""Return the text of a UTF-8 file, with \n for its line ends wherever it comes from.

    Raises FileNotFoundError if there is none, ValueError for what is no text to train on.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the path of one text file")
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {path}; give the path of a text file, "
            "or one of the names stories, python-docs, shakespeare"
        )
    text = files.read_text(path)
    if len(text) < SHORTEST:
        raise ValueError(f"{path} holds {len(text)} characters; it must be at least {SHORTEST}")
    return text


def shakespeare() -> str:
    """Return a megabyte of Shakespeare's plays, downloaded on first use and then kept.

    The environment variable MINIGPT_MIRROR may name the address of a folder with shakespeare.txt.
    Raises ConnectionError, with the way to do it by hand, or ValueError if the file was changed.
    """
    path = cache_folder() / "shakespeare.txt"
    if not path.is_file():
        mirror = os.environ.get("MINIGPT_MIRROR", "").rstrip("/")
        url = f"{mirror}/{path.name}" if mirror else SHAKESPEARE_URL
        try:
            fetch(url, path, SHAKESPEARE_SHA256)
        except (OSError, HTTPException, ValueError) as error:
            raise ConnectionError(
                f"Shakespeare could not be downloaded from {url}: {error}.\n"
                "From elsewhere: set MINIGPT_MIRROR to the address of a folder with "
                f"{path.name}, and try again.\n"
                f"By hand: get {SHAKESPEARE_URL} in any way, on any machine, and save it as {path}"
            ) from error
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHAKESPEARE_SHA256:
        raise ValueError(
            f"{path} is not the expected text: its sha256 is not {SHAKESPEARE_SHA256}. "
            "Delete it and try again, or read it as it is by giving its path"
        )
    return content.decode("utf-8")


TEXTS = {"python-docs": python_docs, "shakespeare": shakespeare}

VOCAB_SIZE = 1024  # of a tokenizer trained here: GPT-2's 50,257 would be most of a small model

TOKENIZER_STORIES = 5000  # are plenty to train a tokenizer on

TRAIN_SEED, VAL_SEED = 1, 2

VAL_STORIES = 1000


def load_text(name: str, text: str, tokenizer: Tokenizer | None, vocab_size: int) -> Data:
    """Hold out the last tenth of a text; without a tokenizer, train one on the rest.

    Where <|endoftext|> stands in the text it is the end of a document: its own token, which no
    merge crosses. How many there are is printed.
    """
    cut = len(text) * 9 // 10
    if marks := text.count(END_OF_TEXT):
        print(f"{name}: {marks + 1:,} documents, with {END_OF_TEXT} between them")
        cut = text.rfind(END_OF_TEXT, 0, cut) if END_OF_TEXT in text[:cut] else cut
    parts = text[:cut], text[cut:]
    if tokenizer is None:
        key = digest(parts[0], vocab_size, *["documents"] * bool(marks))
        documents = parts[0].split(END_OF_TEXT)
        tokenizer = cached_tokenizer(key, lambda: documents, vocab_size)
    if marks and tokenizer.end_of_text is None:
        raise ValueError(
            f"the text has {marks:,} {END_OF_TEXT} between its documents, and the tokenizer has no "
            "such token; train one with it, or take them out of the text"
        )
    special = {END_OF_TEXT} if marks else frozenset()
    train, val = (
        cached_ids(
            digest(part, tokenizer.merges, *special),
            lambda part=part: (
                tokenizer.encode(part, allowed_special=special)
                if special
                else tokenizer.encode_ordinary(part)
            ),
            tokenizer.vocab_size,
        )
        for part in parts
    )
    return Data(name, tokenizer, train, val)


def encode_documents(documents: Iterable[str], tokenizer: Tokenizer) -> Iterator[int]:
    """Yield the ids of all documents, with <|endoftext|> before the first and after each."""
    yield tokenizer.end_of_text
    for document in documents:
        yield from tokenizer.encode_ordinary(document)
        yield tokenizer.end_of_text


def load_stories(count: int, tokenizer: Tokenizer | None, vocab_size: int | None) -> Data:
    """Tell the stories to train on, and others, from another seed, to hold out."""
    check_whole("stories", count)
    grammar = digest(*islice(Stories(TRAIN_SEED), 100))  # a change of the grammar changes these
    if tokenizer is None and vocab_size is None:
        tokenizer = Tokenizer.load(STORYTELLER / "tokenizer.json")
    elif tokenizer is None:
        key = digest(grammar, vocab_size)
        tokenizer = cached_tokenizer(
            key, lambda: islice(Stories(TRAIN_SEED), TOKENIZER_STORIES), vocab_size
        )
    if tokenizer.end_of_text is None:
        raise ValueError(
            f"the tokenizer has no {END_OF_TEXT}, which separates the stories; "
            "train it with that special token, or leave it out to get the stories' own"
        )
    train, val = (
        cached_ids(
            digest(grammar, seed, size, tokenizer.merges, tokenizer.special_tokens),
            lambda seed=seed, size=size: encode_documents(islice(Stories(seed), size), tokenizer),
            tokenizer.vocab_size,
        )
        for seed, size in ((TRAIN_SEED, count), (VAL_SEED, VAL_STORIES))
    )
    train_starts, val_starts = (
        np.flatnonzero(ids == tokenizer.end_of_text)[:-1] for ids in (train, val)
    )
    floor = Stories.entropy() / ((len(val) - 1) / VAL_STORIES)
    return Data("stories", tokenizer, train, val, train_starts, val_starts, floor)


def load_data(
    name_or_path: str | os.PathLike = "stories",
    tokenizer: Tokenizer | None = None,
    *,
    vocab_size: int | None = None,
    stories: int = 20_000,
) -> Data:
    """Return a corpus, ready to train on: "stories", "python-docs", "shakespeare" or a text file.

    A given `tokenizer` is used as it is; `vocab_size` trains one of that size on the training part;
    with neither, stories get the one that is shipped and other texts one of 1,024 tokens.
    `stories` is how many to tell for training; 1,000 others are held out. Of a text the last tenth
    of its characters is held out. Everything is prepared once and kept in the cache.

    Only stories have a `floor`: the exact entropy of a story in nats, divided by the mean number of
    tokens in a held-out story, its closing <|endoftext|> included.

    Raises ValueError or FileNotFoundError, with what to do, for anything else, and ConnectionError
    if Shakespeare cannot be downloaded.
    """
    if tokenizer is not None and vocab_size is not None:
        raise ValueError("give a tokenizer or the vocab_size of one to train, not both")
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise ValueError(f"there is no corpus {name_or_path!r}; give a name or a path")
    if name_or_path == "stories":
        return load_stories(stories, tokenizer, vocab_size)
    if name_or_path in TEXTS:
        name, text = name_or_path, TEXTS[name_or_path]()
    else:
        name, text = Path(name_or_path).name, read_text(name_or_path)
    return load_text(name, text, tokenizer, VOCAB_SIZE if vocab_size is None else vocab_size)
