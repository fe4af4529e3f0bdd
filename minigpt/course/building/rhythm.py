"""Measure the rhythm of the lessons: short cells, prose and code in turn, enough to look at.

    python -m minigpt.course.building.rhythm             # every lesson
    python -m minigpt.course.building.rhythm 04_block    # one of them

Prints a row for each lesson, names the cells at fault, and ends with status 1 if there are any.
Cells are read from the source; what they show, from the notebook that was built from it.
"""

import argparse
import re
import sys
from itertools import groupby
from pathlib import Path
from statistics import median

from nbformat import NotebookNode

from minigpt.course.building.notebooks import (
    check,
    notebook_path,
    read_source,
)
from minigpt.course.building.reading import BuildError, find_sources, read_notebook
from minigpt.viz.kit.tables import Shown, table

WORDS_BELOW = 40  # median words of a prose cell: below this
MEDIAN_LINES = 8  # median lines of a code cell: at most
MOST_LINES = 25
MOST_CODE_IN_A_ROW = 2
PROSE_PER_CODE = (1.5, 2.5)  # "about two": what rounds to two
FIGURE_EVERY = 10  # cells in a row hold a figure or a table
OPENING = ("**Afterwards you can**", "**Takes**", "**Needs**")
PREDICT = "**Predict"
# A widget's picture is an image/png; coloured tokens are HTML with a background.
LOOKED_AT = re.compile(r"<(table|svg|img)\b|background:")
SIZES = ["prose cells", "code cells", "words (median)", "lines (median)", "most lines"]
COLUMNS = [*SIZES, "prose/code", "code in a row", "unseen in a row", "predictions", "faults"]


def count_words(prose: str) -> int:
    """Count the words of a Markdown cell, without the rows of its tables.

    >>> count_words("Two words\\n\\n| a | b |\\n| --- | --- |")
    2
    """
    return sum(len(line.split()) for line in prose.splitlines() if not line.startswith("|"))


def count_lines(cell: NotebookNode) -> int:
    return len(cell.source.splitlines())


def is_code(cell: NotebookNode) -> bool:
    return cell.cell_type == "code"


def shows_figure(cell: NotebookNode) -> bool:
    """Say whether there is something to look at: a picture, or a table, also one in Markdown."""
    if not is_code(cell):
        return re.search(r"^\| *:?-", cell.source, re.MULTILINE) is not None
    data = [output.get("data", {}) for output in cell.outputs]
    return any("image/png" in d or LOOKED_AT.search(d.get("text/html", "")) for d in data)


def runs(cells: list[NotebookNode], kind) -> list[tuple[int, int]]:
    """Return (first cell, how many) for each run of cells of which `kind` says yes."""
    groups = [list(group) for _, group in groupby(enumerate(cells), lambda pair: kind(pair[1]))]
    return [(group[0][0], len(group)) for group in groups if kind(group[0][1])]


def name(number: int, cell: NotebookNode) -> str:
    """Return words by which a cell can be found."""
    first = next((line for line in cell.source.splitlines() if line.strip()), "")
    return f"cell {number} ({first[:40]})"


def measure(cells: list[NotebookNode]) -> list:
    """Return what the table shows of a lesson, in the order of COLUMNS, without the faults."""
    words = [count_words(cell.source) for cell in cells if not is_code(cell)] or [0]
    lines = [count_lines(cell) for cell in cells if is_code(cell)] or [0]
    code = sum(map(is_code, cells))
    longest_run = max([length for _, length in runs(cells, is_code)], default=0)
    unseen = max([length for _, length in runs(cells, lambda c: not shows_figure(c))], default=0)
    predictions = sum(PREDICT in cell.source for cell in cells if not is_code(cell))
    ratio = (len(cells) - code) / max(code, 1)
    sizes = [len(cells) - code, code, median(words), median(lines), max(lines)]
    return [*sizes, round(ratio, 2), longest_run, unseen, predictions]


def find_faults(cells: list[NotebookNode]) -> list[str]:
    """Return each rule of the course's rhythm that a lesson breaks, with the cells at fault."""
    if not cells:
        return ["there are no cells"]
    _, _, words, lines, _, ratio, _, _, predictions = measure(cells)
    faults = [f"the opening lacks {part}" for part in OPENING if part not in cells[0].source]
    if words >= WORDS_BELOW:
        prose = [(count_words(c.source), i) for i, c in enumerate(cells) if not is_code(c)]
        longest = ", ".join(name(i, cells[i]) for _, i in sorted(prose)[-3:])
        faults.append(f"median {words} words a prose cell, not below {WORDS_BELOW}: {longest}")
    if lines > MEDIAN_LINES:
        faults.append(f"median {lines} lines a code cell, more than {MEDIAN_LINES}")
    for i, cell in enumerate(cells):
        if is_code(cell) and count_lines(cell) > MOST_LINES:
            faults.append(f"{name(i, cell)} has {count_lines(cell)} lines, over {MOST_LINES}")
    for i, length in runs(cells, is_code):
        if length > MOST_CODE_IN_A_ROW:
            faults.append(f"{length} code cells in a row from {name(i, cells[i])}")
    if not PROSE_PER_CODE[0] <= ratio <= PROSE_PER_CODE[1]:
        faults.append("{} prose cells to a code cell, not {} to {}".format(ratio, *PROSE_PER_CODE))
    for i, length in runs(cells, lambda cell: not shows_figure(cell)):
        if length >= FIGURE_EVERY:
            faults.append(f"{length} cells without figure or table from {name(i, cells[i])}")
    if not predictions:
        faults.append(f"no prose cell asks for a prediction ({PREDICT})")
    return faults


def report(sources: list[Path]) -> tuple[Shown, list[str]]:
    """Return the table of the lessons, and all their faults."""
    rows, faults = [], []
    for source in sources:
        try:
            if stale := check(source):
                cells, found = read_source(source).cells, [f"build it first: {stale[0]}"]
            else:
                cells = read_notebook(notebook_path(source)).cells
                found = find_faults(cells)
        except BuildError as error:
            cells, found = [], [str(error)]
        rows.append([*measure(cells), len(found)])
        faults += [f"{source.stem}: {fault}" for fault in found]
    return table(rows, COLUMNS, rows=[source.stem for source in sources]), faults


def main(arguments: list[str] | None = None) -> int:
    """Measure the lessons below the current folder, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m minigpt.course.building.rhythm")
    parser.add_argument("names", nargs="*", help="such as 03_attention; all when left out")
    try:
        shown, faults = report(find_sources(Path("notebooks"), parser.parse_args(arguments).names))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(shown, *faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
