"""Does a story contradict itself? What it says twice must agree; the grammar knows what that is.

A model may write *the red kite* and, forty tokens on, *the blue kite*: every sentence is fine, the
story is not. `Stories.log_prob` refuses such a text at once. Here it is read on: by the grammar's
own choices, but where a choice comes again, any other option of its list may stand, and is noted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from minigpt.stories import FOR_A_GIRL, GIRLS, GRAMMAR, find_words, first_words


@dataclass(frozen=True)
class Contradiction:
    """Two places of a story that do not agree."""

    kind: str  # the grammar's list: "colour", "name", ...; "pronoun"; "two alike"
    said: str  # what was said first
    instead: str  # what came later


@dataclass
class Reading:
    """What was found in a story: its choices, how often each kind was said again, and how."""

    chosen: dict[str, str] = field(default_factory=dict)  # slot -> what stood there first
    again: Counter[str] = field(default_factory=Counter)  # kind -> times it was said again
    contradictions: list[Contradiction] = field(default_factory=list)


def kind_of(slot: str) -> str:
    """Return the list that fills a slot: name1 and name2 are both filled with a name."""
    return slot.rstrip("12")


def pronouns(boys: str, name: str) -> list[str]:
    """Return a pronoun as this name wants it, and then the other, wrong one.

    >>> pronouns("his", "Ella")
    ['her', 'his']
    """
    both = [boys, FOR_A_GIRL[boys]]
    return both[::-1] if name in GIRLS else both


def read_story(story: str) -> Reading:
    """Read a whole story, contradictions and all.

    Raises ValueError, saying where, for a text that is no story even so.

    >>> from minigpt.stories import Stories
    >>> story = next(Stories(seed=17))
    >>> read_story(story).contradictions
    []
    >>> read_story(story.replace("was Leo.", "was Mia.")).contradictions
    [Contradiction(kind='name', said='Leo', instead='Mia')]
    """
    reading, at, rest = Reading(), 0, "{story}"
    while "{" in rest:
        fixed, _, rest = rest.partition("{")
        slot, _, rest = rest.partition("}")
        find_words(story, at, [fixed])
        at += len(fixed)
        slot, _, pronoun = slot.partition(":")
        if pronoun:
            at += len(read_pronoun(reading, slot, pronoun, story, at))
        elif slot in reading.chosen:
            at += len(read_again(reading, slot, story, at))
        else:
            rest = read_first(reading, slot, story, at) + rest
    find_words(story, at, [rest])
    if len(story) > at + len(rest):
        raise ValueError(
            f"the story is over, but the text goes on: {story[at + len(rest) :][:20]!r}"
        )
    return reading


def read_first(reading: Reading, slot: str, story: str, at: int) -> str:
    """Note what a slot was filled with, and return it: it may hold slots itself."""
    options = GRAMMAR[kind_of(slot)]
    option = options[find_words(story, at, [first_words(option) for option in options])]
    for other, taken in reading.chosen.items():
        # Two foxes are no contradiction; two friends of one name are, or a place searched in vain.
        if (
            taken == option
            and kind_of(other) == kind_of(slot)
            and kind_of(slot) in ("name", "place")
        ):
            reading.contradictions.append(Contradiction("two alike", option, option))
    reading.chosen[slot] = option
    return option


def read_again(reading: Reading, slot: str, story: str, at: int) -> str:
    """Return what stands where the slot's first filling should stand again; note if it differs."""
    kind, said = kind_of(slot), reading.chosen[slot]
    reading.again[kind] += 1
    options = GRAMMAR[kind]
    found = options[find_words(story, at, options)]
    if found != said:
        reading.contradictions.append(Contradiction(kind, said, found))
    return found


def read_pronoun(reading: Reading, slot: str, pronoun: str, story: str, at: int) -> str:
    """Return the pronoun that stands there; note one that its name does not have."""
    name = reading.chosen[slot]
    reading.again["pronoun"] += 1
    both = pronouns(pronoun, name)
    found = both[find_words(story, at, both)]
    if found != both[0]:
        reading.contradictions.append(Contradiction("pronoun", name, found))
    return found


@dataclass(frozen=True)
class Coherence:
    """What many stories came to; all counts are of stories, but those by kind."""

    stories: int
    readable: int  # a story to its end, contradictions or not
    contradictory: int  # of the readable ones
    again: Counter[str]  # kind -> times it was said again, in the readable ones
    wrong: Counter[str]  # kind -> times it then was another

    @property
    def rate(self) -> float:
        """The share of readable stories that contradict themselves, from 0 to 1."""
        return self.contradictory / self.readable


def coherence(stories: Iterable[str]) -> Coherence:
    """Read many stories and count.

    Raises ValueError if none is readable: then there is no rate.

    >>> from itertools import islice
    >>> from minigpt.stories import Stories
    >>> coherence(islice(Stories(seed=1), 50)).rate
    0.0
    """
    count, readings = 0, []
    for story in stories:
        count += 1
        try:
            readings.append(read_story(story))
        except ValueError:  # no story at all
            continue
    if not readings:
        raise ValueError(f"none of {count} texts can be read as a story; none has a rate")
    again, wrong = Counter(), Counter()
    for reading in readings:
        again += reading.again
        wrong += Counter(found.kind for found in reading.contradictions)
    contradictory = sum(bool(reading.contradictions) for reading in readings)
    return Coherence(count, len(readings), contradictory, again, wrong)
