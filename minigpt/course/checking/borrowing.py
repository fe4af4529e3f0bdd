"""Does a right answer hand back what was to be written? Found in its code; nothing is run.

A subclass that adds nothing, a call of the package's own function, PyTorch's own: all of them are
right, and none was written by the learner. They pass, with a word.
"""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Iterator
from pkgutil import resolve_name
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from minigpt.course.checking.seeing import LIBRARIES, OURS
from minigpt.course.exercise import Exercise

# What PyTorch calls otherwise. What has the exercise's own name there is found by it.
OTHERWISE = {
    "attention": "torch.nn.functional.scaled_dot_product_attention",
    "CausalSelfAttention": "torch.nn.MultiheadAttention",
    "adamw_step": "torch.optim.AdamW",
}
LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF")
ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")


def borrowed(exercise: Exercise, answer: Any) -> str | None:
    """Return what an answer borrows instead of writing it, by its full name, or None."""
    wanted = _the_very_thing(exercise)
    left, seen = [answer], set()
    while left:
        value = left.pop()
        if id(value) in wanted:
            return wanted[id(value)]
        if id(value) not in seen:
            seen.add(id(value))
            left += _used_by(value, given_class=exercise.kind == "bug")
    return None


def _the_very_thing(exercise: Exercise) -> dict[int, str]:
    """Return what does an exercise's work, in the package and in PyTorch: id -> full name."""
    found = {id(exercise.reference): _name(exercise.reference)}
    for name, module in list(sys.modules.items()):
        if name.startswith("minigpt.") and not name.startswith("minigpt.course"):
            value = vars(module).get(exercise.name)
            if callable(value):
                found[id(value)] = _name(value)
    for module in (torch, nn, F):
        for name, value in vars(module).items():
            if _plainly(name) == _plainly(exercise.name) and callable(value):
                found[id(value)] = f"{module.__name__}.{name}"
    if name := OTHERWISE.get(exercise.name):
        found[id(resolve_name(name))] = name
    return found


def _name(value: Any) -> str:
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", "")
    return f"{module}.{name}" if module else name


def _plainly(name: str) -> str:
    """Return a name as PyTorch's classes and functions share it.

    >>> _plainly("CrossEntropyLoss") == _plainly("cross_entropy")
    True
    """
    return name.lower().replace("_", "").removesuffix("loss")


def _used_by(value: Any, given_class: bool) -> list[Any]:
    """Return what a piece of the learner's own code is made of; a library's is not looked into.

    given_class: the exercise gives a class with its base, so a base is borrowed only by one that
    adds nothing to it.
    """
    if isinstance(value, functools.partial):
        return [value.func]
    if isinstance(value, MethodType):
        return [value.__func__]
    if isinstance(value, nn.Module):
        return [type(value)]
    if isinstance(value, type):
        if _file(value).startswith((OURS, *LIBRARIES)) or value.__module__ == "builtins":
            return []
        own = [part for part in vars(value).values() if callable(part)]
        return own if own and given_class else [*own, *value.__bases__]
    if isinstance(value, (staticmethod, classmethod)):
        return [value.__func__]
    if isinstance(value, FunctionType) and not _file(value).startswith((OURS, *LIBRARIES)):
        return [*_mentioned(value), getattr(value, "__wrapped__", None)]
    return []


def _file(value: Any) -> str:
    if isinstance(value, FunctionType):
        return value.__code__.co_filename
    return getattr(sys.modules.get(value.__module__), "__file__", None) or ""


def _mentioned(function: FunctionType) -> Iterator[Any]:
    """Yield what the names in a function stand for, also behind dots and in functions inside it."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
    names = {name: _content(cell) for name, cell in cells.items()}
    codes = [function.__code__]
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        yield from _loaded(code, function.__globals__ | names)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty yet
        return None


def _loaded(code: CodeType, names: dict[str, Any]) -> Iterator[Any]:
    """Yield what a piece of code loads, as far as it can be told without running it."""
    local: dict[str, Any] = {}
    now = imported = None
    for step in dis.get_instructions(code):
        if step.opname in LOADS:
            now = names.get(step.argval)
        elif step.opname == "IMPORT_NAME":
            now = imported = sys.modules.get(step.argval)
        elif step.opname == "IMPORT_FROM":
            now = getattr(imported, step.argval, imported)
        elif step.opname in ATTRIBUTES:
            now = getattr(now, step.argval, None) if isinstance(now, ModuleType) else None
        elif step.opname == "STORE_FAST":
            local[step.argval] = now
        elif step.opname.startswith("LOAD_FAST") and isinstance(step.argval, str):
            now = local.get(step.argval)
        elif step.opname.startswith("CALL"):
            now = None
        if now is not None:
            yield now
