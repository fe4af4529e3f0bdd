"""What `verify` found of a model, a square for each place it compared; or of several models.

The drawing is in verify_strip.js: it gets every number as it is to be read, since a script's JSON
knows neither infinity nor NaN.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap

import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minigpt.config import check_whole
from minigpt.verification import Report
from minigpt.verification.divergence import BLOCK_NAME
from minigpt.viz.figures.plots import as_png
from minigpt.viz.kit.explorer import Explorer, script, style

HERE = Path(__file__).parent
MOST_REPORTS = 24
SIGNS = {"same": "=", "differs": "≠", "first": "≠", "not run": "·"}
LOOKS = {
    "same": {"facecolor": "#CDEBE0", "edgecolor": "#009E73"},
    "differs": {"facecolor": "#F7D9C4", "edgecolor": "#D55E00", "linestyle": "--"},
    "first": {"facecolor": "#A84600", "edgecolor": "black", "linewidth": 2},
    "not run": {"facecolor": "white", "edgecolor": "#777777", "hatch": "////"},
}


def amount(difference: float | None) -> str:
    """Return a difference as it is to be read; an infinite one says that nothing was to compare.

    >>> amount(0.000123), amount(float("inf")), amount(None)
    ('1.2e-04', 'NaN or another shape', 'not run')
    """
    if difference is None:
        return "not run"
    return f"{difference:.1e}" if math.isfinite(difference) else "NaN or another shape"


def split_name(place: str) -> tuple[str, str]:
    """Return the block that a place stands in, if any, and its name there.

    >>> split_name("transformer.h.3.attn.c_attn"), split_name("transformer.h.3")
    (('h.3', 'attn.c_attn'), ('h.3', 'output'))
    >>> split_name("transformer.ln_f")
    ('', 'ln_f')
    """
    block = re.fullmatch(rf"({BLOCK_NAME})[. ]?(.*)", place)
    name = place.removeprefix("transformer.")
    return (block[1].removeprefix("transformer."), block[2] or "output") if block else ("", name)


def squares_of(report: Report) -> list[dict[str, str]]:
    """Return what the strip shows of each comparison; `line` is the row it stands in."""
    squares, around = [], "before"
    for row in report.table:
        block, name = split_name(row.place)
        around = "after" if block else around
        kind = "not run" if row.difference is None else "same" if row.ok else "differs"
        squares.append(
            {
                "place": row.place,
                "line": block or around,
                "name": name,
                "kind": "first" if row.place == report.first else kind,
                "difference": amount(row.difference),
                "allowed": f"{row.allowed:.1e}",
            }
        )
    return squares


def checked_reports(reports: Report | Mapping[str, Report]) -> dict[str, Report]:
    """Return reports by name, or raise ValueError."""
    if isinstance(reports, Report):
        return {"this model": reports}
    several = dict(reports) if isinstance(reports, Mapping) else {}
    right = all(isinstance(n, str) and isinstance(r, Report) for n, r in several.items())
    if not right or not 1 <= len(several) <= MOST_REPORTS:
        raise ValueError(
            f"reports is {reports!r:.60}; give what minigpt.verification.verify returns, or a "
            f'dictionary of up to {MOST_REPORTS} of them: {{"mine": verify(mine, right), ...}}'
        )
    if empty := [name for name, report in several.items() if not report.table]:
        raise ValueError(f"the report of {empty[0]!r} compares nothing")
    return several


class VerifyStrip(Explorer):
    """The result of `verify` as a strip of layers, a square for each place that was compared.

    `reports` is a Report, or a dictionary of several, such as one for each planted mistake; choose
    one there. A click on a square tells its difference; on the first that differs, the likely
    cause. `which` (a report's number) and `place` (a square's) follow what you choose.
    Raises ValueError for what is no report.
    """

    _esm = script(HERE / "verify_strip.js")
    _css = style(HERE / "verify_strip.css")

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    reports = traitlets.List().tag(sync=True)  # dicts of said, cause, first and squares
    which = traitlets.Int(0).tag(sync=True)
    place = traitlets.Int(0).tag(sync=True)  # may end sooner in another report

    def __init__(self, reports: Report | Mapping[str, Report]) -> None:
        given = checked_reports(reports)
        said = [report.message.partition("\n")[::2] for report in given.values()]
        super().__init__(
            names=list(given),
            reports=[
                {"said": first, "cause": rest, "squares": squares_of(report)}
                for (first, rest), report in zip(said, given.values())
            ],
        )

    @traitlets.validate("which", "place")
    def _check_number(self, proposal) -> int:
        name, value = proposal.trait.name, proposal.value
        sizes = {"which": len(self.reports)}
        sizes["place"] = max(len(report["squares"]) for report in self.reports)
        check_whole(name, value, least=0)
        if value >= sizes[name]:
            raise ValueError(f"{name} is {value}; it goes from 0 to {sizes[name] - 1}")
        return value

    def sentence(self) -> str:
        report = self.reports[self.which]
        kinds = [each["kind"] for each in report["squares"]]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in SIGNS if kind in kinds)
        said = " ".join(filter(None, [report["said"], report["cause"]]))
        return f"{self.names[self.which]}: {len(kinds)} places, {counts}. {said}"

    def picture(self) -> bytes:
        squares = self.reports[self.which]["squares"]
        lines = {line: [s for s in squares if s["line"] == line] for line in lines_of(squares)}
        title = f"{self.names[self.which]}: {self.reports[self.which]['said']}"

        def draw(figure: Figure) -> None:
            ax = figure.subplots()
            draw_strip(ax, lines)
            ax.set_title(drawable_lines(title), loc="left", fontsize=9)

        return as_png(draw, 9.2, 0.8 + 0.42 * len(lines))


def lines_of(squares: list[dict[str, str]]) -> list[str]:
    """Return the lines of the strip, from the top."""
    return list(dict.fromkeys(each["line"] for each in squares))


def drawable_lines(text: str, width: int = 110) -> str:
    """Return a text as matplotlib can draw it, in lines of so many characters."""
    return "\n".join(line.replace("$", r"\$") for line in wrap(text, width))


def draw_strip(ax: Axes, lines: Mapping[str, list[dict[str, str]]]) -> None:
    """Draw a row of squares for each line, each with its name and a sign for what was found."""
    for top, squares in enumerate(lines.values()):
        for left, each in enumerate(squares):
            look = {"linewidth": 1.2, **LOOKS[each["kind"]]}
            ax.add_patch(Rectangle((left + 0.04, top + 0.06), 0.92, 0.88, **look))
            words = f"{SIGNS[each['kind']]} {each['name']}"
            ink = "white" if each["kind"] == "first" else "black"
            ax.text(left + 0.5, top + 0.5, words, ha="center", va="center", size=6.5, color=ink)
    widest = max(map(len, lines.values()))
    ax.set(xlim=(0, widest), ylim=(len(lines), 0), xticks=[])
    ax.set_yticks([top + 0.5 for top in range(len(lines))], list(lines))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
