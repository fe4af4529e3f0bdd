"""Your code becomes the model: what is kept in mygpt/ is handed out, checked, and used.

A part that no longer passes its check blocks nothing: ours stands in, and says so.
"""

from __future__ import annotations

import importlib.util
import linecache
import re
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from minigpt import model
from minigpt.config import GPTConfig
from minigpt.course.checking.diagnosing import diagnose
from minigpt.course.checking.running import run
from minigpt.course.learner.home import home
from minigpt.course.learner.old_names import run_renewed
from minigpt.course.lessons import all_exercises, find
from minigpt.viz.kit.tables import Shown, table

OURS_USE = {"Block": ("CausalSelfAttention", "MLP"), "GPT": ("Block",)}  # see _ours
_checked: dict[tuple, tuple[Any, str]] = {}  # what _yours() found, by all the sources it rests on
given: dict[int, tuple[str, Any]] = {}  # what part() handed out: id -> (name, the object itself)


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
    given[id(obj)] = (name, obj)
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
    [outcome], _ = run(lambda path, case: {"name": load(name, path).__name__}, path, [{}])
    if error := outcome.get("error"):
        return None, f"{error['type']}: {error['message']}"
    obj = load(name, path)
    diagnosis = diagnose(name, obj)
    return (obj, "") if diagnosis.passed else (None, diagnosis.message)


def load(name: str, path: Path) -> Any:
    """Run the file of a part and return what it defines."""
    module = ModuleType(f"mygpt.{name}")
    module.__file__ = str(path)
    linecache.checkcache(str(path))
    source = importlib.util.decode_source(path.read_bytes())
    with warnings.catch_warnings():  # they came with the learner's own cell
        warnings.simplefilter("ignore")
        run_renewed(source, str(path), vars(module))
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
