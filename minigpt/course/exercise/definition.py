"""What an exercise is: one definition, used by the check, the notebooks, the progress and a class.

Cases and what is seen of a run are plain data (tensors, numbers, strings, bytes, None and lists,
tuples and dicts of them). So the same cases can be run in another process that knows neither the
reference nor the expected values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KINDS = {
    "function": "write a function",
    "module": "write a module",
    "bug": "find the bug",
    "number": "predict a number",
    "account": "keep the accounts",
    "written": "answer in words",
}


@dataclass(frozen=True)
class Misconception:
    """A wrong answer that people really give: executable, so that it can be recognised.

    wrong: what such a learner hands in (a function, a class, a number).
    message: what a good teacher says to it: what happens, why it is wrong, where to look.
    same_as: another misconception of the exercise that no output can tell from this one.
    """

    name: str  # such as "mask-after-softmax"
    message: str
    wrong: Any
    same_as: str | None = None


@dataclass(frozen=True)
class Marking:
    """How an answer in words is marked, by a teacher or by a learner alone.

    checklist: (points, what the answer must say for them); together the exercise's points.
    weak: an answer as people give it, `weak_points` what it earns, `lacks` what is missing.
    good: an answer that earns them all.
    """

    checklist: tuple[tuple[float, str], ...]
    weak: str
    weak_points: float
    lacks: str
    good: str

    def hints(self) -> tuple[str, str, str]:
        """Return the checklist, the weak answer with its mark, and the good one, as texts."""
        total = sum(points for points, _ in self.checklist)
        checklist = "\n".join(f"- {points:g}: {told}" for points, told in self.checklist)
        mark = f"It earns {self.weak_points:g} of {total:g}. {self.lacks}"
        return checklist, f"{self.weak}\n\n{mark}", self.good


@dataclass(frozen=True)
class Exercise:
    """One exercise: what it is worth, how it is run, what is right, and the ways to go wrong.

    draw(seed) returns the cases, the simplest first. A case is a dict: "title" says in a few words
    what is special about it, the rest is for `call`.
    call(obj, case) runs the learner's object and returns what was seen, as a dict from a name in
    words ("result", "gradient of q") to plain data. It lives in calls/, apart from references.
    """

    name: str
    lesson: str  # the lesson's stem, such as "03_attention": its folder's, filled in by lessons/
    kind: str  # one of KINDS
    title: str
    points: int
    difficulty: int  # 1 to 5
    importance: int  # 1 to 5
    minutes: int  # what it takes a learner who read the lesson
    hints: tuple[str, str, str] | tuple[()] = ()  # a nudge, a trace of the shapes, pseudocode
    marking: Marking | None = None  # of an answer in words, whose hints show it part by part
    draw: Callable[[int], list[dict]] | None = None
    call: Callable[[Any, dict], dict[str, Any]] | None = None
    reference: Any = None
    misconceptions: tuple[Misconception, ...] = ()
    rtol: float = 1e-4  # |yours - expected| <= atol + rtol * |expected|
    atol: float = 1e-5
    keep: bool = False  # does it become a part of the learner's own GPT?

    def __post_init__(self) -> None:
        assert self.kind in KINDS, self.kind
        assert self.kind == "written" or (self.draw and self.call and len(self.hints) == 3)
        names = [misconception.name for misconception in self.misconceptions]
        assert len(set(names)) == len(names), f"{self.name} names a misconception twice"
