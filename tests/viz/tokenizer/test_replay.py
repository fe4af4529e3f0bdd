"""Replaying merges: what comes out equals encoding with a vocabulary that stopped growing early."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.tokenizer import END_OF_TEXT, Tokenizer
from minigpt.viz.tokenizer.replay import family, halves, ids_after, replay

TEXTS = [
    "Once upon a time there was a red kite, and the kite was red.",
    "aaaaaaa aaab  baaa\n\n\tnaïve 🦊 小狐狸",
    "",
]


@pytest.fixture(scope="module")
def small() -> Tokenizer:
    return Tokenizer.train(" ".join(TEXTS) * 3 + "aaab" * 20, vocab_size=330)


@pytest.fixture(scope="module", params=["gpt2", "small"])
def tokenizer(request, small) -> Tokenizer:
    return Tokenizer.gpt2() if request.param == "gpt2" else small


@pytest.mark.parametrize("text", TEXTS)
def test_without_merges_a_text_is_its_bytes_and_with_all_its_tokens(tokenizer, text):
    ids = tokenizer.encode(text)
    assert ids_after(tokenizer, ids, 0) == Tokenizer([]).encode(text)
    assert ids_after(tokenizer, ids, len(tokenizer.merges)) == ids


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="ab kité\n", max_size=30), st.integers(0, 73))
def test_ids_after_n_merges_are_those_of_a_tokenizer_that_learned_n(small, text, n):
    stopped = Tokenizer(small.merges[:n])
    assert ids_after(small, small.encode(text), n) == stopped.encode(text)


def test_gpt2_stopped_early_is_the_same_tokenizer_with_fewer_merges():
    gpt2, text = Tokenizer.gpt2(), " ".join(TEXTS) + " unbelievable encyclopaedia"
    for n in (1, 300, 5_000, 20_000):
        assert ids_after(gpt2, gpt2.encode(text), n) == Tokenizer(gpt2.merges[:n]).encode(text)


@pytest.mark.parametrize("word", [" unbelievable", "aaaaaaa", " kite"])
def test_the_replay_of_a_word_goes_through_the_stages_of_encoding_it(tokenizer, word):
    ids = tokenizer.encode(word)
    stages = [ids_after(tokenizer, ids, 0)]
    stages += [ids_after(tokenizer, ids, merge.number + 1) for merge in replay(tokenizer, ids)]
    assert stages == tokenizer.merge_steps(word)


@pytest.mark.parametrize("text", TEXTS)
def test_each_merge_is_counted_as_often_as_it_happens(tokenizer, text):
    ids = tokenizer.encode(text)
    for merge in replay(tokenizer, ids):
        assert tokenizer.merges[merge.number] == (merge.left, merge.right)
        before = Counter(ids_after(tokenizer, ids, merge.number))
        after = Counter(ids_after(tokenizer, ids, merge.number + 1))
        assert after[merge.token] - before[merge.token] == merge.count > 0
        assert before.total() - after.total() == merge.count


def test_merges_come_in_the_order_they_were_learned(tokenizer):
    numbers = [merge.number for merge in replay(tokenizer, tokenizer.encode(TEXTS[0]))]
    assert numbers == sorted(set(numbers)) != []


def test_a_special_token_is_made_of_nothing_and_stays_whole(tokenizer):
    ids = tokenizer.encode(f"a{END_OF_TEXT}b", "all")
    assert halves(tokenizer, tokenizer.end_of_text) == () == halves(tokenizer, 255)
    assert ids_after(tokenizer, ids, 0) == ids
    assert replay(tokenizer, ids) == []
    assert family(tokenizer, ids) == set(ids)


def test_a_token_deeper_than_the_stack_of_calls_is_taken_apart():
    chain = Tokenizer([(64, 64), *((255 + i, 64) for i in range(1, 2000))])
    longest = 256 + 1999
    assert ids_after(chain, [longest], 0) == [64] * 2001
    assert len(replay(chain, [longest])) == 2000
