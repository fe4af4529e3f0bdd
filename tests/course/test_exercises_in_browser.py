"""A learner's whole path in JupyterLab: wrong, diagnosis, hint, right, passed, progress moves."""

import re
from pathlib import Path

import nbformat
import pytest

from minigpt.course.learner.hints import NAMES
from minigpt.course.learner.home import home
from minigpt.course.learner.progress import my_progress
from minigpt.course.lessons import all_exercises

playwright = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).parents[2]
EXERCISES = all_exercises()
LESSONS = sorted({exercise.lesson for exercise in EXERCISES.values()})
SECONDS = 1000
WRONG = """from minigpt.course.lessons import find

{name} = find("{name}").misconceptions[-1].wrong"""


class Notebook:
    """An exercise notebook in a browser: write into a cell, run it, read what it shows."""

    def __init__(self, lab, page, lesson, name=None):
        name = name or lesson  # a name of its own has a kernel of its own
        notebook = nbformat.read(ROOT / "exercises" / f"{lesson}.ipynb", as_version=4)
        at_home = f"import os\nos.environ['MINIGPT_MYGPT'] = {str(home())!r}"
        notebook.cells.insert(0, nbformat.v4.new_code_cell(at_home, id="at-home"))
        nbformat.write(notebook, lab.folder / f"{name}.ipynb")
        self.places = {cell.id: place for place, cell in enumerate(notebook.cells)}
        self.page = page
        lab.open(page, name)
        for cell in notebook.cells:
            if cell.cell_type == "code" and "nbgrader" not in cell.metadata:
                self.run(cell.id)  # the imports

    def cell(self, cell_id):
        return self.page.locator(".jp-Notebook .jp-Cell").nth(self.places[cell_id])

    def write(self, cell_id, text):
        self.cell(cell_id).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(text)

    def run(self, cell_id):
        """Run one cell with Ctrl-Enter and return its output when it has ended."""
        cell = self.cell(cell_id)
        prompt = cell.locator(".jp-InputPrompt")
        before = prompt.inner_text()
        cell.locator(".jp-InputArea-prompt").click()
        self.page.keyboard.press("Control+Enter")
        ended = re.compile(r"^\[\d+\]:$")
        playwright.expect(prompt).not_to_have_text(before, timeout=20 * SECONDS)
        playwright.expect(prompt).to_have_text(ended, timeout=60 * SECONDS)
        return cell.locator(".jp-OutputArea").first


@pytest.fixture(autouse=True)
def mygpt(tmp_path, monkeypatch):
    """A learner who begins: no parts, no progress."""
    monkeypatch.setenv("MINIGPT_MYGPT", str(tmp_path / "mygpt"))


def standing(name):
    return next(s for s in my_progress().standings if s.exercise.name == name)


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_whole_path_of_a_lesson(lab, page, lesson):
    solutions = nbformat.read(ROOT / "solutions" / f"{lesson}.ipynb", as_version=4)
    solution = {cell.id: cell.source for cell in solutions.cells}
    notebook = Notebook(lab, page, lesson)
    for name in [e.name for e in EXERCISES.values() if e.lesson == lesson]:
        if EXERCISES[name].kind == "written":
            continue
        earned, hints = my_progress().points()[0], standing(name).hints
        notebook.write(name, WRONG.format(name=name))
        notebook.run(name)
        output = notebook.run(f"{name}-check")
        card = output.locator(".minigpt-check")
        playwright.expect(card).to_contain_text(f"✗ {name}: not yet.")
        message = EXERCISES[name].misconceptions[-1].message
        playwright.expect(card).to_contain_text(message.replace("`", "").split("\n")[0][:40])
        playwright.expect(output).not_to_contain_text("Traceback")
        output.get_by_role("button", name=f"Hint {hints + 1} of 3: {NAMES[hints]}").click()
        playwright.expect(output).to_contain_text(f"Hint {hints + 1}, {NAMES[hints]}:")
        assert standing(name).state == "tried"
        assert standing(name).hints == hints + 1

        notebook.write(name, solution[name])
        notebook.run(name)
        output = notebook.run(f"{name}-check")
        playwright.expect(output.locator(".minigpt-check")).to_contain_text(f"✓ {name}: passed.")
        assert standing(name).state == "passed"
        assert my_progress().points()[0] == earned + EXERCISES[name].points


def test_a_wrong_answer_typed_by_hand_is_explained(lab, page):
    notebook = Notebook(lab, page, "03_attention", name="by_hand")
    output = notebook.run("causal_mask-check")  # before anything is written: no such name yet
    playwright.expect(output).to_contain_text("NameError")
    notebook.run("causal_mask")
    output = notebook.run("causal_mask-check")
    playwright.expect(output).to_contain_text("Not written yet.")
    answer = "def causal_mask(T):\nreturn torch.ones(T, T, dtype=torch.bool).triu()"
    notebook.write("causal_mask", "")
    page.keyboard.type(answer)  # the editor indents the second line
    notebook.run("causal_mask")
    card = notebook.run("causal_mask-check").locator(".minigpt-check")
    playwright.expect(card).to_contain_text("✗ causal_mask: not yet.")
    playwright.expect(card).to_contain_text("The case:")
