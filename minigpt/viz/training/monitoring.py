"""What there is to say of a training run while it goes on: a short history, and a line of words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from minigpt.training import Record

COLUMNS = ("step", "loss", "lowest", "highest", "lr", "grad_norm", "tokens_per_second")
Row = tuple[float, ...]  # a number for each of the columns


def row_of(record: Record) -> Row:
    """Return one step as a row; steps are counted from 1."""
    loss = record.loss
    return (record.step + 1, loss, loss, loss, record.lr, record.grad_norm,
            record.tokens_per_second)  # fmt: skip


def as_one_row(rows: Sequence[Row]) -> Row:
    """Return several equally long stretches as one: their last step, means, lowest and highest.

    >>> as_one_row([(1, 3.0, 3.0, 3.0, 0.1, 1.0, 50.0), (2, 1.0, 1.0, 1.0, 0.3, 2.0, 70.0)])
    (2, 2.0, 1.0, 3.0, 0.2, 1.5, 60.0)
    """
    step, loss, lowest, highest, *others = zip(*rows)
    means = (sum(column) / len(rows) for column in (loss, *others))
    mean_loss, *mean_others = means
    return (step[-1], mean_loss, min(lowest), max(highest), *mean_others)


class ShortHistory:
    """The history of a run in at most `most` rows, however long the run is.

    While there are few steps each has a row. When the rows are full, every two become one, and
    from then on a row stands for twice as many steps.
    """

    def __init__(self, most: int = 1000) -> None:
        assert most % 2 == 0, "rows are joined two by two"
        self.most, self.steps_in_a_row = most, 1
        self._rows: list[Row] = []
        self._open: list[Row] = []  # steps that do not fill a row yet

    def add(self, record: Record) -> None:
        """Take one more step."""
        self._open.append(row_of(record))
        if len(self._open) < self.steps_in_a_row:
            return
        self._rows.append(as_one_row(self._open))
        self._open = []
        if len(self._rows) == self.most:
            self._rows = list(map(as_one_row, zip(self._rows[::2], self._rows[1::2])))
            self.steps_in_a_row *= 2

    def rows(self) -> list[Row]:
        """Return what there is; the last row may stand for fewer steps than the others."""
        return self._rows + ([as_one_row(self._open)] if self._open else [])


def in_time(seconds: float) -> str:
    """Write a duration in two units at most.

    >>> in_time(7.2), in_time(125), in_time(7320)
    ('7 s', '2 min 5 s', '2 h 2 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def in_words(
    record: Record,
    max_steps: int,
    *,
    look: tuple[int, float] | None = None,
    floor: float | None = None,
    seconds_left: float | None = None,
) -> str:
    """Say in one line where a run stands; `look` is the last held-out loss and its step.

    >>> in_words(Record(9, 1.25, 0.001, 0.5, 1000.0), 350, look=(10, 1.5), floor=0.5)
    'step 10 of 350: loss 1.250, held out 1.500 at step 10 (3.00 × floor), lr 0.001, \
gradient 0.5, 1,000 tokens/s'
    """
    words = f"step {record.step + 1:,} of {max_steps:,}: loss {record.loss:.3f}"
    if look is not None:
        step, loss = look
        above = f" ({loss / floor:.2f} × floor)" if floor else ""
        words += f", held out {loss:.3f} at step {step:,}{above}"
    words += f", lr {record.lr:.2g}, gradient {record.grad_norm:.2g}"
    if math.isfinite(record.tokens_per_second):
        words += f", {record.tokens_per_second:,.0f} tokens/s"
    if seconds_left is not None and record.step + 1 < max_steps:
        words += f", {in_time(seconds_left)} left"
    return words
