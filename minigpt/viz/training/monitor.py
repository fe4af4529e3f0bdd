"""The training monitor: a run's loss, learning rate, gradient and samples while it goes on.

Give it to `train` as on_step. In a notebook it draws; in a terminal it prints a line now and then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import wrap

import numpy as np
import traitlets
from IPython.display import display
from matplotlib.figure import Figure

from minigpt.config import check_whole
from minigpt.training import Record
from minigpt.viz.figures.plots import as_png, drawable
from minigpt.viz.kit.explorer import SVG, Explorer, script, style
from minigpt.viz.kit.labels import visible
from minigpt.viz.kit.tables import shell_of_notebook
from minigpt.viz.training.figure import plot_run
from minigpt.viz.training.monitoring import ShortHistory, in_time, in_words

HERE = Path(__file__).parent
SCRIPTS = ("numbers", "diagram", "curve", "small_charts", "measures", "facts", "samples", "monitor")
PAUSE = 0.25  # seconds from one drawing to the next
LINES = 20  # printed in a whole run, where there is no notebook
MOST_SAMPLES, LONGEST_SAMPLE = 100, 2000  # kept; characters


def legible(sample: str) -> str:
    r"""Return a sample with nothing invisible in it, and not too long.

    >>> legible("It was\nred.\x00")
    'It was\nred.\\x00'
    """
    cut = sample if len(sample) <= LONGEST_SAMPLE else sample[: LONGEST_SAMPLE - 1] + "…"
    return "".join(c if c.isprintable() or c == "\n" else visible(c) for c in cut)


def checked_levels(levels: Mapping[str, float] | None) -> dict[str, float]:
    """Return named losses, such as {"floor": 0.47}; raise ValueError for what is none."""
    levels = dict(levels or {})
    for name, loss in levels.items():
        if not isinstance(name, str) or not math.isfinite(loss):
            raise ValueError(f"level {name!r} is {loss!r}; levels are names with finite losses")
    return {" ".join(legible(name).split()): float(loss) for name, loss in levels.items()}


class TrainingMonitor(Explorer):
    """A view of a training run that grows while the model trains: give it to `train` as on_step.

    It shows itself at the first step. When the cell has ended its picture stays in the notebook.
    `levels` are losses to compare with; the one named "floor" is what no model can beat.
    `records` are those of a run that goes on. `sample` returns a text that the model has written;
    it is asked every `sample_every` steps, and at the end. `measures` are further curves by name,
    such as {"colours recalled (%)": count}: functions that return a number now, asked every
    `measure_every` steps and at the end. Where no notebook is, a line is
    printed now and then instead. Raises ValueError for a level or a number of steps that is none.
    """

    _esm = script(SVG, *(HERE / f"{name}.js" for name in SCRIPTS))
    _css = style(HERE / "monitor.css")

    rows = traitlets.Bytes().tag(sync=True)  # float32, a row of COLUMNS for each stretch of steps
    looks = traitlets.List().tag(sync=True)  # [step, held-out loss]
    levels = traitlets.Dict().tag(sync=True)
    samples = traitlets.List().tag(sync=True)  # [step, text]
    measured = traitlets.Dict().tag(sync=True)  # name -> [step, value] pairs
    words = traitlets.Unicode().tag(sync=True)  # where the run stands
    left = traitlets.Unicode().tag(sync=True)  # how long it still takes, in words; "" if unknown
    max_steps = traitlets.Int().tag(sync=True)
    at = traitlets.Int(-1).tag(sync=True)  # the step that is looked at; -1: the newest
    smooth = traitlets.Float(0.6).tag(sync=True)  # weight of what came before, from 0 to 0.99
    logarithmic = traitlets.Bool(True).tag(sync=True)
    as_table = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        max_steps: int,
        levels: Mapping[str, float] | None = None,
        records: Sequence[Record] = (),
        *,
        sample: Callable[[], str] | None = None,
        sample_every: int = 50,
        measures: Mapping[str, Callable[[], float]] | None = None,
        measure_every: int = 10,
    ) -> None:
        check_whole("max_steps", max_steps)
        check_whole("sample_every", sample_every)
        check_whole("measure_every", measure_every)
        self._measures, self._measure_every = dict(measures or {}), measure_every
        self.records, self._short = [], ShortHistory()
        self._sample, self._sample_every = sample, sample_every
        self._place = None  # where it stands in the notebook, while its cell runs
        self._began = self._drawn = time.monotonic()
        super().__init__(max_steps=max_steps, levels=checked_levels(levels))
        self.measured = {name: [] for name in self._measures}
        for record in records:
            self._take(record)
        self._first = len(self.records)  # the steps before are not of this session
        self.draw()

    def __call__(self, record: Record) -> None:
        """Take one step: measure, draw if it is time, ask for a sample if one is due."""
        if len(self.records) == self._first:
            self._began = time.monotonic()
        self._take(record)
        step, last = record.step + 1, record.step + 1 == self.max_steps
        if self._sample is not None and (step % self._sample_every == 0 or last):
            self.samples = [*self.samples, [step, legible(self._sample())]][-MOST_SAMPLES:]
        if self._measures and (step % self._measure_every == 0 or last):
            self.measured = {
                name: [*self.measured[name], [step, float(measure())]]
                for name, measure in self._measures.items()
            }
        if shell := shell_of_notebook():
            if self._place is None:
                self._show(shell)
            if last or time.monotonic() - self._drawn >= PAUSE:
                self.draw()
        elif last or step % math.ceil(self.max_steps / LINES) == 0:
            self.draw()
            print(self.words, flush=True)

    def _take(self, record: Record) -> None:
        self.records.append(record)
        self._short.add(record)

    def _show(self, shell) -> None:
        """Show itself below the cell that runs; when that ends, again with its last picture."""
        self._place = display(self, display_id=True)

        def end(*_) -> None:
            shell.events.unregister("post_run_cell", end)
            place, self._place = self._place, None
            self.draw()
            place.update(self)

        shell.events.register("post_run_cell", end)

    def draw(self) -> None:
        """Send what there is to the browser."""
        self._drawn = time.monotonic()
        with self.hold_sync():
            self.rows = np.array(self._short.rows(), dtype=np.float32).tobytes()
            self.looks = [[r.step + 1, r.val_loss] for r in self._looks()]
            left = self._seconds_left()
            self.left = "" if left is None else in_time(left)
            self.words = self._words(left)

    def _looks(self) -> list[Record]:
        looks = [record for record in self.records if record.val_loss is not None]
        return [record for record in looks if math.isfinite(record.val_loss)]

    def _seconds_left(self) -> float | None:
        """Return how long the run still takes at the pace so far; None if nobody can know."""
        here = len(self.records) - self._first - 1  # steps since the clock was started
        if here < 1:
            return None
        pace = (time.monotonic() - self._began) / here
        return pace * max(0, self.max_steps - self.records[-1].step - 1)

    def _words(self, left: float | None) -> str:
        if not self.records:
            return f"step 0 of {self.max_steps:,}: waiting for the first step"
        looks = self._looks()
        look = (looks[-1].step + 1, looks[-1].val_loss) if looks else None
        floor = self.levels.get("floor")
        last = self.records[-1]
        return in_words(last, self.max_steps, look=look, floor=floor, seconds_left=left)

    def sentence(self) -> str:
        return f"Training, {self.words}."

    def picture(self) -> bytes:
        rows, words = self._short.rows(), self._caption()

        def draw(figure: Figure) -> None:
            plot_run(figure, self.records, rows, self.levels, self.max_steps, self.measured)
            figure.supxlabel(words, size=9, x=0.01, ha="left", wrap=True)

        return as_png(draw, 8.2, 5.4)

    def _caption(self) -> str:
        """Return the words below the picture: where the run stands, and the newest sample."""
        lines = [self.words]
        if self.samples:
            step, text = self.samples[-1]
            lines += wrap(f"step {step:,} wrote: {' '.join(text.split())}", 110)[:3]
        # Letter by letter, because `drawable` cuts a long label.
        return "\n".join("".join(map(drawable, line)) for line in lines)
