"""True stories never contradict themselves, planted contradictions are found, each by its kind."""

import re
from itertools import islice

import pytest

from minigpt.evaluation.coherence import coherence, read_story
from minigpt.stories import BOYS, GIRLS, GRAMMAR, START, Stories, first_words

TRUE = list(islice(Stories(seed=11), 300))


def choices(story: str) -> dict[str, str]:
    """What the teller chose, by walking the teller's own options: the independent reader."""
    telling = START
    while options := telling.options():
        rest = story[len(telling.text) :]
        telling = telling.take(next(o for o in options if rest.startswith(first_words(o))))
    assert telling.text == story
    return telling.chosen


def with_last_changed(story: str, word: str, other: str) -> str:
    """The story with the last place where a word stands changed."""
    start = [m.start() for m in re.finditer(rf"\b{word}\b", story)][-1]
    return story[:start] + other + story[start + len(word) :]


def test_true_stories_have_no_contradiction_and_all_are_readable():
    found = coherence(TRUE)
    assert (found.stories, found.readable, found.contradictory, found.rate) == (300, 300, 0, 0.0)
    assert not found.wrong
    assert found.again["colour"] > 300 and found.again["name"] > 300


def test_the_choices_read_are_the_tellers():
    for story in TRUE[:100]:
        assert read_story(story).chosen == choices(story)


@pytest.mark.parametrize("kind", ["colour", "thing", "place", "name"])
def test_a_planted_contradiction_is_found_in_every_story(kind):
    planted = []
    for story in TRUE:
        chosen = choices(story)
        slot = {"place": "place2", "name": "name2"}.get(kind, kind)
        said = chosen[slot]
        if len(re.findall(rf"\b{said}\b", story)) < 2:
            continue  # said once only: nothing to disagree with
        # A place or a name that stands nowhere in the story.
        other = next(o for o in GRAMMAR[kind] if o not in chosen.values() and o not in story)
        changed = with_last_changed(story, said, other)
        [found, *more] = read_story(changed).contradictions
        assert (found.kind, found.said, found.instead) == (kind, said, other) and not more
        planted.append(changed)
    assert len(planted) > 30
    assert coherence(planted).rate == 1.0
    assert coherence([*planted, *TRUE]).rate == len(planted) / (len(planted) + len(TRUE))


def test_a_pronoun_that_the_name_does_not_have_is_one():
    story = next(s for s in TRUE if "Every night she sang" in s)
    changed = story.replace("Every night she sang", "Every night he sang")
    [found] = read_story(changed).contradictions
    assert found.kind == "pronoun" and found.said in GIRLS and found.instead == "he"
    boys = next(s for s in TRUE if "Every night he sang" in s)
    [found] = read_story(boys.replace("night he", "night she")).contradictions
    assert found.kind == "pronoun" and found.said in BOYS


def test_two_friends_of_one_name_are_one():
    story = TRUE[0]
    chosen = choices(story)
    changed = re.sub(rf"\b{chosen['name2']}\b", chosen["name1"], story)
    with pytest.raises(ValueError):
        Stories.log_prob(changed)
    assert "two alike" in [found.kind for found in read_story(changed).contradictions]


def test_how_often_things_are_said_again_is_counted():
    for story in TRUE[:50]:
        chosen, reading = choices(story), read_story(story)
        colour = chosen["colour"]
        assert reading.again["colour"] == len(re.findall(rf"\b{colour}\b", story)) - 1


@pytest.mark.parametrize("change", ["cut", "more", "word"])
def test_what_is_no_story_is_refused_and_counted_as_unreadable(change):
    story = TRUE[1]
    text = {"cut": story[:-20], "more": story + " And", "word": story.replace("One ", "Two ")}
    with pytest.raises(ValueError):
        read_story(text[change])
    found = coherence([story, text[change]])
    assert (found.stories, found.readable) == (2, 1)


def test_no_readable_story_has_no_rate():
    with pytest.raises(ValueError, match="none of 2 texts"):
        coherence(["Hello.", ""])
