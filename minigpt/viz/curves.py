"""Curves of training runs: drawn when a run is over, or again and again while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minigpt.config import check_whole
from minigpt.training import Record
from minigpt.viz.figures import STYLE

STYLES = ["-", "--", ":", "-."]  # curves and levels differ in their lines, not in colour alone


def draw_levels(ax: Axes, levels: Mapping[str, float] | None) -> None:
    """Draw named losses, such as a floor, as lines across the figure."""
    for style, (name, loss) in zip(STYLES[1:], (levels or {}).items()):
        ax.axhline(loss, color="black", linestyle=style, linewidth=1, label=f"{name}, {loss:.2f}")


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


def curve_in_words(records: Sequence[Record], max_steps: int | None = None) -> str:
    """Say where a run stands.

    >>> curve_in_words([Record(9, 1.25, 0.001, 0.5, 1000.0, val_loss=1.5)], 350)
    'step 10 of 350: loss 1.25 nats per token, held out 1.50 (step 10)'
    """
    last, of = records[-1], f" of {max_steps}" if max_steps else ""
    words = f"step {last.step + 1}{of}: loss {last.loss:.2f} nats per token"
    for record in reversed(records):
        if record.val_loss is not None:
            return words + f", held out {record.val_loss:.2f} (step {record.step + 1})"
    return words


class LiveCurve:
    """A curve that grows while a model trains: give it to `train` as on_step.

    It is drawn every `every` steps, in one place. Where no picture can be shown, its words are
    printed. `records` are those of a run that goes on. Raises ValueError unless every >= 1.
    """

    def __init__(
        self,
        max_steps: int,
        levels: Mapping[str, float] | None = None,
        records: Sequence[Record] = (),
        every: int = 10,
    ) -> None:
        check_whole("every", every)
        self.max_steps, self.levels, self.every = max_steps, levels, every
        self.records = list(records)
        self.place = None  # where it stands in the notebook, once it does

    def __call__(self, record: Record) -> None:
        self.records.append(record)
        if (record.step + 1) % self.every == 0 or record.step + 1 == self.max_steps:
            self.show()

    def show(self) -> None:
        """Draw what there is, over what was drawn before."""
        from IPython import get_ipython
        from IPython.display import display

        words = curve_in_words(self.records, self.max_steps)
        if get_ipython() is None:
            print(words)
            return
        content = {"image/png": self.picture(), "text/plain": words}
        if self.place is None:
            self.place = display(content, raw=True, display_id=True)
        else:
            self.place.update(content, raw=True)

    def picture(self) -> bytes:
        """Return the curve as a PNG."""
        png = BytesIO()
        with plt.rc_context(STYLE):
            figure = Figure(figsize=(7.2, 3.8), layout="constrained")
            plot_curve(self.records, self.levels, self.max_steps, figure.subplots())
            figure.savefig(png, format="png", dpi=100)
        return png.getvalue()
