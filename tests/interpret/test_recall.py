"""What a story says again is found where it stands, and counted as it is defined."""

import re
from itertools import islice

import pytest
import torch

from minigpt import from_pretrained
from minigpt.interpret import attention_patterns, residual_stream, without
from minigpt.interpret.recall import (
    answer_weights,
    recalled,
    recalled_half_way,
    recalls,
    repeated_words,
)
from minigpt.stories import GRAMMAR, Stories

KINDS = ("colour", "thing", "name", "place", "junk", "home", "habit")


@pytest.fixture(scope="module")
def storyteller():
    return from_pretrained("storyteller", verbose=False)


@pytest.mark.parametrize("kind", KINDS)
def test_every_second_saying_is_found_and_nothing_else(kind):
    options = "|".join(sorted(GRAMMAR[kind], key=len, reverse=True))
    for story in islice(Stories(seed=5), 60):
        said = [(m[0], m.start()) for m in re.finditer(rf"\b({options})\b", story)]
        wanted = [at for i, (word, at) in enumerate(said) if word in {w for w, _ in said[:i]}]
        found = [at for slot, at in repeated_words(story) if slot.rstrip("12") == kind]
        assert found == wanted, story


def test_a_text_that_the_grammar_cannot_tell_is_refused():
    story = next(Stories(seed=5))
    with pytest.raises(ValueError, match="cannot tell"):
        repeated_words(story.replace("Once", "Twice").replace("here was", "here is"))


def test_positions_and_answers_are_those_of_the_tokens(storyteller):
    _, tokenizer = storyteller
    for story in islice(Stories(seed=6), 20):
        ids, found = recalls(story, tokenizer)
        assert ids.tolist() == [tokenizer.end_of_text, *tokenizer.encode(story)]
        assert len(found) == len(repeated_words(story)) > 5
        for recall, (slot, at) in zip(found, repeated_words(story)):
            assert recall.kind == slot.rstrip("12")
            before = tokenizer.decode(ids[1 : recall.position + 1].tolist())
            assert story[: at - 1] == before
            assert story[at - 1 :].startswith(tokenizer.decode([recall.answer]))


@torch.no_grad()
def test_shares_equal_those_counted_one_by_one(storyteller):
    model, tokenizer = storyteller
    stories = [recalls(story, tokenizer) for story in islice(Stories(seed=7), 6)]
    with without(model, ["attn 1"]):  # or nearly all is right
        found = recalled(model, stories)
        for row, (ids, asked) in enumerate(stories):
            for kind in found:
                right = [
                    int(model(ids[None, : r.position + 1])[0, -1].argmax()) == r.answer
                    for r in asked
                    if r.kind == kind
                ]
                share = found[kind][row]
                if right:
                    assert float(share) == pytest.approx(sum(right) / len(right))
                else:
                    assert share.isnan()
    assert 0 < torch.cat([*found.values()]).nanmean() < 1  # some are wrong


@torch.no_grad()
def test_weights_and_the_lens_equal_those_looked_up_one_by_one(storyteller):
    model, tokenizer = storyteller
    ids, asked = recalls(next(Stories(seed=8)), tokenizer)
    weights, right = answer_weights(model, [(ids, asked)]), recalled_half_way(model, [(ids, asked)])
    patterns, stream = attention_patterns(model, ids[None])[:, 0], residual_stream(model, ids[None])
    for kind in weights:
        mine = [recall for recall in asked if recall.kind == kind]
        for layer, head in ((0, 0), (1, 0), (3, 2)):
            looks = [
                sum(
                    float(patterns[layer, head, r.position, t])
                    for t in range(r.position + 1)
                    if ids[t] == r.answer
                )
                for r in mine
            ]
            assert float(weights[kind][layer, head]) == pytest.approx(sum(looks) / len(looks))
        for layer in range(5):
            said = [
                int(model.lm_head(model.transformer.ln_f(stream[layer, 0, r.position])).argmax())
                for r in mine
            ]
            share = sum(s == r.answer for s, r in zip(said, mine)) / len(mine)
            assert float(right[kind][layer]) == pytest.approx(share)
