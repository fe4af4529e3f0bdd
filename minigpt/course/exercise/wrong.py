"""What wrong answers are written with."""

from __future__ import annotations

from typing import Any

Wrong = dict[str, tuple]  # name -> (message, wrong answer), or (message, wrong answer, same as)


def changed(base: type, **parts: Any) -> type:
    """Return a class with some of its parts replaced: one mistake, and everything else right."""
    return type(base.__name__, (base,), parts)
