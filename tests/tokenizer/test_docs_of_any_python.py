"""What lesson 01 says of the Python docs holds for the docs of any Python."""

import re
from collections import Counter
from itertools import pairwise

import pytest

from minigpt import Stories, Tokenizer
from minigpt.data import python_docs
from minigpt.tokenizer.bpe import ANY_TEXT

pytestmark = pytest.mark.thorough
DOCS = python_docs()
SEEN, UNSEEN = DOCS[: len(DOCS) * 9 // 10], DOCS[len(DOCS) * 9 // 10 :]
CHINESE = "小狐狸在河边找到了红色的风筝。"


def unknown_words(words_of):
    known, new = set(words_of(SEEN)), words_of(UNSEEN)
    unknown = [word for word in new if word not in known]
    return unknown, len(unknown) / len(new)


def test_one_word_in_six_is_unknown_and_without_glued_signs_one_in_twenty():
    unknown, share = unknown_words(str.split)
    assert 1 / 8 < share < 1 / 5
    assert sum(not word.isalpha() for word in unknown) > 0.6 * len(unknown)
    assert 1 / 30 < unknown_words(re.compile(r"\w+").findall)[1] < 1 / 14


def test_counting_words_saves_most_of_the_work():
    words = Counter(ANY_TEXT.findall(DOCS))
    assert words.total() > 10 * len(words) > 100 * sum("th" in word for word in words)


def test_its_first_tokens_are_indentation_and_its_long_ones_say_what_it_is_about():
    tokenizer = Tokenizer.train(DOCS, 256 + 1000, special_tokens=())
    tokens = [tokenizer.token_bytes(i).decode(errors="replace") for i in range(256, 1256)]
    assert "  " in tokens[:3] and " the" in tokens[:30]
    assert {" statement", " function", " object"} <= set(tokens)


def bytes_per_token(tokenizer, text):
    return len(text.encode()) / len(tokenizer.encode(text))


@pytest.fixture(scope="module")
def ours():
    sizes = [256, 512, 1024, 2048, 4096]
    return [Tokenizer.train(SEEN, size, special_tokens=()) for size in sizes]


def test_each_doubling_gains_less(ours):
    found = [bytes_per_token(tokenizer, UNSEEN) for tokenizer in ours]
    gains = [after - before for before, after in pairwise(found)]
    assert gains == sorted(gains, reverse=True)
    assert found[1] > 2 and 3.5 < found[-1] < 4.5
    assert {bytes_per_token(tokenizer, CHINESE) for tokenizer in ours} == {1.0}


def test_a_tokenizer_is_good_at_what_it_was_trained_on(ours):
    gpt2, stories = Tokenizer.gpt2(), " ".join(story for story, _ in zip(Stories(1), range(50)))
    squeezed = re.sub("  +", " ", UNSEEN)
    here, there = (
        [bytes_per_token(t, text) for t in (ours[-1], gpt2)] for text in (UNSEEN, squeezed)
    )
    assert here[0] > here[1] and there[0] < here[0] and there[1] > 1.2 * here[1]
    assert bytes_per_token(ours[-1], stories) < bytes_per_token(gpt2, stories)
    assert len(set(gpt2.encode(DOCS))) < 10_000
