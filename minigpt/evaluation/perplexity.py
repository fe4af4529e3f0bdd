"""Perplexity: how many choices a model seems to have, per token, word or byte of a text.

A text longer than the context is read in windows that overlap. Each token is scored once, in the
window that shows most of what comes before it, and all tokens weigh the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, cat, nn

from minigpt.config import check_whole
from minigpt.evaluation.scoring import score_rows
from minigpt.tokenizer import Tokenizer


def windows(count: int, block_size: int, stride: int | None = None) -> list[tuple[int, int, int]]:
    """Return windows over `count` ids: (start, end, scored) for each.

    A window holds the ids from start to end, at most block_size + 1 of them, and its last `scored`
    ids count. Each id but the first counts once. Windows begin `stride` ids apart (half the context
    if it is not given): a small stride shows more of what came before, and takes longer. The last
    window ends with the text, and is as long as the others.

    Raises ValueError for fewer than two ids and for a stride that would skip some.

    >>> windows(8, block_size=4, stride=2)
    [(0, 5, 4), (2, 7, 2), (3, 8, 1)]
    """
    check_whole("count", count, least=2)
    check_whole("block_size", block_size)
    stride = max(1, block_size // 2) if stride is None else stride
    check_whole("stride", stride)
    if stride > block_size:
        raise ValueError(
            f"stride is {stride}, and a window has {block_size} tokens; some would not be scored"
        )
    found, done = [], 1
    while done < count:
        end = min(block_size + 1 if done == 1 else done + stride, count)
        found.append((max(0, end - block_size - 1), end, end - done))
        done = end
    return found


def token_nats(
    model: nn.Module,
    ids: Sequence[int],
    stride: int | None = None,
    *,
    progress: str | None = None,
) -> Tensor:
    """Return the surprise of each id but the first: (N,) -> (N - 1,) float64, in nats.

    `stride` is that of `windows`. Raises ValueError as that does.
    """
    ids = [int(i) for i in ids]
    spans = windows(len(ids), model.config.block_size, stride)
    rows = [ids[start:end] for start, end, _ in spans]
    scored = score_rows(model, rows, [count for *_, count in spans], progress=progress)
    return cat([part.nats for part in scored])


@dataclass(frozen=True)
class Perplexity:
    """What a model makes of some documents: nats, and what they are divided by.

    `each` has one row for a document: nats, tokens, words, bytes. A word is what stands between
    spaces.
    """

    each: np.ndarray  # (D, 4) float64

    @property
    def nats(self) -> float:
        """The surprise of all of it."""
        return float(self.each[:, 0].sum())

    @property
    def tokens(self) -> int:
        """How many tokens were scored."""
        return int(self.each[:, 1].sum())

    @property
    def words(self) -> int:
        """How many words they make."""
        return int(self.each[:, 2].sum())

    @property
    def bytes(self) -> int:
        """How many bytes of UTF-8 they make."""
        return int(self.each[:, 3].sum())

    @property
    def loss(self) -> float:
        """Nats per token: comparable with a floor, and only for one and the same tokenizer."""
        return self.nats / self.tokens

    @property
    def per_token(self) -> float:
        """e to the nats per token."""
        return math.exp(self.loss)

    @property
    def per_word(self) -> float:
        """e to the nats per word, or infinity where that is too large to be written."""
        return math.exp(self.nats / self.words) if self.nats < 700 * self.words else math.inf

    @property
    def per_byte(self) -> float:
        """e to the nats per byte."""
        return math.exp(self.nats / self.bytes)

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of the text: what makes models with different tokenizers comparable."""
        return self.nats / self.bytes / math.log(2)


def measure(
    model: nn.Module,
    tokenizer: Tokenizer,
    documents: str | Sequence[str],
    *,
    stride: int | None = None,
    closing: bool = False,
    words: Sequence[int] | None = None,
    progress: str | None = None,
) -> Perplexity:
    """Return the perplexity of a text, or of documents that have nothing to do with each other.

    Each begins after <|endoftext|>, so that its first token is scored too; a tokenizer without that
    mark leaves the first token out, and its bytes. `closing` scores the mark after each document,
    as a loss on stories does. `words` gives numbers of words to divide by where the text is no
    longer as it was, as after a detokeniser.

    Raises ValueError for no documents, and for one that has no token to score.
    """
    documents = [documents] if isinstance(documents, str) else list(documents)
    if not documents:
        raise ValueError("documents is empty; give at least one text")
    mark, rows, spans, first = tokenizer.end_of_text, [], [], []
    for text in documents:
        ids = tokenizer.encode_ordinary(text)
        if mark is not None:
            ids = [mark, *ids, *([mark] if closing else [])]
        if len(ids) < 2:
            raise ValueError(f"a document has no token to score: {text!r:.40}")
        first.append(0 if mark is not None else len(tokenizer.token_bytes(ids[0])))
        spans.append(windows(len(ids), model.config.block_size, stride))
        rows.append(ids)
    parts = [row[start:end] for row, wins in zip(rows, spans) for start, end, _ in wins]
    counts = [count for wins in spans for *_, count in wins]
    scored = iter(score_rows(model, parts, counts, progress=progress))
    each = []
    for i, text in enumerate(documents):
        nats = sum(next(scored).nats.sum().item() for _ in spans[i])
        in_words = len(text.split()) if words is None else words[i]
        each.append((nats, len(rows[i]) - 1, in_words, len(text.encode()) - first[i]))
    return Perplexity(np.array(each, dtype=np.float64))
