"""Data: a text becomes token ids, kept on disk, and ids become batches of windows to train on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from minigpt.cache import cached_ids, cached_tokenizer, digest
from minigpt.config import check_whole
from minigpt.corpora import python_docs, read_text, shakespeare
from minigpt.stories import Stories
from minigpt.tokenizer import END_OF_TEXT, Tokenizer

TEXTS = {"python-docs": python_docs, "shakespeare": shakespeare}
VOCAB_SIZE = 1024  # of a tokenizer trained here: GPT-2's 50,257 would be most of a small model
STORY_TOKENIZER = Path(__file__).parent / "assets" / "storyteller" / "tokenizer.json"
TOKENIZER_STORIES = 5000  # are plenty to train a tokenizer on
TRAIN_SEED, VAL_SEED = 1, 2
VAL_STORIES = 1000
NO_TARGET = -100  # PyTorch's cross-entropy leaves such targets out


# --- Batches ----------------------------------------------------------------------------------


def get_batch(
    data: np.ndarray | Tensor,
    block_size: int,
    batch_size: int,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Cut windows out of a stream of ids at random: inputs x and targets y, one to the right.

    data (N,) of whole numbers -> x, y (B, T) int64, with B = batch_size, T = block_size.
    The generator's state decides which. Raises ValueError if N < T + 1.

    >>> x, y = get_batch(np.arange(100), block_size=4, batch_size=1)
    >>> (y - x).tolist()
    [[1, 1, 1, 1]]
    """
    check_whole("block_size", block_size)
    check_whole("batch_size", batch_size)
    ids = np.asarray(data)  # no copy, also of a file on disk
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(f"data must be one row of token ids, not {ids.dtype} {ids.shape}")
    if len(ids) <= block_size:
        raise ValueError(
            f"data has {len(ids)} tokens; a window of block_size={block_size} and the token after "
            "it need one more than block_size: take a longer text or a smaller block_size"
        )
    starts = torch.randint(len(ids) - block_size, (batch_size,), generator=generator).numpy()
    windows = torch.from_numpy(ids[starts[:, None] + np.arange(block_size + 1)].astype(np.int64))
    return windows[:, :-1].contiguous(), windows[:, 1:].contiguous()


@dataclass(frozen=True, eq=False)
class Data:
    """A corpus as token ids, in a part to train on and a held-out part."""

    name: str
    tokenizer: Tokenizer
    train: np.ndarray  # (N,) uint16 or uint32, on disk
    val: np.ndarray  # the same, held out
    train_starts: np.ndarray | None = None  # (D,) int64: where documents start, if there are any:
    val_starts: np.ndarray | None = None  # the positions of the <|endoftext|> before each
    floor: float | None = None  # best possible loss, nats per token; None if nobody knows it

    def batch(
        self,
        split: str,
        block_size: int,
        batch_size: int,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw a batch from "train" or "val": inputs x and targets y, each (B, T) int64.

        Of a text: windows from anywhere, as `get_batch` cuts them. Of documents: each row is one,
        from the <|endoftext|> before it to the one after it. A row that is over early goes on with
        <|endoftext|>, and with the target -100, which cross-entropy leaves out; so the mean loss
        can be compared with `floor` as long as block_size is no less than the longest document.
        """
        if split not in ("train", "val"):
            raise ValueError(f"split is {split!r}; it must be 'train' or 'val'")
        ids = getattr(self, split)
        starts = getattr(self, f"{split}_starts")
        if starts is None:
            return get_batch(ids, block_size, batch_size, generator)
        check_whole("block_size", block_size)
        check_whole("batch_size", batch_size)
        drawn = torch.randint(len(starts), (batch_size,), generator=generator).numpy()
        ends = np.append(starts[1:], len(ids) - 1)[drawn, None]
        positions = starts[drawn, None] + np.arange(block_size + 1)
        windows = torch.from_numpy(ids[np.minimum(positions, ends)].astype(np.int64))
        beyond = torch.from_numpy(positions > ends)
        x, y = windows[:, :-1].contiguous(), windows.masked_fill(beyond, NO_TARGET)[:, 1:]
        return x, y.contiguous()


# --- Corpora ----------------------------------------------------------------------------------


def load_text(name: str, text: str, tokenizer: Tokenizer | None, vocab_size: int) -> Data:
    """Hold out the last tenth of a text; without a tokenizer, train one on the rest."""
    cut = len(text) * 9 // 10
    parts = text[:cut], text[cut:]
    if tokenizer is None:
        key = digest(parts[0], vocab_size)
        tokenizer = cached_tokenizer(key, lambda: parts[:1], vocab_size)
    train, val = (
        cached_ids(
            digest(part, tokenizer.merges),
            lambda part=part: tokenizer.encode_ordinary(part),
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
        tokenizer = Tokenizer.load(STORY_TOKENIZER)
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
