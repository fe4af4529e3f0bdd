"""What wrong answers are written with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

Wrong = dict[str, tuple]  # name -> (message, wrong answer), or (message, wrong answer, same as)


def changed(base: type, **parts: Any) -> type:
    """Return a class with some of its parts replaced: one mistake, and everything else right."""
    return type(base.__name__, (base,), parts)


def half_mended(broken: Callable, bugs: dict[str, str], question: str) -> Wrong:
    """Return a broken function, `broken(..., bugs=[...])`, with all and with some of its bugs.

    bugs: what each does, in a sentence; question: what a teacher asks about those that are left.
    """
    everything = "Not written yet: this is still the broken version."
    wrong: Wrong = {"untouched": (everything, partial(broken, bugs=tuple(bugs)))}
    for count in range(len(bugs) - 1, 0, -1):
        for left in combinations(bugs, count):
            told = " ".join(bugs[bug] for bug in left)
            message = f"{len(bugs) - count} of {len(bugs)} mended, {count} left. {told} {question}"
            wrong["left-" + "-and-".join(left)] = message, partial(broken, bugs=left)
    return wrong
