"""Where names of ours have moved: a part that was kept long ago says where they were then.

The file on disk stays as it is. When it is loaded, every name that it takes from a module in this
table is looked up where it is now. Nowhere else does an old path stand.
"""

from __future__ import annotations

import ast
from importlib import import_module
from typing import Any

TRAINING = ("training", "training.steps", "training.loop", "training.resuming", "training.config",
            "training.optimizers", "devices", "speed.precision")  # fmt: skip
PRETRAINED = ("pretrained", "pretrained.loading", "pretrained.hub", "pretrained.saving",
              "pretrained.weights", "verification", "devices", "files")  # fmt: skip
WEIGHTS = ("pretrained.weights", "pretrained.names", "pretrained.sizes", "files")
# Old module -> where its names are now, below minigpt: the first that has the name is meant.
MOVED: dict[str, tuple[str, ...]] = {
    "bpe": ("tokenizer.bpe", "tokenizer.memo"),
    "cache": ("data.cache",),
    "checkpoints": ("training.checkpoints", "files"),
    "compiling": ("speed.compiling",),
    "corpora": ("data.corpora", "files"),
    "course.assignments": ("course.building.assignments",),
    "course.checking": (
        "course.checking",
        "course.checking.diagnosing",
        "course.checking.recognising",
    ),
    "course.comparing": ("course.checking.comparing",),
    "course.exercises": ("course.lessons",),
    "course.exercises.definition": ("course.exercise.definition",),
    "course.hints": ("course.learner.hints",),
    "course.home": ("course.learner.home",),
    "course.notebooks": ("course.building.notebooks", "course.building.reading"),
    "course.outputs": ("course.building.outputs",),
    "course.parts": ("course.learner.using", "course.learner.keeping", "course.learner.standalone"),
    "course.progress": ("course.learner.progress",),
    "course.reporting": ("course.learner.reporting",),
    "course.rhythm": ("course.building.rhythm",),
    "course.running": (
        "course.checking.running",
        "course.checking.seeing",
        "course.checking.fork",
        "course.checking.plain_data",
    ),
    "data": ("data", "data.batches", "data.corpora", "data.cache", "tokenizer", "files"),
    "decoding": ("speed.decoding",),
    "diagnosis": ("verification.divergence",),
    "doctor": ("commands.doctor",),
    "fast": ("speed.precision",),
    "files": ("files",),
    "gpt2_files": ("tokenizer.gpt2_files",),
    "heads": ("interpret.heads", "interpret.ablation"),
    "interpret": ("interpret", "interpret.patterns"),
    "memory": ("pretrained.empty_models", "devices"),
    "model": ("model", "kv_cache"),
    "monitoring": ("viz.training.monitoring",),
    "optimizers": ("training.optimizers",),
    "pretrained": PRETRAINED,
    "progress": ("training.console",),
    "quantization": ("speed.quantization",),
    "replay": ("viz.tokenizer.replay",),
    "sampling": ("sampling", "sampling.filters", "sampling.generation"),
    "suspects": ("verification.suspects",),
    "tokenizer": ("tokenizer", "tokenizer.tokenizer", "tokenizer.checks", "tokenizer.memo"),
    "training": TRAINING,
    "verification": ("verification", "verification.comparing", "model"),
    "viz.attention_explorer": ("viz.attention.explorer",),
    "viz.attention_figure": ("viz.attention.figure",),
    "viz.attention_map": ("viz.attention.pattern_map",),
    "viz.continuations": ("viz.sampling.continuations",),
    "viz.curves": ("viz.figures.curves",),
    "viz.explorer": ("viz.kit.explorer",),
    "viz.figures": ("viz.figures", "viz.figures.plots"),
    "viz.labels": ("viz.kit.labels",),
    "viz.parts": ("viz.figures.shares",),
    "viz.reading": ("viz.attention.reading",),
    "viz.sampling_explorer": ("viz.sampling.explorer",),
    "viz.sampling_figure": ("viz.sampling.figure",),
    "viz.stream": ("viz.stream", "viz.figures.stream"),
    "viz.tables": ("viz.kit.tables",),
    "viz.token_tree": ("viz.sampling.token_tree",),
    "viz.tokenizer_explorer": ("viz.tokenizer.explorer", "viz.tokenizer.figure"),
    "viz.training_monitor": ("viz.training.monitor", "viz.training.figure"),
    "viz.windows": ("viz.windows", "viz.figures.windows"),
    "weights": WEIGHTS,
}
RENAMED = {
    "STORY_TOKENIZER": lambda: import_module("minigpt.files").STORYTELLER / "tokenizer.json",
    "FORMAT": "CHECKPOINT",
    "course.comparing.difference": "describe_difference",
    "difference": "largest_difference",
    "download": "fetch",
    "joined": "as_one_row",
    "parts": "halves",
    "parts_of": "optimizers_in",
    "plot_parts": "plot_shares",
}


