"""The kinds of exercise, a constructor for each: what is usual for a kind is said here, once.

So an entry reads as data: its name and title, what it is worth, three hints, its cases, the right
answer and the wrong ones. Its lesson is the folder that it stands in (`lessons/__init__.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch

from minigpt.course.exercise.calls.functions import call_function, call_value
from minigpt.course.exercise.calls.layers import call_layer
from minigpt.course.exercise.definition import Exercise, Marking, Misconception
from minigpt.course.exercise.drawing import seeded
from minigpt.course.exercise.mistakes import Wrong

Hints = tuple[str, str, str]
EXACT = dict(rtol=0.0, atol=0.0)  # nothing is rounded on the way to these results


class Worth(NamedTuple):
    """What an exercise is worth, and what it costs a learner."""

    points: int
    difficulty: int  # 1 to 5
    importance: int  # 1 to 5
    minutes: int


def exercise(
    kind: str,
    name: str,
    title: str,
    worth: Worth,
    hints: Hints | tuple[()] = (),
    *,
    draw: Callable[[torch.Generator], list[dict]] | None = None,
    wrong: Wrong | None = None,
    **more: Any,
) -> Exercise:
    """Return an exercise. `draw` makes its cases from a generator, `more` are Exercise's fields."""
    return Exercise(
        name=name,
        lesson="",  # the folder knows
        kind=kind,
        title=title,
        **worth._asdict(),
        hints=hints,
        draw=draw and (lambda seed: draw(seeded(seed))),
        misconceptions=tuple(Misconception(name, *told) for name, told in (wrong or {}).items()),
        **more,
    )


# A later keyword replaces one of these.
function = partial(exercise, "function", call=call_function, keep=True)
module = partial(exercise, "module", call=call_layer, keep=True)
bug = partial(exercise, "bug", call=call_function)
account = partial(exercise, "account", call=call_function)


def written(name: str, title: str, worth: Worth, marking: Marking | None = None) -> Exercise:
    """Return an exercise that is answered in words, and how such an answer is marked."""
    return exercise(
        "written", name, title, worth, marking.hints() if marking else (), marking=marking
    )


def number(
    name: str,
    title: str,
    worth: Worth,
    hints: Hints,
    *,
    answer: Any,
    wrong: Wrong,
    within: float = 0.0,
    kind: str = "number",
    case: str = "your number",
) -> Exercise:
    """Return an exercise whose answer is one value, right if it is within that of `answer`."""
    return exercise(
        kind,
        name,
        title,
        worth,
        hints,
        draw=lambda generator: [{"title": case}],
        call=call_value,
        reference=answer,
        wrong=wrong,
        rtol=0.0,
        atol=within,
    )
