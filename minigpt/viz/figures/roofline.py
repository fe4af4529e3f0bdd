"""The roofline: how fast a machine can be at most, against what it does with each byte it reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import cycle, pairwise

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from minigpt.config import is_number, require
from minigpt.viz.figures.plots import INK, OKABE_ITO, drawable

MARKERS = "osD^vPX*"  # so that no point is told by colour alone
MARKER = 14  # pixels around a marker that stay free, for figures of 100 dots an inch
AROUND = 30  # pixels around another point in which a label would be taken for its
RINGS, SIDES = 20, 16  # of places around a point that are tried for its label


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
    roof = [(x, min(peak_flops, bandwidth * x) / unit) for x in (low, ridge, high)]
    ax.plot(*zip(*roof), color=INK, linewidth=2, label="roof")
    ax.set_title(
        f"{bandwidth / 1e9:,.3g} GB/s, {peak_flops / unit:,.3g} {name}; they meet at "
        f"{ridge:,.3g} FLOP per byte"
    )
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
    """Write a label beside each point, where it covers no other label, no point and no line."""
    ax.figure.draw_without_rendering()  # the layout is settled now
    scale = ax.figure.dpi / 100
    spots = [ax.transData.transform(point) for point in points.values()]
    lines = [box for line in ax.lines for box in along(line, 3 * scale)]
    labels = []
    for label, spot, point in zip(points, spots, points.values()):
        text = ax.annotate(
            drawable(label),
            point,
            xytext=(0, 0),
            textcoords="offset points",
            size=9,
            color=INK,
            va="center",
        )
        others = [around(other, AROUND * scale) for other in spots if other is not spot]
        taken = [around(spot, MARKER * scale), *others, *lines, *labels]
        labels.append(place(ax, text, spot, taken, scale))


def around(spot, size: float) -> Bbox:
    return Bbox.from_bounds(spot[0] - size / 2, spot[1] - size / 2, size, size)


def along(line: Line2D, thickness: float) -> list[Bbox]:
    """Return small boxes along a line, in pixels."""
    corners = line.get_transform().transform(line.get_xydata())
    return [
        around(start + (end - start) * i / 100, thickness)
        for start, end in pairwise(corners)
        for i in range(101)
    ]


def place(ax: Axes, text: Annotation, spot, taken: list[Bbox], scale: float) -> Bbox:
    """Move a label to the nearest free place around its point, with a line where it is far."""
    size = text.get_window_extent()
    for ring in range(RINGS):
        for side in range(SIDES):
            angle = 2 * math.pi * side / SIDES
            away = (MARKER * 0.8 + 14 * ring) * scale
            x = spot[0] + away * math.cos(angle) + size.width / 2 * (math.cos(angle) - 1)
            y = spot[1] + away * math.sin(angle)
            box = Bbox.from_bounds(x, y - size.height / 2, size.width, size.height)
            if inside(box, ax.bbox) and not any(box.overlaps(other) for other in taken):
                text.set_position(tuple((c - s) * 72 / ax.figure.dpi for c, s in zip((x, y), spot)))
                if ring:
                    ends = ax.transData.inverted().transform([spot, nearest(box, spot)])
                    ax.plot(*ends.T, color=INK, linewidth=0.6, label="_leader")
                return box
    raise ValueError(
        f"there is no room for the label {text.get_text()!r}; draw fewer points, or "
        "give axes of a larger figure"
    )


def inside(box: Bbox, frame: Bbox) -> bool:
    return frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1


def nearest(box: Bbox, spot) -> tuple[float, float]:
    """Return the point of a box that is nearest to a spot."""
    return min(max(spot[0], box.x0), box.x1), min(max(spot[1], box.y0), box.y1)
