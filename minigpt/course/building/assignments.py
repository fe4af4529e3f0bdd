"""Build exercises/ and solutions/ from one source: the same notebook, stripped and solved.

    python -m minigpt.course.building.assignments build                # all of them
    python -m minigpt.course.building.assignments build 03_attention   # one of them
    python -m minigpt.course.building.assignments check                # do they agree?

A source such as solutions/src/03_attention.py (jupytext's py:percent format) marks its cells:

    # %% [markdown] exercise="causal_mask"    the statement; its line of facts is added
    # %% solution="causal_mask"               the learner's cell, with the solution
    # %% check="causal_mask"                  the locked cell with one check(...)
    # %% [markdown] written="why_scale"       an answer in words, for a teacher to mark

What lies between `### BEGIN SOLUTION` and `### END SOLUTION` is taken out of exercises/; for an
answer in words nothing does, as its `Marking` holds a good answer (words.py). What lies
between `### BEGIN BROKEN` and `### END BROKEN`, each line behind a `#`, is the broken code that
exercises/ asks to mend. Both notebooks carry nbgrader's metadata (schema 3).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from minigpt.course.building.notebooks import (
    BuildError,
    command,
    differences,
    notebook_path,
    read_source,
    run_notebook,
    write_notebook,
)
from minigpt.course.building.outputs import keep_varying_outputs
from minigpt.course.building.words import good_answer, marking_cell
from minigpt.course.exercise import KINDS, Exercise
from minigpt.course.lessons import all_exercises, find

ROLES = ("exercise", "solution", "check", "written")
SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n(.*?)^[ \t]*### END SOLUTION$", re.M | re.S)
BROKEN = re.compile(r"^### BEGIN BROKEN\n(.*?)^### END BROKEN\n", re.M | re.S)
TODO = "# YOUR CODE HERE"
ANSWER = "*Your answer here.*"


def facts(exercise: Exercise) -> str:
    """Return the line below an exercise's heading.

    >>> from minigpt.course.lessons import find
    >>> facts(find("causal_mask"))  # doctest: +ELLIPSIS
    '*Write a function · ... points · difficulty ●... · importance ●... · about ... minutes*'
    """
    dots = ["●" * n + "○" * (5 - n) for n in (exercise.difficulty, exercise.importance)]
    points = f"{exercise.points} point" + "s" * (exercise.points != 1)
    return (
        f"*{KINDS[exercise.kind].capitalize()} · {points} · difficulty {dots[0]} · "
        f"importance {dots[1]} · about {exercise.minutes} minutes*"
    )


def solved(cell: NotebookNode) -> str:
    """Return the text of a cell in solutions/: without the broken code.

    The marks stay in code, where nbgrader wants them; in words they would look like headings.
    """
    if cell.cell_type == "markdown":
        exercise = find(cell.metadata["written"])
        return SOLUTION.sub(
            lambda m: good_answer(exercise) if exercise.marking else m[2].strip(), cell.source
        )
    return BROKEN.sub("", cell.source)


def stripped(cell: NotebookNode) -> str:
    """Return the text of a cell in exercises/: without the solution."""
    if cell.cell_type == "markdown":
        return SOLUTION.sub(ANSWER, cell.source)
    if broken := BROKEN.search(cell.source):
        text = re.sub(r"^# ?", "", broken[1], flags=re.M)
        return SOLUTION.sub("", BROKEN.sub(lambda _: text, cell.source)).rstrip()
    exercise = find(cell.metadata["solution"])
    raises = "\n{indent}raise NotImplementedError" if callable(exercise.reference) else ""
    return SOLUTION.sub(lambda m: m[1] + TODO + raises.format(indent=m[1]), cell.source)


def assemble(source: Path, text_of: Callable[[NotebookNode], str]) -> NotebookNode:
    """Return the notebook of a source, not yet run, with `text_of` its marked cells.

    Raises BuildError for marks that do not fit together.
    """
    notebook = read_source(source)
    marked, cells = [], []
    for cell in notebook.cells:
        cells.append(cell)
        roles = [role for role in ROLES if role in cell.metadata]
        if not roles:
            continue
        [role] = roles
        exercise = find(cell.metadata[role])
        if exercise.lesson != source.stem:
            raise BuildError(f"{source}: {exercise.name} belongs to lesson {exercise.lesson}")
        marked.append((role, exercise.name))
        if role in ("solution", "written"):
            _check_marks(cell, f"{source}, {exercise.name}")
            cell.source = text_of(cell)
        elif role == "exercise":
            heading, _, rest = cell.source.partition("\n")
            cell.source = f"{heading}\n{facts(exercise)}\n{rest}"
        del cell.metadata[role]
        cell.metadata["nbgrader"] = _grading(role, exercise)
        cell.id = cell.metadata["nbgrader"]["grade_id"]
        if role == "written" and exercise.marking and text_of is stripped:
            cells.append(marking_cell(exercise))
    notebook.cells = cells
    _check_order(source, marked)
    nbformat.validate(notebook)
    return notebook


def _check_marks(cell: NotebookNode, where: str) -> None:
    begins, ends = cell.source.count("### BEGIN SOLUTION"), cell.source.count("### END SOLUTION")
    if not begins or not begins == ends == len(SOLUTION.findall(cell.source)):
        raise BuildError(f"{where}: {begins} BEGIN SOLUTION and {ends} END SOLUTION do not pair")
    told = "written" in cell.metadata and find(cell.metadata["written"]).marking
    if told and any(region[1].strip() for region in SOLUTION.findall(cell.source)):
        raise BuildError(f"{where}: a good answer stands in its Marking, so leave this empty")
    if cell.source.count("### BEGIN BROKEN") != len(BROKEN.findall(cell.source)):
        raise BuildError(f"{where}: BEGIN BROKEN and END BROKEN do not pair")


def _check_order(source: Path, marked: list[tuple[str, str]]) -> None:
    """Every exercise of the lesson once, in the defined order: its statement, then its cells."""
    wanted = []
    for exercise in all_exercises().values():
        if exercise.lesson == source.stem:
            cells = ("written",) if exercise.kind == "written" else ("solution", "check")
            wanted += [(role, exercise.name) for role in ("exercise", *cells)]
    for number, (found, due) in enumerate(zip_longest(marked, wanted)):
        if found != due:
            raise BuildError(f"{source}: marked cell {number} is {found}, it should be {due}")


def _grading(role: str, exercise: Exercise) -> dict:
    """Return nbgrader's metadata of a cell, schema 3."""
    graded = role in ("check", "written")
    ids = {"exercise": f"{exercise.name}-statement", "check": f"{exercise.name}-check"}
    metadata = {
        "cell_type": "markdown" if role in ("exercise", "written") else "code",
        "grade": graded,
        "grade_id": ids.get(role, exercise.name),
        "locked": role in ("exercise", "check"),
        "schema_version": 3,
        "solution": role in ("solution", "written"),
        "task": False,
    }
    return {**metadata, "points": exercise.points} if graded else metadata


