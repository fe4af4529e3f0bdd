"""The map of the house: imports run down its floors, rooms have faces, and looking is cheap."""

import ast
from pathlib import Path

import pytest

import minigpt
from tests.processes import in_a_new_python, loaded_by

PACKAGE = Path(minigpt.__file__).parent
# On the lowest and the highest floor the rooms stand on one another, in the order given.
FLOORS = (
    ("config", "files", "devices", "kv_cache"),
    ("model", "stories", "tokenizer"),
    ("data", "interpret", "speed", "verification"),
    ("training", "sampling", "pretrained"),
    ("evaluation", "finetuning"),
    ("viz",),
    ("course",),
    ("commands", "cli", "__main__"),
)
# Inside these two as well, every folder imports only those before it.
STOREYS = {
    "course": ("exercise", "lessons", "checking", "learner", "building"),
    "viz": ("kit", "figures"),
}
CORE = {room for floor in FLOORS[:5] for room in floor}  # what the learner reads
FOREIGN = {"IPython", "ipywidgets", "anywidget", "matplotlib", "transformers"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Return a module's full name; a package's is its folder's."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


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


def place(name: str) -> tuple[int, int]:
    """Return the floor of a module, and the storey of its folder inside course/ or viz/."""
    _, room, *rest = [*name.split("."), ""]
    [floor] = [number for number, rooms in enumerate(FLOORS) if room in rooms]
    if floor in (0, len(FLOORS) - 1):
        return floor, FLOORS[floor].index(room)
    storeys = STOREYS.get(room, ())
    folder = rest[0] if rest else ""
    return floor, storeys.index(folder) if folder in storeys else len(storeys)


def rooms(name: str) -> list[str]:
    """Return the room of a module; inside course/ and viz/ the folder too."""
    parts = name.split(".")[1:]
    return parts[: 2 if parts and parts[0] in STOREYS else 1]


def faults(path: Path, name: str) -> list[str]:
    """Return what a module imports from its own height or above, outside its own room."""
    wrong = []
    for used in imported_modules(path):
        if not used.startswith("minigpt.") or used not in NAMES or rooms(used) == rooms(name):
            continue
        is_the_room = len(used.split(".")) == 2 and used.split(".")[1] in STOREYS
        if is_the_room and rooms(used)[0] == rooms(name)[0]:
            wrong.append(f"{name} imports {used}, the face of the room it is in")
        elif place(used) >= place(name):
            wrong.append(f"{name} imports {used}, which is no lower")
    return wrong


def test_imports_run_down_the_floors_only():
    seen, wrong = [], []
    for path in MODULES:
        name = name_of(path)
        if name == "minigpt":
            assert not imported_modules(path) - {"importlib", "importlib.import_module"}
        else:
            wrong += faults(path, name)
        seen.append(name)
    assert not wrong, "\n".join(wrong)
    assert len(seen) > 120, "some rooms were not looked at"
    assert {rooms(name)[0] for name in seen if name != "minigpt"} <= {
        room for floor in FLOORS for room in floor
    }


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("minigpt.model", "from minigpt.training import train"),
        ("minigpt.data.batches", "from minigpt.speed import autocast"),
        ("minigpt.training.steps", "def f():\n    from minigpt.sampling import generate"),
        ("minigpt.speed.decoding", "if TYPE_CHECKING:\n    from minigpt.pretrained import weights"),
        ("minigpt.viz.kit.tables", "from minigpt.viz.figures import plots"),
        ("minigpt.viz.attention.reading", "from minigpt.viz.sampling import continuations"),
        ("minigpt.viz.attention.reading", "from minigpt import viz"),
        ("minigpt.course.exercise.drawing", "from minigpt.course.lessons import find"),
        ("minigpt.course.checking.running", "from minigpt.course.learner.home import home"),
        ("minigpt.course.learner.progress", "import minigpt.course.building.notebooks"),
        ("minigpt.viz.kit.tables", "from minigpt.course import check"),
        ("minigpt.course.lessons", "from minigpt.commands.verify import find_file"),
    ],
)
def test_an_import_that_is_turned_round_is_found(name, code, tmp_path):
    (tmp_path / "module.py").write_text(code, encoding="utf-8")
    assert faults(tmp_path / "module.py", name)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import matplotlib.pyplot as plt", "matplotlib.pyplot"),
        ("def f():\n    from transformers import GPT2Model", "transformers.GPT2Model"),
        ("from . import viz", "minigpt.viz"),
        ("from .course.building import notebooks", "minigpt.course.building.notebooks"),
        ("from minigpt import cli", "minigpt.cli"),
    ],
)
def test_an_import_is_found_however_it_is_written(code, name, tmp_path):
    (tmp_path / "module.py").write_text(code, encoding="utf-8")
    assert name in imported_modules(tmp_path / "module.py")


