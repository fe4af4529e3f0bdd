"""The figure of a run: its loss, and below it what else is measured on the same scale of steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minigpt.training import Record
from minigpt.viz.figures.curves import plot_curve
from minigpt.viz.figures.plots import OKABE_ITO, drawable
from minigpt.viz.training.monitoring import COLUMNS, Row

NARROW = [
    ("lr", "learning rate"),
    ("grad_norm", "gradient norm"),
    ("tokens_per_second", "tokens/s"),
]


def plot_loss(
    records: Sequence[Record], levels: Mapping[str, float], max_steps: int, ax: Axes
) -> None:
    """Draw the loss with its levels, or say that there is none yet."""
    records = [record for record in records if math.isfinite(record.loss)]
    if records:
        levels = {drawable(name): loss for name, loss in levels.items()}
        plot_curve(records, levels, max_steps, ax)
    else:
        ax.text(0.5, 0.5, "no loss yet", ha="center", va="center")
        ax.set_axis_off()


def plot_run(
    figure: Figure,
    records: Sequence[Record],
    rows: Sequence[Row],
    levels: Mapping[str, float],
    max_steps: int,
    measured: Mapping[str, Sequence[tuple[int, float]]],
) -> None:
    """Draw a run: the loss of its records, the other columns of its short history, and measures."""
    heights = [2.6, 1, 1] if measured else [2.6, 1]
    grid = figure.add_gridspec(len(heights), 3, height_ratios=heights)
    for i, (name, points) in enumerate(list(measured.items())[:3]):
        ax = figure.add_subplot(grid[2, i] if len(measured) > 1 else grid[2, :])
        if points:
            ax.plot(*zip(*points), "o-", markersize=3, color=OKABE_ITO[3 + i])
        ax.set(title=drawable(name), xlabel="step", xlim=(0, max_steps))
        ax.set_ylim(bottom=min([0, *(value for _, value in points)]))
    plot_loss(records, levels, max_steps, figure.add_subplot(grid[0, :]))
    columns = dict(zip(COLUMNS, np.array(rows).reshape(-1, len(COLUMNS)).T))
    for i, (name, title) in enumerate(NARROW):
        ax = figure.add_subplot(grid[1, i])
        ax.plot(columns["step"], columns[name], linewidth=1, color=OKABE_ITO[i])
        ax.set(title=title, xlabel="step", xlim=(0, max_steps))
        if name == "grad_norm" and (columns[name] > 0).any():
            ax.set_yscale("log")
        else:
            ax.set_ylim(bottom=0)
