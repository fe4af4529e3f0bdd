"""The bars of a profile as a picture that stands still."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from minigpt.viz.figures.plots import MARK, drawable
from minigpt.viz.profile.tree import NO_PART, largest

FILLS = ["#BFDCEC", "#F9E3B9", "#BFE7DC", "#F0DBE6", "#D5EDFA", "#F4D3BC"]
LETTER = 0.0085  # of the bar's width that a letter takes
LETTERS = 9  # that the height of a bar has room for


def draw_bar(ax: Axes, node: dict, labels: Sequence[str], opened: str | None) -> None:
    """Draw a part's parts side by side, in milliseconds, a row for each profile."""
    scale = 1000 * largest(node["seconds"])
    ends = [0.0] * len(labels)
    for part, fill in zip(node["parts"], cycle(FILLS)):
        for row, seconds in enumerate(part["seconds"]):
            if seconds is None:
                continue
            left, width = ends[row], 1000 * seconds
            hatch = "////" if part["name"] == NO_PART else ""
            look = dict(facecolor=fill, edgecolor="white", hatch=hatch)
            ax.add_patch(Rectangle((left, row - 0.42), width, 0.84, **look))
            write_name(ax, part["name"], left + width / 2, row, width / scale)
            if part["name"] == opened:
                frame = dict(fill=False, edgecolor=MARK, linewidth=2, zorder=3)
                ax.add_patch(Rectangle((left, row - 0.42), width, 0.84, **frame))
            ends[row] += width
    ax.set(xlim=(0, scale), ylim=(len(labels) - 0.5, -0.5))
    ax.set_yticks(range(len(labels)), [drawable(label) for label in labels])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def write_name(ax: Axes, name: str, x: float, row: int, share: float) -> None:
    """Write a part's name into it, upright where it is narrow; what has no room stays away."""
    text = dict(ha="center", va="center", size=8, color="black")
    if len(name) * LETTER <= share:
        ax.text(x, row, drawable(name), **text)
    elif share >= 2 * LETTER:
        short = name if len(name) <= LETTERS else name[: LETTERS - 1] + "…"
        ax.text(x, row, drawable(short), rotation=90, **{**text, "size": 6})
