"""How likely a model finds given tokens: the one measurement that all others are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from minigpt.config import check_whole
from minigpt.model import evaluating
from minigpt.tokenizer import Tokenizer, encode_prompt

AT_ONCE = 2**25  # logits in memory: 128 MB in float32


class Scored(NamedTuple):
    """What a model thinks of the last tokens of a row."""

    nats: Tensor  # (n,) float64: the surprise of each, -log p
    greedy: Tensor  # (n,) bool: whether each is the likeliest token at its place


def portions(rows: Sequence[Sequence[int]], vocab_size: int) -> Iterable[list[int]]:
    """Yield the numbers of rows that are worked out together: the longest first, few at a time."""
    at_once: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: -len(rows[i])):
        if at_once and (len(at_once) + 1) * len(rows[at_once[0]]) * vocab_size > AT_ONCE:
            yield at_once
            at_once = []
        at_once.append(i)
    if at_once:
        yield at_once


def check_rows(rows: Sequence[Sequence[int]], counts: Sequence[int], block_size: int) -> None:
    """Raise ValueError, saying which, for a row that the model cannot score."""
    if len(rows) != len(counts):
        raise ValueError(f"there are {len(rows)} rows and {len(counts)} counts; give one for each")
    for i, (row, count) in enumerate(zip(rows, counts)):
        check_whole(f"counts[{i}]", count, least=0)
        if count >= len(row) and count:
            raise ValueError(
                f"rows[{i}] has {len(row)} tokens, and {count} are to be scored; "
                "the first has nothing before it, so give at least one more"
            )
        if len(row) > block_size + 1:
            raise ValueError(
                f"rows[{i}] has {len(row)} tokens; with a context of {block_size} the model can "
                f"score the last of {block_size + 1}: cut the row's beginning, or use windows"
            )


@torch.no_grad()
def score_rows(
    model: nn.Module,
    rows: Sequence[Sequence[int]],
    counts: Sequence[int],
    *,
    progress: str | None = None,
) -> list[Scored]:
    """Return what the model thinks of the last `counts[i]` tokens of each row of ids.

    A row has up to block_size + 1 tokens: the last is predicted and not read. Rows of different
    lengths are filled up behind their end, which no earlier position can see. `progress` is what
    the bar is called. Raises ValueError for a row that is too long or too short.
    """
    block_size, vocab_size = model.config.block_size, model.config.vocab_size
    check_rows(rows, counts, block_size)
    found: list[Scored | None] = [None] * len(rows)
    with evaluating(model), progress_bar(len(rows), progress) as bar:
        for numbers in portions(rows, vocab_size):
            longest = max(len(rows[i]) - 1 for i in numbers)
            x = torch.zeros(len(numbers), max(1, longest), dtype=torch.int64)
            for at, i in enumerate(numbers):
                x[at, : len(rows[i]) - 1] = torch.as_tensor(rows[i][:-1])
            logits = model(x.to(next(model.parameters()).device)).cpu()
            for at, i in enumerate(numbers):
                found[i] = score(logits[at], rows[i], counts[i])
            bar.update(len(numbers))
    return found


def score(logits: Tensor, row: Sequence[int], count: int) -> Scored:
    """Return what logits (T, V) say of the last `count` tokens of a row of up to T + 1."""
    end = len(row) - 1
    predictions = logits[end - count : end]  # those before the tokens: each predicts the next
    targets = torch.as_tensor(row[len(row) - count :], dtype=torch.int64)  # (n,)
    nats = -predictions.double().log_softmax(dim=-1).gather(-1, targets[:, None])[:, 0]
    return Scored(nats, predictions.argmax(dim=-1) == targets)


def progress_bar(total: int, name: str | None):
    """Return a bar that counts and says how long it will take still; none without a name."""
    from tqdm.auto import tqdm

    return tqdm(total=total, desc=name, disable=name is None, leave=False)


def encode_pair(tokenizer: Tokenizer, context: str, continuation: str) -> tuple[list[int], int]:
    """Return the ids of a context and what follows, and how many of them are what follows.

    Both are encoded as one text, because a space before a word belongs to the word's token: so
    spaces at the context's end count as the continuation's. The mark is put in front by the rule of
    `encode_prompt`; for an empty context always.

    >>> encode_pair(Tokenizer.gpt2(), "The fox ", "ran away")
    ([464, 21831, 4966, 1497], 2)
    """
    spaces = len(context) - len(context.rstrip())
    if spaces:
        context, continuation = context[:-spaces], context[-spaces:] + continuation
    before = encode_prompt(context, tokenizer)
    if not context:
        whole = before + tokenizer.encode(continuation)
    else:
        whole = encode_prompt(context + continuation, tokenizer)
    if len(whole) <= len(before):
        raise ValueError(
            f"the continuation {continuation!r:.40} adds no token to the context {context!r:.40}"
        )
    return whole, len(whole) - len(before)


def cut_beginning(ids: list[int], count: int, block_size: int) -> list[int]:
    """Return the end of a row that the model can read, for what is longer than its context.

    Raises ValueError if not even the `count` tokens to be scored have room.
    """
    if count > block_size:
        raise ValueError(
            f"{count} tokens are to be scored, and the model reads {block_size} at once; "
            "take a shorter continuation or a model with a longer context"
        )
    return ids[-(block_size + 1) :]
