"""A coin or a die whose sides can be loaded, a model's guess, and its loss against the floor.

The drawing is in coin_floor.js, which works out the same numbers as `nats` below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minigpt.config import as_plain, is_number
from minigpt.viz.figures.plots import as_png, drawable
from minigpt.viz.kit.explorer import Explorer, script, style
from minigpt.viz.kit.labels import visible

HERE = Path(__file__).parent
MOST_SIDES = 8
OFF = 1e-6  # by which a sum may miss 1


def surprise(q: float) -> float:
    """Return -ln q, in nats: infinite for what was given no chance."""
    return -math.log(q) if q else math.inf


def nats(truth: list[float], guess: list[float]) -> tuple[float, float, float]:
    """Return the loss (cross-entropy), the floor (entropy) and the gap (KL divergence), in nats.

    >>> [round(x, 3) for x in nats([0.5, 0.5], [0.9, 0.1])]
    [1.204, 0.693, 0.511]
    """
    pairs = [(p, q) for p, q in zip(truth, guess) if p]  # 0 ln 0 counts as 0
    loss = sum(p * surprise(q) for p, q in pairs)
    floor = sum(p * surprise(p) for p, _ in pairs)
    gap = sum(p * math.log(p / q) if q else math.inf for p, q in pairs)
    return loss, floor, max(gap, 0.0)  # rounding may go below


def checked_sides(name: str, given: Mapping[str, float]) -> dict[str, float]:
    """Return probabilities by side, which sum to 1, or raise ValueError."""
    sides = dict(given) if isinstance(given, Mapping) else {}
    if not 2 <= len(sides) <= MOST_SIDES or not all(isinstance(side, str) for side in sides):
        raise ValueError(
            f"{name} is {given!r:.60}; give from 2 to {MOST_SIDES} sides and the probability of "
            'each, such as {"kite": 0.5, "hat": 0.5}'
        )
    check_probabilities(name, list(sides.values()))
    return {side: as_plain(p) for side, p in sides.items()}


def check_probabilities(name: str, values: list[float]) -> None:
    """Raise ValueError unless the values are probabilities that sum to 1."""
    for p in values:
        if not (is_number(p) and 0 <= p <= 1):
            raise ValueError(f"{name} holds {p!r}; a probability is a number from 0 to 1")
    if abs(sum(values) - 1) > OFF:
        raise ValueError(f"the probabilities of {name} sum to {sum(values):g}; they must sum to 1")


class CoinFloor(Explorer):
    """A coin or a die: its true probabilities, a model's guess, and the loss against the floor.

    `truth` is a dictionary, side -> probability, of 2 to 8 sides; `guess` another with the same
    sides, or None for a model that knows nothing and takes all to be equally likely. Both can be
    set by hand: the other sides share the rest in proportion. Raises ValueError for other things.
    """

    _esm = script(HERE / "coin_floor.js")
    _css = style(HERE / "coin_floor.css")

    sides = traitlets.List(traitlets.Unicode()).tag(sync=True)
    truth = traitlets.List(traitlets.Float()).tag(sync=True)
    guess = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(
        self, truth: Mapping[str, float], guess: Mapping[str, float] | None = None
    ) -> None:
        truth = checked_sides("truth", truth)
        guess = dict.fromkeys(truth, 1 / len(truth)) if guess is None else guess
        guess = checked_sides("guess", guess)
        if set(guess) != set(truth):
            raise ValueError(f"guess has the sides {list(guess)}; truth has {list(truth)}")
        super().__init__(
            sides=[visible(side) for side in truth],
            truth=list(truth.values()),
            guess=[guess[side] for side in truth],
        )

    @traitlets.validate("truth", "guess")
    def _check_probabilities(self, proposal) -> list[float]:
        name, values = proposal.trait.name, proposal.value
        check_probabilities(name, values)
        if len(values) != len(self.sides):
            raise ValueError(f"{name} has {len(values)} probabilities for {len(self.sides)} sides")
        return values

    def nats(self) -> tuple[float, float, float]:
        """Return the loss, the floor and the gap, in nats a throw."""
        return nats(self.truth, self.guess)

    def sentence(self) -> str:
        loss, floor, gap = self.nats()
        sides = ", ".join(
            f"{side}: truth {p:.3g}, guess {q:.3g}"
            for side, p, q in zip(self.sides, self.truth, self.guess)
        )
        return f"{sides}. Loss {loss:.3f} nats, floor {floor:.3f}, gap {gap:.3f}."

    def picture(self) -> bytes:
        loss, floor, gap = self.nats()

        def draw(figure: Figure) -> None:
            left, right = figure.subplots(1, 2)
            draw_sides(left, self.sides, self.truth, self.guess)
            seen = gap if math.isfinite(gap) else 2 * math.log(len(self.sides))
            right.barh([0, 1], [floor, floor], color="white", edgecolor="black", hatch="///")
            right.barh([1], [seen], left=[floor], color="#E69F00", edgecolor="black")
            right.set_yticks([0, 1], [f"floor {floor:.3f}", f"loss {loss:.3f}"])
            right.set(xlabel="nats a throw", title=f"gap {gap:.3f}")
            right.invert_yaxis()

        return as_png(draw, 8.2, 0.9 + 0.45 * max(4, len(self.sides)))


def draw_sides(ax: Axes, sides: list[str], truth: list[float], guess: list[float]) -> None:
    """Draw two bars for each side: its probability, and what the model takes it to be."""
    places = range(len(sides))
    ax.barh([i - 0.2 for i in places], truth, 0.38, label="truth")
    ax.barh([i + 0.2 for i in places], guess, 0.38, label="guess", hatch="..", edgecolor="white")
    ax.set_yticks(places, [drawable(side) for side in sides])
    ax.set(xlabel="probability", xlim=(0, 1))
    ax.invert_yaxis()
    ax.legend()
