"""What is shown of one profile, or of two side by side: a tree of parts, the tiny ones gathered.

Each node is a dict of its `name`, its `seconds` and `flops` in every profile (None where a profile
does not have it), and the `parts` that it opens into, in the order in which they were given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral

from minigpt.config import as_plain, is_number
from minigpt.speed.profiling import Part

TINY = 0.015  # of a bar: less cannot be hit with a mouse
FEW = 5  # parts of a bar that all stay, however thin: the table beside it opens them too
OFF = 1e-6  # by which the parts may miss the whole
OTHER, NO_PART = "other", "(in no part)"


def merged(profiles: Sequence[Part]) -> dict:
    """Return the tree of one profile, or of two in which parts of one name stand together.

    A bar's tiny parts are gathered as "other", which opens into them. Where parts take less than
    their whole, the rest becomes a part too. Raises ValueError for what is no profile.
    """
    for part in profiles:
        if not isinstance(part, Part):
            raise ValueError(
                f"the profile is a {type(part).__name__}; give a Part, such as "
                "minigpt.speed.profiling.profile_step returns"
            )
        check_tree(part, part.name)
        if not part.seconds:
            raise ValueError(f"the profile {part.name!r} takes 0 seconds; there is nothing to show")
    return node(profiles[0].name, profiles)


def check_tree(part: Part, path: str) -> None:
    """Raise ValueError unless a part and all in it have names, and times that go together."""
    if not isinstance(part, Part) or not isinstance(part.name, str) or not part.name:
        raise ValueError(f"{path} holds {part!r:.60}; a profile consists of Parts with names")
    if not (is_number(part.seconds) and 0 <= part.seconds < math.inf):
        raise ValueError(f"{path} takes {part.seconds!r} seconds; give a number of at least 0")
    if not (is_number(part.flops) and isinstance(part.flops, Integral) and part.flops >= 0):
        raise ValueError(f"{path} has {part.flops!r} flops; give a whole number, or 0 for unknown")
    for each in part.parts:
        check_tree(each, f"{path} › {getattr(each, 'name', '?')}")
    total = math.fsum(each.seconds for each in part.parts)
    if total > part.seconds * (1 + OFF):
        raise ValueError(
            f"the parts of {path} take {1000 * total:.6g} ms, more than its own "
            f"{1000 * part.seconds:.6g} ms; a part's time holds those of its parts"
        )


def node(name: str, found: Sequence[Part | None]) -> dict:
    """Return the node of what the profiles have under one name."""
    named = [by_name(part) for part in found]
    names = dict.fromkeys(name for parts in named for name in parts)
    parts = [node(each, [parts.get(each) for parts in named]) for each in names]
    return {
        "name": name,
        "seconds": [None if part is None else as_plain(part.seconds) for part in found],
        "flops": [0 if part is None else as_plain(part.flops) for part in found],
        "parts": gathered(parts) if any(part and part.seconds for part in found) else [],
    }


def by_name(part: Part | None) -> dict[str, Part]:
    """Return a part's parts by name; one whose name another bears already gets a number."""
    if part is None or not part.parts:
        return {}
    rest = part.seconds - math.fsum(each.seconds for each in part.parts)
    listed = [*part.parts, *([Part(NO_PART, rest)] if rest > part.seconds * OFF else [])]
    named: dict[str, Part] = {}
    for each in listed:
        name, times = each.name, 1
        while name in named:
            times += 1
            name = f"{each.name} ({times})"
        named[name] = each
    return named


def largest(seconds: Sequence[float | None]) -> float:
    """Return the longest time that any of the profiles has."""
    return max((each for each in seconds if each is not None), default=0.0)


def total(amounts: Sequence[float | None]) -> float | None:
    """Return the sum of those that are there; None if none is."""
    there = [each for each in amounts if each is not None]
    return sum(there) if there else None


def gathered(parts: list[dict]) -> list[dict]:
    """Return a bar's parts, the tiny ones as one part at its end.

    Few parts all stay; so does a tiny one that is alone; and where all are tiny, all stay.
    """
    whole = [total(each) or 0.0 for each in zip(*(part["seconds"] for part in parts))]
    least = TINY * max(whole, default=0.0)
    tiny = [part for part in parts if largest(part["seconds"]) < least]
    kept = [part for part in parts if largest(part["seconds"]) >= least]
    if len(parts) <= FEW or len(tiny) < 2 or not kept:
        return parts
    name = OTHER
    while any(part["name"] == name for part in kept):
        name += " parts"
    other = {
        "name": name,
        "seconds": [total(each) for each in zip(*(part["seconds"] for part in tiny))],
        "flops": [sum(each) for each in zip(*(part["flops"] for part in tiny))],
        "parts": gathered(tiny),
    }
    return [*kept, other]


def at(tree: dict, path: Sequence[str]) -> dict:
    """Return the node that a path of names leads to, or raise ValueError."""
    for i, name in enumerate(path):
        names = [part["name"] for part in tree["parts"]]
        if name not in names:
            there = f"it has {', '.join(map(repr, names))}" if names else "it opens into nothing"
            where = " › ".join([*path[:i]]) or "the whole"
            raise ValueError(f"{where} has no part {name!r}; {there}")
        tree = tree["parts"][names.index(name)]
    return tree
