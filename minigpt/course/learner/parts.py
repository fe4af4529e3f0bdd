"""Your code becomes the model: what passed its check is kept in mygpt/, and later parts use it.

Each part is one file, mygpt/causal_mask.py, which stands alone: the learner's source with the
imports, constants and helper functions it uses. Older versions go to mygpt/older/. A part that no
longer passes its check blocks nothing: ours stands in, and says so.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import linecache
import math
import os
import re
import shutil
import symtable
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from minigpt import model
from minigpt.config import GPTConfig
from minigpt.course.checking.diagnosing import diagnose
from minigpt.course.checking.running import run
from minigpt.course.checking.seeing import LIBRARIES, OURS
from minigpt.course.learner.home import home
from minigpt.course.lessons import all_exercises, find
from minigpt.files import atomic_write
from minigpt.viz.kit.tables import Shown, table

PACKAGE = '"""My own GPT, part by part: each of these files passed its check."""\n'
OURS_USE = {"Block": ("CausalSelfAttention", "MLP"), "GPT": ("Block",)}  # see _ours
_checked: dict[tuple, tuple[Any, str]] = {}  # what _yours() found, by all the sources it rests on
_given: dict[int, tuple[str, Any]] = {}  # what part() handed out: id -> (name, the object itself)


# --- Keeping a part ---


class CannotKeep(ValueError):
    """A right answer whose source cannot stand alone in a file; the message says why."""


def keep(name: str, obj: Any) -> str:
    """Keep a learner's answer as mygpt/<name>.py, and say so in a sentence.

    The file is checked as it stands before it takes its place. Raises CannotKeep when the source
    cannot be had, or does not pass without the notebook around it.
    """
    source = standalone_source(name, obj)
    path = home() / f"{name}.py"
    place = f"{home().name}/{path.name}"
    if path.exists() and _body(path) == source:
        return f"It is a part of your own GPT: {place}"
    trial = home() / f".trial.{os.getpid()}.py"  # two notebooks may keep at the same time
    _write(trial, source)
    try:
        kept = _load(name, trial)
        if not (diagnosis := diagnose(name, kept)).passed:
            raise CannotKeep(f"on its own, outside this notebook, it fails: {diagnosis.message}")
    except (Exception, SystemExit) as error:
        raise CannotKeep(str(error)) from None
    finally:
        trial.unlink(missing_ok=True)
    version = _put_away(path) + 1
    head = f"# {name}, version {version}: passed its check on {time.strftime('%Y-%m-%d')}.\n"
    _write(path, head + source)
    if not (package := home() / "__init__.py").exists():
        _write(package, PACKAGE)
    return f"It is a part of your own GPT: {place}"


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _body(path: Path) -> str:
    """Return the source of a kept part without its first line, which tells its version."""
    return path.read_text(encoding="utf-8", errors="replace").partition("\n")[2]


def _put_away(path: Path) -> int:
    """Copy the present version of a part to older/, and return how many versions there were."""
    older = path.parent / "older"
    count = len(list(older.glob(f"{path.stem}.*.py")))
    if path.exists():
        count += 1
        older.mkdir(exist_ok=True)
        shutil.copyfile(path, older / f"{path.stem}.{count}.py")  # a full disk loses neither
    return count


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


def _add_used(used: str, value: Any, user: str, imports: dict, values: dict, pieces: dict) -> None:
    if isinstance(value, ModuleType):
        imports[f"import {value.__name__}" + ("" if used == value.__name__ else f" as {used}")] = (
            None
        )
    elif id(value) in _given:
        imports["from minigpt.course import part"] = None
        values[f'{used} = part("{_given[id(value)][0]}")'] = None
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


def _importable(used: str, value: Any) -> tuple[str, str] | None:
    """Return the module of an installed library, or of ours, and the value's name there."""
    home_module, qualified = (getattr(value, key, "") for key in ("__module__", "__qualname__"))
    module = sys.modules.get(home_module) if isinstance(home_module, str) else None
    if _is_library(home_module, module) and getattr(module, qualified, None) is value:
        return home_module, qualified
    # What is written in C may not know its home, as torch.arange: look who has it by that name.
    public = [(name, m) for name, m in list(sys.modules.items()) if "._" not in f".{name}"]
    homes = [name for name, m in public if getattr(m, "__dict__", {}).get(used) is value]
    homes = [name for name in homes if _is_library(name, sys.modules[name])]
    return (min(homes, key=len), used) if homes else None


