"""The exercises of all lessons: one definition each, found by name."""

from __future__ import annotations

import difflib
from dataclasses import replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from minigpt.course.exercise.definition import Exercise

__all__ = ["all_exercises", "find"]


@cache
def all_exercises() -> dict[str, Exercise]:
    """Return every exercise by its name, in the order of the lessons."""
    found: dict[str, Exercise] = {}
    for folder in sorted(m.name for m in iter_modules(__path__) if m.name.startswith("lesson_")):
        for exercise in import_module(f"{__name__}.{folder}").EXERCISES:
            assert exercise.name not in found, f"two exercises are named {exercise.name}"
            found[exercise.name] = replace(exercise, lesson=folder.removeprefix("lesson_"))
    return found


def find(name: str) -> Exercise:
    """Return the exercise of that name.

    Raises ValueError for a name that no exercise has, with the names that come near.
    """
    exercises = all_exercises()
    if name not in exercises:
        near = difflib.get_close_matches(str(name), exercises, n=3) or exercises
        raise ValueError(f"there is no exercise {name!r}; there is: {', '.join(near)}")
    return exercises[name]
