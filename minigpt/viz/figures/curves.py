"""Curves of training runs. TrainingMonitor draws one while the run goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from minigpt.training import Record
from minigpt.viz.figures.plots import INK

STYLES = ["-", "--", ":", "-."]  # curves and levels differ in their lines, not in colour alone


def draw_levels(ax: Axes, levels: Mapping[str, float] | None) -> None:
    """Draw named losses, such as a floor, as lines across the figure."""
    for style, (name, loss) in zip(STYLES[1:], (levels or {}).items()):
        ax.axhline(loss, color=INK, linestyle=style, linewidth=1, label=f"{name}, {loss:.2f}")


def plot_losses(
    curves: Mapping[str, Sequence[float]],
    levels: Mapping[str, float] | None = None,
    first_step: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Draw up to four named curves of losses, one loss a step, and named levels."""
    if ax is None:
        _, ax = plt.subplots()
    for style, (name, losses) in zip(STYLES, curves.items()):
        ax.plot(range(first_step, first_step + len(losses)), losses, style, label=name)
    draw_levels(ax, levels)
    ax.set(xlabel="step", ylabel="loss (nats per token)")
    ax.legend()
    return ax


def plot_curve(
    records: Sequence[Record],
    levels: Mapping[str, float] | None = None,
    max_steps: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the loss of each batch, the looks at held-out text, and named levels, such as a floor.

    The vertical axis is logarithmic: what is left above a floor would be too thin to see.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 3.8))
    steps = [record.step + 1 for record in records]
    ax.plot(steps, [record.loss for record in records], linewidth=1, label="each batch")
    looks = [(r.step + 1, r.val_loss) for r in records if r.val_loss is not None]
    if looks:
        ax.plot(*zip(*looks), "o", color="#D55E00", markersize=5, label="held out")
    draw_levels(ax, levels)
    ticks = [0.3, 0.5, 0.7, 1, 2, 3, 5, 7, 10]
    ax.set_yscale("log")
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    ax.set_yticks([], minor=True)
    losses = [*(levels or {}).values(), *(record.loss for record in records)]
    ax.set(xlabel="step", ylabel="loss (nats per token)", xlim=(0, max_steps))
    ax.set_ylim(0.9 * min(losses), 1.1 * max(losses))
    ax.legend()
    return ax
