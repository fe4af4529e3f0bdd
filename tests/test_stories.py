"""The story language: one text, one way to tell it, and probabilities that add up exactly."""

import hashlib
import math
import re
from itertools import islice

import pytest

from minigpt import stories
from minigpt.stories import BOYS, FOR_A_GIRL, GIRLS, GRAMMAR, START, Stories, entropy_after


def first_words(option: str) -> str:
    return re.split("{", option)[0]


def confusable(options: list[str]) -> list[tuple[str, str]]:
    """Return the pairs in which one option's first words begin another's."""
    return [(a, b) for a in options for b in options if a != b and b.startswith(first_words(a))]


def all_stories() -> dict[str, float]:
    """Tell every story of a small grammar, with its probability, the slow and obvious way."""
    told, waiting = {}, [(START, 1.0)]
    while waiting:
        telling, p = waiting.pop()
        options = telling.options()
        if not options:
            assert telling.text not in told, f"told in two ways: {telling.text}"
            told[telling.text] = p
        waiting += [(telling.take(option), p / len(options)) for option in options]
    return told


def test_a_seed_tells_the_same_stories_on_every_machine():
    told = "\n".join(islice(Stories(0), 100))
    assert hashlib.sha256(told.encode()).hexdigest()[:16] == "d6e2b2065c1a560f"
    assert told.startswith(
        "Before breakfast was invented there was a polite duck named Bruno, who lived near the "
        "railway. The neighbours all envied his golden hat."
    )


def test_other_seeds_tell_other_stories():
    assert len({story for seed in range(5) for story in islice(Stories(seed), 200)}) == 1000


@pytest.mark.parametrize("seed", [-1, 1.5, "0", None])
def test_a_wrong_seed_is_refused(seed):
    with pytest.raises(ValueError, match="seed is .*whole number of at least 0"):
        Stories(seed)


def test_no_option_can_be_mistaken_for_another():
    for name, options in GRAMMAR.items():
        assert not confusable(options), name
        assert len(options) == 1 or all(map(first_words, options)), name


def test_that_test_would_notice():
    assert confusable(["ball", "bell", "balloon"]) == [("ball", "balloon")]
    assert confusable(["the {thing} was", "the cow"]) == [("the {thing} was", "the cow")]


def test_no_words_stand_in_two_places_of_the_grammar():
    options = [option for options in GRAMMAR.values() for option in options]
    assert len(options) == len(set(options))


def test_every_slot_has_a_list_and_every_list_a_slot():
    slots = set(re.findall(r"{(\w+?)[12]?(?::\w+)?}", str(GRAMMAR)))
    assert slots | {"story"} == set(GRAMMAR)
    assert set(re.findall(r"{\w+:(\w+)}", str(GRAMMAR))) <= set(FOR_A_GIRL)


@pytest.mark.parametrize("whole", ["loss", "search", "question", "find", "ending", "quiz"])
def test_in_a_small_grammar_all_probabilities_add_up(monkeypatch, whole):
    # The real grammar, with one list whole and few options left of the others: every story is told.
    left = {"name": 3, "trait": 2, "animal": 2, "junk": 2, "place": 3}
    grammar = {name: options[: left.get(name, 1)] for name, options in GRAMMAR.items()}
    grammar[whole] = GRAMMAR[whole]
    monkeypatch.setattr(stories, "GRAMMAR", grammar)
    told = all_stories()
    assert len(told) >= 200
    assert math.isclose(sum(told.values()), 1)
    assert all(math.isclose(Stories.log_prob(story), math.log(p)) for story, p in told.items())
    entropy = -sum(p * math.log(p) for p in told.values())
    assert math.isclose(entropy_after(START), entropy)


