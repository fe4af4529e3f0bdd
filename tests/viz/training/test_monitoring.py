"""The short history of a run, and the line that says where it stands."""

import math

import pytest

from minigpt.training import Record
from minigpt.viz.training.monitoring import COLUMNS, ShortHistory, in_time, in_words, row_of


def record(step, loss=1.0, grad_norm=2.0, speed=100.0):
    return Record(step, loss, 0.1 * step, grad_norm, speed)


def history(n, most=8, losses=None):
    short = ShortHistory(most)
    records = [record(i, loss=(losses or range(n))[i]) for i in range(n)]
    for each in records:
        short.add(each)
    return short, records


def column(rows, name):
    return [row[COLUMNS.index(name)] for row in rows]


def test_a_row_has_a_number_for_each_column_and_counts_steps_from_1():
    row = dict(zip(COLUMNS, row_of(Record(4, 1.5, 0.1, 2.0, 90.0)), strict=True))
    assert row == {
        **{"step": 5, "loss": 1.5, "lowest": 1.5, "highest": 1.5},
        **{"lr": 0.1, "grad_norm": 2.0, "tokens_per_second": 90.0},
    }


def test_a_short_run_has_a_row_for_each_step():
    short, records = history(7)
    assert short.rows() == [row_of(each) for each in records]
    assert ShortHistory().rows() == []


@pytest.mark.parametrize("n", [8, 9, 16, 17, 31, 100, 1000])
def test_a_long_run_is_told_in_few_rows_that_are_means_of_equal_stretches(n):
    short, records = history(n, losses=[math.sin(i) for i in range(n)])
    rows, size = short.rows(), short.steps_in_a_row
    assert n / size <= len(rows) <= 8
    for i, row in enumerate(rows):
        part = records[i * size : (i + 1) * size]
        losses = [each.loss for each in part]
        assert row[0] == part[-1].step + 1
        assert row[1] == pytest.approx(sum(losses) / len(part))
        assert row[2:4] == (min(losses), max(losses))
        assert row[4] == pytest.approx(sum(each.lr for each in part) / len(part))
    assert rows[-1][0] == n


def test_a_loss_that_is_no_number_spoils_its_own_row_only():
    short, _ = history(20, losses=[math.nan if i == 9 else 1.0 for i in range(20)])
    losses = column(short.rows(), "loss")
    assert sum(map(math.isnan, losses)) == 1 and len(losses) == 5


def test_words_tell_what_there_is_to_tell():
    last = Record(149, 0.9123, 4.2e-3, 0.318, 12_345.6)
    assert in_words(last, 350) == (
        "step 150 of 350: loss 0.912, lr 0.0042, gradient 0.32, 12,346 tokens/s"
    )
    words = in_words(last, 350, look=(100, 0.94), floor=0.47, seconds_left=200)
    assert ", held out 0.940 at step 100 (2.00 × floor), " in words
    assert words.endswith(", 3 min 20 s left")
    assert in_words(last, 150, seconds_left=0).endswith("tokens/s")  # it is over
    assert "tokens/s" not in in_words(record(3, speed=math.nan), 9)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (90_000, "25 h 0 min"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, words):
    assert in_time(seconds) == words
