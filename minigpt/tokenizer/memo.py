"""What was encoded once is looked up the next time."""

from __future__ import annotations

from collections.abc import Callable


class Memo(dict):
    """A dictionary that works out what it lacks, and remembers it while there is room.

    What it holds is found without running any Python. Long keys, which hardly ever come again,
    are not kept, and when it is full it starts afresh, so memory cannot grow for ever. Full of
    ordinary text it takes about 100 MB.
    """

    MOST_KEYS = 2**18
    LONGEST_KEY = 100

    def __init__(self, work_out: Callable[[str], tuple[int, ...]]) -> None:
        self.work_out = work_out

    def __missing__(self, key: str) -> tuple[int, ...]:
        if len(self) >= self.MOST_KEYS:
            self.clear()
        value = self.work_out(key)
        if len(key) <= self.LONGEST_KEY:
            self[key] = value
        return value
