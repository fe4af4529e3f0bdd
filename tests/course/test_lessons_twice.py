"""A lesson stands Shift+Enter pressed twice, and Run All pressed twice, as people do.

pytest tests/course/test_lessons_twice.py -m slow -k 02_data
"""

import os
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from minigpt.course.building.notebooks import read_source
from minigpt.course.learner.home import VARIABLE

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted((NOTEBOOKS / "src").glob("*.py"))
TIMEOUT = 600  # seconds a cell


def run(cells):
    """Run cells in one kernel, in the lessons' folder, for a learner without parts of their own."""
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(NOTEBOOKS)}}
    client = NotebookClient(
        notebook, kernel_name="python3", timeout=TIMEOUT, resources=resources, record_timing=False
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as nobody:
        mygpt = {VARIABLE: str(Path(nobody, "mygpt"))}
        with client.setup_kernel(env={**os.environ, "IPYTHONDIR": nobody, **mygpt}):
            for number, cell in enumerate(cells):
                client.execute_cell(cell, number)  # raises what the cell raises, with its code


def code_cells(source):
    return [cell for cell in read_source(source).cells if cell.cell_type == "code"]


def copies(cells):
    """The cells once more: each keeps its own outputs."""
    return [nbformat.v4.new_code_cell(cell.source) for cell in cells]


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_each_cell_can_be_run_twice_in_a_row(source):
    cells = code_cells(source)
    run([cell for pair in zip(cells, copies(cells)) for cell in pair])


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_lesson_can_be_run_twice_over_in_one_kernel(source):
    cells = code_cells(source)
    run(cells + copies(cells))


@pytest.mark.slow
@pytest.mark.parametrize("stops", [(60,), (60, 200), (150, 300)], ids=str)
def test_lesson_06_goes_through_after_the_stop_button_at_any_step(stops):
    """As a learner stops: in the first part, in the second; then the rest is run."""
    cells = code_cells(NOTEBOOKS / "src/06_training.py")
    once = "if record.step + 1 == 150:"
    (place,) = (i for i, cell in enumerate(cells) if once in cell.source)
    # The second part watches without a stop of its own, so this goes into what both parts call.
    press = f"    if step in {stops}:\n        signal.raise_signal(signal.SIGINT)\n"
    watched = "    monitor(record)\n"
    changed = cells[place].source.replace(once, "if False:").replace(watched, watched + press)
    cells[place].source = changed
    assert cells[place].source.count("raise_signal") == 2
    run(cells)


@pytest.mark.thorough
def test_the_test_finds_a_cell_that_stops_the_second_time():
    once = nbformat.v4.new_code_cell("counted = 1")
    stops = nbformat.v4.new_code_cell("assert counted == 1\ncounted += 1")
    run([once, stops])
    with pytest.raises(Exception, match="AssertionError"):
        run([once, stops, *copies([stops])])
