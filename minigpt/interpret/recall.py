"""Where a story says again what it has said before: questions with one right answer each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

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
