"""Draw the residual stream as a line, and the parts that read from it and add to it."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from minigpt.viz.figures.plots import INK

FILL = {"LayerNorm": "#DCEBF5", "attention": "#FCE9C5", "MLP": "#CDEBDD"}


def draw_box(ax: Axes, x: float, y: float, name: str) -> None:
    """Write a part's name into a box; the name tells the parts apart, colour only helps."""
    box = dict(boxstyle="round,pad=0.35", facecolor=FILL[name], edgecolor=INK, linewidth=0.8)
    ax.text(x, y, name, ha="center", va="center", color="black", size=9, bbox=box, zorder=5)


def draw_arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], width=1.0) -> None:
    style = dict(arrowstyle="-|>", color=INK, linewidth=width, shrinkA=0, shrinkB=0)
    ax.annotate("", end, start, arrowprops=style, zorder=2)


def plot_stream(
    stops: Sequence[tuple[Sequence[str], Sequence[str]]], title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw one stop after the other along the stream, from left to right.

    Each stop is (parts beside the stream, parts on the stream): the first read a copy and add what
    they make, at the plus; everything that flows on must go through the second. Parts are
    "LayerNorm", "attention" and "MLP".
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7.6, 2.4))
    x = 0.6
    for beside, on in stops:
        end = x + 1.2 + 1.5 * len(beside)
        ax.plot([x, x, end], [0, -1, -1], color=INK, linewidth=1)
        draw_arrow(ax, (end, -1), (end, -0.16))
        for i, name in enumerate(beside):
            draw_box(ax, x + 1.35 + 1.5 * i, -1, name)
        ax.text(end, 0, "+", ha="center", va="center", color="black", size=13, zorder=6)
        ax.plot(end, 0, "o", markersize=15, markerfacecolor="white", color=INK, zorder=5)
        for i, name in enumerate(on):
            draw_box(ax, end + 1.1 + 1.6 * i, 0, name)
        x = end + 0.6 + 1.6 * len(on)
    draw_arrow(ax, (0, 0), (x + 0.3, 0), width=3)
    ax.text(0, 0.22, "the stream", color=INK, size=9)
    ax.set(title=title, xlim=(-0.1, x + 0.4), ylim=(-1.45, 0.55))
    ax.set_axis_off()
    return ax
