"""Claims, a guess at each, and the verdict that its tests give: the scorecard of lesson 12.

A claim is cut into parts that can be tested. Each part holds, does not, or cannot be decided here;
the verdict follows from the parts, so it cannot be typed beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from torch import Tensor

from minigpt.config import require
from minigpt.viz.kit.tables import Shown, table

TRUE, HALF, FALSE, UNDECIDABLE = VERDICTS = ("true", "half", "false", "undecidable here")
NO_GUESS = ("", "?")
WORDS = {True: "holds", False: "does not hold", None: "cannot be decided here"}
MISSES = ("right", "too believing", "too sceptical", "too sure", "too careful", "no guess")


def verdict_of(parts: Mapping[str, bool | None]) -> str:
    """Return the verdict on a claim, given which of its parts hold (None: cannot be decided here).

    All that were decided hold: true. None of them: false. Some do, some do not: half.

    >>> verdict_of({"it has heads": True, "it has an encoder": False})
    'half'
    """
    decided = {holds for holds in parts.values() if holds is not None}
    if len(decided) == 2:
        return HALF
    return {True: TRUE, False: FALSE}[decided.pop()] if decided else UNDECIDABLE


def how_far(guess: str | None, verdict: str) -> str:
    """Say how a guess and a verdict compare, in one of MISSES."""
    if guess is None or guess == verdict:
        return "no guess" if guess is None else "right"
    if UNDECIDABLE in (guess, verdict):
        return "too careful" if guess == UNDECIDABLE else "too sure"
    return "too believing" if VERDICTS.index(guess) < VERDICTS.index(verdict) else "too sceptical"


def plain(part: str, holds) -> bool | None:
    """Return what a test found as True, False or None; NumPy's and PyTorch's too."""
    if isinstance(holds, Tensor) and holds.numel() == 1 and holds.dtype.is_floating_point is False:
        holds = holds.item()
    fine = holds is None or isinstance(holds, (bool, np.bool_))
    require(fine, f"the part {part!r}", holds, "True, False, or None for not decided here")
    return None if holds is None else bool(holds)


class Claims:
    """Numbered claims; `guess` before you look, `verdict` when the tests have run.

    >>> claims = Claims()
    >>> claims.add({1: "GPT-2 has an encoder"})
       claim
    1  GPT-2 has an encoder
    >>> claims.guess({1: "true"})
    1 of 1 guessed
    >>> claims.verdict(1, {"there is an encoder": False}, by="the names in the file")
    1. GPT-2 has an encoder  found
    there is an encoder      does not hold
    verdict                  false
    by                       the names in the file
    """

    def __init__(self) -> None:
        self.claims: dict[int, str] = {}
        self.guesses: dict[int, str] = {}
        self.late: set[int] = set()  # guessed, or changed, when the verdict was known
        self.verdicts: dict[int, str] = {}
        self.tests: dict[int, str] = {}

    def add(self, claims: Mapping[int, str]) -> Shown:
        """Take numbered claims, and show them. Raises ValueError for what is no such dictionary."""
        fine = isinstance(claims, Mapping) and len(claims) > 0
        require(fine, "claims", claims, "a dictionary of numbers and claims, with at least one")
        self.claims.update(claims)
        return table([[claim] for claim in claims.values()], ["claim"], rows=list(map(str, claims)))

    def check(self, number: int) -> None:
        """Raise ValueError unless there is a claim of this number."""
        known = ", ".join(map(str, self.claims)) or "none yet: add them first"
        require(number in self.claims, "the number of a claim", number, f"one of {known}")

    def guess(self, guesses: Mapping[int, str]) -> None:
        """Take guesses: true, half, false or undecidable, or their first letters; "" for none.

        One that comes after its verdict is kept and not counted. Raises ValueError, before any is
        taken, for a number or a word that is not known.
        """
        taken = {}
        for number, said in guesses.items():
            self.check(number)
            said = str(said).strip().lower()
            found = [verdict for verdict in VERDICTS if said and verdict.startswith(said)]
            accepted = f"{', '.join(VERDICTS)}, their first letters, or '?'"
            require(bool(found) or said in NO_GUESS, f"the guess at {number}", said, accepted)
            if found:
                taken[number] = found[0]
        for number, said in taken.items():
            if number in self.verdicts and self.guesses.get(number) != said:
                self.late.add(number)
            self.guesses[number] = said
        print(f"{len(taken)} of {len(guesses)} guessed")

    def verdict(self, number: int, parts: Mapping[str, bool | None], *, by: str) -> Shown:
        """Decide a claim by its parts, and show them; `by` says which test or source decided.

        Raises ValueError for an unknown number, for no parts, and for a part that is neither True,
        False nor None.
        """
        self.check(number)
        require(bool(parts), "parts", parts, "a dictionary with at least one part")
        parts = {part: plain(part, holds) for part, holds in parts.items()}
        self.verdicts[number], self.tests[number] = verdict_of(parts), by
        rows = [[part, WORDS[holds]] for part, holds in parts.items()]
        rows += [["verdict", self.verdicts[number]], ["by", by]]
        return table(rows, [f"{number}. {self.claims[number]}", "found"])

    def compared(self, number: int) -> str:
        """Say how the guess at a decided claim compares with it; a late guess does not count."""
        guess = None if number in self.late else self.guesses.get(number)
        return how_far(guess, self.verdicts[number])

    def scorecard(self) -> Shown:
        """Show each claim with your guess, the verdict, and what decided it."""
        rows = []
        for number, claim in self.claims.items():
            guess = self.guesses.get(number, "no guess")
            guess += " (late)" if number in self.late else ""
            decided = number in self.verdicts
            verdict = self.verdicts[number] if decided else "not run yet"
            how = self.compared(number).replace("no guess", "") if decided else ""
            rows.append([str(number), claim, guess, verdict, how, self.tests.get(number, "")])
        return table(rows, ["", "claim", "your guess", "verdict", "you were", "decided by"])

    def tally(self) -> dict[str, Counter]:
        """Count, for each verdict that was given, how your guesses compared: {verdict: MISSES}."""
        found: dict[str, Counter] = {}
        for number, verdict in self.verdicts.items():
            found.setdefault(verdict, Counter())[self.compared(number)] += 1
        return {verdict: found[verdict] for verdict in VERDICTS if verdict in found}
