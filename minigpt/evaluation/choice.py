"""Questions with a right answer: the last word of a text, and the best of several candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from minigpt.evaluation.scoring import Scored, cut_beginning, encode_pair, score_rows
from minigpt.tokenizer import Tokenizer

NORMALIZE = (None, "token", "byte")


@dataclass(frozen=True)
class LastWord:
    """A text without its last word, and that word, with the space before it where there is one."""

    context: str
    answer: str


@dataclass(frozen=True)
class Choice:
    """A text with a gap, what could fill it, which of them is right, and what follows the gap."""

    context: str
    candidates: tuple[str, ...]
    right: int
    after: str = ""


@dataclass(frozen=True)
class Answers:
    """How a model did: `right` (N,) bool, item by item, and `nats` (N,), the answers' surprise."""

    right: np.ndarray
    nats: np.ndarray

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return float(self.right.mean())

    @property
    def perplexity(self) -> float:
        """e to the mean surprise of an answer, whole words and not tokens: as LAMBADA's."""
        return math.exp(self.nats.mean())


def score_pairs(
    model: nn.Module,
    tokenizer: Tokenizer,
    pairs: Sequence[tuple[str, str]],
    progress: str | None = None,
) -> list[Scored]:
    """Return what the model thinks of each continuation after its context.

    A context that is too long loses its beginning. Raises ValueError for a continuation that adds
    no token, or more than the model can read.
    """
    if not pairs:
        raise ValueError("there are no items; give at least one")
    rows, counts = [], []
    for context, continuation in pairs:
        ids, count = encode_pair(tokenizer, context, continuation)
        rows.append(cut_beginning(ids, count, model.config.block_size))
        counts.append(count)
    return score_rows(model, rows, counts, progress=progress)


def last_word(
    model: nn.Module,
    tokenizer: Tokenizer,
    items: Sequence[LastWord],
    *,
    progress: str | None = None,
) -> Answers:
    """Ask for the last word of each text, as LAMBADA does (Paperno et al. 2016).

    An answer is right if each of its tokens is the likeliest one in its turn: greedy decoding would
    write it.
    """
    pairs = [(item.context, item.answer) for item in items]
    scored = score_pairs(model, tokenizer, pairs, progress)
    right = np.array([bool(s.greedy.all()) for s in scored])
    return Answers(right, np.array([s.nats.sum().item() for s in scored]))


def candidate_scores(
    model: nn.Module,
    tokenizer: Tokenizer,
    items: Sequence[Choice],
    *,
    normalize: str | None = None,
    progress: str | None = None,
) -> list[np.ndarray]:
    """Return the log-probability of each candidate of each item, in nats; the highest is chosen.

    What is scored is the candidate and all that follows the gap, as the paper does for the
    Children's Book Test (section 3.2). `normalize` divides by the number of tokens or bytes of
    that, as is common for answers of different lengths.
    """
    if normalize not in NORMALIZE:
        raise ValueError(f"normalize is {normalize!r}; it must be None, 'token' or 'byte'")
    texts = [[candidate + item.after for candidate in item.candidates] for item in items]
    pairs = [(item.context, text) for item, row in zip(items, texts) for text in row]
    scored = iter(score_pairs(model, tokenizer, pairs, progress))
    found = []
    for row in texts:
        scores = []
        for text in row:
            nats = next(scored).nats
            size = {None: 1, "token": len(nats), "byte": len(text.strip().encode())}[normalize]
            scores.append(-nats.sum().item() / size)
        found.append(np.array(scores))
    return found


def choose(
    model: nn.Module,
    tokenizer: Tokenizer,
    items: Sequence[Choice],
    *,
    normalize: str | None = None,
    progress: str | None = None,
) -> Answers:
    """Let the model fill each gap with the candidate that it finds likeliest.

    `normalize` is that of `candidate_scores`; `nats` are minus the scores of the right candidates.
    """
    settings = dict(normalize=normalize, progress=progress)
    scores = candidate_scores(model, tokenizer, items, **settings)
    right = [int(row.argmax()) == item.right for row, item in zip(scores, items)]
    nats = [-row[item.right] for row, item in zip(scores, items)]
    return Answers(np.array(right), np.array(nats))
