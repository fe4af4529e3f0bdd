"""Where the time of a step goes: a bar for the whole, and a bar below for each part one opens.

What is shown is worked out in tree.py; the drawing is in step_profile.js.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import traitlets
from matplotlib.figure import Figure

from minigpt.speed.profiling import Part
from minigpt.viz.figures.plots import as_png, drawable
from minigpt.viz.kit.explorer import Explorer, script, style
from minigpt.viz.profile.picture import draw_bar
from minigpt.viz.profile.tree import at, merged

HERE = Path(__file__).parent
MOST_NAMED = 8  # parts of a bar that the sentence names
WIDE = 9.2  # inches of the picture


def milliseconds(seconds: float) -> str:
    """Write a time with three digits.

    >>> milliseconds(0.1234), milliseconds(0.01234), milliseconds(0.0000123)
    ('123 ms', '12.3 ms', '0.012 ms')
    """
    x = 1000 * seconds
    return f"{x:,.{0 if x >= 100 else 1 if x >= 10 else 2 if x >= 1 else 3}f} ms"


def percent(share: float) -> str:
    """Write a share; what would be written as nothing, and is more, is "<1%".

    >>> percent(0.25), percent(0.003), percent(0)
    ('25%', '<1%', '0%')
    """
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


class StepProfile(Explorer):
    """Open a step's time, part by part; or compare two profiles on one scale of milliseconds.

    `part` is a tree of `minigpt.speed.profiling.Part`, such as `profile_step` returns. The bar is
    the whole; a click on a part opens it as a bar of its own below, and so on. `other` is a second
    profile, drawn below the first under the second of the `labels`; parts of one name open
    together. Parts too small to be hit are gathered as "other", which opens too. `opened` holds the
    names of the opened parts from the whole down, and can be set. Raises ValueError for what is no
    profile, for parts that take longer than their whole, and for a part that is not there.
    """

    _esm = script(*(HERE / f"{name}.js" for name in ("bars", "numbers", "step_profile")))
    _css = style(HERE / "step_profile.css")

    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    tree = traitlets.Dict().tag(sync=True)  # as tree.py describes it
    opened = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(
        self,
        part: Part,
        other: Part | None = None,
        labels: Sequence[str] = ("before", "after"),
    ) -> None:
        profiles = [part] if other is None else [part, other]
        labels = list(labels) if isinstance(labels, (list, tuple)) else [labels]
        if len(labels) != 2 or not all(isinstance(each, str) and each for each in labels):
            raise ValueError(f"labels is {labels!r:.60}; give two names, one for each profile")
        super().__init__(labels=labels[: len(profiles)], tree=merged(profiles))

    @traitlets.validate("opened")
    def _check_path(self, proposal) -> list[str]:
        path = list(proposal.value)
        if path and not at(self.tree, path)["parts"]:
            raise ValueError(f"{path[-1]!r} has no parts; open one that consists of some")
        return path

    def bars(self) -> list[list[str]]:
        """Return the paths of all bars that are there now, from the whole down."""
        return [self.opened[:i] for i in range(len(self.opened) + 1)]

    def sentence(self) -> str:
        """Say in words how long everything takes that the bars show."""
        said = []
        for path in self.bars():
            node = at(self.tree, path)
            said.append(f"{' › '.join([self.tree['name'], *path])}: {self._times(node)}.")
            parts = node["parts"]
            named = [f"{each['name']} {self._times(each)}" for each in parts[:MOST_NAMED]]
            more = [f"{len(parts) - MOST_NAMED} more"] if len(parts) > MOST_NAMED else []
            said += [f"It consists of {', '.join([*named, *more])}."] if parts else []
        return " ".join(said)

    def _times(self, node: dict, labels: Sequence[str] | None = None) -> str:
        """Say how long a part takes, and which share of the step, in every profile."""
        times = []
        for label, seconds, whole in zip(
            labels or self.labels, node["seconds"], self.tree["seconds"]
        ):
            time = "not there" if seconds is None else milliseconds(seconds)
            if seconds is not None and node is not self.tree:
                time += f" ({percent(seconds / whole)})"
            times.append(time if len(self.labels) == 1 else f"{label} {time}")
        return ", ".join(times)

    def picture(self) -> bytes:
        """Return a PNG of the bars that are there now."""
        bars, rows = self.bars(), len(self.labels)

        def draw(figure: Figure) -> None:
            axes = figure.subplots(len(bars), squeeze=False)[:, 0]
            for ax, path, opened in zip(axes, bars, [*self.opened, None]):
                node = at(self.tree, path)
                draw_bar(ax, node, self.labels if rows > 1 else [""], opened)
                names = " › ".join(map(drawable, [self.tree["name"], *path]))
                times = self._times(node, [drawable(label) for label in self.labels])
                ax.set_title(f"{names}: {times}", loc="left", fontsize=9)
            axes[-1].set_xlabel("milliseconds")

        return as_png(draw, WIDE, 0.3 + len(bars) * (0.55 + 0.5 * rows))
