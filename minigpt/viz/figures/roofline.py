"""The roofline: how fast a machine can be at most, against what it does with each byte it reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import cycle, pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.ticker import NullFormatter
from matplotlib.transforms import Bbox

from minigpt.config import is_number, require
from minigpt.viz.figures.plots import INK, OKABE_ITO, drawable

MARKERS = "osD^vPX*"  # so that no point is told by colour alone
MARKER = 14  # pixels around a marker that stay free, for figures of 100 dots an inch
AROUND = 30  # pixels around another point in which a label would be taken for its
NEAR, RINGS, SIDES = 5, 40, 16  # of places around a point that are tried for its label


def plot_roofline(
    peak_flops: float,
    bandwidth: float,
    points: Mapping[str, tuple[float, float]],
    ax: Axes | None = None,
) -> Axes:
    """Draw a machine's roof and measured points under it, on two logarithmic axes.

    `peak_flops` is the most it calculates (FLOP/s), `bandwidth` the most it reads (bytes/s): the
    roof is the lower of the two limits. `points` are {label: (arithmetic intensity in FLOP a byte,
    FLOP/s)}. A dotted line leads from each up to the roof. Labels lie beside one another, never on
    one another; enlarge the figure before the call, not after it. Raises ValueError for what is not
    above 0, and for more labels than there is room for. Williams, Waterman and Patterson 2009.
    """
    check_limits(peak_flops, bandwidth, points)
    if ax is None:
        _, ax = plt.subplots(figsize=(8.2, 4.4), dpi=100)
    unit, name = (1e12, "TFLOP/s") if peak_flops >= 1e13 else (1e9, "GFLOP/s")
    ridge = peak_flops / bandwidth
    low = min([ridge, *(x for x, _ in points.values())]) / 4
    high = max([ridge, *(x for x, _ in points.values())]) * 4
    speeds = [min(peak_flops, bandwidth * low), peak_flops, *(y for _, y in points.values())]
    ax.set(xscale="log", yscale="log", xlim=(low, high))
    ax.set_ylim(min(speeds) / unit / 3, max(speeds) / unit * 3)
    ax.set(xlabel="arithmetic intensity (FLOP per byte)", ylabel=f"speed ({name})")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.6g}")
        axis.set_minor_formatter(NullFormatter())
    roof = [(x, min(peak_flops, bandwidth * x) / unit) for x in (low, ridge, high)]
    ax.plot(*zip(*roof), color=INK, linewidth=2, label="roof")
    limits = f"{bandwidth / 1e9:,.3g} GB/s, {peak_flops / unit:,.3g} {name}"
    ax.set_title(f"{limits}; they meet at {ridge:,.3g} FLOP per byte")
    for (x, y), marker, colour in zip(points.values(), cycle(MARKERS), cycle(OKABE_ITO)):
        top = min(peak_flops, bandwidth * x)
        ax.plot([x, x], [y / unit, top / unit], ":", color=INK, linewidth=1)
        ax.plot([x], [y / unit], marker, color=colour, markersize=8, label="_point")
    put_labels(ax, {label: (x, y / unit) for label, (x, y) in points.items()})
    return ax


def check_limits(peak_flops, bandwidth, points) -> None:
    """Raise ValueError unless limits and points are numbers that a logarithm has."""
    require(isinstance(points, Mapping), "points", points, "{label: (FLOP per byte, FLOP/s)}")
    numbers = {"peak_flops": peak_flops, "bandwidth": bandwidth}
    for label, point in points.items():
        require(
            isinstance(point, tuple) and len(point) == 2,
            f"the point {label!r}",
            point,
            "a pair: (FLOP per byte, FLOP/s)",
        )
        numbers |= {f"{what} of {label!r}": n for what, n in zip(("intensity", "speed"), point)}
    for name, value in numbers.items():
        require(is_number(value) and 0 < value < math.inf, name, value, "a number above 0")


def put_labels(ax: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Write a label beside each point; it never covers another label or a point.

    It stays off all lines too, and away from other points, where there is room for that.
    """
    ax.figure.draw_without_rendering()  # the layout is settled now
    scale = ax.figure.dpi / 100
    spots = np.array([ax.transData.transform(point) for point in points.values()]).reshape(-1, 2)
    [roof] = [along(line, 3 * scale) for line in ax.lines if line.get_label() == "roof"]
    dotted = [along(line, 3 * scale) for line in ax.lines if line.get_linestyle() == ":"]
    markers, labels = around(spots, MARKER * scale), np.empty((0, 4))
    for i, (label, point) in enumerate(points.items()):
        look = dict(size=9, color=INK, va="center")
        text = ax.annotate(drawable(label), point, (0, 0), textcoords="offset points", **look)
        away = around(np.delete(spots, i, axis=0), AROUND * scale)
        leaders = [along(line, scale) for line in ax.lines if line.get_label() == "_leader"]
        always = [markers, labels]
        tries = (
            ([*always, *leaders, roof, *dotted, away], labels, NEAR),
            ([*always, *leaders, roof], labels, 2 * NEAR),
            (always, labels[:0], RINGS),
        )
        labels = np.vstack([labels, place_at_best(ax, text, spots[i], tries)])


