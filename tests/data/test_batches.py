"""A batch is windows and the same windows one token on; of stories, one story a row."""

from itertools import islice

import numpy as np
import pytest
import torch

from minigpt.data import NO_TARGET, get_batch
from minigpt.data.corpora import VAL_SEED
from minigpt.stories import Stories
from tests.data.draws import seeded

# --- get_batch --------------------------------------------------------------------------------


def test_a_batch_is_the_windows_that_one_draw_of_starts_gives():
    ids = np.random.default_rng(0).integers(0, 50_000, 300).astype(np.uint16)
    x, y = get_batch(ids, 7, 5, seeded())
    starts = torch.randint(300 - 7, (5,), generator=seeded())
    assert x.tolist() == [ids[s : s + 7].tolist() for s in starts]
    assert y.tolist() == [ids[s + 1 : s + 8].tolist() for s in starts]


@pytest.mark.parametrize("kind", [np.uint16, np.uint32, np.int64, torch.int64, torch.int32, list])
def test_a_batch_is_int64_whatever_the_ids_are_kept_in(kind):
    ids = list(range(40))
    if isinstance(kind, torch.dtype):
        ids = torch.tensor(ids, dtype=kind)
    elif kind is not list:
        ids = np.array(ids, kind)
    x, y = get_batch(ids, 4, 3, seeded())
    assert x.shape == y.shape == (3, 4)
    assert x.dtype == y.dtype == torch.int64
    assert x.is_contiguous() and y.is_contiguous()
    assert torch.equal(y, x + 1)


def test_the_first_and_the_last_window_are_both_drawn():
    x, y = get_batch(np.arange(10), 4, 500, seeded())
    assert x.min() == 0
    assert y.max() == 9


def test_a_batch_can_be_changed_without_changing_the_data():
    ids = np.arange(5)
    x, _ = get_batch(ids, 4, 1, seeded())
    x.zero_()
    assert ids.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.arange(8), 8, 1), "data has 8 tokens"),
        ((np.arange(0), 1, 1), "data has 0 tokens"),
        ((np.arange(8), 0, 1), "block_size is 0"),
        ((np.arange(8), 4, -1), "batch_size is -1"),
        ((np.arange(8), 4.0, 1), "block_size is 4.0"),
        ((np.arange(8), 4, True), "batch_size is True"),
        ((np.zeros((4, 4), int), 2, 1), r"one row of token ids, not int64 \(4, 4\)"),
        ((np.zeros(8), 2, 1), "one row of token ids, not float64"),
        (("some text", 2, 1), "one row of token ids"),
    ],
)
def test_a_batch_that_cannot_be_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        get_batch(*arguments)


# --- Stories ----------------------------------------------------------------------------------


def test_a_row_is_one_story_and_no_target_lies_beyond_its_end(few_stories, story_tokenizer):
    d, end = few_stories, story_tokenizer.end_of_text
    told = [story_tokenizer.encode(story) for story in islice(Stories(VAL_SEED), 40)]
    drawn = torch.randint(40, (50,), generator=seeded(3))
    x, y = d.batch("val", 400, 50, seeded(3))
    assert x.dtype == y.dtype == torch.int64
    assert x.shape == y.shape == (50, 400)
    for row, i in enumerate(drawn):
        pad = 400 - len(told[i]) - 1
        assert pad > 0
        assert np.array_equal(x[row], [end, *told[i]] + [end] * pad)
        assert np.array_equal(y[row], [*told[i], end] + [NO_TARGET] * pad)


def test_the_last_story_has_its_end_too(few_stories):
    x, y = few_stories.batch("train", 400, 500, seeded())
    last = few_stories.train[few_stories.train_starts[-1] :].tolist()
    rows = [row for row in range(500) if x[row, : len(last) - 1].tolist() == last[:-1]]
    assert rows
    assert np.array_equal(y[rows[0], : len(last) - 1], last[1:])


def test_a_short_window_holds_the_beginning_of_a_story(few_stories):
    x, y = few_stories.batch("train", 8, 20, seeded())
    assert (x[:, 0] == few_stories.tokenizer.end_of_text).all()
    assert torch.equal(x[:, 1:], y[:, :-1])
    assert (y >= 0).all()


def test_a_split_is_train_or_val(few_stories):
    with pytest.raises(ValueError, match="split is 'test'"):
        few_stories.batch("test", 8, 1)
