"""Imports point one way, cost little, and have no effects."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import minigpt

PACKAGE = Path(minigpt.__file__).parent
COMMAND = {"minigpt.cli", "minigpt.commands", "minigpt.doctor", "minigpt.__main__"}
ABOVE = {"minigpt.viz", "minigpt.course", *COMMAND}
FOREIGN = {"IPython", "ipywidgets", "anywidget", "matplotlib", "transformers"}
# What the learner reads: every module that lies in the package itself, but for the command's.
CORE = sorted(p for p in PACKAGE.glob("[!_]*.py") if f"minigpt.{p.stem}" not in COMMAND)
# config -> model -> {training, sampling, pretrained, interpret}: none imports what comes after it.
USES_OF_A_MODEL = {"training", "sampling", "pretrained", "interpret", "heads"}
AFTER = {
    "model": USES_OF_A_MODEL,
    **{name: {"model", *USES_OF_A_MODEL} for name in ("config", "tokenizer", "stories", "data")},
}


def imported_modules(path: Path, package: str = "minigpt") -> set[str]:
    """Return the full names of all that a file imports, inside functions and conditions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            home = ".".join(filter(None, [package if node.level else "", node.module]))
            names |= {home, *(f"{home}.{alias.name}" for alias in node.names)}
    return names


def is_or_is_in(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def in_a_new_python(code: str, *options: str, cwd: Path | None = None):
    """Run code in a fresh interpreter and return what it prints as JSON."""
    command = [sys.executable, *options, "-c", code]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_core_module_imports_nothing_from_above_and_no_notebook_library(path):
    wrong = {name for name in imported_modules(path) if is_or_is_in(name, ABOVE | FOREIGN)}
    assert not wrong, f"{path.name} imports {sorted(wrong)}"


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_core_module_imports_nothing_that_comes_after_it(path):
    later = {f"minigpt.{name}" for name in AFTER.get(path.stem, ())}
    wrong = {name for name in imported_modules(path) if is_or_is_in(name, later)}
    assert not wrong, f"{path.name} imports {sorted(wrong)}"


@pytest.mark.parametrize("folder", ["viz", "course"])
def test_nothing_below_the_command_imports_it(folder):
    for path in (PACKAGE / folder).rglob("*.py"):
        wrong = {name for name in imported_modules(path) if is_or_is_in(name, COMMAND)}
        assert not wrong, f"{path} imports {sorted(wrong)}"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import matplotlib.pyplot as plt", "matplotlib.pyplot"),
        ("def f():\n    from transformers import GPT2Model", "transformers.GPT2Model"),
        ("from . import viz", "minigpt.viz"),
        ("from .course.notebooks import build", "minigpt.course.notebooks"),
        ("from minigpt import cli", "minigpt.cli"),
    ],
)
def test_an_import_is_found_however_it_is_written(code, name, tmp_path):
    (tmp_path / "module.py").write_text(code, encoding="utf-8")
    assert name in imported_modules(tmp_path / "module.py")
    assert is_or_is_in(name, ABOVE | FOREIGN)


def test_every_public_name_is_there_and_listed():
    for name in minigpt.__all__:
        assert callable(getattr(minigpt, name)), name
        assert name in dir(minigpt)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'minigpt' has no attribute 'nonesuch'"):
        minigpt.nonesuch  # noqa: B018


def test_import_minigpt_loads_nothing_but_itself():
    """So it is quicker than `import torch`, which waits for the first name that needs it."""
    code = """
import importlib, json, sys
before = set(sys.modules)
import minigpt
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    assert in_a_new_python(code) == ["minigpt"]


IMPORT_THE_CORE = f"""
import importlib, json, os, random, sys
import numpy, torch

opened = []
sys.addaudithook(lambda event, args: opened.append(args[:2]) if event == "open" else None)

def state():
    return json.dumps([
        str(torch.get_default_dtype()), str(torch.get_default_device()), torch.get_num_threads(),
        torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(), torch.get_rng_state().tolist(),
        random.getstate(), numpy.random.get_state()[1].tolist(), dict(os.environ), sys.path,
    ])

before = state()
for name in {[path.stem for path in CORE]}:
    importlib.import_module("minigpt." + name)
written = [str(path) for path, mode in opened if mode and set(mode) & set("wax+")]
print(json.dumps([before == state(), written, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def after_import(tmp_path_factory):
    """Whether the global state is unchanged, which files were written, which modules loaded."""
    # -B: Python's own cache of compiled modules is not ours.
    return in_a_new_python(IMPORT_THE_CORE, "-B", cwd=tmp_path_factory.mktemp("nowhere"))


def test_importing_the_core_changes_no_global_state(after_import):
    assert after_import[0]


def test_importing_the_core_writes_nothing(after_import):
    assert after_import[1] == []


def test_importing_the_core_loads_no_library_that_only_notebooks_or_downloads_need(after_import):
    loaded = after_import[2]
    assert "torch" in loaded and "minigpt.model" in loaded
    heavy = FOREIGN | {"huggingface_hub", "jupyterlab", "pydoc_data.topics", "torch._dynamo"}
    assert [name for name in loaded if is_or_is_in(name, heavy)] == []
