"""Which known mistake is it? An answer is compared with the wrong ones that people give."""

from __future__ import annotations

from minigpt.course.checking.comparing import same
from minigpt.course.checking.seeing import Outcome, see
from minigpt.course.exercise import Exercise, Misconception


def alike(exercise: Exercise, one: Outcome, other: Outcome) -> bool:
    """Say whether two outcomes are the same: equal within tolerance, or the same error."""
    if "error" in one or "error" in other:
        return one.get("error", {}).get("type") == other.get("error", {}).get("type")
    return same(one["seen"], other["seen"], exercise.rtol, exercise.atol)


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


def resembles(
    exercise: Exercise, cases: list[dict], outcomes: list[Outcome], failed: list[int]
) -> Misconception | None:
    """Return the misconception that gives most of the failed outcomes, the first among them.

    A learner may make a known mistake in a way of their own, or two mistakes at once.
    """
    agreeing = []
    for misconception in exercise.misconceptions:
        wrong = misconception.wrong
        if alike(exercise, outcomes[failed[0]], see(exercise.call, wrong, cases[failed[0]])):
            seen = [see(exercise.call, wrong, cases[place]) for place in failed]
            agree = sum(alike(exercise, outcomes[i], s) for i, s in zip(failed, seen))
            agreeing.append((agree, misconception))
    count, best = max(agreeing, key=lambda pair: pair[0], default=(0, None))
    return best if count > len(failed) / 2 and "error" not in outcomes[failed[0]] else None
