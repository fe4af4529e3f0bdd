"""A model that is the grammar has exactly the grammar's bias, and the measure says so."""

import math
from itertools import islice

import pytest
import torch

from minigpt.evaluation.bias import beginnings, bias, exact_shares, shares, telling_of
from minigpt.pretrained import from_pretrained
from minigpt.stories import BOYS, GIRLS, GRAMMAR, Stories, first_words

OPENINGS = [f"{opening} {{}} fox named" for opening in GRAMMAR["opening"]]


@pytest.fixture(scope="module")
def tokenizer():
    return from_pretrained("storyteller", verbose=False)[1]


class TheGrammar:
    """A model that is the grammar: after a prompt, each option's first token has its share.

    `skew(prompt, option)` weighs the options otherwise: a bias that is known because it was made.
    """

    def __init__(self, tokenizer, skew=lambda prompt, option: 1.0):
        self.tokenizer, self.skew = tokenizer, skew

    def __call__(self, idx):
        logits = torch.full((*idx.shape, self.tokenizer.vocab_size), -math.inf).double()
        for b, row in enumerate(idx.tolist()):
            end = self.tokenizer.end_of_text
            stop = row.index(end, 1) if end in row[1:] else len(row)
            prompt = self.tokenizer.decode(row[1:stop])
            options = telling_of(f"{prompt} ").options()
            weights = [self.skew(prompt, option) for option in options]
            for option, weight in zip(options, weights):
                token = self.tokenizer.encode(f" {first_words(option)}")[0]
                log_p = math.log(weight / sum(weights))
                logits[b, stop - 1, token] = torch.logaddexp(
                    logits[b, stop - 1, token], torch.tensor(log_p).double()
                )
        return logits


def friends(names, seed=5, count=200):
    """Beginnings of true stories up to the friend's name, the hero's being one of the names."""
    told = beginnings("name2", islice(Stories(seed), count))
    return [prompt for prompt, chosen in told if chosen["name1"] in names]


def test_the_exact_shares_are_those_of_the_teller():
    """By counting: of 4,000 stories' friends of a girl, 11 of 23 are girls."""
    heroines = telling_of(f"{friends(GIRLS)[0]} ")
    assert len(heroines.options()) == 23
    assert set(exact_shares(friends(GIRLS), GIRLS).tolist()) == {11 / 23}
    assert set(exact_shares(friends(BOYS), GIRLS).tolist()) == {12 / 23}
    girls = [0, 0]
    for story in islice(Stories(seed=9), 4000):
        names = sorted((story.index(n), n) for n in GIRLS + BOYS if f" {n}" in story)
        hero, friend = (name for _, name in names[:2])
        if hero in GIRLS:
            girls[0] += friend in GIRLS
            girls[1] += 1
    assert girls[0] / girls[1] == pytest.approx(11 / 23, abs=0.04)


def test_a_model_that_is_the_grammar_has_its_known_bias(tokenizer):
    model = TheGrammar(tokenizer)
    assert shares(model, tokenizer, friends(GIRLS), GIRLS) == pytest.approx(11 / 23)
    story = friends(["Lily"], count=400)
    # A girl's *her* for a boy's *his* would be a second word, so only openings without pronouns.
    pairs = [(prompt, prompt.replace("Lily", "Ruby")) for prompt in story]
    found = bias(model, tokenizer, pairs, GIRLS)
    assert found.difference == pytest.approx(0) and found.low == pytest.approx(found.high)


def test_the_friends_of_girls_and_boys_differ_by_one_in_23(tokenizer):
    model = TheGrammar(tokenizer)
    girls, boys = (shares(model, tokenizer, friends(names), GIRLS) for names in (GIRLS, BOYS))
    assert (girls.mean() - boys.mean()).item() == pytest.approx(-1 / 23)


def test_a_bias_that_was_planted_is_found_exactly(tokenizer):
    """After *a brave*, girls count a third: 12/3 to 12, a share of 1/4; elsewhere a half."""

    def skew(prompt, option):
        return 1 / 3 if option in GIRLS and "brave" in prompt else 1.0

    model = TheGrammar(tokenizer, skew)
    pairs = [(p.format("a brave"), p.format("a shy")) for p in OPENINGS]
    found = bias(model, tokenizer, pairs, GIRLS)
    assert (found.first, found.second) == pytest.approx((0.25, 0.5))
    assert found.difference == pytest.approx(-0.25)
    assert found.low == pytest.approx(-0.25) and found.high == pytest.approx(-0.25)


def test_the_interval_is_as_wide_as_the_prompts_differ(tokenizer):
    def skew(prompt, option):
        odd = "Long" in prompt and "brave" in prompt
        return 1 / 3 if option in GIRLS and odd else 1.0

    pairs = [(p.format("a brave"), p.format("a shy")) for p in OPENINGS]
    found = bias(TheGrammar(tokenizer, skew), tokenizer, pairs, GIRLS)
    assert found.difference == pytest.approx(-0.25 / 4)
    assert found.low < found.difference < found.high


def test_a_share_among_some_leaves_the_rest_out(tokenizer):
    def noise(prompt, option):
        return 5.0 if option == "Leo" else 1.0

    prompts = [OPENINGS[0].format("a shy")]
    model = TheGrammar(tokenizer, noise)
    assert shares(model, tokenizer, prompts, ["Mia"]).item() == pytest.approx(1 / 28)
    assert shares(model, tokenizer, prompts, ["Mia"], ["Mia", "Leo"]).item() == pytest.approx(1 / 6)


def test_the_storytellers_rows_are_those_of_each_prompt_alone(tokenizer):
    """Prompts of different length in one batch: nobody reads what others were filled up with."""
    model = from_pretrained("storyteller", verbose=False)[0]
    prompts = [OPENINGS[0].format("a shy"), *friends(GIRLS)[:3]]
    alone = torch.cat([shares(model, tokenizer, [p], GIRLS) for p in prompts])
    assert torch.allclose(shares(model, tokenizer, prompts, GIRLS), alone, atol=1e-5)


@pytest.mark.parametrize(
    "pair", [("a b c", "a b c"), ("a b c", "x b y"), ("a b", "a b c")], ids=["none", "two", "more"]
)
def test_pairs_that_do_not_differ_in_one_word_are_refused(pair, tokenizer):
    with pytest.raises(ValueError, match="differ in one word"):
        bias(TheGrammar(tokenizer), tokenizer, [pair], GIRLS)


def test_what_cannot_be_measured_is_refused(tokenizer):
    with pytest.raises(ValueError, match="prompts is empty"):
        shares(TheGrammar(tokenizer), tokenizer, [], GIRLS)
    with pytest.raises(ValueError, match="'Bartholomew' is"):
        shares(TheGrammar(tokenizer), tokenizer, ["Long ago"], ["Bartholomew"])
    with pytest.raises(ValueError, match="no choice after"):
        exact_shares(["Long ago there lived"], GIRLS)
    with pytest.raises(ValueError, match="no choice after"):
        exact_shares(["Long ago there was a shy fox"], ["named"])
