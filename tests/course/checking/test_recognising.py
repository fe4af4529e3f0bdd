"""Which known mistakes an answer makes: one, several at once, or one that nothing tells apart."""

from dataclasses import replace

import pytest

from minigpt.course.checking import diagnosing
from minigpt.course.checking.diagnosing import diagnose
from minigpt.course.exercise import Misconception
from minigpt.course.lessons import find
from minigpt.course.lessons.lesson_01_tokenizer.cases import count_pairs, tokens_of


def with_mistake(monkeypatch, name, *mistakes):
    """Give an exercise more known mistakes, for one test."""
    more = tuple(Misconception(*mistake) for mistake in mistakes)
    changed = replace(find(name), misconceptions=(*find(name).misconceptions, *more))
    monkeypatch.setattr(diagnosing, "find", lambda name: changed)


def two_mistakes(ids, merges):
    """Drops the bytes that are no text, and strips what is left."""
    tokens = tokens_of(merges)
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors="ignore").strip()


def test_two_mistakes_at_once_are_counted_and_each_is_named():
    diagnosis = diagnose("decode", two_mistakes)
    assert diagnosis.misconceptions == (("bad-bytes-dropped",), ("stripped",))
    assert diagnosis.misconception == "bad-bytes-dropped" and diagnosis.certain
    assert diagnosis.explanation.startswith("Two mistakes at once")
    for place, message in enumerate(
        ("1. Bytes that are no text vanish", "2. You strip the text"), 1
    ):
        assert diagnosis.explanation.splitlines()[place].startswith(message)


@pytest.mark.parametrize("seed", range(5))
def test_what_a_known_mistake_leaves_unexplained_is_told_besides(seed):
    def merge(ids, pair, new_id):  # the mirror image is merged too, and an empty list is asked for
        ids[0]
        i, merged = 0, []
        while i < len(ids):
            found = sorted(ids[i : i + 2]) == sorted(pair)
            merged.append(new_id if found else ids[i])
            i += 2 if found else 1
        return merged

    diagnosis = diagnose("merge", merge, seed)
    assert diagnosis.misconceptions == (("order-ignored",),) and not diagnosis.certain
    assert "of the 4 cases that went wrong" in diagnosis.explanation
    assert "There is more to it: no ids at all: It raised IndexError" in diagnosis.explanation


def test_what_no_case_tells_apart_is_named_both_ways(monkeypatch):
    one = (
        "as-lists",
        "You keep the merges as lists, which a learner would never ...",
        two_mistakes,
    )
    other = ("as-sets", "You keep the merges as sets, which another would never do.", two_mistakes)
    with_mistake(monkeypatch, "decode", one, other)
    diagnosis = diagnose("decode", two_mistakes)
    assert diagnosis.misconceptions == (("as-lists", "as-sets"),)
    assert diagnosis.explanation.startswith("Two known mistakes give just these results")
    assert f"Either: {one[1]} Or: {other[1]}" in diagnosis.message


def test_a_mistake_that_would_be_wrong_where_the_answer_is_right_is_not_called_certain(monkeypatch):
    def loses_short_texts(longest):
        return lambda ids: count_pairs(ids) if len(ids) > longest else {}

    short = (
        "short-texts-lost",
        "You count only texts of more than ten ids.",
        loses_short_texts(10),
    )
    with_mistake(monkeypatch, "count_pairs", short)
    assert diagnose("count_pairs", loses_short_texts(10)).certain
    diagnosis = diagnose("count_pairs", loses_short_texts(3))
    assert diagnosis.misconception == "short-texts-lost" and not diagnosis.certain
    assert "but in 2 more it would be wrong and yours is right" in diagnosis.message
