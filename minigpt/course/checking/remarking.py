"""What is told of a right answer: it passes; a word goes to the learner, a mark to a teacher."""

from __future__ import annotations

from typing import Any, NamedTuple

from minigpt.course.checking.borrowing import borrowed
from minigpt.course.checking.seeing import Outcome
from minigpt.course.exercise import Exercise
from minigpt.course.exercise.calls.functions import BESIDE

BORROWED, BUFFERS = "borrowed", "persistent-buffers"


class Remark(NamedTuple):
    """A word on a right answer. `mark` and `about` are for programs, `words` for people."""

    mark: str  # BORROWED or BUFFERS
    about: str
    words: str


def remarks_on(exercise: Exercise, answer: Any, outcomes: list[Outcome]) -> tuple[Remark, ...]:
    """Return what is to be said of a right answer, mostly nothing."""
    found = []
    if callable(exercise.reference) and (name := borrowed(exercise, answer)):
        words = (
            f"But it takes its work from {name}, which is what you were to write. Write it "
            "once yourself: that is the exercise."
        )
        found.append(Remark(BORROWED, name, words))
    buffers = {name for o in outcomes for name in o.get(BESIDE, {}).get(BUFFERS, ())}
    if buffers:
        listed = ", ".join(f"`{name}`" for name in sorted(buffers))
        words = (
            f"But a file of its weights would also hold {listed}, and GPT-2's has no such "
            "tensor: load_state_dict stops there if it is strict. Say "
            "register_buffer(..., persistent=False)."
        )
        found.append(Remark(BUFFERS, ", ".join(sorted(buffers)), words))
    return tuple(found)
