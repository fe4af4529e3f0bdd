"""The curve of a training run: what it draws."""

import matplotlib.pyplot as plt
import pytest

from minigpt.training import Record
from minigpt.viz.figures.curves import plot_curve, plot_losses


def record(step, loss, val_loss=None):
    return Record(step, loss, lr=0.001, grad_norm=1.0, tokens_per_second=1.0, val_loss=val_loss)


RUN = [record(0, 6.9), record(1, 3.0, val_loss=2.9), record(2, 1.5), record(3, 0.8, val_loss=0.7)]


@pytest.fixture
def ax():
    ax = plot_curve(RUN, {"floor": 0.5, "memory": 0.7}, max_steps=10)
    yield ax
    plt.close(ax.figure)


def test_losses_looks_and_levels_are_drawn_where_they_belong(ax):
    batches, looks, floor, memory = ax.lines
    assert list(zip(*batches.get_data())) == [(1, 6.9), (2, 3.0), (3, 1.5), (4, 0.8)]
    assert list(zip(*looks.get_data())) == [(2, 2.9), (4, 0.7)]
    assert set(floor.get_ydata()) == {0.5} and set(memory.get_ydata()) == {0.7}


def test_axes_are_labelled_and_hold_all_that_is_drawn(ax):
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss (nats per token)")
    assert ax.get_xlim() == (0, 10)
    low, high = ax.get_ylim()
    assert low < 0.5 and high > 6.9


def test_no_two_lines_are_told_apart_by_colour_alone(ax):
    looks = [(line.get_linestyle(), line.get_marker()) for line in ax.lines]
    assert len(set(looks)) == 4
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["each batch", "held out", "floor, 0.50", "memory, 0.70"]


def test_a_run_without_looks_and_levels_is_drawn():
    ax = plot_curve(RUN[:1])
    assert len(ax.lines) == 1
    plt.close(ax.figure)


def test_named_losses_are_drawn_from_their_first_step_each_with_a_line_of_its_own():
    ax = plot_losses({"right": [3.0, 2.0], "wrong": [3.0, 4.0]}, {"floor": 0.5}, first_step=60)
    right, wrong, floor = ax.lines
    assert list(zip(*right.get_data())) == [(60, 3.0), (61, 2.0)]
    assert list(zip(*wrong.get_data())) == [(60, 3.0), (61, 4.0)]
    assert set(floor.get_ydata()) == {0.5}
    assert right.get_linestyle() != wrong.get_linestyle()
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["right", "wrong", "floor, 0.50"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss (nats per token)")
    plt.close(ax.figure)
