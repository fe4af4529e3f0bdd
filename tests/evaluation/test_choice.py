"""Last words, choices and few-shot prompts scored as transformers, token by token, scores them."""

from itertools import islice

import numpy as np
import pytest
import torch

from minigpt.evaluation.choice import Choice, LastWord, candidate_scores, choose, last_word
from minigpt.evaluation.prompts import questions
from minigpt.evaluation.quiz import choices_of, last_words, quiz, recall_choice
from minigpt.evaluation.scoring import encode_pair
from minigpt.pretrained import from_pretrained
from minigpt.stories import Stories

CONTEXT = "The fox found the red kite by"
CANDIDATES = (" the river", " a very old lighthouse", " Zoë")


def by_hand(slowly, tokenizer, context, continuation, block_size=24) -> list[float]:
    before, whole = tokenizer.encode(context), tokenizer.encode(context + continuation)
    return [
        slowly(whole[max(0, len(whole) - block_size - 1) : at + 1])
        for at in range(len(before), len(whole))
    ]


@pytest.mark.parametrize("normalize", [None, "token", "byte"])
@pytest.mark.parametrize("after", ["", ", of course."])
def test_candidates_score_as_with_transformers(model, tokenizer, slowly, normalize, after):
    items = [Choice(CONTEXT, CANDIDATES, 1, after), Choice("Nobody", CANDIDATES[:2], 0, after)]
    scores = candidate_scores(model, tokenizer, items, normalize=normalize)
    for item, row in zip(items, scores):
        for candidate, score in zip(item.candidates, row):
            text = candidate + after
            nats = by_hand(slowly, tokenizer, item.context, text)
            size = {None: 1, "token": len(nats), "byte": len(text.strip().encode())}[normalize]
            assert score == pytest.approx(-sum(nats) / size, abs=1e-4)
    answers = choose(model, tokenizer, items, normalize=normalize)
    assert answers.right.tolist() == [bool(scores[0].argmax() == 1), bool(scores[1].argmax() == 0)]


def test_a_long_context_loses_its_beginning(model, tokenizer, slowly):
    long = "The kite sang and sang. " * 20 + "It was"
    [row] = candidate_scores(model, tokenizer, [Choice(long, (" red",), 0)])
    assert -row[0] == pytest.approx(sum(by_hand(slowly, tokenizer, long, " red")), abs=1e-4)


def test_few_shot_prompts_score_as_with_transformers(model, tokenizer, slowly):
    prompt = questions([("Who?", "Leo")], "What?")
    [row] = candidate_scores(model, tokenizer, [Choice(prompt, (" a kite", " Leo"), 0)])
    for text, score in zip((" a kite", " Leo"), row):
        assert -score == pytest.approx(sum(by_hand(slowly, tokenizer, prompt, text)), abs=1e-4)


@torch.no_grad()
def test_a_last_word_is_right_if_greedy_decoding_would_write_it(model, tokenizer, theirs):
    found = 0
    for word in [" lost", " saw", " it", " the", " Kites", "!", " under", " and"] * 5:
        ids = tokenizer.encode(CONTEXT + word * (found + 1))
        likeliest = theirs(torch.tensor([ids])).logits[0, -1].argmax().item()
        text = tokenizer.decode(ids)
        written = tokenizer.decode([likeliest])
        if tokenizer.encode(text + written) != [*ids, likeliest]:
            continue  # bytes that are no text, or would be cut in another way
        found += 1
        items = [LastWord(text, written), LastWord(text, " umbrella"), LastWord(text, written * 2)]
        right = last_word(model, tokenizer, items).right.tolist()
        assert right[:2] == [True, False]
        if found == 2:
            return
    pytest.fail("the random model's likeliest tokens are no text")


def test_perplexity_of_answers_is_over_whole_words(model, tokenizer, slowly):
    items = [LastWord(CONTEXT, " umbrella"), LastWord("It was", " Zoë")]
    nats = [sum(by_hand(slowly, tokenizer, i.context, i.answer)) for i in items]
    answers = last_word(model, tokenizer, items)
    assert answers.perplexity == pytest.approx(np.exp(np.mean(nats)), rel=1e-4)


def test_spaces_at_the_end_of_a_context_belong_to_what_follows(tokenizer):
    assert encode_pair(tokenizer, "The fox ", "ran") == encode_pair(tokenizer, "The fox", " ran")


def test_the_storyteller_knows_the_quiz_and_a_shuffled_one_not():
    model, tokenizer = from_pretrained("storyteller", verbose=False)
    told = list(islice(Stories(30_000), 12))
    assert last_word(model, tokenizer, last_words(told)).accuracy > 0.9
    items = quiz(told)
    assert choose(model, tokenizer, items).accuracy > 0.9
    wrong = [
        Choice(i.context, i.candidates, (i.right + 1) % len(i.candidates), i.after) for i in items
    ]
    assert choose(model, tokenizer, wrong).accuracy < 0.1


def test_the_stories_items_hold_what_the_teller_chose():
    for story in islice(Stories(5), 200):
        chosen = choices_of(story)
        [item] = quiz([story])
        assert item.context + item.candidates[item.right] + item.after == story
        assert all(value.partition("{")[0] in story for value in chosen.values())
        recall = recall_choice(story, "home")
        assert (recall is None) == (story.count(chosen["home"]) == 1)
        if recall:
            assert story.startswith(recall.context + recall.candidates[recall.right])
    with pytest.raises(ValueError, match="cannot tell this story"):
        choices_of("Once upon a time there was a kite.")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, t: last_word(m, t, []), "there are no items"),
        (lambda m, t: last_word(m, t, [LastWord("The", "")]), "adds no token"),
        (lambda m, t: last_word(m, t, [LastWord("A", " the" * 30)]), "30 tokens are to be scored"),
        (
            lambda m, t: choose(m, t, [Choice("A", (" b",), 0)], normalize="word"),
            "normalize is 'word'",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(model, tokenizer, call, words):
    with pytest.raises(ValueError, match=words):
        call(model, tokenizer)
