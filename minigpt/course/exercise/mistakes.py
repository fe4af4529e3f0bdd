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


def in_pairs(wrong: Wrong, **same_as: str) -> Wrong:
    """Return pairs of mistakes, of those that count by one function with an argument changed.

    A count shows all its mistakes in one number, so that no case could tell them apart.
    same_as: the pairs that give the number of another mistake, and which.

    >>> wrong = {"half": ("It is whole.", partial(round, number=0.5))}
    >>> in_pairs(wrong | {"finer": ("One digit.", partial(round, ndigits=2))})["half, finer"][0]
    'Two things. It is whole. One digit.'
    """
    counted = {n: told for n, told in wrong.items() if len(told) == 2 and type(told[1]) is partial}
    known = [told[1].keywords for told in counted.values()]
    pairs: Wrong = {}
    for (name, (message, one)), (more, (besides, other)) in combinations(counted.items(), 2):
        both = one.keywords | other.keywords
        if len(both) == len(one.keywords) + len(other.keywords) and both not in known:
            told = f"Two things. {message} {besides}", partial(one.func, **both)
            pair = f"{name}, {more}"
            pairs[pair] = (*told, same_as[pair]) if pair in same_as else told
    return pairs