def around(spots: np.ndarray, size: float) -> np.ndarray:
    """Return boxes (left, bottom, right, top) of one size around one spot or several."""
    return np.concatenate([spots - size / 2, spots + size / 2], axis=-1)


def along(line: Line2D, thickness: float) -> np.ndarray:
    """Return small boxes along a line, in pixels."""
    corners = line.get_transform().transform(line.get_xydata())
    ways = [np.linspace(start, end, 200) for start, end in pairwise(corners)]
    return around(np.concatenate(ways), thickness)


def is_free(box: np.ndarray, taken: np.ndarray) -> bool:
    """Say whether a box overlaps none of the others."""
    beside = (box[:2] >= taken[:, 2:]) | (box[2:] <= taken[:, :2])
    return bool(beside.any(axis=1).all())


def places(spot: np.ndarray, size: Bbox, scale: float, rings: int) -> Iterator:
    """Yield (is it beside the spot, box) around a spot, the nearest first."""
    width, height = size.width, size.height
    for ring in range(rings):
        away = (0.8 * MARKER + 14 * ring) * scale
        for angle in np.linspace(0, 2 * np.pi, SIDES, endpoint=False):
            left = spot[0] + away * np.cos(angle) + width / 2 * (np.cos(angle) - 1)
            middle = spot[1] + away * np.sin(angle)
            box = [left, middle - height / 2, left + width, middle + height / 2]
            yield ring == 0, np.array(box)


def place(
    ax: Axes, text: Annotation, spot, taken: np.ndarray, uncrossed, rings: int
) -> np.ndarray | None:
    """Move a label to the nearest place that is not taken, with a line to its point if it is far.

    The line crosses none of the boxes `uncrossed`. Returns the label's box, or None: no place.
    """
    size, frame, dpi = text.get_window_extent(), ax.bbox, ax.figure.dpi
    low, high = np.array([frame.x0, frame.y0]), np.array([frame.x1, frame.y1])
    for is_beside, box in places(spot, size, dpi / 100, rings):
        if (box[:2] < low).any() or (box[2:] > high).any() or not is_free(box, taken):
            continue
        end = np.clip(spot, box[:2], box[2:])
        leader = [] if is_beside else around(np.linspace(spot, end, 50), 1)
        if not all(is_free(each, uncrossed) for each in leader):
            continue
        corner = np.array([box[0], (box[1] + box[3]) / 2])
        text.set_position(tuple((corner - spot) * 72 / dpi))
        if not is_beside:
            ends = ax.transData.inverted().transform([spot, end])
            ax.plot(*ends.T, color=INK, linewidth=0.6, label="_leader")
        return box
    return None


def place_at_best(ax: Axes, text: Annotation, spot, tries) -> np.ndarray:
    """Move a label to where the first of the tries (taken, uncrossed, rings) finds a place."""
    for taken, uncrossed, rings in tries:
        box = place(ax, text, spot, np.vstack(taken), uncrossed, rings)
        if box is not None:
            return box
    raise ValueError(
        f"there is no room for the label {text.get_text()!r}; draw fewer points, or give axes of "
        "a larger figure"
    )