def test_what_the_learner_reads_imports_no_notebook_library():
    read = [path for path in MODULES if (rooms(name_of(path)) or [""])[0] in CORE]
    assert len(read) > 30
    for path in read:
        wrong = {name for name in imported_modules(path) if is_or_is_in(name, FOREIGN)}
        assert not wrong, f"{path.name} imports {sorted(wrong)}"


def test_few_modules_lie_loose_and_every_room_has_a_face():
    loose = list(PACKAGE.glob("*.py"))
    assert len(loose) < 10
    for folder in {path.parent for path in MODULES} - {PACKAGE}:
        face = (folder / "__init__.py").read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(face)), f"{folder} does not say what it is"
        assert len(face.splitlines()) <= 40, f"the face of {folder} is long"


def test_no_module_bears_the_name_of_a_function_that_a_face_hands_on():
    for name in sorted(NAMES):
        path = PACKAGE.parent.joinpath(*name.split("."))
        if path.is_dir():
            exported = getattr(__import__(name, fromlist=["_"]), "__all__", [])
            beside = {child.stem for child in path.iterdir()} & set(exported)
            assert not beside, f"{name} hands on {beside}, and has modules of that name"


# The README, CONTRIBUTING.md and the tests say how long a module may be: what is over 200 lines
# says why here, and nothing that is read is over 260.
LONG = {
    "minigpt.model": "GPT-2 in one file",
    "minigpt.stories": "the grammar, its words and its exact probabilities belong together",
    "minigpt.tokenizer.bpe": "the algorithm, readable and fast, side by side",
    "minigpt.tokenizer.tokenizer": "one class",
    "minigpt.pretrained.weights": "all that a file of weights can mean, decided in one place",
    "minigpt.verification.comparing": "one report from hooks to words",
    "minigpt.data.corpora": "each text from its source to the cache",
}


def test_no_module_is_too_long_to_be_read():
    for path in MODULES:
        room = (rooms(name_of(path)) or [""])[0]
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if room in CORE | {"cli"}:
            assert lines <= (260 if name_of(path) in LONG else 200), f"{path}: {lines} lines"
    assert set(LONG) <= NAMES


# --- What it costs to look in -------------------------------------------------------------------


def test_import_minigpt_loads_nothing_but_itself():
    """So it is quicker than `import torch`, which waits for the first name that needs it."""
    assert loaded_by("import minigpt") == ["minigpt"]


@pytest.mark.parametrize("name", ["Stories", "Tokenizer"])
def test_stories_and_tokenizer_cost_no_torch(name):
    loaded = loaded_by(f"from minigpt import {name}")
    assert "minigpt." + {"Stories": "stories", "Tokenizer": "tokenizer"}[name] in loaded
    assert not [module for module in loaded if is_or_is_in(module, {"torch"})]


def test_looking_at_viz_or_course_loads_neither():
    for room in ("viz", "course"):
        loaded = loaded_by(f"import minigpt.{room}\nassert minigpt.{room}.__all__")
        assert loaded == ["minigpt", f"minigpt.{room}"]


def test_a_check_loads_no_matplotlib():
    loaded = loaded_by("from minigpt.course import check")
    assert "minigpt.course.learner.reporting" in loaded
    assert not [module for module in loaded if is_or_is_in(module, {"matplotlib"})]


def test_what_runs_in_a_sandbox_loads_no_lesson():
    code = "import minigpt.course.exercise, minigpt.course.exercise.calls.training"
    loaded = loaded_by(f"{code}\nimport minigpt.course.exercise.calls.weights")
    assert not [module for module in loaded if is_or_is_in(module, {"minigpt.course.lessons"})]


@pytest.mark.parametrize("module", [minigpt, *(f"minigpt.{room}" for room in ("viz", "course"))])
def test_every_public_name_is_there_and_listed(module):
    module = __import__(module, fromlist=["_"]) if isinstance(module, str) else module
    assert module.__all__
    for name in module.__all__:
        assert callable(getattr(module, name)), name
        assert name in dir(module)


@pytest.mark.parametrize("name", ["minigpt", "minigpt.viz", "minigpt.course"])
def test_an_unknown_name_is_an_attribute_error(name):
    module = __import__(name, fromlist=["_"])
    with pytest.raises(AttributeError, match=f"'{name}' has no attribute 'nonesuch'"):
        module.nonesuch  # noqa: B018


CORE_NAMES = [name for name in sorted(NAMES) if (rooms(name) or [""])[0] in CORE]
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
for name in {CORE_NAMES}:
    importlib.import_module(name)
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
