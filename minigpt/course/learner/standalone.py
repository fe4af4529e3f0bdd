"""The source of an answer that can stand alone: with the imports, constants and helpers it uses.

What is ours is imported by its shortest public name, so that it is found when a module moves.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import math
import symtable
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import torch

from minigpt.course.checking.seeing import LIBRARIES, OURS
from minigpt.course.learner.sources import CannotKeep, Definition, assignment, definition
from minigpt.course.learner.using import given

LONGEST = 10_000  # characters of a constant in a kept file
FEW = 64  # numbers of a tensor in a kept file


def _names_used(node: ast.AST) -> Iterator[str]:
    """Yield the names that a definition reads from outside; its own variables are not among them.

    >>> list(_names_used(ast.parse("def f(x, n=size):\\n    y = g(x)\\n    return y")))
    ['size', 'g']
    """
    scopes = [symtable.symtable(ast.unparse(node), "<part>", "exec")]
    for scope in scopes:
        scopes += scope.get_children()
        outermost = scope.get_type() == "module"
        for symbol in scope.get_symbols():
            if symbol.is_referenced() if outermost else symbol.is_global():
                yield symbol.get_name()


def _is_library(name: Any, module: Any) -> bool:
    file = getattr(module, "__file__", None) or ""
    return file.startswith((OURS, *LIBRARIES)) or (
        name in sys.stdlib_module_names and name != "__main__"
    )


def _face(home_module: str, name: str, value: Any) -> str | None:
    """Return our shortest public face that hands a value on: it stays where modules move."""
    parts = home_module.split(".")
    if parts[0] != "minigpt":
        return None
    faces = (".".join(parts[:end]) for end in range(1, len(parts)))
    for face in map(importlib.import_module, faces):
        if name in getattr(face, "__all__", ()) and getattr(face, name) is value:
            return face.__name__
    return None


def _importable(used: str, value: Any) -> tuple[str, str] | None:
    """Return the module of an installed library, or of ours, and the value's name there."""
    home_module, qualified = (getattr(value, key, "") for key in ("__module__", "__qualname__"))
    if face := _face(str(home_module), str(qualified), value):
        return face, qualified
    module = sys.modules.get(home_module) if isinstance(home_module, str) else None
    if _is_library(home_module, module) and getattr(module, qualified, None) is value:
        return home_module, qualified
    # What is written in C may not know its home, as torch.arange: look who has it by that name.
    public = [(name, m) for name, m in list(sys.modules.items()) if "._" not in f".{name}"]
    homes = [name for name, m in public if getattr(m, "__dict__", {}).get(used) is value]
    homes = [name for name in homes if _is_library(name, sys.modules[name])]
    return (min(homes, key=len), used) if homes else None


def _literal(value: Any) -> str | None:
    """Return Python's own text of a constant: numbers, texts, and tuples, lists, dicts of them.

    >>> _literal({"a": (1, 2.5)}), _literal(object())
    ("{'a': (1, 2.5)}", None)
    """
    if type(value) in (bool, int, str, bytes, type(None)):
        return repr(value)
    if type(value) is float:
        return repr(value) if math.isfinite(value) else f'float("{value}")'
    if type(value) is dict:
        items = [(_literal(key), _literal(item)) for key, item in value.items()]
        whole = all(None not in pair for pair in items)
        return "{" + ", ".join(f"{k}: {v}" for k, v in items) + "}" if whole else None
    if type(value) in (tuple, list, set):
        inside = [_literal(item) for item in value]
        if None in inside or value == set():
            return "set()" if value == set() else None
        text = ", ".join(inside)
        ends = {list: "[]", set: "{}", tuple: "()"}[type(value)]
        return ends[0] + text + "," * (type(value) is tuple and len(value) == 1) + ends[1]
    return None


def _tensor(value: Any) -> str | None:
    """Return the text of a small tensor of plain numbers."""
    if type(value) is not torch.Tensor or value.numel() > FEW or value.requires_grad:
        return None
    return f"torch.tensor({_literal(value.tolist())}, dtype={value.dtype})"


def _add_used(used: str, value: Any, user: str, names: dict, kept: Kept) -> None:
    """Add what a name stands for to what is kept, before the piece that uses it."""
    if isinstance(value, ModuleType):
        alias = "" if used == value.__name__ else f" as {used}"
        kept.imports[f"import {value.__name__}{alias}"] = None
    elif id(value) in given:
        kept.imports["from minigpt.course import part"] = None
        kept.values[f'{used} = part("{given[id(value)][0]}")'] = None
    elif text := _literal(value):
        if len(text) > LONGEST:
            size = f"{user} uses {used}, a {type(value).__name__} of {len(text):,} characters"
            raise CannotKeep(f"{size}; make it inside {user}")
        kept.values[f"{used} = {text}"] = None
    elif isinstance(value, (torch.dtype, torch.device)):
        kept.imports["import torch"] = None
        kept.values[f"{used} = torch.{repr(value).removeprefix('torch.')}"] = None
    elif text := _tensor(value):
        kept.imports["import torch"] = None
        kept.values[f"{used} = {text}"] = None
    elif found := _importable(used, value):
        module, qualified = found
        same = "" if qualified == used else f" as {used}"
        kept.imports[f"from {module} import {qualified}{same}"] = None
    elif line := assignment(used, names):
        _add_names(line, used, kept)
        kept.pieces[line.text] = None
    elif isinstance(inspect.unwrap(value), (FunctionType, type)):
        own = _collect(value, used, names, kept)
        if own != used:
            kept.pieces[f"{used} = {own}"] = None
    elif used != "check":
        what = f"{user} uses {used}, a {type(value).__name__} that lives in the notebook"
        raise CannotKeep(f"{what}; make it inside {user}, or pass it in")


def _add_names(found: Definition, name: str, kept: Kept) -> None:
    for used in _names_used(found.node):
        if used in found.names and used != name:
            _add_used(used, found.names[used], name, found.names, kept)


def _collect(obj: Any, name: str, names: dict | None, kept: Kept) -> str:
    """Add the source of a function or class, after that of what it uses; return its name."""
    found = definition(obj, names)
    own = getattr(found.node, "name", name)  # a lambda has none
    text = f"{own} = {found.text}" if isinstance(found.node, ast.Lambda) else found.text
    if text in kept.pieces:
        return own
    inner = inspect.unwrap(obj)  # what stands below the decorators
    if isinstance(inner, FunctionType) and set(inner.__code__.co_freevars) - {"__class__"}:
        raise CannotKeep(f"{own} uses variables of the function around it; pass them in")
    kept.pieces[text] = None  # so that two functions which call each other end
    for used in _names_used(found.node):
        if used in found.names and found.names[used] is not obj:
            _add_used(used, found.names[used], own, found.names, kept)
    del kept.pieces[text]  # and now behind what it uses
    kept.pieces[text] = None
    return own


class Kept:
    """What a kept file will hold, in its order; each a dict, used as an ordered set."""

    def __init__(self) -> None:
        self.imports: dict[str, None] = {}
        self.values: dict[str, None] = {}
        self.pieces: dict[str, None] = {}


def standalone_source(name: str, obj: Any) -> str:
    """Return source that defines `name` as `obj` with all that it uses. Raises CannotKeep."""
    kept = Kept()
    own = _collect(obj, name, None, kept)
    if own != name:
        kept.pieces[f"{name} = {own}"] = None
    groups = ["\n".join(kept.imports), "\n".join(kept.values), *kept.pieces]
    return "\n\n\n".join(filter(None, groups)) + "\n"
