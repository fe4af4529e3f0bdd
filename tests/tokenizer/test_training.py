"""Training learns the merges of Hugging Face's trainer, and of the slow obvious one."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers import models, pre_tokenizers, trainers

from minigpt.tokenizer import END_OF_TEXT, Tokenizer, bpe
from tests.tokenizer.slow import PYTHON_DOCS, few_letters, nasty_text, slow_train


def hugging_face_merges(documents, vocab_size):
    """Train with Hugging Face's library, and return its merges as pairs of our ids."""
    tokenizer = HuggingFaceTokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[END_OF_TEXT],
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    # Its ids start with the special token, ours end with it.
    their_id = tokenizer.get_vocab()
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    return [(their_id[left] - 1, their_id[right] - 1) for left, right in merges]


def test_merges_on_the_python_docs_at_4096_are_hugging_faces():
    merges = Tokenizer.train(PYTHON_DOCS, 4096).merges
    assert len(merges) == 4096 - 257
    assert merges == hugging_face_merges([PYTHON_DOCS], 4096)


@pytest.mark.thorough
def test_merges_on_the_start_of_the_python_docs_are_the_slow_trainers():
    text = PYTHON_DOCS[:20_000]
    assert Tokenizer.train(text, 456, ()).merges == slow_train(text, 200)


@settings(max_examples=200, deadline=None)
@given(st.lists(few_letters | nasty_text, max_size=4))
def test_merges_on_any_documents_down_to_pairs_seen_once_are_hugging_faces(documents):
    tokenizer = Tokenizer.train(documents, 2000)
    assert tokenizer.merges == hugging_face_merges(documents, 2000)


@settings(max_examples=200, deadline=None)
@given(few_letters, st.integers(0, 40))
def test_merges_on_few_letters_are_the_slow_trainers(text, n_merges):
    assert Tokenizer.train(text, 256 + n_merges, ()).merges == slow_train(text, n_merges)


def test_overlapping_pairs_are_merged_from_the_left():
    tokenizer = Tokenizer.train("aaaaa", 258, ())
    a = tokenizer.encode("a")[0]
    assert tokenizer.merges == [(a, a), (256, a)]
    assert tokenizer.encode("aaa") == [257]
    assert tokenizer.encode("aaaa") == [256, 256]
    assert tokenizer.encode("aaaaa") == [256, 257]


def test_training_stops_early_when_every_word_is_one_token():
    tokenizer = Tokenizer.train("ab ab", 1000)
    assert tokenizer.merges == [tuple(tokenizer.encode("a") + tokenizer.encode("b")), (220, 256)]
    assert tokenizer.vocab_size == 259
    assert tokenizer.end_of_text == 258


@pytest.mark.parametrize("nothing", ["", [], [""], iter([])])
def test_no_text_trains_a_tokenizer_of_bytes(nothing):
    tokenizer = Tokenizer.train(nothing, 1000)
    assert tokenizer.merges == []
    assert tokenizer.encode("é") == [bpe.ID_OF_BYTE[byte] for byte in "é".encode()]


def test_merges_never_cross_documents():
    assert Tokenizer.train(["a", "b"] * 10, 300).merges == []
    assert Tokenizer.train("ab" * 10, 300).merges != []


def test_documents_may_come_from_a_generator():
    documents = PYTHON_DOCS[:9000].split("\n")
    expected = Tokenizer.train(documents, 300)
    assert Tokenizer.train((document for document in documents), 300) == expected
