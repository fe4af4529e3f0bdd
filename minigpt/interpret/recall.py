"""Where a story says again what it has said before: questions with one right answer each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from minigpt.interpret.patterns import attention_patterns, logit_lens, residual_stream
from minigpt.model import GPT, evaluating
from minigpt.stories import FOR_A_GIRL, GIRLS, GRAMMAR, find_words, first_words
from minigpt.tokenizer import Tokenizer


class Recall(NamedTuple):
    """A word of a story that is known from before: its first token, and where that is guessed."""

    kind: str  # the list it is from: "colour", "thing", "name", "place", "junk", "home", "habit"
    position: int  # of the token after which it comes; position 0 is the mark before the story
    answer: int  # the id of its first token


def repeated_words(story: str) -> list[tuple[str, int]]:
    """Return which slots a story fills again, and at which character: [(slot, character)].

    Pronouns do not count. Raises ValueError for a text that the grammar cannot tell.

    >>> from minigpt.stories import Stories
    >>> story = next(Stories(seed=17))
    >>> [story[at:].split()[0] for slot, at in repeated_words(story) if slot == "name2"]
    ['Leo', 'Leo.', 'Leo.']
    """
    chosen: dict[str, str] = {}
    text, rest, found = "", "{story}", []
    while "{" in rest:
        before, _, rest = rest.partition("{")
        slot, _, rest = rest.partition("}")
        text, (name, _, pronoun) = text + before, slot.partition(":")
        if name not in chosen:
            options = [o for o in GRAMMAR[name.rstrip("12")] if o not in chosen.values()]
            chosen[name] = options[find_words(story, len(text), [first_words(o) for o in options])]
            words = chosen[name]
        elif pronoun:
            words = FOR_A_GIRL[pronoun] if chosen[name] in GIRLS else pronoun
        else:
            words = chosen[name]
            found.append((name, len(text)))
        rest = words + rest
    find_words(story, 0, [text + rest])
    return found


def recalls(story: str, tokenizer: Tokenizer) -> tuple[Tensor, list[Recall]]:
    """Return a story's ids (T,), the mark before it included, and all that it says again.

    Raises ValueError for a text that the grammar cannot tell.
    """
    ids = tokenizer.encode(story)
    ends, end = {}, 0  # by character: how many tokens end there
    for count, token in enumerate(ids, start=1):
        end += len(tokenizer.decode([token]))
        ends[end] = count
    found = []
    for slot, at in repeated_words(story):
        position = ends[at - 1]  # its first token begins with the space before it
        found.append(Recall(slot.rstrip("12"), position, ids[position]))
    return torch.tensor([tokenizer.end_of_text, *ids]), found


@torch.no_grad()
def recalled(model: GPT, stories: Sequence[tuple[Tensor, list[Recall]]]) -> dict[str, Tensor]:
    """Return the share of right answers by kind, in each story: {kind: (stories,)}.

    `stories` is what `recalls` gave. An answer is right if its first token is the likeliest; NaN
    where a story has none of a kind.
    """
    longest = max(len(ids) for ids, _ in stories)
    idx = torch.zeros(len(stories), longest, dtype=torch.int64)  # what follows is never seen
    for row, (ids, _) in enumerate(stories):
        idx[row, : len(ids)] = ids
    with evaluating(model):
        stream = model.features(idx.to(model.device))  # (B, T, C)
    kinds = sorted({recall.kind for _, found in stories for recall in found})
    right: dict[str, list[list[bool]]] = {kind: [[] for _ in stories] for kind in kinds}
    for row, (_, found) in enumerate(stories):
        best = model.lm_head(stream[row, [r.position for r in found]]).argmax(dim=-1).tolist()
        for recall, said in zip(found, best):
            right[recall.kind][row].append(said == recall.answer)
    return {
        kind: torch.tensor([sum(r) / len(r) if r else torch.nan for r in rows])
        for kind, rows in right.items()
    }


def means_by_kind(values: Sequence[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of the tensors of each kind, given as (kind, tensor) pairs."""
    kinds = sorted({kind for kind, _ in values})
    return {
        kind: torch.stack([v for other, v in values if other == kind]).mean(dim=0) for kind in kinds
    }


def answer_weights(model: GPT, stories: Sequence[tuple[Tensor, list[Recall]]]) -> dict[str, Tensor]:
    """Return how much heads look at the answer when it is asked for: {kind: (n_layer, n_head)}.

    It is the attention weight on all earlier tokens that are the answer, from the position after
    which it comes; the mean over all recalls of a kind.
    """
    found = []
    for ids, recalls_of in stories:
        patterns = attention_patterns(model, ids[None])[:, 0]  # (n_layer, n_head, T, T)
        for kind, at, answer in recalls_of:
            seen = patterns[:, :, at, : at + 1] * (ids[: at + 1] == answer).to(patterns)
            found.append((kind, seen.sum(dim=-1)))
    return means_by_kind(found)


@torch.no_grad()
def recalled_half_way(
    model: GPT, stories: Sequence[tuple[Tensor, list[Recall]]]
) -> dict[str, Tensor]:
    """Return the share of right answers through the logit lens: {kind: (n_layer + 1,)}.

    Entry l reads the stream before block l; the last is the model's own.
    """
    found = []
    for ids, recalls_of in stories:
        at = [recall.position for recall in recalls_of]
        best = logit_lens(model, residual_stream(model, ids[None])[:, 0, at]).argmax(dim=-1)
        for recall, said in zip(recalls_of, best.T):
            found.append((recall.kind, (said == recall.answer).float()))
    return means_by_kind(found)
