"""The story language: a small grammar that tells children's stories.

It writes the default corpus of this course. Nobody knows the best possible loss on real text; on
these stories it is known exactly. Every choice is uniform and can be read back from the text, so a
story's probability is 1 / (the product of how many options its teller had at each choice). The mean
of minus the logarithm of that is the entropy (Shannon 1948, section 6): no model's loss, summed
over a story, can be lower on average.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from functools import cache

from minigpt.config import check_whole


def listed(text: str) -> list[str]:
    return [" ".join(option.split()) for option in text.split(",")]


GIRLS = listed("Clara, Ella, Hazel, Ivy, Lily, Luna, Mia, Nora, Poppy, Ruby, Wilma, Zoe")
BOYS = listed("Bruno, Felix, Finn, Hugo, Jasper, Leo, Max, Milo, Oscar, Otto, Theo, Tom")
FOR_A_GIRL = {"he": "she", "him": "her", "his": "her"}

# A {slot} is filled with one of the options listed under its name, and repeats it when it comes
# again. A number makes a second slot of the same list that never holds the same words: {name1} and
# {name2} are two people. {name1:he} is a pronoun, written for a boy and changed for a girl.
#
# Up to its first slot, no option begins with the whole of another option of its list. So a reader
# always sees which one was taken, and no story can be told in two ways.
GRAMMAR = {
    "story": [
        "{opening} {trait1} {animal1} named {name1}, who lived {home}. {treasure} {friend} "
        "One {weather} {day} {loss} {search} {question} {find} {surprise} {ending} {quiz}"
    ],
    "opening": [
        "Once upon a time there was",
        "Long ago there was",
        "In a faraway town there was",
        "Before breakfast was invented there was",
    ],
    "treasure": [
        "Every night {name1:he} sang to {name1:his} {colour} {thing}.",
        "Nothing made {name1:him} happier than {name1:his} {colour} {thing}.",
        "Of all things {name1:he} loved {name1:his} {colour} {thing} most.",
        "The neighbours all envied {name1:his} {colour} {thing}.",
    ],
    "friend": [
        "Across the road lived {name2}, {trait2} {animal2} who {habit}.",
        "Next door lived {name2}, {trait2} {animal2} who {habit}.",
        "Sometimes {name1:he} had tea with {name2}, {trait2} {animal2} who {habit}.",
    ],
    "loss": [
        "a seagull stole the {thing}.",
        "poor {name1} lost the {thing}.",
        "somebody took the {thing} and left {junk1}.",
        "the {thing} was gone.",
    ],
    "search": [
        "All that {name2} found was {junk2}.",
        "First {name1} looked {place1} and found {junk2}.",
        "There was no {thing} {place1}, only {junk2}.",
        "With {name2} {name1:he} searched {place1} and found {junk2}.",
    ],
    "question": [
        '"I miss my {thing}," {said} {name1}. "The {colour} one?" asked {name2}.',
        '"Was it {colour}?" asked {name2}. It was, of course.',
        '"What colour is it?" asked {name2}. "It is {colour}," {said} {name1}.',
    ],
    "find": [
        "At last {name2} saw it {place2}.",
        "But what was that {place2}? The {colour} {thing}!",
        "In the end it was {place2}.",
        "Then {name1} heard the {colour} {thing} cough {place2}.",
    ],
    "ending": [
        "As for {name2}, {name2:he} {habit} all night.",
        "From then on {name1} always looked {place2} first.",
        "Later {name1} and {name2} shared {food}.",
        "Nobody ever explained the {junk2}.",
        '"Never do that again," {name1} told the {colour} {thing}.',
    ],
    "quiz": [
        "And what colour was the {thing}? It was {colour}.",
        "And what was {place2}? The {colour} {thing}.",
        "And which friend {habit}? It was {name2}.",
        "And who lived {home}? It was {name1}.",
    ],
    "name": GIRLS + BOYS,
    "trait": listed("""a brave, a clumsy, a curious, a grumpy, a lazy, a polite, a round, a shy,
        a sleepy, a tiny, a tall, a wise, an honest, an old"""),
    "animal": listed("""badger, bear, camel, dragon, duck, fox, frog, goat, hedgehog, mole,
        mouse, otter, owl, penguin, rabbit, snail"""),
    "home": listed("""above a bakery, behind a waterfall, in a lighthouse, in a teapot,
        near the railway, on a boat, on a hill, under a bridge, under a piano, up a tree"""),
    "colour": listed("""black, blue, brown, golden, green, grey, pink, purple, red, silver,
        white, yellow"""),
    "thing": listed("""ball, basket, bell, blanket, bucket, clock, drum, hat, kite, lantern,
        pillow, scarf, spoon, trumpet, umbrella, wagon"""),
    "habit": listed("""collected buttons, counted clouds, danced with brooms, fell off chairs,
        invented soups, joked with cows, played the tuba, sneezed at flowers, snored like thunder,
        talked to lamps, wrote to kings"""),
    "weather": listed("chilly, cloudy, foggy, rainy, snowy, stormy, sunny, windy"),
    "day": listed("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    "place": listed("""at the bakery, behind the clouds, between two cushions, in the bath,
        in the cellar, in the oven, on the roof, under a cabbage, under the bed, under the stairs,
        up the chimney, up the tower"""),
    "junk": listed("""angry geese, cold potatoes, dancing beetles, empty jars, left shoes,
        love letters, old maps, square eggs, three kings, tiny doors, unpaid bills, wet socks"""),
    "said": listed("groaned, mumbled, said, sighed, sniffed, sobbed, whispered"),
    "surprise": listed("""A ghost was wearing it., A goose was sitting on it.,
        An owl was in love with it., Four ants were carrying it home., Nobody knew why.,
        Somebody had taught it to sing., The moon was shining on it.,
        Two crabs were fighting over it."""),
    "food": listed("""a tiny pie, all the honey, cheese and jam, forty buns, hot soup,
        one big pear, the last cake, too much tea"""),
}


class Telling:
    """A story told up to its next choice: the text so far, what is to come, what was chosen.

    `slot` is what must be chosen next, or None when the story is complete.
    """

    def __init__(self, text: str, rest: str, chosen: dict[str, str]):
        self.chosen = chosen
        self.slot = None
        while "{" in rest and self.slot is None:
            before, _, rest = rest.partition("{")
            slot, _, rest = rest.partition("}")
            name, _, pronoun = slot.partition(":")
            text += before
            if name not in chosen:
                self.slot = name
            elif pronoun:
                rest = (FOR_A_GIRL[pronoun] if chosen[name] in GIRLS else pronoun) + rest
            else:
                rest = chosen[name] + rest
        self.text, self.rest = (text + rest, "") if self.slot is None else (text, rest)

    def options(self) -> list[str]:
        """Return what may come next, all equally likely; nothing when the story is complete."""
        if self.slot is None:
            return []
        used = self.chosen.values()
        return [option for option in GRAMMAR[self.slot.rstrip("12")] if option not in used]

    def take(self, option: str) -> Telling:
        """Return the story told on with this option, up to the choice after it."""
        return Telling(self.text, option + self.rest, {**self.chosen, self.slot: option})


START = Telling("", "{story}", {})


def first_words(option: str) -> str:
    """Return an option up to its first slot: what tells it from the others of its list."""
    return option.partition("{")[0]


def find_words(story: str, at: int, expected: list[str]) -> int:
    """Return which of the expected words the story has at this character.

    Raises ValueError if it has none of them.
    """
    for i, words in enumerate(expected):
        if story.startswith(words, at):
            return i
    if len(expected) == 1:  # words that were no choice: point at the first wrong one
        words = expected[0]
        same = next(i for i in range(len(words)) if not story.startswith(words[i], at + i))
        start = words.rfind(" ", 0, same) + 1
        at, expected = at + start, [words[start:]]
    more = " or ..." if len(expected) > 6 else ""
    raise ValueError(
        f"the grammar cannot tell this story: after {story[max(0, at - 20) : at]!r}, at character "
        f"{at}, comes {story[at : at + 20]!r}; it would go on with "
        f"{' or '.join(map(repr, expected[:6]))}{more}"
    )


def retell(story: str) -> Iterator[tuple[Telling, list[str]]]:
    """Yield the telling before each choice, with its options; the whole last. Raises ValueError."""
    telling, told = START, 0
    while options := telling.options():
        find_words(story, told, [telling.text[told:]])  # no choice: fixed or repeated words
        told = len(telling.text)
        yield telling, options
        taken = find_words(story, told, [first_words(option) for option in options])
        telling = telling.take(options[taken])
    find_words(story, told, [telling.text[told:]])
    yield telling, []


def entropy_after(telling: Telling) -> float:
    """Return the entropy, in nats, of all that is still to be chosen.

    It is the mean, over all ways to go on, of the sum of log(number of options) along the way.
    """
    options = telling.options()
    if not options:
        return 0.0
    # Where the options are plain words, the same choices follow each of them: one stands for all.
    branches = options if any("{" in option for option in options) else options[:1]
    after = sum(entropy_after(telling.take(option)) for option in branches) / len(branches)
    return math.log(len(options)) + after


class Stories:
    """An endless iterator of stories, the same for the same seed on every machine.

    `seed` is a whole number of at least 0; raises ValueError for anything else.

    >>> story = next(Stories(seed=17))
    >>> story[-45:]
    'And which friend fell off chairs? It was Leo.'
    >>> round(Stories.log_prob(story), 2)
    -54.5
    """

    def __init__(self, seed: int):
        # random.Random takes -1 for 1: two seeds would tell the same stories.
        check_whole("seed", seed, least=0)
        self._random = random.Random(seed)

    def __iter__(self) -> Stories:
        return self

    def __next__(self) -> str:
        return self.tell(START).text

    def tell(self, telling: Telling) -> Telling:
        """Tell a story from here to its end: each option is equally likely."""
        while options := telling.options():
            # random() is the one method whose numbers stay the same in every version of Python.
            telling = telling.take(options[int(self._random.random() * len(options))])
        return telling

    @staticmethod
    def log_prob(story: str) -> float:
        """Return the natural logarithm of a story's probability, exactly, in nats.

        Raises ValueError, saying where, for a text that the grammar cannot tell.
        """
        if not isinstance(story, str):
            raise ValueError(f"story must be a str, not {type(story).__name__}: {story!r:.40}")
        *choices, (telling, _) = retell(story)
        if after := story[len(telling.text) :][:20]:
            raise ValueError(f"the story is over, but the text goes on with {after!r}; drop that")
        return -math.log(math.prod(len(options) for _, options in choices))

    @staticmethod
    @cache
    def entropy() -> float:
        """Return the mean of -log_prob over all stories, exactly, in nats per story."""
        return entropy_after(START)
