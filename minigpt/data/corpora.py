"""Where texts come from, and how they become the ids of a corpus, kept on disk."""

from __future__ import annotations

import hashlib
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from minigpt.config import check_whole
from minigpt.data.batches import Data
from minigpt.data.cache import cache_folder, cached_ids, cached_tokenizer, digest
from minigpt.files import STORYTELLER, fetch, raise_for_the_disk, read_blocks
from minigpt.stories import Stories
from minigpt.tokenizer import END_OF_TEXT, Tokenizer
from minigpt.tokenizer.bpe import end_at_seams

SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)

SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"

MARK = re.escape(END_OF_TEXT)

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


def check_text_file(path: str | os.PathLike) -> Path:
    """Return the path of a file; raise FileNotFoundError or ValueError if there is none."""
    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the path of one text file")
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {path}; give the path of a text file, "
            "or one of the names stories, python-docs, shakespeare"
        )
    return path


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
        except (OSError, ValueError) as error:
            raise_for_the_disk(error, "MINIGPT_CACHE")
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


class Text:
    """A text that is read block by block, again and again, and never held whole.

    `blocks` gives it from the beginning, in parts of any size. Counted on making it: `length` in
    characters, `marks`, the positions of each <|endoftext|> in it, and `fingerprint`.
    """

    def __init__(self, name: str, blocks: Callable[[], Iterable[str]]) -> None:
        self.name, self.blocks = name, blocks
        self.length, self.marks, content = 0, [], hashlib.sha256()
        for part in end_at_seams(blocks()):
            self.marks += [self.length + m.start() for m in re.finditer(MARK, part)]
            self.length += len(part)
            content.update(part.encode())
        self.fingerprint = content.hexdigest()

    def parts(self, start: int, stop: int, doing: str) -> Iterator[str]:
        """Yield the characters from start to stop in parts that end at seams, with progress."""
        from tqdm.auto import tqdm

        def between() -> Iterator[str]:
            at = 0
            for block in self.blocks():
                yield block[max(0, start - at) : max(0, stop - at)]
                at += len(block)
                if at >= stop:
                    return

        title = f"{self.name}: {doing}"
        with tqdm(total=stop - start, desc=title, unit="", unit_scale=True, delay=1) as bar:
            for part in end_at_seams(between()):
                yield part
                bar.update(len(part))

    def documents(self, start: int, stop: int) -> Iterator[str]:
        """Yield what stands between the marks, long documents in several parts."""
        for part in self.parts(start, stop, "counting words"):
            yield from part.split(END_OF_TEXT)


def load_text(text: Text, tokenizer: Tokenizer | None, vocab_size: int) -> Data:
    """Hold out the last tenth of a text; without a tokenizer, train one on the rest.

    Where <|endoftext|> stands in the text it is the end of a document: its own token, which no
    merge crosses. How many there are is printed.
    """
    if text.length < SHORTEST:
        raise ValueError(
            f"{text.name} holds {text.length} characters; it must be at least {SHORTEST}"
        )
    cut = text.length * 9 // 10
    if marks := len(text.marks):
        print(f"{text.name}: {marks + 1:,} documents, with {END_OF_TEXT} between them")
        whole = bisect_right(text.marks, cut - len(END_OF_TEXT))  # those that end before the cut
        cut = text.marks[whole - 1] if whole else cut
    if tokenizer is None:
        key = digest(text.fingerprint, cut, vocab_size)
        tokenizer = cached_tokenizer(key, lambda: text.documents(0, cut), vocab_size)
    if marks and tokenizer.end_of_text is None:
        raise ValueError(
            f"the text has {marks:,} {END_OF_TEXT} between its documents, and the tokenizer has no "
            "such token; train one with it, or take them out of the text"
        )
    special = {END_OF_TEXT} if marks else frozenset()
    train, val = (
        cached_ids(
            digest(text.fingerprint, start, stop, tokenizer.merges, *special),
            lambda start=start, stop=stop: (
                tokenizer.encode(part, special) if special else tokenizer.encode_ordinary(part)
                for part in text.parts(start, stop, "encoding")
            ),
            tokenizer.vocab_size,
        )
        for start, stop in ((0, cut), (cut, text.length))
    )
    return Data(text.name, tokenizer, train, val)


def encode_documents(documents: Iterable[str], tokenizer: Tokenizer) -> Iterator[list[int]]:
    """Yield the ids of each document, with <|endoftext|> before the first and after each."""
    yield [tokenizer.end_of_text]
    for document in documents:
        yield [*tokenizer.encode_ordinary(document), tokenizer.end_of_text]


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
    of its characters is held out. Everything is prepared once and kept in the cache, block by
    block: a text need not fit into memory.

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
        whole = TEXTS[name_or_path]()
        text = Text(name_or_path, lambda: [whole])
    else:
        path = check_text_file(name_or_path)
        text = Text(path.name, lambda: read_blocks(path))
    return load_text(text, tokenizer, VOCAB_SIZE if vocab_size is None else vocab_size)
