"""Imports point one way, cost little, and have no effects."""

import ast
import json
import subprocess
import sys
import time
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
USES_OF_A_MODEL = {"training", "sampling", "pretrained", "interpret"}
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


def in_a_new_python(code: str):
    """Run code in a fresh interpreter and return what it prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
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


def test_the_whole_core_loads_no_library_that_only_notebooks_or_downloads_need():
    code = f"""
import importlib, json, sys
for name in {[path.stem for path in CORE]}:
    importlib.import_module("minigpt." + name)
print(json.dumps(sorted(sys.modules)))
"""
    loaded = in_a_new_python(code)
    assert "torch" in loaded and "minigpt.model" in loaded
    heavy = FOREIGN | {"huggingface_hub", "jupyterlab", "pydoc_data.topics", "torch._dynamo"}
    assert [name for name in loaded if is_or_is_in(name, heavy)] == []


def test_importing_the_core_changes_nothing_in_torch_and_writes_nothing(tmp_path):
    code = f"""
import importlib, json, os, random, sys
from pathlib import Path
import numpy, torch
os.chdir({str(tmp_path)!r})
os.environ.update(HOME={str(tmp_path)!r}, USERPROFILE={str(tmp_path)!r})
opened = []
sys.addaudithook(lambda event, args: opened.append(args[:2]) if event == "open" else None)

def state():
    return [
        str(torch.get_default_dtype()), torch.get_num_threads(), torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(), torch.backends.cuda.matmul.allow_tf32,
        torch.get_float32_matmul_precision(), torch.get_rng_state().sum().item(),
        hash(random.getstate()), int(numpy.random.get_state()[1].sum()),
        dict(os.environ), sys.path, torch._C._get_default_device(),
    ]

before = json.dumps(state())
for name in {[path.stem for path in CORE]}:
    importlib.import_module("minigpt." + name)
written = [str(path) for path, mode in opened
           if mode and set(mode) & set("wax+") and not str(path).endswith(".pyc")
           and ".pyc." not in str(path)]
print(json.dumps([before == json.dumps(state()), written]))
"""
    unchanged, written = in_a_new_python(code)
    assert unchanged
    assert written == []
    assert list(tmp_path.iterdir()) == []


def test_import_minigpt_takes_no_longer_than_import_torch():
    """The names are looked up on first use, so the import alone is far below torch's."""

    def seconds(code):
        def once():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            return time.perf_counter() - start

        return min(once() for _ in range(3))

    assert seconds("import minigpt") <= 1.05 * seconds("import torch")
