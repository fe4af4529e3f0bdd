"""Where the time of a step goes: a tree of parts, each with its seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A part of something that takes time, and the parts it consists of.

    `seconds` is the whole part's time, those of `parts` included. `flops` counts the additions and
    multiplications of its matrix products; 0 says that nobody counted.
    """

    name: str
    seconds: float
    parts: tuple[Part, ...] = ()
    flops: int = 0
