"""Tasks made from the story language: the teller knows what it chose, so every answer is known."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from itertools import islice

from minigpt.config import check_whole
from minigpt.finetuning.chinese import is_held_out, translations
from minigpt.finetuning.examples import Example, Labelled, TaskData
from minigpt.stories import GRAMMAR, START, Telling
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


def tellings(seed: int) -> Iterator[Telling]:
    """Yield the stories of `Stories(seed)`, each with what its teller chose."""
    check_whole("seed", seed, least=0)
    draw = random.Random(seed).random
    while True:
        telling = START
        while options := telling.options():
            telling = telling.take(options[int(draw() * len(options))])
        yield telling


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


def contradict(telling: Telling, draw: Callable[[], float]) -> str:
    """Return the story with one word for a colour, thing, name or place changed where it recurs.

    What takes its place stands nowhere else in the story.
    """
    text, recurs = telling.text, []
    for slot in ("colour", "thing", "name1", "name2", "place2"):
        again = list(re.finditer(rf"\b{telling.chosen[slot]}\b", text))[1:]
        recurs += [(slot, found.span()) for found in again]
    slot, (start, end) = recurs[int(draw() * len(recurs))]
    others = [
        option for option in GRAMMAR[slot.rstrip("12")] if not re.search(rf"\b{option}\b", text)
    ]
    return text[:start] + others[int(draw() * len(others))] + text[end:]


def contradictions(seed: int) -> Iterator[Labelled]:
    """Yield stories, for ever: label 1 with one planted contradiction, 0 as they were told."""
    draw = random.Random(seed).random
    for telling in tellings(seed):
        label = int(draw() < 0.5)
        yield Labelled(contradict(telling, draw) if label else telling.text, label)


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
