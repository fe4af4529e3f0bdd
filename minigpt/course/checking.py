"""Is mine right? Run a learner's code on an exercise's cases and say what went wrong, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from minigpt.course.calls.functions import INPUTS
from minigpt.course.comparing import difference, kind, same, show
from minigpt.course.exercises import Exercise, Misconception, find
from minigpt.course.running import Outcome, TooLong, plain, run, see

UNWRITTEN = "Not written yet."


@dataclass(frozen=True)
class Diagnosis:
    """What a check found out. `message` says all of it in words."""

    exercise: str
    passed: bool
    message: str
    misconception: str | None = None  # the name of the wrong answer that this one equals
    case: str | None = None  # the first case that failed
    arguments: list[tuple[str, str]] = field(default_factory=list)  # its inputs, shown
    difference: str | None = None  # the first difference, in words
    explanation: str | None = None  # the misconception's message
    line: dict | None = None  # the learner's own line that raised: number, text, function
    printed: str = ""  # what the learner's code printed, or its beginning
    cases: int = 0  # how many cases there are


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
    cases = exercise.draw(seed)
    outcomes, printed = run(exercise.call, obj, cases)
    expected = expected_outcomes(exercise, cases)
    found = {"printed": printed, "cases": len(cases)}
    for case, outcome, right in zip(cases, outcomes, expected):
        if outcome.get("error", {}).get("type") == "NotImplementedError":
            return Diagnosis(name, False, UNWRITTEN, case=case.get("title"), **found)
        if problem := _problem(exercise, outcome, right):
            break
    else:
        return Diagnosis(name, True, _right(len(cases)), **found)
    known = recognise(exercise, cases, outcomes)
    found |= {
        "misconception": known and known.name,
        "case": case.get("title"),
        "arguments": _arguments(case),
        "difference": problem,
        "explanation": known and known.message,
        "line": outcome.get("error", {}).get("line"),
    }
    return Diagnosis(name, False, _in_words(found), **found)


def expected_outcomes(exercise: Exercise, cases: list[dict]) -> list[Outcome]:
    """Run the reference. Its own failure is a mistake of ours, not of the learner."""
    outcomes = [see(exercise.call, exercise.reference, case) for case in cases]
    for case, outcome in zip(cases, outcomes):
        assert "seen" in outcome, f"{exercise.name}, {case.get('title')}: {outcome}"
    return outcomes


def recognise(
    exercise: Exercise, cases: list[dict], outcomes: list[Outcome]
) -> Misconception | None:
    """Return the first misconception that gives just these outcomes, if one does."""
    for misconception in exercise.misconceptions:
        pairs = zip(outcomes, cases)
        if len(outcomes) == len(cases) and all(
            alike(exercise, outcome, see(exercise.call, misconception.wrong, case))
            for outcome, case in pairs
        ):
            return misconception
    return None


def alike(exercise: Exercise, one: Outcome, other: Outcome) -> bool:
    """Say whether two outcomes are the same: equal within tolerance, or the same error."""
    if "error" in one or "error" in other:
        return one.get("error", {}).get("type") == other.get("error", {}).get("type")
    return same(one["seen"], other["seen"], exercise.rtol, exercise.atol)


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


def _right(count: int) -> str:
    return "Right." if count == 1 else f"Right in all {count} cases."


def _problem(exercise: Exercise, outcome: Outcome, right: Outcome) -> str | None:
    """Say how an outcome differs from the right one, or None."""
    if error := outcome.get("error"):
        if error["type"] == TooLong.__name__:
            return f"Stopped: {error['message']}. Is there a loop that never ends?"
        if error["type"] == "Crash":
            return f"Your code cannot be checked: {error['message']}."
        return f"It raised {error['type']}: {error['message'] or '(no message)'}"
    for name, expected in right["seen"].items():
        if name not in outcome["seen"]:
            continue  # nothing to see because of another, named difference
        seen = outcome["seen"][name]
        if name == "result" and seen is None and expected is not None:
            return "Your function returned None. Is a `return` missing?"
        if name == INPUTS and seen != expected:
            return f"Your code changes its inputs: {seen}. Whoever calls it still needs them."
        if isinstance(seen, str) and not isinstance(expected, str) and name != "result":
            return f"The {name}: {seen}."
        if found := difference(seen, expected, exercise.rtol, exercise.atol, _called(name)):
            return found[0].upper() + found[1:]
    if missing := right["seen"].keys() - outcome["seen"].keys():
        return f"Nothing was seen of: {', '.join(sorted(missing))}."
    return None


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
