"""Which known mistakes are these? An answer is compared with the wrong ones that people give.

Nothing but outcomes decides. A mistake *shows* on a case if what it gives there is wrong. It is
named when it gives the answer's outcome wherever it shows. Of mistakes that give the same on every
case all are named: nothing tells which it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from minigpt.course.checking.comparing import same
from minigpt.course.checking.seeing import Outcome, see
from minigpt.course.exercise import Exercise, Misconception

MOST_AT_ONCE = 3  # mistakes that are looked for in one answer

Either = tuple[Misconception, ...]  # one mistake; several, where no outcome tells them apart


@dataclass(frozen=True)
class Recognised:
    """The known mistakes of an answer; or, not certain, one that comes near it."""

    mistakes: tuple[Either, ...] = ()
    failed: int = 0  # how many cases went wrong
    unexplained: tuple[int, ...] = ()  # those of them that go wrong in another way
    spared: int = 0  # cases in which the mistake would be wrong too, and the answer is right

    @property
    def certain(self) -> bool:
        return not self.unexplained and not self.spared


@dataclass(frozen=True)
class Trace:
    """What a known mistake gives on each case, beside what the answer gave."""

    mistake: Misconception
    outcomes: list[Outcome]
    shows: frozenset[int]  # the cases on which it is wrong
    agrees: frozenset[int]  # the cases on which it gives the answer's outcome
    proves: frozenset[int]  # those of them that are no chance: not just an error of the same type


def alike(exercise: Exercise, one: Outcome, other: Outcome) -> bool:
    """Say whether two outcomes are the same: equal within tolerance, or the same error."""
    if "error" in one or "error" in other:
        return one.get("error", {}).get("type") == other.get("error", {}).get("type")
    return same(one["seen"], other["seen"], exercise.rtol, exercise.atol)


def recognise(exercise: Exercise, cases: list[dict], outcomes: list[Outcome]) -> Either:
    """Return the misconceptions that give just these outcomes: mostly one, or none."""
    return tuple(
        misconception
        for misconception in exercise.misconceptions
        if len(outcomes) == len(cases)
        and all(
            alike(exercise, outcome, see(exercise.call, misconception.wrong, case))
            for outcome, case in zip(outcomes, cases)
        )
    )


def recognise_all(
    exercise: Exercise,
    cases: list[dict],
    outcomes: list[Outcome],
    expected: list[Outcome],
    failed: list[int],
) -> Recognised:
    """Return the known mistakes in an answer that is wrong on the cases `failed`.

    One that explains all of it; or several at once that do; or one that explains most of it.
    """
    if either := recognise(exercise, cases, outcomes):
        return Recognised((either,), len(failed))
    traces = [_trace(exercise, m, cases, outcomes, expected) for m in exercise.misconceptions]
    # The bugs of a bug exercise are known in every combination already.
    seen_all = len(outcomes) == len(cases) and exercise.kind != "bug"
    if seen_all and (mistakes := _several(exercise, traces, set(failed))):
        return Recognised(mistakes, len(failed))
    return _nearest(traces, outcomes, failed)


def _nearest(traces: list[Trace], outcomes: list[Outcome], failed: list[int]) -> Recognised:
    """Return the mistake that gives most of the failed outcomes, the first among them, if any."""

    def closeness(trace: Trace) -> tuple[int, int]:
        return len(trace.agrees.intersection(failed)), -len(trace.shows.difference(failed))

    able = [t for t in traces if failed[0] in t.agrees and "seen" in outcomes[failed[0]]]
    explained, spared = max(map(closeness, able), default=(0, 0))
    if explained <= len(failed) / 2:
        return Recognised()
    best = [t for t in able if closeness(t) == (explained, spared)]
    either = tuple(t.mistake for t in best if t.agrees == best[0].agrees)
    others = tuple(place for place in failed if place not in best[0].agrees)
    return Recognised((either,), len(failed), others, -spared)


def _trace(
    exercise: Exercise,
    misconception: Misconception,
    cases: list[dict],
    outcomes: list[Outcome],
    expected: list[Outcome],
) -> Trace:
    given = [see(exercise.call, misconception.wrong, case) for case in cases]

    def places(others: list[Outcome]) -> frozenset[int]:
        pairs = enumerate(zip(given, others))
        return frozenset(place for place, pair in pairs if alike(exercise, *pair))

    agrees = places(outcomes)
    proves = {
        i for i in agrees if "seen" in given[i] or _message(given[i]) == _message(outcomes[i])
    }
    return Trace(
        misconception, given, frozenset(range(len(cases))) - places(expected), agrees, proves
    )


def _message(outcome: Outcome) -> str:
    return outcome["error"]["message"]


def _several(exercise: Exercise, traces: list[Trace], failed: set[int]) -> tuple[Either, ...]:
    """Return the fewest mistakes that together explain an answer, or nothing."""
    able = [t for t in traces if t.shows & t.proves]
    for count in range(2, MOST_AT_ONCE + 1):
        if found := [group for group in combinations(able, count) if _explain(group, failed)]:
            best = max(found, key=lambda group: sum(len(_alone(t, group)) for t in group))
            return tuple(_either(exercise, trace, best, able, failed) for trace in best)
    return ()


def _alone(trace: Trace, group: tuple[Trace, ...]) -> frozenset[int]:
    """Return the cases on which this mistake shows and no other of the group."""
    return trace.shows.difference(*(other.shows for other in group if other is not trace))


def _explain(group: tuple[Trace, ...], failed: set[int]) -> bool:
    """Say whether an answer with just these mistakes gives what was seen.

    Where one of them shows alone, the answer must be wrong as it is, and each must do so once.
    Where none shows, it must be right; where several do, anything may come of it.
    """
    for trace in group:
        alone = _alone(trace, group)
        if not alone <= trace.agrees or not alone & trace.proves:
            return False
    return failed <= frozenset().union(*(trace.shows for trace in group))


def _either(
    exercise: Exercise, trace: Trace, group: tuple[Trace, ...], able: list[Trace], failed: set[int]
) -> Either:
    """Return a mistake of a group, and those that would do as well in its place."""
    places = group.index(trace)
    alone = _alone(trace, group)
    return (
        trace.mistake,
        *(
            other.mistake
            for other in able
            if other not in group
            and _explain((*group[:places], other, *group[places + 1 :]), failed)
            and all(alike(exercise, trace.outcomes[i], other.outcomes[i]) for i in alone)
        ),
    )
