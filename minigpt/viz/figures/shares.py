"""A whole and its parts as one long bar, such as what a file is made of."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from minigpt.viz.figures.plots import drawable

HATCHES = ("", "//", "..", "xx", "--", "\\\\", "++")  # so that no part is told by colour alone


def plot_shares(shares: Mapping[str, float], unit: str, ax: Axes | None = None) -> Axes:
    """Draw the shares of a whole, {name: size}, to scale; the legend has names and sizes."""
    if ax is None:
        _, ax = plt.subplots(figsize=(8.2, 1.5))
    left = 0.0
    for (name, size), hatch in zip(shares.items(), cycle(HATCHES)):
        label = f"{drawable(name)} ({size:.3g})"
        ax.barh([""], [size], 0.5, left, hatch=hatch, edgecolor="white", label=label)
        left += size
    ax.set(xlabel=unit, xlim=(0, left))
    ax.tick_params(axis="y", length=0)
    ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    return ax
