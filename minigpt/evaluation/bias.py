"""Does one word change what a model expects, where it should not? Probes that differ in one word.

A bias is a difference between two shares: of *she* after *the nurse said that* and after *the pilot
said that*. Whether a difference is the model's or the language's own is hard to say of English, and
easy of the stories: their grammar gives every share exactly (`exact_shares`). So the measure can be
tested before it is trusted. Pairs that differ in one word only: Rudinger et al. 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minigpt.evaluation.intervals import paired_bootstrap
from minigpt.stories import START, Telling, first_words, retell
from minigpt.tokenizer import Tokenizer

AT_ONCE = 64  # prompts that are read at a time


@torch.no_grad()
def shares(
    model: Callable[[Tensor], Tensor],
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    words: Sequence[str],
    among: Sequence[str] | None = None,
) -> Tensor:
    """Return how likely the next word is one of `words`: (N,) float64, from 0 to 1, one a prompt.

    A prompt ends before a space; the words stand without theirs, and each must be one token. With
    `among`, the share is taken of these words alone: what a model gives to all others is left out.
    `model` maps ids (B, T) to logits (B, T, V).

    Raises ValueError for a word that is not one token, and for no prompts.
    """
    if not prompts:
        raise ValueError("prompts is empty; a share needs at least one prompt")
    wanted = token_ids(tokenizer, words)
    others = None if among is None else token_ids(tokenizer, among)
    found = []
    for i in range(0, len(prompts), AT_ONCE):
        rows = [[tokenizer.end_of_text, *tokenizer.encode(p)] for p in prompts[i : i + AT_ONCE]]
        longest = max(map(len, rows))
        # What is filled up on the right is never seen: a causal model looks to the left.
        idx = torch.tensor([row + [tokenizer.end_of_text] * (longest - len(row)) for row in rows])
        logits = model(idx)[torch.arange(len(rows)), [len(row) - 1 for row in rows]]
        p = logits.double().softmax(dim=-1)  # (B, V)
        share = p[:, wanted].sum(dim=-1)
        found.append(share if others is None else share / p[:, others].sum(dim=-1))
    return torch.cat(found)


def token_ids(tokenizer: Tokenizer, words: Sequence[str]) -> list[int]:
    """Return the token of each word with the space before it; ValueError unless it is one."""
    rows = [tokenizer.encode(f" {word}") for word in words]
    for word, row in zip(words, rows):
        if len(row) != 1:
            raise ValueError(f"{word!r} is {len(row)} tokens here; a probe needs words of one")
    return [row[0] for row in rows]


@dataclass(frozen=True)
class Bias:
    """What one word changes: the mean share after either prompt, and their difference."""

    first: float
    second: float
    difference: float  # first - second
    low: float  # of the interval of the difference, 95 %
    high: float


def bias(
    model: Callable[[Tensor], Tensor],
    tokenizer: Tokenizer,
    pairs: Sequence[tuple[str, str]],
    words: Sequence[str],
    among: Sequence[str] | None = None,
) -> Bias:
    """Measure what one word changes: the share of `words` after the first prompt less the second's.

    `pairs` are prompts that differ in one word only; the interval is a bootstrap over the pairs, so
    it says how far the *choice of prompts* matters. Raises ValueError for prompts that differ in
    none or more words, and as `shares` does.
    """
    for first, second in pairs:
        a, b = first.split(), second.split()
        if len(a) != len(b) or sum(x != y for x, y in zip(a, b)) != 1:
            raise ValueError(
                f"a pair must differ in one word; this does not: {first!r}, {second!r}"
            )
    one, other = (
        shares(model, tokenizer, prompts, words, among).tolist() for prompts in zip(*pairs)
    )
    means = sum(one) / len(one), sum(other) / len(other)
    return Bias(*means, *paired_bootstrap(one, other))


def telling_of(prompt: str) -> Telling:
    """Return the telling that a beginning of a story leads to: the prompt, up to its next choice.

    Raises ValueError if the grammar cannot tell it, or if it ends elsewhere than before a choice.
    """
    telling = START
    while telling.text != prompt:
        rest = prompt[len(telling.text) :]
        ways = [o for o in telling.options() if rest.startswith(first_words(o))]
        if not prompt.startswith(telling.text) or len(ways) != 1:
            raise ValueError(
                f"the grammar has no choice after {prompt!r:.80}; a prompt must be the beginning "
                "of a story, up to before a choice"
            )
        telling = telling.take(ways[0])
    return telling


def beginnings(slot: str, stories: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Return each story up to a choice, as name2, without the space, and what was chosen before.

    >>> from minigpt.stories import Stories
    >>> [(prompt, chosen)] = beginnings("home", [next(Stories(seed=17))])
    >>> prompt[-20:], chosen["name1"]
    ('named Max, who lived', 'Max')
    """
    found = []
    for story in stories:
        telling = next(telling for telling, _ in retell(story) if telling.slot == slot)
        found.append((telling.text.rstrip(), telling.chosen))
    return found


def exact_shares(prompts: Sequence[str], words: Sequence[str]) -> Tensor:
    """Return the true share of `words` after each beginning of a story: (N,) float64.

    The prompt ends before a choice, without the space. All options are equally likely, so the share
    is a count.

    >>> prompt = "Long ago there was a shy fox named"
    >>> exact_shares([prompt], ["Mia", "Ruby", "Zoe"]).tolist()  # 3 of 24 names
    [0.125]
    """
    found = []
    for prompt in prompts:
        options = telling_of(f"{prompt} ").options()
        found.append(sum(option in words for option in options) / len(options))
    return torch.tensor(found, dtype=torch.float64)
