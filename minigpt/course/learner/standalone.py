"""The source of an answer that can stand alone: with the imports, constants and helpers it uses.

What is ours is imported by its shortest public name, so that it is found when a module moves.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import linecache
import math
import symtable
import sys
import textwrap
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import torch

from minigpt.course.checking.seeing import LIBRARIES, OURS
from minigpt.course.learner.using import given


class CannotKeep(ValueError):
    """A right answer whose source cannot stand alone in a file; the message says why."""


def _parsed(text: str) -> ast.AST:
    try:
        return ast.parse(text)
    except SyntaxError:  # a cell with a line of IPython's own, such as %timeit
        kept = [("pass" if line.startswith(("%", "!")) else line) for line in text.splitlines()]
        try:
            return ast.parse("\n".join(kept))
        except SyntaxError:
            raise CannotKeep("its cell holds more than Python; give it a cell of its own") from None


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


def _definition(obj: Any) -> tuple[ast.AST, str, dict[str, Any]]:
    """Return the syntax tree of a function or class, its text, and the names it can see."""
    function = inspect.unwrap(obj) if callable(obj) else obj
    if inspect.isclass(obj):
        methods = [inspect.unwrap(m) for m in vars(obj).values() if isinstance(m, FunctionType)]
        if not methods:
            raise CannotKeep(f"{obj.__name__} has no method whose source could be found")
        function = methods[0]
    if not isinstance(function, FunctionType):
        raise CannotKeep(f"it is a {type(obj).__name__}, not a function or class with a source")
    code = function.__code__
    lines = linecache.getlines(code.co_filename)
    wanted = (ast.ClassDef,) if inspect.isclass(obj) else (ast.FunctionDef,)
    text = "".join(lines)
    for node in ast.walk(_parsed(text)):
        if (
            isinstance(node, wanted)
            and node.name == (obj if inspect.isclass(obj) else function).__name__
        ):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first <= code.co_firstlineno <= node.end_lineno:
                own = textwrap.dedent("".join(lines[first - 1 : node.end_lineno])).rstrip()
                return node, own, function.__globals__
    advice = "; write it with def" if function.__name__ == "<lambda>" else ""
    raise CannotKeep(f"the source of {obj.__name__} cannot be found{advice}")


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


def _add_used(used: str, value: Any, user: str, imports: dict, values: dict, pieces: dict) -> None:
    if isinstance(value, ModuleType):
        imports[f"import {value.__name__}" + ("" if used == value.__name__ else f" as {used}")] = (
            None
        )
    elif id(value) in given:
        imports["from minigpt.course import part"] = None
        values[f'{used} = part("{given[id(value)][0]}")'] = None
    elif type(value) in (bool, int, float, str, bytes, type(None)):
        infinite = isinstance(value, float) and not math.isfinite(value)
        values[f"{used} = " + (f'float("{value}")' if infinite else repr(value))] = None
    elif isinstance(value, (torch.dtype, torch.device)):
        imports["import torch"] = None
        values[f"{used} = torch.{repr(value).removeprefix('torch.')}"] = None
    elif found := _importable(used, value):
        module, qualified = found
        same = "" if qualified == used else f" as {used}"
        imports[f"from {module} import {qualified}{same}"] = None
    elif isinstance(inspect.unwrap(value), (FunctionType, type)):
        own = _collect(value, imports, values, pieces)
        if own != used:
            pieces[f"{used} = {own}"] = None
    elif used != "check":
        raise CannotKeep(f"{user} uses {used}, a {type(value).__name__} that lives in the notebook")


def _collect(obj: Any, imports: dict, values: dict, pieces: dict) -> str:
    """Add the source of a function or class, after that of what it uses; return its name."""
    node, text, names = _definition(obj)
    if text in pieces:
        return node.name
    inner = inspect.unwrap(obj)  # what stands below the decorators
    if isinstance(inner, FunctionType) and set(inner.__code__.co_freevars) - {"__class__"}:
        raise CannotKeep(f"{node.name} uses variables of the function around it")
    pieces[text] = None  # so that two functions which call each other end
    for used in _names_used(node):
        if used in names and names[used] is not obj:
            _add_used(used, names[used], node.name, imports, values, pieces)
    del pieces[text]  # and now behind what it uses
    pieces[text] = None
    return node.name


def standalone_source(name: str, obj: Any) -> str:
    """Return source that defines `name` as `obj` with all that it uses. Raises CannotKeep."""
    imports: dict[str, None] = {}  # all three used as ordered sets
    values: dict[str, None] = {}
    pieces: dict[str, None] = {}
    own = _collect(obj, imports, values, pieces)
    if own != name:
        pieces[f"{name} = {own}"] = None
    groups = ["\n".join(imports), "\n".join(values), *pieces]
    return "\n\n\n".join(filter(None, groups)) + "\n"
