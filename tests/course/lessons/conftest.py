"""What the tests of the exercises share: a lesson's cells, right answers written otherwise."""

import linecache
import runpy
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from minigpt.course.building.assignments import assemble

HERE = Path(__file__).parent
SOURCES = HERE.parents[2] / "solutions" / "src"


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tensors this small are ready before a second thread has begun."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def run_cells():
    """Return what runs a lesson's code cells, but for the checks, and yields each before it runs.

    `run_cells(lesson, text_of, names)` fills names as a notebook would.
    """

    def run(lesson: str, text_of, names: dict):
        for cell in assemble(SOURCES / f"{lesson}.py", text_of).cells:
            if cell.cell_type == "code" and not cell.id.endswith("-check"):
                yield cell
                file = f"<{lesson}, {text_of.__name__}, {cell.id}>"
                lines = cell.source.splitlines(True)
                linecache.cache[file] = (len(cell.source), None, lines, file)
                exec(compile(cell.source, file, "exec"), names)

    return run


@pytest.fixture(scope="session")
def variants():
    """Return what reads variants/: a lesson's VARIANTS, and its SURVIVORS if it has any."""
    return lru_cache(lambda lesson: runpy.run_path(str(HERE / "variants" / f"{lesson}.py")))
