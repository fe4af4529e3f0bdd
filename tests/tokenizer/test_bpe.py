"""The parts that make encoding fast give what the plain ones give."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.tokenizer import Tokenizer, bpe
from minigpt.tokenizer.memo import Memo
from tests.tokenizer.slow import (
    PYTHON_DOCS,
    RELEASED_PATTERN,
    any_text,
    few_letters,
    slow_merge,
    slow_train,
)


@settings(max_examples=300, deadline=None)
@given(any_text | st.text(alphabet=st.characters(max_codepoint=127)))
def test_pre_tokens_are_those_of_the_released_pattern_with_or_without_cuts_at_seams(text):
    expected = RELEASED_PATTERN.findall(text)
    assert bpe.pre_tokenize(text) == expected
    for parts in (bpe.SEAM.split(text), list(bpe.blocks(text, size=3))):
        assert "".join(parts) == text
        assert [word for part in parts for word in bpe.pre_tokenize(part)] == expected


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="abc", max_size=40), few_letters)
def test_merging_with_a_queue_equals_merging_step_by_step(word, text):
    merges = slow_train(text + " abcabcaa", 30)
    merged = {chr(a) + chr(b): chr(256 + i) for i, (a, b) in enumerate(merges)}
    steps = bpe.merge_steps(bpe.to_tokens(word), merged)
    assert bpe.merge_word(bpe.to_tokens(word), merged) == steps[-1]
    ids = [bpe.ID_OF_BYTE[byte] for byte in word.encode()]
    for rank, pair in enumerate(merges):
        ids = slow_merge(ids, pair, 256 + rank)
    assert list(map(ord, steps[-1])) == ids


def test_every_token_of_gpt2_is_what_merging_its_own_bytes_leads_to(gpt2):
    # So a pre-token that is a token needs no merging.
    for i in range(50256):
        word = gpt2.token_bytes(i).translate(bpe.ID_OF_BYTE).decode("latin-1")
        assert bpe.merge_word(word, gpt2._merged) == chr(i)


def test_merge_steps_go_from_bytes_to_what_encode_returns(gpt2):
    steps = gpt2.merge_steps(" unbelievable")
    assert [len(ids) for ids in steps] == sorted((len(ids) for ids in steps), reverse=True)
    assert b"".join(map(gpt2.token_bytes, steps[0])) == b" unbelievable"
    assert all(len(gpt2.token_bytes(i)) == 1 for i in steps[0])
    assert steps[-1] == gpt2.encode(" unbelievable")


class Counting(dict):
    """A dictionary that counts how often it is asked."""

    asked = 0

    def get(self, key):
        self.asked += 1
        return super().get(key)

    def __contains__(self, key):
        self.asked += 1
        return super().__contains__(key)


@pytest.mark.parametrize("letters", ["a", " ", "ACGT", "abcdefghijklmnopqrstuvwxyz", "的"])
def test_work_on_one_long_pre_token_grows_in_proportion_to_its_length(gpt2, letters):
    work = []
    for size in (2_000, 20_000):
        merged = Counting(gpt2._merged)
        word = "".join(random.Random(0).choices(letters, k=size))
        tokens = bpe.merge_word(bpe.to_tokens(word), merged)
        assert gpt2.decode(list(map(ord, tokens))) == word
        work.append(merged.asked)
    assert work[1] < 10.5 * work[0]


@pytest.mark.parametrize("text", ["a" * 200_000, " " * 200_000 + "x", "\n" * 200_000 + "é"])
def test_very_long_pre_tokens_encode_as_merging_step_by_step(gpt2, text):
    steps = [gpt2.merge_steps(word)[-1] for word in RELEASED_PATTERN.findall(text)]
    assert gpt2.encode(text) == [token for ids in steps for token in ids]


def test_what_is_remembered_stays_within_bounds_and_changes_nothing(gpt2, monkeypatch):
    text = PYTHON_DOCS[:20_000] + " " + "x" * 1000
    expected = gpt2.encode(text)
    monkeypatch.setattr(Memo, "MOST_KEYS", 20)
    fresh = Tokenizer(gpt2.merges)
    for _ in range(2):
        assert fresh.encode(text) == expected
        for memo in (fresh._ids_of_word, fresh._ids_of_stretch):
            assert 0 < len(memo) <= 20
            assert max(map(len, memo)) <= Memo.LONGEST_KEY
