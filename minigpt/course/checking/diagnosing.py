"""Is mine right? Run a learner's code on an exercise's cases and say what went wrong, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from minigpt.course.checking.comparing import describe_difference, kind, same, show
from minigpt.course.checking.explaining import explained
from minigpt.course.checking.plain_data import plain
from minigpt.course.checking.recognising import recognise_all
from minigpt.course.checking.remarking import Remark, remarks_on
from minigpt.course.checking.running import run
from minigpt.course.checking.seeing import CalledCheck, Outcome, TooLong, fresh_torch, see
from minigpt.course.exercise import Exercise
from minigpt.course.exercise.calls.functions import INPUTS
from minigpt.course.lessons import find

UNWRITTEN = "Not written yet."
CALLS_CHECK = (
    "Your code calls the course's `check`, which runs answers and is no part of one. If you mean "
    "a function of your own, give it another name and define it beside your answer."
)


@dataclass(frozen=True)
class Diagnosis:
    """What a check found out. `message` says all of it in words."""

    exercise: str
    passed: bool
    message: str
    misconception: str | None = None  # the name of the wrong answer that this one equals
    certain: bool = True  # False: equal in most of the cases that went wrong, not in all
    # All mistakes that it makes; for each the names of those that no outcome tells apart.
    misconceptions: tuple[tuple[str, ...], ...] = ()
    case: str | None = None  # the first case that failed
    arguments: list[tuple[str, str]] = field(default_factory=list)  # its inputs, shown
    difference: str | None = None  # the first difference, in words
    explanation: str | None = None  # the misconception's message
    line: dict | None = None  # the learner's own line that raised: number, text, function
    printed: str = ""  # what the learner's code printed, or its beginning
    cases: int = 0  # how many cases there are
    remarks: tuple[Remark, ...] = ()  # what is to be said of a right answer


def diagnose(name: str, obj: Any, seed: int = 0) -> Diagnosis:
    """Run `obj` on the cases of exercise `name` drawn from `seed`, and say what is wrong with it.

    obj: what the exercise asks for: a function, a module class, a number.
    Whatever the learner's code does (raise, loop, print, change torch), this returns.
    Raises ValueError for an unknown exercise, or one that only a teacher can mark.
    """
    exercise = find(name)
    if exercise.kind == "written":
        raise ValueError(f"{name} is answered in words: a teacher marks it, no check can")
    if problem := _wrong_thing(exercise, obj):
        return Diagnosis(name, False, problem)
    with fresh_torch():
        cases = exercise.draw(seed)
    outcomes, printed = run(exercise.call, obj, cases)
    expected = expected_outcomes(exercise, cases)
    found = {"printed": printed, "cases": len(cases)}
    problems = [_problem(exercise, *pair) for pair in zip(outcomes, expected)]
    failed = [place for place, problem in enumerate(problems) if problem]
    if not failed:
        remarks = remarks_on(exercise, obj, outcomes)
        message = " ".join([_right(len(cases)), *(remark.words for remark in remarks)])
        return Diagnosis(name, True, message, remarks=remarks, **found)
    first, outcome = cases[failed[0]], outcomes[failed[0]]
    if _is_stub(outcome.get("error")):
        return Diagnosis(name, False, UNWRITTEN, case=first.get("title"), **found)
    known = recognise_all(exercise, cases, outcomes, expected, failed)
    names = tuple(tuple(m.name for m in either) for either in known.mistakes)
    found |= {
        "misconception": names[0][0] if names else None,
        "misconceptions": names,
        "certain": known.certain,
        "case": first.get("title"),
        "arguments": _arguments(first),
        "difference": problems[failed[0]],
        "explanation": explained(known, cases, problems),
        "line": outcome.get("error", {}).get("line"),
    }
    return Diagnosis(name, False, _in_words(found), **found)


def expected_outcomes(exercise: Exercise, cases: list[dict]) -> list[Outcome]:
    """Run the reference. Its own failure is a mistake of ours, not of the learner."""
    outcomes = [see(exercise.call, exercise.reference, case) for case in cases]
    for case, outcome in zip(cases, outcomes):
        assert "seen" in outcome, f"{exercise.name}, {case.get('title')}: {outcome}"
    return outcomes


def _wrong_thing(exercise: Exercise, obj: Any) -> str | None:
    """Say what is wrong with an object that cannot be run at all."""
    needs_class = exercise.kind == "module" or isinstance(exercise.reference, type)
    if not callable(exercise.reference):
        return UNWRITTEN if obj is None or obj is ... else None
    if obj is None or obj is ...:
        return UNWRITTEN
    if needs_class and isinstance(obj, nn.Module):
        name = type(obj).__name__
        return f"This is one {name} already built. Hand in the class itself: {name}, without (...)."
    if needs_class and not callable(obj):
        return f"This is {kind(plain(obj))}; the exercise asks for a class."
    if not callable(obj):
        what = kind(plain(obj))
        return f"This is {what}; hand in the function itself, without calling it."
    return None


def _is_stub(error: dict | None) -> bool:
    """Say whether `raise NotImplementedError` still stands. PyTorch's own come with a message."""
    return bool(error) and error["type"] == "NotImplementedError" and not error["message"]


