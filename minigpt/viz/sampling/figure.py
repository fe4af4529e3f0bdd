"""The figures of a filtered distribution: what is left of each token, and where the cuts are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from torch import Tensor

from minigpt.viz.figures.plots import INK, OKABE_ITO, drawable

BLUE, ORANGE = OKABE_ITO[0], OKABE_ITO[5]
ABOVE = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": 2, "frameon": False}


def axis_end(largest: float) -> float:
    """Return where the bars' axis ends: it fits the model's own distribution, whatever is set.

    >>> axis_end(0.08), axis_end(0.9)
    (0.2, 1.0)
    """
    return next((end for end in (0.05, 0.1, 0.2, 0.5) if end >= 1.5 * largest), 1.0)


def plot_kept(
    labels: Sequence[str], before: Tensor, after: Tensor, ax: Axes, end: float = 1.0
) -> None:
    """Draw the probabilities of tokens before the filters (outlines) and after (filled).

    before, after (n,): shares of one, likeliest first. What is cut has no filled bar. The axis
    ends at `end`; a longer bar is cut there, its number tells its length.
    """
    places = range(len(labels))
    shares = [100 * share for share in after.tolist()]
    ax.barh(places, shares, height=0.55, color=BLUE, label="drawn from")
    ax.barh(
        places,
        [100 * share for share in before.tolist()],
        height=0.8,
        fill=False,
        edgecolor=INK,
        label="before the filters",
    )
    for place, share in enumerate(shares):
        x = 100 * min(end, max(after[place], before[place]))
        ax.text(x, place, f" {share:.1f}" if share else " cut", va="center", size=9)
    ax.set_yticks(places, [drawable(label) for label in labels])
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="probability (%)", ylabel="next token")
    ax.set_xlim(0, 118 * end)  # room for the numbers
    ax.legend(**ABOVE)


def steps(count: int) -> list[int]:
    """Return the ranks from 1 to count that a logarithmic axis can tell apart.

    >>> steps(5), len(steps(50257))
    ([1, 2, 3, 4, 5], 181)
    """
    ranks = {min(count, max(1, round(1.05**i))) for i in range(int(math.log(count, 1.05)) + 2)}
    return sorted(ranks)


def plot_cuts(before: Tensor, kept: int, top_k: int | None, top_p: float | None, ax: Axes) -> None:
    """Draw the probability of the likeliest tokens together, and where top-k and top-p cut.

    before (V,): shares of one after the temperature, likeliest first; `kept` of them are left.
    """
    together = (100 * before.double().cumsum(-1)).tolist()
    for count, look in (len(before), {"baseline": None}), (kept, {"alpha": 0.25, "fill": True}):
        ranks = steps(count)
        edges = [0.5, *(rank + 0.5 for rank in ranks)]  # each rank has room of its own
        ax.stairs([together[rank - 1] for rank in ranks], edges, color=BLUE, **look)
    if top_k is not None and top_k <= len(before):
        ax.axvline(top_k + 0.5, color=INK, linestyle="--", label=f"top-k {top_k}")
    if top_p is not None:
        level = top_p * together[min(top_k or len(before), len(before)) - 1]
        ax.axhline(level, color=ORANGE, linestyle="-.", label=f"top-p {top_p:g}")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(**ABOVE)
    ax.set(
        xscale="log",
        xlim=(0.5, len(before) + 0.5),
        ylim=(0, 103),
        xlabel="rank of the token (logarithmic)",
        ylabel="probability up to that rank (%)",
    )
