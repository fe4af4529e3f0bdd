"""Answers in words: in solutions/ a good one, in exercises/ a cell that opens how to mark yours."""

from __future__ import annotations

import nbformat
from nbformat import NotebookNode

from minigpt.course.exercise import Exercise

ANSWER_IN_WORDS = """{good}

<details><summary>To mark an answer: a checklist, and a weak answer</summary>

{checklist}

*{weak}*

{mark}

</details>"""


def good_answer(exercise: Exercise) -> str:
    """Return a good answer in words, and folded away below it how one is marked."""
    checklist, weak, good = exercise.hints
    weak, mark = weak.rsplit("\n\n", 1)
    return ANSWER_IN_WORDS.format(good=good, checklist=checklist, weak=weak, mark=mark)


def marking_cell(exercise: Exercise) -> NotebookNode:
    """Return the cell that opens a checklist, a weak answer and a good one, step by step."""
    name = exercise.name
    text = f'from minigpt.course import marking\n\nmarking("{name}")  # when yours is written'
    return nbformat.v4.new_code_cell(text, id=f"{name}-marking")
