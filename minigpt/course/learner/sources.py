"""Where a notebook's function, lambda, class or value was written: its text, found in its cell."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import operator
import re
import sys
import textwrap
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import torch

# Calls that may be made again when a kept file is loaded: quick, and the same each time.
REPEATABLE = (re.compile, namedtuple, functools.partial, torch.tensor, set, frozenset, Counter,
              OrderedDict, defaultdict, operator.itemgetter, range, slice)  # fmt: skip


class CannotKeep(ValueError):
    """A right answer whose source cannot stand alone in a file; the message says why."""


class Definition(NamedTuple):
    """A piece of source that stands for a value."""

    node: ast.AST
    text: str
    names: dict[str, Any]  # what it can see


def parsed(text: str) -> ast.Module:
    """Return the syntax tree of a cell, also of one with lines of IPython's own."""
    try:
        return ast.parse(text)
    except SyntaxError:  # such as %timeit
        kept = [("pass" if line.startswith(("%", "!")) else line) for line in text.splitlines()]
        try:
            return ast.parse("\n".join(kept))
        except SyntaxError:
            raise CannotKeep("its cell holds more than Python; give it a cell of its own") from None


def definition(value: Any, names: dict[str, Any] | None = None) -> Definition:
    """Return where a function, lambda or class was written. names: what its user can see.

    Raises CannotKeep for anything else, and where no source is found.
    """
    if inspect.isclass(value):
        return _class(value, names)
    function = inspect.unwrap(value) if callable(value) else value
    if not isinstance(function, FunctionType):
        raise CannotKeep(f"it is a {type(value).__name__}, not a function or class with a source")
    if function.__name__ == "<lambda>":
        return _lambda(function)
    if found := _around(function, ast.FunctionDef, function.__name__):
        return found
    raise CannotKeep(f"the source of {value.__name__} cannot be found")


def _around(function: FunctionType, kind: type[ast.AST], name: str) -> Definition | None:
    """Return the definition of that name around a function's first line."""
    code = function.__code__
    text = "".join(linecache.getlines(code.co_filename))
    for node in ast.walk(parsed(text)):
        if isinstance(node, kind) and node.name == name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first <= code.co_firstlineno <= node.end_lineno:
                return Definition(node, _lines(text, node), function.__globals__)
    return None


def _lines(text: str, node: ast.stmt) -> str:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    return textwrap.dedent("\n".join(text.splitlines()[first - 1 : node.end_lineno])).rstrip()


def _class(value: type, names: dict[str, Any] | None) -> Definition:
    methods = [inspect.unwrap(m) for m in vars(value).values() if isinstance(m, FunctionType)]
    written = [m for m in methods if linecache.getlines(m.__code__.co_filename)]
    for method in written:
        if found := _around(method, ast.ClassDef, value.__name__):
            return found
    # All its methods were generated, as a dataclass's are, or it has none.
    names = names or vars(sys.modules.get(value.__module__, sys.modules["__main__"]))
    for text in cells():
        for node in reversed(_tree(text).body):
            if isinstance(node, ast.ClassDef) and _fits(node, value):
                return Definition(node, _lines(text, node), names)
    raise CannotKeep(f"the source of the class {value.__name__} cannot be found")


def _fits(node: ast.ClassDef, value: type) -> bool:
    """Say whether a class has just the names that a definition gives it."""
    fields = [s.target.id for s in node.body if isinstance(s, ast.AnnAssign)]
    own = vars(value).keys() | set(fields)
    given = {s.name for s in node.body if isinstance(s, ast.FunctionDef)}
    given |= {t.id for s in node.body if isinstance(s, ast.Assign) for t in s.targets}
    annotated = list(inspect.get_annotations(value))
    return node.name == value.__name__ and annotated == fields and given <= own


def _lambda(function: FunctionType) -> Definition:
    """Return a lambda's own text: the one on its line with the same names and constants."""
    code = function.__code__
    text = "".join(linecache.getlines(code.co_filename))
    found = {
        ast.unparse(node): node
        for node in ast.walk(parsed(text))
        if isinstance(node, ast.Lambda)
        and node.lineno == code.co_firstlineno
        and _used(_compiled(node)) == _used(code)
    }
    if len(found) != 1:
        raise CannotKeep("the source of a lambda cannot be found; write it with def")
    [(own, node)] = found.items()
    return Definition(node, own, function.__globals__)


def _compiled(node: ast.Lambda) -> CodeType:
    constants = compile(ast.unparse(node), "<lambda>", "eval").co_consts
    return next(constant for constant in constants if inspect.iscode(constant))


def _used(code: CodeType) -> tuple:
    """Return the names and constants of a piece of code. Its steps depend on what is around it."""
    constants = sorted(repr(each) for each in code.co_consts if not inspect.iscode(each))
    return code.co_names, code.co_varnames, code.co_freevars, constants


def assignment(name: str, names: dict[str, Any]) -> Definition | None:
    """Return the cell's line that gave a name its value, if it may be run again in a file."""
    for text in cells():
        for node in reversed(_tree(text).body):
            targets = getattr(node, "targets", ())
            if len(targets) == 1 and isinstance(targets[0], ast.Name) and targets[0].id == name:
                call = node.value
                if not isinstance(call, ast.Call) or _called(call.func, names) not in REPEATABLE:
                    return None
                return Definition(node, _lines(text, node), names)
    return None


def _called(node: ast.expr, names: dict[str, Any]) -> Any:
    if isinstance(node, ast.Attribute):
        return getattr(_called(node.value, names), node.attr, None)
    built_in = names.get("__builtins__", {})
    built_in = built_in if isinstance(built_in, dict) else vars(built_in)
    return names.get(node.id, built_in.get(node.id)) if isinstance(node, ast.Name) else None


def _tree(text: str) -> ast.Module:
    try:
        return parsed(text)
    except CannotKeep:
        return ast.Module([], [])


def cells() -> Iterator[str]:
    """Yield the texts of the cells that were run, the latest first."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    yield from reversed(shell.user_ns.get("In", []) if shell else [])
    for name, entry in reversed(list(linecache.cache.items())):  # where no IPython runs them
        if name.startswith("<") and len(entry) == 4:
            yield "".join(entry[2])