def test_entropy_follows_choices_that_lead_to_different_choices(monkeypatch):
    # "a" ends at once; "b" goes on with one of four: ln 2 + (0 + ln 4) / 2.
    grammar = {"story": ["{x}"], "x": ["a", "b{y}"], "y": ["1", "2", "3", "4"]}
    monkeypatch.setattr(stories, "GRAMMAR", grammar)
    assert math.isclose(entropy_after(START), math.log(4))
    assert math.isclose(Stories.log_prob("b3"), -math.log(8))


def test_entropy_agrees_with_the_mean_over_many_stories():
    count = 2000
    surprises = [-Stories.log_prob(story) for story in islice(Stories(11), count)]
    mean = sum(surprises) / count
    spread = math.sqrt(sum((s - mean) ** 2 for s in surprises) / (count - 1))
    assert 0.5 < spread < 3
    assert abs(mean - Stories.entropy()) < 4 * spread / math.sqrt(count)


def test_every_option_is_told_as_often_as_any_other():
    # An option of a list of n is chosen count / n times, give or take 5 standard deviations.
    count = 2000
    text = list(islice(Stories(12), count))
    for name, pattern in {
        "colour": r" (\w+) \w+( most)?\. (?:Next|Acr|Som)",
        "day": r" (\w+day) ",
    }.items():
        n = len(GRAMMAR[name])
        seen = [re.search(pattern, story)[1] for story in text]
        for option in GRAMMAR[name]:
            expected = count / n
            assert abs(seen.count(option) - expected) < 5 * math.sqrt(expected * (1 - 1 / n))


def test_there_are_more_stories_than_anyone_can_read():
    assert Stories.entropy() > math.log(1e20)


STORY = next(Stories(0))


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("Before breakfast", "After breakfast", "after '', at character 0, comes 'After breakfast"),
        ("a polite duck", "a rude duck", "comes 'a rude duck"),
        ("named Bruno", "named Zelda", "would go on with 'Clara' or 'Ella'"),
        ("envied his golden", "envied her golden", "would go on with 'his '"),
        ("One snowy", "One  snowy", "One "),
        ("sobbed Bruno", "sobbed Otto", "Bruno"),
        ("The golden one", "The silver one", "golden"),
        ("lived Otto", "lived Bruno", "comes 'Bruno, a shy"),
        ("The golden hat.", "The golden hat", "comes 'hat'; it would go on with 'hat.'"),
        ("The golden hat.", "The golden hat. The end.", "goes on with ' The end.'"),
    ],
)
def test_a_text_that_the_grammar_cannot_tell_is_refused_where_it_goes_wrong(old, new, where):
    assert old in STORY
    with pytest.raises(ValueError, match=re.escape(where)):
        Stories.log_prob(STORY.replace(old, new))


@pytest.mark.parametrize(
    "text", ["", " ", STORY[:-1], STORY + " ", STORY + STORY, STORY.upper(), "é"]
)
def test_what_is_no_story_is_refused(text):
    with pytest.raises(ValueError):
        Stories.log_prob(text)


@pytest.mark.parametrize("text", [None, b"Once upon a time", ["Once"]])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(ValueError, match="must be a str"):
        Stories.log_prob(text)


def test_no_story_survives_a_changed_letter():
    for at in range(len(STORY)):
        with pytest.raises(ValueError):
            Stories.log_prob(STORY[:at] + "#" + STORY[at + 1 :])


def test_pronouns_agree_with_the_names():
    for story in islice(Stories(13), 300):
        names = [name for name in re.findall(r"[A-Z][a-z]+", story) if name in GIRLS + BOYS]
        people = set(names)
        assert len(people) == 2
        words = set(re.findall(r"[a-z]+", story.lower()))
        if people <= set(GIRLS):
            assert not words & {"he", "him", "his"}
        if people <= set(BOYS):
            assert not words & {"she", "her"}


def test_every_story_asks_for_the_colour_and_recalls_it():
    for story in islice(Stories(14), 300):
        colours = [word for word in re.findall(r"\w+", story) if word in GRAMMAR["colour"]]
        assert len(colours) >= 2
        assert len(set(colours)) == 1
