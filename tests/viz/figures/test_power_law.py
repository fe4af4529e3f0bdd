"""A power law: runs, line and interval where they belong, dashed where nobody looked."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from minigpt.viz.figures import plot_power_law

AMOUNTS = [1e4, 1e5, 1e6]
FLOOR = 0.5


def law(x):
    return FLOOR + 8 * x**-0.25


LOSSES = [law(x) for x in AMOUNTS]


@pytest.fixture(autouse=True)
def no_window():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def lines(ax, label):
    return [each for each in ax.lines if each.get_label() == label]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_above_the_floor_the_law_is_a_straight_line():
    ax = plot_power_law(AMOUNTS, LOSSES, law, floor=FLOOR, above_floor=True, xlabel="parameters")
    [line] = lines(ax, "fit")
    x, y = line.get_data()
    slopes = np.diff(np.log(y)) / np.diff(np.log(x))
    assert slopes == pytest.approx(-0.25)
    assert (x[0], x[-1]) == pytest.approx((1e4, 1e6))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("parameters", "loss above the floor (nats)")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert legend(ax) == ["fit", "runs"]


def test_on_plain_losses_the_floor_is_a_level_and_the_line_bends():
    ax = plot_power_law(AMOUNTS, LOSSES, law, floor=FLOOR)
    [level] = lines(ax, "floor, 0.5")
    assert set(level.get_ydata()) == {FLOOR}
    x, y = lines(ax, "fit")[0].get_data()
    assert y == pytest.approx([law(each) for each in x])
    slopes = np.diff(np.log(y)) / np.diff(np.log(x))
    assert slopes[0] < slopes[-1] < 0
    assert ax.get_ylim()[0] < FLOOR and ax.get_ylabel() == "loss (nats)"
    assert not [each for each in legend(plot_power_law(AMOUNTS, LOSSES, law)) if "floor" in each]


def test_runs_are_drawn_as_the_mean_of_their_seeds_with_their_spread():
    ax = plot_power_law(AMOUNTS, [[3.0, 4.0, 2.0], [1.5, 1.7], 1.2], law)
    points = [line for line in ax.lines if line.get_marker() == "o"]
    found = [tuple(float(v[0]) for v in line.get_data()) for line in points]
    assert found == [(1e4, 3.0), (1e5, pytest.approx(1.6)), (1e6, 1.2)]
    spreads = [list(map(float, line.get_ydata())) for line in lines(ax, "_spread")]
    assert spreads == [[2, 4], [1.5, 1.7], [1.2, 1.2]]


def test_beyond_what_was_fitted_the_line_is_dashed_and_runs_are_hollow():
    ax = plot_power_law(AMOUNTS, LOSSES, law, fitted=(1e4, 1e5), until=1e8)
    [solid], [dashed] = lines(ax, "fit"), lines(ax, "fit, extended")
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert solid.get_xdata()[-1] == dashed.get_xdata()[0] == pytest.approx(1e5)
    assert dashed.get_xdata()[-1] == pytest.approx(1e8)
    faces = [line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "o"]
    assert [face == "none" for face in faces] == [False, False, True]
    assert legend(ax) == ["fit", "fit, extended", "runs", "runs, not fitted"]


def test_below_what_was_fitted_it_is_dashed_too():
    ax = plot_power_law(AMOUNTS, LOSSES, law, fitted=(1e5, 1e6))
    [dashed] = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert tuple(dashed.get_xdata()[[0, -1]]) == pytest.approx((1e4, 1e5))
    assert legend(ax) == ["fit", "fit, extended", "runs, not fitted", "runs"]


def test_the_interval_lies_around_the_line_and_off_the_floor():
    def band(x):
        return FLOOR + (law(x) - FLOOR) / 2, FLOOR + (law(x) - FLOOR) * 2

    ax = plot_power_law(AMOUNTS, LOSSES, law, floor=FLOOR, above_floor=True, band=band)
    [area] = ax.collections
    corners = area.get_paths()[0].vertices
    ends = corners[np.isclose(corners[:, 0], 1e4), 1]
    expected = law(1e4) - FLOOR
    assert (ends.min(), ends.max()) == pytest.approx((expected / 2, expected * 2))
    assert "interval" in legend(ax)


def test_an_interval_that_reaches_below_the_floor_is_drawn():
    ax = plot_power_law(
        AMOUNTS, LOSSES, law, floor=FLOOR, above_floor=True, band=lambda x: (0.1, law(x) + 1)
    )
    assert np.isfinite(ax.collections[0].get_paths()[0].vertices).all()
    assert ax.get_ylim()[0] > 1e-3  # and the axis stays with the runs


def test_kinds_of_runs_differ_in_more_than_their_colour():
    ax = plot_power_law([*AMOUNTS, 2e6], [*LOSSES, 0.8], law, names=["a$", "b", "a$", "c"])
    assert legend(ax) == ["fit", r"a\$", "b", "c"]
    markers = [line.get_marker() for line in ax.lines if line.get_marker() not in ("None", "")]
    assert markers[0] == markers[2] and len(set(markers)) == 3


@pytest.mark.parametrize(("losses", "few"), [([3.0, 2.5, 2.1], 3), ([30, 1, 0.02], 5)])
def test_the_axis_of_losses_has_numbers_people_can_read(losses, few):
    ax = plot_power_law(AMOUNTS, losses, lambda x: 3 * (x / 1e4) ** -0.05)
    ax.figure.canvas.draw()
    texts = [text.get_text() for text in ax.get_yticklabels()]
    assert len(texts) >= few
    assert all(float(text) == pytest.approx(tick) for text, tick in zip(texts, ax.get_yticks()))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dict(losses=LOSSES[:2]), "3 amounts for 2 losses; give one a run"),
        (dict(amounts=[], losses=[]), "0 amounts for 0 losses"),
        (dict(amounts=[0, 1, 2]), "an amount is 0.0; it must be a number above 0"),
        (dict(losses=[1, 2, float("inf")]), "a loss at amount 1e.06 is inf"),
        (dict(losses=[1, [2, -1], 3]), "a loss at amount 100000 is -1.0"),
        (dict(losses=[1, [], 3]), "a loss at amount 100000 is None; it must be there"),
        (
            dict(losses=[1, 0.4, 3], floor=0.5, above_floor=True),
            "a loss at amount 100000 is 0.4; it must be a number above the floor, 0.5",
        ),
        (dict(above_floor=True), "floor is None; it must be given for losses above it"),
        (dict(floor=-1), "floor is -1; it must be a loss of at least 0, or None"),
        (dict(names=["a"]), "1 names for 3 runs"),
        (dict(fitted=(1e5, 1e4)), r"fitted is \(100000.0, 10000.0\); it must be"),
        (dict(until=-1), "until is -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(given, words):
    given = {"amounts": AMOUNTS, "losses": LOSSES, "fit": law, **given}
    with pytest.raises(ValueError, match=words):
        plot_power_law(**given)
    assert not plt.get_fignums()  # and leaves no empty figure behind
