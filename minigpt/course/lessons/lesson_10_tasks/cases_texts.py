"""Draw the cases of lesson 10's exercises on prompts, counts and facts; the right answers."""

from __future__ import annotations

import re

import torch
from torch import Generator, Tensor

from minigpt.course.exercise.drawing import Cases, whole

# --- few_shot_prompt ---


def few_shot_prompt(examples, question, arrow, newline, block_size, new_tokens):
    """As many of the last examples as leave room for the question and its answer."""
    prompt = question + arrow
    for asked, answer in reversed(examples):
        longer = asked + arrow + answer + newline + prompt
        if len(longer) + new_tokens > block_size:
            break
        prompt = longer
    return prompt


def draw_prompts(g: Generator) -> list[dict]:
    named = Cases("examples", "question", "arrow", "newline", "block_size", "new_tokens")

    def ids(length: int) -> list[int]:
        return [whole(g, 10, 99) for _ in range(length)]

    def case(title: str, sizes: str, block_size: int, new_tokens: int, marks=((1,), (2,))) -> dict:
        """sizes: of questions and answers, as "21 32": two examples; the question has two."""
        pairs = [(ids(int(size[0])), ids(int(size[1]))) for size in sizes.split()]
        return named(title, pairs, ids(2), *map(list, marks), block_size, new_tokens)

    return [
        case("one example, and room for all", "11", 20, 1),
        case("three examples, and room for all", "11 21 12", 40, 3),
        case("room for the last two of four", "21 22 21 12", 16, 2),
        case("it just fits", "21 21", 14, 1),
        case("one token too long", "21 21", 13, 1),
        case("the answer needs the room", "11 21 11", 15, 6),
        case("a long example before a short one", "11 99 21 11", 18, 2),
        case("no room for any example", "44 35", 10, 4),
        case("no example at all", "", 12, 2),
        case("arrow and newline of several tokens", "21 12 11", 40, 2, marks=((1, 3), (2, 2, 4))),
    ]


# --- accuracy_by_examples ---


def accuracy_by_examples(right, z):
    """Wilson's interval for each column."""
    n = right.size(0)
    p = right.float().mean(dim=0)
    centre = p + z**2 / (2 * n)
    half = z * (p * (1 - p) / n + z**2 / (4 * n**2)).sqrt()
    whole = 1 + z**2 / n
    return torch.stack([p, (centre - half) / whole, (centre + half) / whole], dim=-1)


def draw_accuracies(g: Generator) -> list[dict]:
    def answers(questions: int, *chances: float) -> Tensor:
        return torch.rand(questions, len(chances), generator=g) < torch.tensor(chances)

    case = Cases("right", "z")
    few = torch.tensor([[True, False], [True, True], [False, True], [False, True]])
    sure = torch.tensor([[False, True, True], [False, True, False], [False, True, True]])
    return [
        case("four questions, no example or one", few, 2),
        case("20 questions, up to three examples", answers(20, 0.2, 0.4, 0.6, 0.8), 1.96),
        case("all wrong, all right", sure, 1.96),
        case("as many questions as columns", answers(5, 0.1, 0.3, 0.5, 0.7, 0.9), 1.96),
        case("a narrower interval", answers(30, 0.1, 0.5), 1.0),
        case("a wider interval", answers(12, 0.3, 0.7, 0.9), 2.576),
        case("1,000 questions", answers(1000, 0.05, 0.35, 0.5), 1.96),
        case("one question", torch.tensor([[True, False]]), 1.96),
    ]


# --- unsupported ---


def unsupported(summary, story, facts):
    """The facts that the summary names and the story does not."""

    def words(text):
        return f" {' '.join(re.findall(r'[a-z]+', text.lower()))} "

    return [
        fact for fact in facts if words(fact) in words(summary) and words(fact) not in words(story)
    ]


NAMES = ["Leo", "Mia", "Hugo", "Ivy", "Otto", "Zoe"]
COLOURS = ["red", "grey", "blue", "gold", "pink", "green"]
THINGS = ["wagon", "kite", "drum", "hat", "bell", "boat"]
PLACES = ["under the stairs", "in the old oven", "behind the piano", "under the bridge"]
# Words that a fact is a part of, and is not.
LOOKALIKES = {
    "red": "tired", "gold": "goldfish", "hat": "chatty", "kite": "kites", "pink": "pinkish",
    "grey": "greyhound", "blue": "bluebell", "green": "evergreen", "wagon": "wagons",
    "drum": "drumstick", "bell": "bells", "boat": "boats",
}  # fmt: skip


def draw_facts(g: Generator) -> list[dict]:
    named = Cases("summary", "story", "facts")

    def some(options: list[str], count: int) -> list[str]:
        return [options[place] for place in torch.randperm(len(options), generator=g)[:count]]

    facts = [*PLACES, *some(THINGS, 6), *some(COLOURS, 6), *some(NAMES, 6)]

    def case(title: str, summary: str, story: str) -> dict:
        return named(title, summary, story, facts)

    (leo, mia), (grey, red, gold), (wagon, drum) = some(NAMES, 2), some(COLOURS, 3), some(THINGS, 2)
    here, there = some(PLACES, 2)
    story = (
        f"{leo} loved his {grey} {wagon}. Next door lived {mia}, who was kind. "
        f"The {wagon} was gone. In the end {leo} found it {here}."
    )
    like = f"{LOOKALIKES[red]} {LOOKALIKES[drum]} sang of {LOOKALIKES[gold]}"
    scattered = "He looked under a bed, climbed the stairs, oiled the old oven, saw the bridge"
    return [
        case("all of it is true", f"{leo} lost the {grey} {wagon}; it was {here}.", story),
        case("another place", f"{leo} lost the {grey} {wagon}; it was {there}.", story),
        case("another colour", f"{mia} helped. The {red} {wagon} was {here}.", story),
        case("three things made up", f"{mia} lost the {red} {drum}: {there}!", story),
        case("a fact inside a longer word of the story", f"The {red} {drum}, and {gold}.", like),
        case("a fact inside a longer word of the summary", f"{like}. {leo}.", story),
        case(
            "capitals at the start of a sentence",
            f"{grey.title()} or {gold.title()}? {wagon}",
            story,
        ),
        case(
            "capitals in the story",
            f"It was {grey}. {red}!",
            f"{grey.title()} it was. {leo.upper()}",
        ),
        case(
            "the place's words stand in the story, apart",
            "It was under the stairs, in the old oven or under the bridge.",
            f"{scattered} and went in.",
        ),
        case("one thing twice", f"{red} {drum}, {red} {drum}", f"A {wagon}."),
        case("the story is empty", f"{leo}: {grey} {wagon} {here}.", ""),
        case("the summary is empty", "", story),
        case("a line in the middle of a place", there.replace(" ", "\n", 1) + ".", story),
    ]
