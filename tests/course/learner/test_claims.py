"""The scorecard of lesson 12: verdicts follow from parts, guesses commit."""

import itertools

import numpy as np
import pytest
import torch

from minigpt.course import Claims
from minigpt.course.learner.claims import VERDICTS, how_far, verdict_of


@pytest.fixture
def claims():
    claims = Claims()
    claims.add({1: "it has an encoder", 2: "it is causal"})
    claims.add({7: "it is large"})
    return claims


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ([True], "true"),
        ([True, True], "true"),
        ([False, False], "false"),
        ([True, False], "half"),
        ([None], "undecidable here"),
        ([None, False], "false"),
        ([None, True], "true"),
        ([None, True, False], "half"),
    ],
)
def test_a_verdict_follows_from_the_parts_in_any_order(parts, verdict):
    for order in itertools.permutations(parts):
        assert verdict_of(dict(enumerate(order))) == verdict


@pytest.mark.parametrize("given", [np.bool_(False), torch.tensor(False)])
def test_what_a_test_gives_counts_as_it_is(claims, given):
    claims.verdict(1, {"an encoder": given}, by="names")
    assert claims.verdicts == {1: "false"}


@pytest.mark.parametrize("given", ["False", 0, 1.0, torch.tensor(0.5), torch.tensor([True, False])])
def test_what_is_no_verdict_is_refused_and_nothing_changes(claims, given):
    with pytest.raises(ValueError, match="True, False, or None"):
        claims.verdict(1, {"an encoder": given}, by="names")
    assert claims.verdicts == {} and "not run yet" in repr(claims.scorecard())


def test_no_parts_and_no_such_claim_are_refused(claims):
    with pytest.raises(ValueError, match="at least one part"):
        claims.verdict(1, {}, by="names")
    with pytest.raises(ValueError, match="one of 1, 2, 7"):
        claims.verdict(3, {"x": True}, by="names")
    with pytest.raises(ValueError, match="at least one"):
        claims.add({})
    with pytest.raises(ValueError, match="add them first"):
        Claims().guess({1: "t"})


def test_claims_may_come_again_and_keep_what_is_known(claims):
    claims.guess({1: "f"})
    claims.verdict(1, {"part": False}, by="a test")
    shown = claims.add({1: "it has an encoder"})
    assert "it has an encoder" in repr(shown) and claims.compared(1) == "right"
    assert len(claims.claims) == 3


def test_guesses_are_words_or_first_letters(claims, capsys):
    claims.guess({1: "T", 2: " undecidable here ", 7: "?"})
    assert claims.guesses == {1: "true", 2: "undecidable here"}
    assert capsys.readouterr().out == "2 of 3 guessed\n"


@pytest.mark.parametrize("wrong", [{1: "f", 2: "maybe"}, {1: "f", 4: "true"}])
def test_a_wrong_guess_takes_none(claims, wrong):
    with pytest.raises(ValueError, match="accepted|must be"):
        claims.guess(wrong)
    assert claims.guesses == {}


def test_a_guess_after_the_verdict_does_not_count(claims):
    claims.guess({1: "false", 2: "false"})
    for number, holds in ((1, False), (2, True), (7, True)):
        claims.verdict(number, {"part": holds}, by="a test")
    claims.guess({1: "false", 2: "true", 7: "true"})  # the first is no change
    assert [claims.compared(n) for n in (1, 2, 7)] == ["right", "no guess", "no guess"]
    assert repr(claims.scorecard()).count("(late)") == 2


def test_the_tally_counts_every_verdict_once(claims):
    claims.guess({1: "true", 2: "half"})
    for number, holds in ((1, False), (2, True), (7, None)):
        claims.verdict(number, {"part": holds}, by="a test")
    assert claims.tally() == {
        "true": {"too sceptical": 1},
        "false": {"too believing": 1},
        "undecidable here": {"no guess": 1},
    }
    assert sum(count.total() for count in claims.tally().values()) == 3


def test_believing_and_sceptical_are_opposites():
    decided = VERDICTS[:3]
    for a, b in itertools.product(decided, decided):
        pair = {how_far(a, b), how_far(b, a)}
        assert pair == ({"right"} if a == b else {"too believing", "too sceptical"})
    assert how_far("true", "false") == "too believing"
    assert how_far("true", "undecidable here") == "too sure"
    assert how_far("undecidable here", "true") == "too careful"