class OldModule:
    """Stands for a module that was: each name is looked up where it is now."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __getattr__(self, name: str) -> Any:
        for now in (name, RENAMED.get(f"{self.path}.{name}", RENAMED.get(name, name))):
            if callable(now):
                return now()
            for place in MOVED[self.path]:
                if hasattr(module := import_module(f"minigpt.{place}"), now):
                    return getattr(module, now)
        raise ImportError(f"minigpt.{self.path} had a {name}, which is no longer there")


class Renewed(ast.NodeTransformer):
    """Has every name that code takes from an old module looked up in the table."""

    def _lookup(self, path: str, node: ast.AST, name: str = "") -> ast.expr:
        code = f"__old__({path!r})" + (f".{name}" if name else "")
        found = ast.parse(code, mode="eval").body
        return ast.fix_missing_locations(ast.copy_location(found, node))

    def _bind(self, target: str, value: ast.expr, node: ast.AST) -> ast.stmt:
        bound = ast.Assign([ast.Name(target, ast.Store())], value)
        return ast.fix_missing_locations(ast.copy_location(bound, node))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        home = (node.module or "").removeprefix("minigpt").removeprefix(".")
        if node.level or not (node.module or "").startswith("minigpt"):
            return [node]
        found: list[ast.stmt] = []
        for alias in node.names:
            inner = f"{home}.{alias.name}".removeprefix(".")
            if home in MOVED:
                value = self._lookup(home, node, alias.name)
            elif inner in MOVED:
                value = self._lookup(inner, node)
            else:
                kept = ast.ImportFrom(node.module, [alias], 0)
                found.append(ast.copy_location(kept, node))
                continue
            found.append(self._bind(alias.asname or alias.name, value, node))
        return found

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for alias in node.names:
            path = alias.name.removeprefix("minigpt.")
            if path not in MOVED or path == alias.name:
                kept = ast.Import([alias])
            elif alias.asname:
                found.append(self._bind(alias.asname, self._lookup(path, node), node))
                continue
            else:
                kept = ast.Import([ast.alias("minigpt")])  # minigpt.memory.x is looked up below
            found.append(ast.fix_missing_locations(ast.copy_location(kept, node)))
        return found

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        path = ast.unparse(node)
        if path.startswith("minigpt.") and path.removeprefix("minigpt.") in MOVED:
            return self._lookup(path.removeprefix("minigpt."), node)
        self.generic_visit(node)
        return node


def run_renewed(source: str, path: str, names: dict[str, Any]) -> None:
    """Run the source of a kept part in a namespace, with old names of ours where they are now.

    Lines keep their numbers, so that an error points into the file as it is.
    """
    names["__old__"] = OldModule
    renewed = Renewed().visit(ast.parse(source, path))
    # This file's own `from __future__` is not the learner's: annotations stay what they were.
    exec(compile(renewed, path, "exec", dont_inherit=True), names)
