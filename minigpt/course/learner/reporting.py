"""check(): the answer to "is mine right?", shown in a notebook, in a terminal, and to a grader."""

from __future__ import annotations

import re
import sys
from html import escape
from typing import Any

from minigpt.course.checking.diagnosing import Diagnosis, diagnose
from minigpt.course.checking.remarking import BORROWED
from minigpt.course.checking.seeing import refuse_inside
from minigpt.course.learner.home import home, record
from minigpt.course.learner.keeping import keep
from minigpt.course.learner.sources import CannotKeep
from minigpt.course.lessons import find
from minigpt.viz.kit.tables import shell_of_notebook

CARD = "border-left:4px solid {colour};padding:2px 0 2px 12px;margin:4px 0;max-width:72em"
BLOCK = (
    "white-space:pre-wrap;overflow-wrap:anywhere;margin:4px 0;padding:6px 8px;border-radius:3px;"
    "font:var(--jp-code-font-size,13px)/1.4 var(--jp-code-font-family,monospace);color:inherit;"
    "background:rgba(128,128,128,.12)"
)
TOLD = "margin:4px 0;white-space:pre-line"  # several mistakes stand in a line each
GREEN, ORANGE = "#009E73", "#D55E00"  # Okabe and Ito's: told apart by all, on light and dark


IN_THE_NOTEBOOK = object()  # stands for an answer that was not given


def check(name: str, obj: Any = IN_THE_NOTEBOOK) -> None:
    """Say whether `obj` solves exercise `name`, and if not, what is wrong and why.

    Without `obj` it is what the notebook calls by the exercise's name. A right answer becomes a
    part of your own GPT, in mygpt/. What happened is remembered there. Raises AssertionError for a
    wrong answer, ValueError for a name that no exercise has, or an answer that is not there yet.
    """
    refuse_inside()
    if obj is IN_THE_NOTEBOOK:
        obj = _answer_in_notebook(name)
    diagnosis = diagnose(name, obj)
    report = Report(diagnosis, _remember(diagnosis, obj))
    notebook = shell_of_notebook() is not None
    if notebook:
        from IPython.display import display

        display(report)
        if not diagnosis.passed and find(name).hints:
            from minigpt.course.learner.hints import hint_buttons

            display(hint_buttons(name))
    elif diagnosis.passed:
        print(report)
    if not diagnosis.passed:
        error = AssertionError(str(report))
        # IPython asks for this: the report says all, a traceback into our files nothing.
        last = f"{name} is not right yet." if notebook else str(report)
        error._render_traceback_ = lambda: [f"AssertionError: {last}"]
        raise error


def _answer_in_notebook(name: str) -> Any:
    """Return what the notebook, or the program that runs, calls by an exercise's name."""
    title = find(name).title
    names = vars(sys.modules["__main__"])
    if name in names:
        return names[name]
    error = ValueError(
        f"there is no {name} here yet. Run the cell that defines it, below the heading "
        f"{title!r}, and then this one again"
    )
    error._render_traceback_ = lambda: [f"ValueError: {error}"]
    raise error


def _remember(diagnosis: Diagnosis, obj: Any) -> list[str]:
    """Write down what happened and keep a right answer; return what the learner should know."""
    notes = []
    name, exercise = diagnosis.exercise, find(diagnosis.exercise)
    details: dict[str, Any] = {}
    borrows = BORROWED in {remark.mark for remark in diagnosis.remarks}
    try:
        if diagnosis.passed and exercise.keep:
            if borrows and (home() / f"{name}.py").exists():
                raise CannotKeep("the one that you kept before stays")
            notes.append(f"{keep(name, obj)}.")
    except (CannotKeep, OSError) as error:
        verb = "was not" if isinstance(error, CannotKeep) else "could not be"
        notes.append(f"It {verb} kept for your own GPT: {error}.")
        details["kept"] = False
    if diagnosis.misconception:
        details["misconception"] = diagnosis.misconception
    if len(diagnosis.misconceptions) > 1:
        details["misconceptions"] = [either[0] for either in diagnosis.misconceptions]
    if diagnosis.remarks:
        details["remarks"] = {remark.mark: remark.about for remark in diagnosis.remarks}
    try:
        record("passed" if diagnosis.passed else "failed", name, **details)
    except OSError as error:
        notes.append(f"Your progress could not be written down: {error}.")
    return notes


class Report:
    """A diagnosis as text for a terminal and as HTML for a notebook, light or dark."""

    def __init__(self, diagnosis: Diagnosis, notes: list[str]) -> None:
        self.diagnosis, self.notes = diagnosis, notes

    def __repr__(self) -> str:
        sign = "✓" if self.diagnosis.passed else "✗"
        lines = [f"{sign} {self.diagnosis.exercise}: {self.diagnosis.message}", *self.notes]
        text = "\n".join(lines)
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return text.encode(encoding, "replace").decode(encoding)  # an old terminal has no ✓

    def _repr_html_(self) -> str:
        d = self.diagnosis
        sign, words, colour = ("✓", "passed", GREEN) if d.passed else ("✗", "not yet", ORANGE)
        head = f"<strong>{sign} {escape(d.exercise)}: {words}.</strong> "
        parts = [f"<div>{head}{escape(d.message) if d.difference is None else ''}</div>"]
        if d.explanation:
            parts.append(f'<div style="{TOLD}">{_with_code(d.explanation)}</div>')
        if d.difference:
            parts.append(f'<div style="margin:4px 0">{_with_code(d.difference)}</div>')
        if d.line:
            where = f"line {d.line['number']}, in {d.line['function']}:\n{d.line['text']}"
            parts.append(f'<pre style="{BLOCK}">{escape(where)}</pre>')
        if d.difference and d.case:
            inputs = "".join(f"\n{name} = {shown}" for name, shown in d.arguments)
            case = f"The case: {d.case}{inputs}"
            parts.append(f'<pre style="{BLOCK}">{escape(case)}</pre>')
        if d.printed:
            printed = f"<summary>Your code printed</summary><pre style='{BLOCK}'>"
            parts.append(f"<details open>{printed}{escape(d.printed)}</pre></details>")
        parts += [f"<div>{escape(note)}</div>" for note in self.notes]
        style = CARD.format(colour=colour)
        html = f'<div class="minigpt-check" role="status" style="{style}">{"".join(parts)}</div>'
        return html.encode("utf-8", "backslashreplace").decode("utf-8")  # no lone surrogates


def _with_code(text: str) -> str:
    """Escape a text for HTML, with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
