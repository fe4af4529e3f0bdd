"""The roofline: its roof is the lower of two limits, and no label lies on anything."""

import itertools
import random

import matplotlib.pyplot as plt
import pytest
from matplotlib.text import Annotation

from minigpt.viz.figures import plot_roofline

PEAK, BANDWIDTH = 8e10, 1e10  # they meet at 8 FLOP a byte
POINTS = {"prefill": (100.0, 6e10), "decoding": (0.5, 4e9)}


@pytest.fixture(autouse=True)
def no_window():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def line(ax, label):
    return [each for each in ax.lines if each.get_label() == label]


def labels(ax):
    return [text for text in ax.texts if isinstance(text, Annotation)]


def test_the_roof_is_the_lower_of_both_limits():
    ax = plot_roofline(PEAK, BANDWIDTH, POINTS)
    [roof] = line(ax, "roof")
    xs, ys = roof.get_data()
    assert list(ys) == pytest.approx([min(80, 10 * x) for x in xs])
    assert 8 in xs and ys[1] == 80
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_ylabel() == "speed (GFLOP/s)"
    assert ax.get_title() == "10 GB/s, 80 GFLOP/s; they meet at 8 FLOP per byte"


def test_points_stand_where_they_were_measured_each_with_its_way_to_the_roof():
    ax = plot_roofline(PEAK, BANDWIDTH, POINTS)
    found = [tuple(float(x[0]) for x in each.get_data()) for each in line(ax, "_point")]
    assert found == [(100, 60), (0.5, 4)]
    assert len({each.get_marker() for each in line(ax, "_point")}) == 2
    ways = [each.get_ydata() for each in ax.lines if each.get_linestyle() == ":"]
    assert [list(way) for way in ways] == [[60, 80], [4, 5]]
    assert [text.get_text() for text in labels(ax)] == ["prefill", "decoding"]
    assert [text.xy for text in labels(ax)] == [(100, 60), (0.5, 4)]


def test_a_fast_machine_has_larger_units_and_all_is_within_the_axes():
    ax = plot_roofline(1e15, 3e12, {"slow": (1e-3, 1e6), "above the roof": (1e4, 1.2e15)})
    assert ax.get_ylabel() == "speed (TFLOP/s)"
    for (x, y), corner in ((each.get_data(), ax) for each in line(ax, "_point")):
        assert corner.get_xlim()[0] < x[0] < corner.get_xlim()[1]
        assert corner.get_ylim()[0] < y[0] < corner.get_ylim()[1]


def scattered(seed, crowded):
    """Points all over and points in a crowd, with labels of several lengths."""
    chance = random.Random(seed)
    near = [(chance.uniform(80, 120), chance.uniform(4e10, 6e10)) for _ in range(crowded)]
    far = [(10 ** chance.uniform(-1, 2), 10 ** chance.uniform(8, 10)) for _ in range(10 - crowded)]
    names = [f"{'prefill of many tokens'[: 6 + 2 * i]} {i}" for i in range(10)]
    return dict(zip(names, near + far))


def overlaps(ax, points):
    """What lies on a label: another label, or a point."""
    boxes = [text.get_window_extent() for text in labels(ax)]
    spots = [ax.transData.transform([(x, y / 1e9)])[0] for x, y in points.values()]
    pairs = [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    return pairs + [pair for pair in itertools.product(boxes, spots) if pair[0].contains(*pair[1])]


@pytest.mark.parametrize("dpi", [72, 100, 200])
@pytest.mark.parametrize("seed", range(4))
def test_no_label_lies_on_anything_or_outside(seed, dpi):
    points = scattered(seed, crowded=3)
    ax = plot_roofline(PEAK, BANDWIDTH, points, plt.figure(figsize=(8.2, 4.4), dpi=dpi).subplots())
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in labels(ax)]
    assert len(boxes) == 10 and not overlaps(ax, points)
    roof = line(ax, "roof")[0]
    for leader, box in itertools.product(line(ax, "_leader"), boxes):
        path = leader.get_path().transformed(ax.transData)
        ends = path.interpolated(200).vertices[:-1]  # the last is on the label's edge
        assert not box.padded(-0.5).count_contains(ends)
    for box in boxes:
        assert not roof.get_path().transformed(ax.transData).intersects_bbox(box, filled=False)
        assert ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1
        assert ax.bbox.y0 <= box.y0 and box.y1 <= ax.bbox.y1


@pytest.mark.parametrize("seed", range(8))
def test_in_a_crowd_labels_still_lie_on_no_other_and_on_no_point(seed):
    points = scattered(seed, crowded=8)
    ax = plot_roofline(PEAK, BANDWIDTH, points)
    assert len(labels(ax)) == 10 and not overlaps(ax, points)


def test_points_at_one_place_have_labels_apart():
    ax = plot_roofline(PEAK, BANDWIDTH, {f"run {i}": (10.0, 1e10) for i in range(6)})
    boxes = [text.get_window_extent() for text in labels(ax)]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert len(line(ax, "_leader")) >= 4  # those that stand away have a line to their point


def test_more_labels_than_there_is_room_for_are_refused():
    many = {f"a long label, {i}": (10.0, 1e10) for i in range(5)}
    small = plt.figure(figsize=(2.4, 1), dpi=100).subplots()
    with pytest.raises(ValueError, match="there is no room for the label 'a long label"):
        plot_roofline(PEAK, BANDWIDTH, many, small)


def test_no_points_leave_the_roof_and_labels_are_text():
    assert len(plot_roofline(PEAK, BANDWIDTH, {}).lines) == 1
    ax = plot_roofline(PEAK, BANDWIDTH, {"$狐": (1, 1e9)})
    assert labels(ax)[0].get_text() == r"\$\u72d0"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 1e9, {}), "peak_flops is 0; it must be a number above 0"),
        ((1e9, float("nan"), {}), "bandwidth is nan"),
        ((1e9, "fast", {}), "bandwidth is 'fast'"),
        ((1e9, 1e9, [(1, 2)]), r"points is \[\(1, 2\)\]; it must be {label"),
        ((1e9, 1e9, {"a": 3}), "the point 'a' is 3; it must be a pair"),
        ((1e9, 1e9, {"a": (0, 1e9)}), "intensity of 'a' is 0"),
        ((1e9, 1e9, {"a": (1, -1e9)}), "speed of 'a' is -1"),
    ],
)
def test_what_no_logarithm_has_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        plot_roofline(*arguments)
