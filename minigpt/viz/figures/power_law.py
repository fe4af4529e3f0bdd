"""A power law and the runs it was fitted to, on two logarithmic axes, where it is a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from minigpt.config import is_number, require
from minigpt.viz.figures.plots import INK, MARK, OKABE_ITO, drawable

MARKERS = "osD^vPX*"  # so that no kind of run is told by colour alone
STEPS = 200  # amounts at which the line is worked out


def plot_power_law(
    amounts: Sequence[float],
    losses: Sequence[float | Sequence[float]],
    fit: Callable[[float], float],
    *,
    names: Sequence[str] | None = None,
    floor: float | None = None,
    above_floor: bool = False,
    band: Callable[[float], tuple[float, float]] | None = None,
    fitted: tuple[float, float] | None = None,
    until: float | None = None,
    xlabel: str = "amount",
    ax: Axes | None = None,
) -> Axes:
    """Draw runs and the law fitted to them; beyond the runs that it was fitted to, it is dashed.

    `amounts` are parameters, tokens or FLOPs of each run; `losses` the loss of each, in nats, or
    the losses of its seeds: their mean is drawn with a line from the least to the largest.
    `fit(amount)` is the loss that the law expects, the floor included; `band(amount)` the ends of
    its interval. `names` tell kinds of runs apart, one name a run. `floor`, the loss that no model
    can beat, is drawn as a level; with `above_floor` it is taken off all losses, so that the law
    becomes a straight line. `fitted` are the least and largest amount that the fit has seen (all,
    if not given): runs outside are hollow. The line goes on to `until`. Raises ValueError for
    amounts and losses that a logarithm does not have.
    """
    off = checked_floor(floor, above_floor)
    runs = checked_runs(amounts, losses, off)
    names = checked_names(names, len(runs))
    low, high = checked_ends(fitted or (min(amounts), max(amounts)), until)
    if ax is None:
        _, ax = plt.subplots(figsize=(7.2, 4.2))
    ax.set(xscale="log", yscale="log", xlabel=xlabel)
    ax.set_ylabel("loss above the floor (nats)" if above_floor else "loss (nats)")
    ends = min(low, *amounts), max(high, *amounts, until or high)
    draw_law(ax, fit, band, ends, (low, high), off)
    draw_runs(ax, runs, names, (low, high))
    if floor is not None and not above_floor:
        ax.axhline(floor, color=INK, linestyle=":", linewidth=1.2, label=f"floor, {floor:.3g}")
    few_ticks(ax)
    ax.legend()
    return ax


def checked_floor(floor: float | None, above_floor: bool) -> float:
    """Return what is taken off every loss."""
    fine = floor is None or (is_number(floor) and floor >= 0)
    require(fine, "floor", floor, "a loss of at least 0, or None")
    require(not above_floor or floor is not None, "floor", floor, "given for losses above it")
    return floor if above_floor else 0.0


def checked_runs(amounts, losses, off: float) -> list[tuple[float, np.ndarray]]:
    """Return (amount, losses less `off`) of each run, or raise ValueError."""
    if len(amounts) != len(losses) or not len(amounts):
        raise ValueError(f"{len(amounts)} amounts for {len(losses)} losses; give one a run")
    runs = [(float(x), np.atleast_1d(np.asarray(ys, float))) for x, ys in zip(amounts, losses)]
    for x, ys in runs:
        require(len(ys) > 0, f"a loss at amount {x:g}", None, "there")
        require(0 < x < np.inf, "an amount", x, "a number above 0")
        for y in ys:
            above = f"a number above {f'the floor, {off:g}' if off else '0'}"
            require(bool(off < y < np.inf), f"a loss at amount {x:g}", float(y), above)
    return [(x, ys - off) for x, ys in runs]


def checked_names(names: Sequence[str] | None, count: int) -> list[str]:
    """Return a name for each run."""
    names = ["runs"] * count if names is None else list(names)
    if len(names) != count:
        raise ValueError(f"{len(names)} names for {count} runs; give one a run")
    return names


def checked_ends(fitted, until) -> tuple[float, float]:
    """Return the least and the largest amount that the fit has seen."""
    fine = len(fitted) == 2 and all(map(is_number, fitted)) and 0 < fitted[0] <= fitted[1]
    require(fine, "fitted", fitted, "the least and the largest amount, both above 0")
    require(until is None or (is_number(until) and until > 0), "until", until, "above 0, or None")
    return fitted


def draw_law(ax: Axes, fit, band, ends, fitted: tuple[float, float], off: float) -> None:
    """Draw the line, solid where it was fitted and dashed elsewhere, and the band around it."""
    low, high = fitted
    xs = np.unique([*np.geomspace(*ends, STEPS), low, high])
    ys = np.array([fit(float(x)) - off for x in xs])
    for there, style, label in (
        ((low <= xs) & (xs <= high), "-", "fit"),
        (xs >= high, "--", "fit, extended"),
        (xs <= low, "--", "fit, extended"),
    ):
        if there.sum() > 1:
            again = label in ax.get_legend_handles_labels()[1]
            label = "_again" if again else label
            ax.plot(xs[there], ys[there], style, color=MARK, linewidth=1.6, label=label)
    if band is not None:
        lows, highs = (np.array(each) - off for each in zip(*(band(float(x)) for x in xs)))
        lows = lows.clip(ys.min() / 3)  # what reaches the floor would reach for ever down
        look = dict(color=MARK, alpha=0.15, linewidth=0, label="interval")
        ax.fill_between(xs, lows, highs, **look)


def draw_runs(ax: Axes, runs, names: Sequence[str], fitted: tuple[float, float]) -> None:
    """Draw each run: the mean of its seeds, and a line over their spread; unseen ones hollow."""
    looks = dict(zip(dict.fromkeys(names), zip(cycle(MARKERS), cycle(OKABE_ITO[:5]))))
    said = set()
    for name, (x, ys) in zip(names, runs):
        marker, colour = looks[name]
        seen = fitted[0] <= x <= fitted[1]
        key = drawable(name) + ("" if seen else ", not fitted")
        label, fill = ("_again" if key in said else key), (colour if seen else "none")
        ax.plot([x, x], [ys.min(), ys.max()], color=colour, linewidth=1.5, label="_spread")
        ax.plot([x], [ys.mean()], marker, color=colour, markerfacecolor=fill, label=label)
        said.add(key)


def few_ticks(ax: Axes) -> None:
    """Put numbers on the axis of losses: 1, 2 and 5 of each power of ten, or even steps."""
    low, high = ax.get_ylim()
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    places = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    ticks = [place for place in places if low <= place <= high]
    if len(ticks) < 3:  # less than a power of ten: steps as on a plain axis
        ticks = [place for place in MaxNLocator(6).tick_values(low, high) if low <= place <= high]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_yticks([], minor=True)