def _is_library(name: Any, module: Any) -> bool:
    file = getattr(module, "__file__", None) or ""
    return file.startswith((OURS, *LIBRARIES)) or (
        name in sys.stdlib_module_names and name != "__main__"
    )


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


# --- Using the parts ---


def part(name: str) -> Any:
    """Return the learner's own part of that name, or ours if there is none or it fails its check.

    >>> part("causal_mask")(2)
    tensor([[ True, False],
            [ True,  True]])
    """
    if not find(name).keep:
        raise ValueError(f"{name} is not a part of the GPT; {', '.join(_names())} are")
    obj, problem = _yours(name)
    if problem:
        print(f"Your {name} no longer passes its check, so ours stands in. {problem}")
    obj = _ours(name) if obj is None else obj
    _given[id(obj)] = (name, obj)
    return obj


def my_parts() -> Shown:
    """Show which parts of the GPT are the learner's own and which are ours."""
    rows = []
    for name in _names():
        obj, problem = _yours(name)
        whose = "ours, yours fails its check" if problem else "ours" if obj is None else "yours"
        rows.append([find(name).lesson, whose])
    return table(rows, ["lesson", "whose"], rows=_names())


def _names() -> list[str]:
    return [exercise.name for exercise in all_exercises().values() if exercise.keep]


def _yours(name: str) -> tuple[Any, str]:
    """Return the learner's part, or None; and why it cannot be used, or nothing.

    It is checked once, and again when its file, or that of a part which it uses, has changed.
    """
    sources = _sources(name, {})
    key = (name, *sources.items())
    if not sources[name] or key in _checked:
        return _checked.get(key, (None, ""))
    _checked[key] = None, ""  # for a part that uses itself, in a circle
    try:
        for used in sources:  # each once and here, not again in every check of what uses it
            _yours(used)
        _checked[key] = _tried(name, home() / f"{name}.py")
    except BaseException:
        del _checked[key]
        raise
    return _checked[key]


def _sources(name: str, found: dict[str, str]) -> dict[str, str]:
    """Add the source of the learner's part (or "") to `found`, and of all parts that it uses."""
    if name not in found:
        path = home() / f"{name}.py"
        found[name] = path.read_text("utf-8", errors="replace") if path.is_file() else ""
        for used in re.findall(r"\bpart\([\"'](\w+)[\"']\)", found[name]) or OURS_USE.get(name, ()):
            _sources(used, found)
    return found


def _tried(name: str, path: Path) -> tuple[Any, str]:
    """Load a part and check it; return it, or None and why it cannot be used."""
    # First where nothing can go wrong: an edited file may do anything when it is loaded.
    [outcome], _ = run(lambda path, case: {"name": _load(name, path).__name__}, path, [{}])
    if error := outcome.get("error"):
        return None, f"{error['type']}: {error['message']}"
    obj = _load(name, path)
    diagnosis = diagnose(name, obj)
    return (obj, "") if diagnosis.passed else (None, diagnosis.message)


def _load(name: str, path: Path) -> Any:
    """Run the file of a part and return what it defines."""
    spec = importlib.util.spec_from_file_location(f"mygpt.{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        linecache.checkcache(str(path))
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    if not hasattr(module, name):
        raise AttributeError(f"{path.name} defines no {name}")
    return getattr(module, name)


def _ours(name: str) -> Any:
    """Return our own part. The two that are made of others take the learner's inside."""
    return {"Block": _our_block, "GPT": _our_gpt}.get(name, lambda: find(name).reference)()


def _our_block() -> type[model.Block]:
    attention, mlp = part("CausalSelfAttention"), part("MLP")

    class Block(model.Block):
        def __init__(self, config: GPTConfig) -> None:
            super().__init__(config)
            self.attn, self.mlp = attention(config), mlp(config)

        def forward(self, x: Tensor) -> Tensor:
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    return Block


def _our_gpt() -> type[model.GPT]:
    block = part("Block")

    class GPT(model.GPT):
        def __init__(self, config: GPTConfig) -> None:
            super().__init__(config)
            self.transformer.h = nn.ModuleList(block(config) for _ in range(config.n_layer))

        def features(self, idx: Tensor, cache: None = None) -> Tensor:
            x = self.transformer.wte(idx) + self.transformer.wpe.weight[: idx.size(1)]
            x = self.transformer.drop(x)
            for block in self.transformer.h:
                x = block(x)
            return self.transformer.ln_f(x)

    return GPT
