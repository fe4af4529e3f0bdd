"""What surrounds the lessons: exercises and their checks, progress, and building the notebooks."""

from importlib import import_module

_HOME = {
    "Diagnosis": "checking",
    "ProgressWidget": "progress",
    "check": "reporting",
    "diagnose": "checking",
    "hint": "hints",
    "my_parts": "parts",
    "my_progress": "progress",
    "part": "parts",
}

__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'minigpt.course' has no attribute {name!r}")
    return getattr(import_module(f"minigpt.course.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
