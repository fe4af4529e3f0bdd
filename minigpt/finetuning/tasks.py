"""Tasks made from the story language: the teller knows what it chose, so every answer is known."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import islice

from minigpt.config import check_whole
from minigpt.finetuning.chinese import is_held_out, translations
from minigpt.finetuning.examples import Example, Labelled, TaskData
from minigpt.stories import GRAMMAR, START, Stories, Telling
from minigpt.tokenizer import Tokenizer

VAL_SEED = 10**6  # what is judged by is told with seeds from here on
SUMMARY = " {name1} lost the {colour} {thing}; it was {place2}."

# What can be asked of a story: as a question, as an instruction, and the answer to both.
ASKED = {
    "colour": (
        "What colour was the {thing}?",
        "Tell me what colour the {thing} was.",
        " It was {colour}.",
    ),
    "place": (
        "Where was the {thing}?",
        "Tell me where the {thing} was.",
        " It was {place2}.",
    ),
    "owner": (
        "Who lost the {thing}?",
        "Tell me who lost the {thing}.",
        " It was {name1}.",
    ),
    "friend": (
        "Who helped {name1}?",
        "Tell me who helped {name1}.",
        " It was {name2}.",
    ),
}
NEVER_TAUGHT = ("place", 1)  # where a thing was is asked in training, but never as an instruction

DIALOGUE = (
    ("Hello! I am {name}.", " Hello, {name}! What did you lose?"),
    ("My {colour} {thing}.", " Where did you see the {colour} {thing} last?"),
    ("It was {place}.", " Then look {place} again, {name}!"),
)


SHORT = "This is {name1}. {treasure} {question}"  # what contradictions are planted in


def tellings(seed: int, start: Telling = START) -> Iterator[Telling]:
    """Yield the stories of `Stories(seed)`, each with what its teller chose.

    Another `start` makes it tell something else by the same rules.
    """
    teller = Stories(seed)
    while True:
        yield teller.tell(start)


def summaries(seed: int) -> Iterator[Example]:
    """Yield stories to sum up in one sentence, for ever.

    >>> next(summaries(seed=17)).target
    ' Max lost the blue ball; it was under a cabbage.'
    """
    for telling in tellings(seed):
        yield Example(telling.text + "\nTL;DR:", SUMMARY.format(**telling.chosen))


def ask(telling: Telling, kind: str, as_instruction: int) -> Example:
    """Return a story with a question about it, or an instruction, and the answer."""
    words, answer = ASKED[kind][as_instruction], ASKED[kind][2]
    prompt = f"{telling.text}\nQ: {words}\nA:"
    return Example(prompt.format(**telling.chosen), answer.format(**telling.chosen))


def questions(seed: int, never_taught: bool = False) -> Iterator[Example]:
    """Yield stories with a question or an instruction, for ever.

    `never_taught` gives the one kind of instruction only that training leaves out.
    """
    draw = random.Random(seed).random
    taught = [(kind, i) for kind in ASKED for i in (0, 1) if (kind, i) != NEVER_TAUGHT]
    forms = [NEVER_TAUGHT] if never_taught else taught
    for telling in tellings(seed):
        yield ask(telling, *forms[int(draw() * len(forms))])


def turns(chosen: dict[str, str]) -> list[Example]:
    """Return the friend's turns of one dialogue; each prompt holds all that was said before.

    `chosen` has a name, a colour, a thing and a place.
    """
    said, examples = "", []
    for yours, answer in DIALOGUE:
        said += f"You: {yours}\nFriend:".format(**chosen)
        examples.append(Example(said, answer.format(**chosen)))
        said += examples[-1].target + "\n"
    return examples


def dialogues(seed: int, held_out: bool = False) -> Iterator[Example]:
    """Yield the friend's turns of dialogues, one after another, for ever.

    `held_out` chooses the pairs of a colour and a thing that training leaves out.
    """
    draw = random.Random(seed).random
    while True:
        chosen = {
            slot: GRAMMAR[slot][int(draw() * len(GRAMMAR[slot]))]
            for slot in ("name", "colour", "thing", "place")
        }
        if is_held_out(chosen["colour"], chosen["thing"]) == held_out:
            yield from turns(chosen)


def short_tellings(seed: int) -> Iterator[Telling]:
    """Yield beginnings of stories, three sentences each, with what their teller chose.

    >>> next(short_tellings(seed=2)).text[:57]
    'This is Theo. The neighbours all envied his black basket.'
    """
    yield from tellings(seed, Telling("", SHORT, {}))


def contradictions(seed: int) -> Iterator[Labelled]:
    """Yield short stories, for ever: label 1 with a colour that contradicts the first, else 0.

    In half of them, drawn at random, the last mention of the colour is changed for another.

    >>> [next(source).label for source in [contradictions(seed=2)] for _ in range(9)]
    [0, 0, 1, 0, 0, 0, 1, 0, 0]
    """
    draw = random.Random(seed).random
    for telling in short_tellings(seed):
        colour, label = telling.chosen["colour"], int(draw() < 0.5)
        others = [other for other in GRAMMAR["colour"] if other != colour]
        *_, last = re.finditer(rf"\b{colour}\b", telling.text)  # no red in "whispered"
        said = others[int(draw() * len(others))] if label else colour
        yield Labelled(telling.text[: last.start()] + said + telling.text[last.end() :], label)


# To learn from, and to be judged by: each makes an iterator of a seed.
TASKS = {
    "summary": (summaries, summaries),
    "translation": (translations, lambda seed: translations(seed, held_out=True)),
    "questions": (questions, questions),
    "dialogue": (dialogues, lambda seed: dialogues(seed, held_out=True)),
    "contradiction": (contradictions, contradictions),
}


def load_task(name: str, tokenizer: Tokenizer, train: int = 2000, val: int = 200) -> TaskData:
    """Return so many examples of a task to learn from, and so many others to be judged by.

    Translation and dialogue are judged by pairs of a colour and a thing that training leaves out.
    Raises ValueError for a task that there is not.
    """
    if name not in TASKS:
        raise ValueError(f"there is no task {name!r}; the tasks are {', '.join(TASKS)}")
    check_whole("train", train)
    check_whole("val", val)
    learn, judge = TASKS[name]
    return TaskData(name, tokenizer, [*islice(learn(0), train)], [*islice(judge(VAL_SEED), val)])
