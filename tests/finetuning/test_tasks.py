"""Every right answer is read off the story again, by rules that know nothing of the teller."""

import re
from itertools import islice

import pytest

from minigpt.finetuning import TASKS, load_task
from minigpt.finetuning.chinese import COLOURS, FORMS, PLACES, THINGS, is_held_out, translations
from minigpt.finetuning.tasks import (
    VAL_SEED,
    contradictions,
    dialogues,
    questions,
    short_tellings,
    summaries,
    tellings,
)
from minigpt.stories import GRAMMAR, START, Stories

MANY = 400


def facts(story: str) -> dict[str, str]:
    """Read a story as a reader would: who, what, which colour, where it was found."""
    who = re.search(r"named (\w+), who lived", story)[1]
    colour, thing = re.search(
        r"(?:to|than|loved|envied) (?:his|her) (\w+) (\w+)(?: most)?\.", story
    ).groups()
    friend = re.search(r"(?:lived|tea with) (\w+), an? \w+ \w+ who ", story)[1]
    places = "|".join(GRAMMAR["place"])
    found = re.search(
        rf"(?:saw it|what was that|In the end it was|{thing} cough) ({places})[.?]", story
    )[1]
    return {"who": who, "colour": colour, "thing": thing, "friend": friend, "place": found}


def test_tellings_are_the_stories_of_the_same_seed():
    told = [telling.text for telling in islice(tellings(5), 50)]
    assert told == [*islice(Stories(5), 50)]


def test_each_summary_says_what_a_reader_finds():
    for example in islice(summaries(1), MANY):
        story, _, ask = example.prompt.rpartition("\n")
        assert ask == "TL;DR:" and Stories.log_prob(story) < 0
        read = facts(story)
        assert example.target == " {who} lost the {colour} {thing}; it was {place}.".format(**read)


def right_answer(question: str, read: dict[str, str]) -> str:
    """Answer a question from a reader's notes, by its words."""
    for word, fact in (("colour", "colour"), ("ere", "place"), ("lost", "who"), ("help", "friend")):
        if word in question:
            return f" It was {read[fact]}."
    raise AssertionError(question)


@pytest.mark.parametrize("never_taught", [False, True])
def test_each_answer_is_what_a_reader_says(never_taught):
    forms = set()
    for example in islice(questions(2, never_taught), MANY):
        story, question, answer = example.prompt.split("\n")
        assert question.startswith("Q: ") and answer == "A:"
        read = facts(story)
        assert example.target == right_answer(question, read)
        forms.add(re.sub(rf"\b({read['thing']}|{read['who']})\b", "*", question))
    assert len(forms) == (1 if never_taught else 7)
    assert ("Q: Tell me where the * was." in forms) == never_taught


def test_a_dialogue_remembers_what_was_said():
    three = [*islice(dialogues(3), 3 * MANY)]
    for first, second, third in zip(three[::3], three[1::3], three[2::3]):
        name, _, _, place = re.fullmatch(
            r"You: Hello! I am (\w+)\.\nFriend: Hello, \1! What did you lose\?\n"
            r"You: My (\w+) (\w+)\.\nFriend: Where did you see the \2 \3 last\?\n"
            r"You: It was ([\w ]+)\.\nFriend:",
            third.prompt,
        ).groups()
        assert third.target == f" Then look {place} again, {name}!"
        assert third.prompt.startswith(second.prompt + second.target)
        assert second.prompt.startswith(first.prompt + first.target)
        assert name in GRAMMAR["name"] and place in GRAMMAR["place"]


def test_a_story_is_labelled_1_exactly_if_two_colours_are_in_it():
    labels, kinds = [], set()
    for labelled in islice(contradictions(4), MANY):
        colours = re.findall(rf"\b({'|'.join(GRAMMAR['colour'])})\b", labelled.text)
        labels.append(labelled.label)
        assert len(colours) == 2 and labelled.label == (colours[0] != colours[1])
        kinds.add((labelled.label, re.sub(r"\b[A-Z]\w+\b", "*", labelled.text)[-12:]))
    assert 0.4 < sum(labels) / MANY < 0.6 and len(kinds) > 20


def test_a_short_story_without_contradiction_is_the_grammars_own():
    """Put into a whole story, in the place of that story's own sentences, it can be told."""
    for labelled, telling in islice(zip(contradictions(4), short_tellings(4)), 50):
        assert (labelled.text == telling.text) == (labelled.label == 0)
        chosen = telling.chosen
        treasure = telling.text.partition(". ")[2].partition(". ")[0] + "."
        whole = START
        while options := whole.options():
            slot = whole.slot
            whole = whole.take(chosen[slot] if chosen.get(slot) in options else options[0])
        assert treasure in whole.text and Stories.log_prob(whole.text) < 0


def test_held_out_pairs_are_in_no_sentence_that_is_learned():
    learned = {tuple(e.prompt.split()[1:3]) for e in islice(translations(0), 5000)}
    judged = {tuple(e.prompt.split()[1:3]) for e in islice(translations(0, held_out=True), 2000)}
    assert not learned & judged
    assert len(learned) + len(judged) == 12 * 16 and len(judged) == 32
    for at in (0, 1):  # yet every colour and every thing is learned, with others
        assert {pair[at] for pair in judged} <= {pair[at] for pair in learned}
    spoken = set()
    for example in islice(dialogues(0), 1500):
        spoken |= set(re.findall(r"My (\w+) (\w+)\.", example.prompt))
    assert len(spoken) > 100 and not any(is_held_out(*pair) for pair in spoken)


def test_both_languages_say_the_same():
    english = {
        form: re.compile(pattern.replace(".", r"\.").replace("{", "(?P<").replace("}", ">.+?)"))
        for form, (pattern, _) in FORMS.items()
    }
    for example in islice(translations(7), MANY):
        sentence = example.prompt.removesuffix(" =")
        [(form, found)] = [
            (form, match)
            for form, pattern in english.items()
            if (match := pattern.fullmatch(sentence))
        ]
        measure, noun = THINGS[found["thing"]]
        place, colour = PLACES[found["place"]], COLOURS[found["colour"]]
        assert (
            example.target
            == {
                "the": f" {colour}的{noun}在{place}。",
                "a": f" {place}有一{measure}{colour}的{noun}。",
            }[form]
        )
    assert [*COLOURS] == GRAMMAR["colour"] and [*THINGS] == GRAMMAR["thing"]
    assert [*PLACES] == GRAMMAR["place"]
    for words in (COLOURS, PLACES, THINGS):
        assert len(set(words.values())) == len(words)


@pytest.mark.parametrize("name", TASKS)
def test_what_judges_is_never_learned_from(name, tokenizer):
    data = load_task(name, tokenizer, train=300, val=50)
    assert len(data.train) == 300 and len(data.val) == 50
    if name != "dialogue":  # a dialogue's first turn has few forms
        assert not {e.text for e in data.train} & {e.text for e in data.val}
    again = load_task(name, tokenizer, train=300, val=50)
    assert again.train == data.train and again.val == data.val


def test_a_task_that_there_is_not_is_refused(tokenizer):
    with pytest.raises(ValueError, match="no task 'poetry'; the tasks are summary"):
        load_task("poetry", tokenizer)
    assert VAL_SEED != 0
