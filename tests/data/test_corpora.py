"""Each corpus gives back its own text, cut once, or says why it cannot."""

import sys
import warnings
from itertools import islice

import numpy as np
import pytest
import torch

from minigpt.data import NO_TARGET, corpora, get_batch, load_data
from minigpt.data.corpora import TRAIN_SEED, VAL_SEED, VAL_STORIES
from minigpt.stories import Stories
from minigpt.tokenizer import Tokenizer
from tests.data.draws import TEXT, seeded

# --- Stories ----------------------------------------------------------------------------------


def test_stories_lie_between_end_of_text_tokens(few_stories, story_tokenizer):
    d = few_stories
    assert (d.name, d.tokenizer) == ("stories", story_tokenizer)
    for ids, starts, seed, count in (
        (d.train, d.train_starts, TRAIN_SEED, 60),
        (d.val, d.val_starts, VAL_SEED, 40),
    ):
        told = list(islice(Stories(seed), count))
        end = "<|endoftext|>"
        assert story_tokenizer.decode(ids) == end + "".join(story + end for story in told)
        assert starts.dtype == np.int64
        assert [story_tokenizer.decode(ids[s : s + 1]) for s in starts] == [end] * count
        assert story_tokenizer.decode(ids[starts[7] + 1 : starts[8]]) == told[7]


def test_the_floor_is_the_entropy_over_the_mean_number_of_tokens(few_stories, story_tokenizer):
    told = list(islice(Stories(VAL_SEED), 40))
    tokens = sum(len(story_tokenizer.encode(story)) + 1 for story in told)
    assert few_stories.floor == pytest.approx(Stories.entropy() / (tokens / 40))
    # One token of one batch is no more and no less than one token of the whole.
    _, y = few_stories.batch("val", 400, 1, seeded())
    assert (y != NO_TARGET).sum() in [len(story_tokenizer.encode(s)) + 1 for s in told]


def test_no_held_out_story_is_trained_on():
    assert not set(islice(Stories(TRAIN_SEED), 2000)) & set(islice(Stories(VAL_SEED), VAL_STORIES))


def test_a_bigram_model_is_far_from_the_floor(few_stories, story_tokenizer, monkeypatch):
    # What can be known from the token before alone, counted on the very stories it is tested on.
    ids = few_stories.train.astype(np.int64)
    pairs = np.zeros((story_tokenizer.vocab_size,) * 2)
    np.add.at(pairs, (ids[:-1], ids[1:]), 1)
    probability = pairs[ids[:-1], ids[1:]] / pairs.sum(1)[ids[:-1]]
    assert -np.log(probability).mean() > 2 * few_stories.floor


def test_stories_need_a_token_that_ends_them():
    with pytest.raises(ValueError, match=r"no <\|endoftext\|>"):
        load_data("stories", Tokenizer.train("abc", 256, special_tokens=()))


@pytest.mark.parametrize("count", [0, -1, 2.5, "many"])
def test_a_wrong_number_of_stories_is_refused(count, story_tokenizer):
    with pytest.raises(ValueError, match="stories is"):
        load_data("stories", story_tokenizer, stories=count)


def test_gpt2s_tokenizer_serves_for_stories_too(monkeypatch):
    monkeypatch.setattr(corpora, "VAL_STORIES", 3)
    d = load_data("stories", Tokenizer.gpt2(), stories=3)
    assert d.train[0] == 50256
    assert d.train.dtype == np.uint16


# --- Texts ------------------------------------------------------------------------------------


def test_a_text_file_gives_back_its_text_nine_tenths_and_one(text_file):
    d = load_data(text_file, vocab_size=300)
    cut = len(TEXT) * 9 // 10
    assert d.name == "fuchs.txt"
    assert d.tokenizer.decode(d.train) == TEXT[:cut]
    assert d.tokenizer.decode(d.val) == TEXT[cut:]
    assert d.train_starts is d.val_starts is d.floor is None
    x, y = d.batch("val", 5, 2, seeded())
    expected = get_batch(d.val, 5, 2, seeded())
    assert torch.equal(x, expected[0])
    assert torch.equal(y, expected[1])


def test_a_path_may_be_a_string_and_a_tokenizer_may_be_given(text_file):
    gpt2 = Tokenizer.gpt2()
    d = load_data(str(text_file), gpt2)
    assert d.tokenizer is gpt2
    assert np.array_equal(d.train, gpt2.encode(TEXT[: len(TEXT) * 9 // 10]))


def test_the_tokenizer_is_trained_on_the_training_part_alone(text_file):
    train = TEXT[: len(TEXT) * 9 // 10]
    assert load_data(text_file, vocab_size=280).tokenizer == Tokenizer.train(train, 280)


def test_line_ends_and_the_mark_of_windows_make_no_difference(text_file, tmp_path):
    windows = tmp_path / "windows.txt"
    windows.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    ours, theirs = (load_data(path, vocab_size=300) for path in (text_file, windows))
    assert ours.tokenizer == theirs.tokenizer
    assert np.array_equal(ours.train, theirs.train) and np.array_equal(ours.val, theirs.val)


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(
        FileNotFoundError, match="no file storys.*stories, python-docs, shakespeare"
    ):
        load_data("storys")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds 0 characters"),
        (b"short", "holds 5 characters; it must be at least 10"),
        ("Früh am Morgen".encode("latin-1"), "is not UTF-8 .* at byte 2"),
        ("Früh am Morgen".encode("utf-16"), "is not UTF-8"),
        (b"PK\x03\x04\xff\xfe\x00\x00\x00\x00\x00", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_text_is_refused(tmp_path, content, words):
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load_data(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        load_data(tmp_path)


@pytest.mark.parametrize("name", [None, 3, ["stories"]])
def test_what_is_neither_name_nor_path_is_refused(name):
    with pytest.raises(ValueError, match="there is no corpus"):
        load_data(name)


def test_a_tokenizer_and_a_vocab_size_exclude_each_other(text_file, story_tokenizer):
    with pytest.raises(ValueError, match="not both"):
        load_data(text_file, story_tokenizer, vocab_size=300)


def test_the_python_documentation_needs_no_download(monkeypatch):
    text = corpora.python_docs()
    assert len(text) > 300_000
    assert "Assignment" in text
    # The tokenizer's own speed is tested elsewhere: the beginning will do here.
    monkeypatch.setitem(corpora.TEXTS, "python-docs", lambda: text[:20_000])
    d = load_data("python-docs")
    assert (d.name, d.tokenizer.vocab_size) == ("python-docs", 1024)
    assert d.tokenizer.decode(np.concatenate([d.train, d.val])) == text[:20_000]


def test_a_python_without_its_documentation_is_told_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(FileNotFoundError, match="pydoc_data"):
        load_data("python-docs")


def test_nothing_warns_when_all_is_well(text_file):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_data(text_file, vocab_size=300)