def _right(count: int) -> str:
    return "Right." if count == 1 else f"Right in all {count} cases."


def _problem(exercise: Exercise, outcome: Outcome, right: Outcome) -> str | None:
    """Say how an outcome differs from the right one, or None."""
    if error := outcome.get("error"):
        if error["type"] == TooLong.__name__:
            return f"Stopped: {error['message']}. Is there a loop that never ends?"
        if error["type"] == CalledCheck.__name__:
            return CALLS_CHECK
        if error["type"] == "Crash":
            return f"Your code cannot be checked: {error['message']}."
        return f"It raised {error['type']}: {error['message'] or '(no message)'}"
    if not callable(exercise.reference):
        return _wrong_value(exercise, outcome["seen"]["result"], right["seen"]["result"])
    for name, expected in right["seen"].items():
        if name not in outcome["seen"]:
            continue  # nothing to see because of another, named difference
        seen = outcome["seen"][name]
        if name == "result" and seen is None and expected is not None:
            return "Your function returned None. Is a `return` missing?"
        if name == INPUTS and seen != expected:
            return f"Your code changes its inputs: {seen}. Whoever calls it still needs them."
        if isinstance(seen, str) and seen != expected and not name.startswith(("result", "your ")):
            # What our own words say of it: no text of the learner's, so without quotes.
            due = f" It should be: {expected}." if isinstance(expected, str) else ""
            return f"{name[0].upper()}{name[1:]}: {seen}.{due}"
        if found := describe_difference(
            seen, expected, exercise.rtol, exercise.atol, _called(name)
        ):
            return found[0].upper() + found[1:]
    if missing := right["seen"].keys() - outcome["seen"].keys():
        return f"Nothing was seen of: {', '.join(sorted(missing))}."
    return None


def _wrong_value(exercise: Exercise, value: Any, expected: Any) -> str | None:
    """Say that a value is not right, without giving the right one away."""
    if same(value, expected, exercise.rtol, exercise.atol):
        return None
    numbers = isinstance(value, (int, float)) and isinstance(expected, (int, float))
    lists = isinstance(value, (list, tuple)) and type(value) is type(expected)
    if numbers or lists or kind(value) == kind(expected):
        return f"{show(value)} is not right."
    if isinstance(expected, (list, tuple)):  # how long it is would give it away
        return f"Your answer is {kind(value)}; it should be a {type(expected).__name__}."
    return f"Your answer is {kind(value)}; it should be {kind(expected)}."


def _arguments(case: dict) -> list[tuple[str, str]]:
    """Return the inputs of a case as (name, shown) pairs."""
    args = case.get("args", [])
    names = [*case.get("names", ()), *(f"argument {n}" for n in range(len(args)))][: len(args)]
    named = {**dict(zip(names, args)), **case.get("kwargs", {})}
    if "config" in case:
        named = {"config": ", ".join(f"{k}={v}" for k, v in case["config"].items()), **named}
    return [(name, value if name == "config" else show(value)) for name, value in named.items()]


def _in_words(found: dict) -> str:
    """Put a failed check together as plain text."""
    lines = []
    if found["explanation"]:
        lines += [found["explanation"], ""]
    lines.append(found["difference"])
    if line := found["line"]:
        lines.append(f"    line {line['number']}, in {line['function']}: {line['text']}")
    if found["case"]:
        lines.append(f"The case: {found['case']}")
    lines += [f"    {name} = {shown}" for name, shown in found["arguments"]]
    if found["printed"]:
        lines += ["Your code printed:", *(f"    {line}" for line in found["printed"].split("\n"))]
    return "\n".join(lines)


def _called(name: str) -> str:
    """Name a thing seen as the learner's: "your result", "the gradient of q"."""
    return f"your {name}" if name == "result" else name
