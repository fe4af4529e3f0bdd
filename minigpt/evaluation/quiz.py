"""The stories' own questions: each has one right answer, because the teller knows it."""

from __future__ import annotations

from collections.abc import Iterable

from minigpt.evaluation.choice import Choice, LastWord
from minigpt.stories import GRAMMAR, retell


def choices_of(story: str) -> dict[str, str]:
    """Return what the teller chose: slot -> words. Raises ValueError for what is no story.

    >>> from minigpt.stories import Stories
    >>> choices_of(next(Stories(seed=17)))["name2"]
    'Leo'
    """
    *_, (telling, _) = retell(story)
    return telling.chosen


def last_word_item(story: str) -> LastWord:
    """Return a story without the last word of its quiz, and that word.

    >>> last_word_item("... And what colour was the kite? It was red.").answer
    ' red'
    """
    before, space, word = story.rstrip(".").rpartition(" ")
    if not space:
        raise ValueError(f"{story!r:.40} has no last word with something before it")
    return LastWord(before, space + word)


def quiz_choice(story: str) -> Choice:
    """Return a story's quiz as a choice: the last word among all colours, things or names.

    What follows the gap is the full stop, as the rest of the sentence does in the Children's Book
    Test. Raises ValueError for what is no story.
    """
    chosen = choices_of(story)
    item = last_word_item(story)
    word = item.answer.strip()
    slot = next(s for s in ("colour", "thing", "name1", "name2") if chosen[s] == word)
    candidates = GRAMMAR[slot.rstrip("12")]
    gaps = tuple(f" {candidate}" for candidate in candidates)
    return Choice(item.context, gaps, candidates.index(word), ".")


def recall_choice(story: str, slot: str) -> Choice | None:
    """Return the last time that a story tells a slot's words as a choice among all its options.

    None if they are told only once: then they are no recall but a throw of the dice.
    """
    words, options = choices_of(story)[slot], GRAMMAR[slot.rstrip("12")]
    at = story.rfind(words)
    if story.find(words) == at:
        return None
    return Choice(story[:at].rstrip(" "), tuple(f" {o}" for o in options), options.index(words))


def last_words(stories: Iterable[str]) -> list[LastWord]:
    """Return `last_word_item` of each story."""
    return [last_word_item(story) for story in stories]


def quiz_items(stories: Iterable[str]) -> list[Choice]:
    """Return `quiz_choice` of each story."""
    return [quiz_choice(story) for story in stories]