def exercise_path(source: Path) -> Path:
    """Return where the exercises of a source belong.

    >>> exercise_path(Path("solutions/src/03_attention.py")).as_posix()
    'exercises/03_attention.ipynb'
    """
    return source.parents[2] / "exercises" / f"{source.stem}.ipynb"


def build(source: Path, fresh: bool = False) -> Path:
    """Build the solutions, run, and the exercises, not run; return the path of the solutions."""
    solutions, target = assemble(source, solved), notebook_path(source)
    exercises = assemble(source, stripped)
    run_notebook(solutions, target)
    if target.exists() and not fresh:
        keep_varying_outputs(solutions, nbformat.read(target, as_version=4))
    write_notebook(solutions, target)
    write_notebook(exercises, exercise_path(source))
    return target


def check(source: Path) -> list[str]:
    """Return what differs between a source and its two committed notebooks; nothing is run."""
    problems = differences(assemble(source, solved), notebook_path(source), was_run=True)
    return problems + differences(assemble(source, stripped), exercise_path(source), was_run=False)


def main(arguments: list[str] | None = None) -> int:
    """Build or check the assignments below the current folder, and return the exit status."""
    return command("minigpt.course.building.assignments", "solutions", build, check, arguments)


if __name__ == "__main__":
    sys.exit(main())
