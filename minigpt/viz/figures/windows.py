"""The picture of a stream of tokens, the windows cut out of it, and their shifted targets."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from minigpt.viz.figures.plots import INK, drawable
from minigpt.viz.kit.labels import visible

PLAIN = {"facecolor": "white", "edgecolor": INK}
INPUT = {"facecolor": "#CDE8F7", "edgecolor": "#0072B2"}
TARGET = {"facecolor": "#FDE3B4", "edgecolor": "#B36B00", "linestyle": "--"}
ROW = 1.15  # from the top of a row of boxes to the top of the next within a window
GAP = 0.45  # more of it between windows


def draw_boxes(ax: Axes, words: Sequence[str], left: int, top: float, look: dict) -> None:
    """Draw a row of tokens, each in its box, from position `left` on."""
    for t, word in enumerate(words, start=left):
        ax.add_patch(Rectangle((t - 0.46, top), 0.92, 0.72, linewidth=1.2, **look))
        label = drawable(visible(word))
        ax.text(t, top + 0.38, label, ha="center", va="center", color="black", size=9)


def draw_window(ax: Axes, words: Sequence[str], start: int, end: int, top: float) -> None:
    """Draw a window's inputs, its targets below, and an arrow from each input to its target."""
    draw_boxes(ax, words[start:end], start, top, INPUT)
    draw_boxes(ax, words[start + 1 : end + 1], start + 1, top + ROW, TARGET)
    arrow = {"arrowstyle": "->", "color": INK}
    for t in range(start, end):
        ax.annotate("", (t + 0.7, top + ROW), (t + 0.2, top + 0.74), arrowprops=arrow)


def plot_windows(
    words: Sequence[str], starts: Sequence[int], block_size: int, ax: Axes | None = None
) -> Axes:
    """Draw a stream, and below it each window: its inputs x, and its targets y one to the right.

    Every box stands at its place in the stream, in tokens. An arrow leads from each input to the
    target that is to be predicted there. Targets have dashed edges. Raises ValueError for a start
    that leaves no room for the window and its last target.
    """
    starts = [int(start) for start in starts]
    N, last = len(words), len(words) - block_size - 1
    for start in starts:
        if not 0 <= start <= last:
            raise ValueError(
                f"a window of {block_size} and its last target cannot start at {start} in {N} "
                f"tokens; starts go from 0 to {last}"
            )
    if ax is None:
        size = 0.9 + 0.6 * N, 0.9 + 1.3 * (1 + len(starts))
        _, ax = plt.subplots(figsize=(min(size[0], 9.2), min(size[1], 7)))
    draw_boxes(ax, words, 0, 0, PLAIN)
    rows, labels, top = [0.36], ["stream"], ROW + GAP
    for start in starts:
        draw_window(ax, words, start, start + block_size, top)
        rows += [top + 0.36, top + ROW + 0.36]
        labels += ["x", "y"]
        top += 2 * ROW + GAP
    ax.set(xlim=(-0.6, N - 0.4), ylim=(top - 0.2, -0.15), xlabel="place in the stream (tokens)")
    ax.set_xticks(range(N))
    ax.set_yticks(rows, labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax
