"""Tables and coloured tokens: HTML in a notebook, text in a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from html import escape

from torch import Tensor

from minigpt.viz.kit.labels import visible

# What stands to the right: 1,024.5, 12 of 15, 4 MiB; a dash or nothing where no number is.
NUMBER = re.compile(r"[-+−±~<>]? ?\.?\d.*|[-–—]?|-?inf|nan")


def shell_of_notebook():
    """Return IPython's shell where it can show more than text, as in JupyterLab; or None."""
    ipython = sys.modules.get("IPython")  # where nobody has imported it there is no notebook
    shell = ipython.get_ipython() if ipython else None
    return shell if getattr(shell, "kernel", None) is not None else None


class Shown:
    """Something that a notebook shows as HTML and a terminal as text."""

    def __init__(self, html: str, text: str) -> None:
        self.html, self.text = html, text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def table(values, columns: Sequence[str], rows: Sequence[str] | None = None) -> Shown:
    """Show a list of rows, or a 2-D tensor, as a table with headings.

    Text stands to the left, numbers to the right. A number that is a name, such as an id, comes as
    a string: `str(50256)` has no comma.

    >>> table([["red", 1200], ["kite", 7]], ["token", "times"])
    token  times
    red    1,200
    kite       7
    """
    values = values.tolist() if isinstance(values, Tensor) else values
    cells = [list(cells) for cells in zip(*map(written, zip(*values)))]  # written column by column
    head = list(columns)
    if rows is not None:
        head, cells = ["", *head], [[name, *row] for name, row in zip(rows, cells)]
    sides = ["right" if all(map(NUMBER.fullmatch, column)) else "left" for column in zip(*cells)]
    if rows is not None:
        sides[:1] = ["left"]
    return Shown(as_html(head, cells, sides, rows is not None), as_text(head, cells, sides))


def written(column: Sequence) -> list[str]:
    """Write the values of a column: with two digits, unless all of them are whole."""
    if all(isinstance(value, float) for value in column):
        column = [abs(value) if round(value, 2) == 0 else value for value in column]  # no "-0.00"
        whole = all(value % 1 == 0 for value in column)
        return [f"{value:,.0f}" if whole else f"{value:,.2f}" for value in column]
    return [f"{value:,}" if type(value) in (int, float) else str(value) for value in column]


def as_html(head: list[str], cells: list[list[str]], sides: list[str], row_names: bool) -> str:
    """Return a table for a notebook; the first column may hold the names of the rows."""

    def in_a_row(tags: list[str], texts: list[str]) -> str:
        return "".join(
            f'<{tag} style="text-align:{side}">{escape(text)}</{tag[:2]}>'
            for tag, side, text in zip(tags, sides, texts)
        )

    first = ['th scope="row"'] if row_names else ["td"]
    top = in_a_row(['th scope="col"'] * len(head), head)
    lines = [in_a_row(first + ["td"] * (len(row) - 1), row) for row in cells]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def as_text(head: list[str], cells: list[list[str]], sides: list[str]) -> str:
    """Return a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(head, *cells)]
    lines = [
        "  ".join(f"{text:{'>' if side == 'right' else '<'}{width}}" for text, side, width in row)
        for row in (zip(texts, sides, widths) for texts in [head, *cells])
    ]
    return "\n".join(map(str.rstrip, lines))


def coloured_tokens(labels: Sequence[str], ids: Sequence[int]) -> Shown:
    """Show tokens side by side in two colours, each with its id below it.

    >>> coloured_tokens(["red", "·kite"], [7, 42])
    red=7 | ·kite=42
    """
    style = "display:inline-block;margin:2px 1px;padding:1px 3px;border-radius:3px;color:#000;"
    spans = [
        f'<span style="{style}background:{("#CDE8F7", "#FDE3B4")[i % 2]}">'
        f'<code style="background:none;color:#000">{escape(visible(label))}</code>'
        f"<br><small>{token}</small></span>"
        for i, (label, token) in enumerate(zip(labels, ids))
    ]
    html = f'<div style="line-height:1.25">{" ".join(spans)}</div>'
    return Shown(html, " | ".join(f"{visible(label)}={i}" for label, i in zip(labels, ids)))
