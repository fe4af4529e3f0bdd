"""Lessons in a real JupyterLab, in a real browser, unplugged: they run, and their widgets live."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

playwright = pytest.importorskip(
    "playwright.sync_api", reason="No Playwright here. Get it with: pip install playwright"
)
expect = playwright.expect

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WIDGETS = ("Explorer(", "PatternMap(", "ScoreMap(", "StreamWindow(", "CoinFloor(", "PatchMap(")
# The lessons with something to play with; all others are run by nbval alone. Lesson 11 takes
# minutes, so its StepProfile is played with in a notebook of its own (tests/viz/profile).
LESSONS = [
    path.stem
    for path in sorted(NOTEBOOKS.glob("*.ipynb"))
    if any(widget in path.read_text(encoding="utf-8") for widget in WIDGETS)
]


@pytest.fixture
def folder(lab):
    """Copies of the lessons: what a browser saves must not change the repository."""
    for name in LESSONS:
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", lab.folder)
    return lab.folder


def errors_in(notebook):
    """Return what a learner would see as an error: a traceback, or anything written to stderr."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    wrong = [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    return [output.get("text") or f"{output.ename}: {output.evalue}" for output in wrong]


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_runs_to_its_end_and_its_widgets_live(page, lab, folder, name):
    lab.open(page, name)
    # Before anything has run, the reader sees a picture of each.
    sources = [cell.source for cell in code_cells(folder / f"{name}.ipynb")]
    counts = {widget: sum(widget in source for source in sources) for widget in WIDGETS}
    for widget, count in counts.items():
        cells = page.locator(".jp-CodeCell", has_text=widget)
        assert cells.locator("img[src^='data:image/png']").count() >= count

    saved = lab.run_all(page, name)
    assert errors_in(saved) == []
    assert all(cell.execution_count for cell in saved.cells if cell.cell_type == "code")

    expect(page.locator(".xp")).to_have_count(sum(counts.values()))
    maps = counts["PatternMap("] + counts["ScoreMap("]
    expect(page.locator(".attention-map")).to_have_count(maps)
    if maps:
        check_map(page, lab, page.locator(".attention-map").last)


def check_map(page, lab, the_map):
    the_map.scroll_into_view_if_needed()
    check_mouse(the_map)
    check_arrow_keys(page, the_map)
    check_that_letters_stay_inside(page, the_map)
    check_theme(page, lab, the_map)


def code_cells(path):
    notebook = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def says(the_map, text):
    expect(the_map.locator(".ae-readout")).to_contain_text(text)


def check_mouse(the_map):
    tokens = the_map.locator(".ae-token")
    tokens.nth(2).hover()
    says(the_map, "Token 2, ")
    expect(tokens.nth(2)).to_have_attribute("aria-selected", "true")
    tokens.nth(3).click()  # pins
    tokens.nth(1).hover()
    says(the_map, "Token 3, ")
    tokens.nth(3).click()  # lets go
    the_map.locator(".ae-head").last.click()
    heads = the_map.locator(".ae-head")
    expect(heads.last).to_have_attribute("aria-checked", "true")
    number = heads.last.get_attribute("aria-label").split()[-1]
    says(the_map, re.compile(rf"head {number}\b", re.I))
    # The square: its first row and last column are the future.
    square = the_map.locator(".ae-square")
    box = square.bounding_box()
    square.hover(position={"x": box["width"] - 3, "y": 3})
    expect(the_map.locator(".ae-caption")).to_contain_text("hidden, the future")


def check_arrow_keys(page, the_map):
    text, heads = the_map.locator(".ae-text"), the_map.locator(".ae-head")
    text.locator("[tabindex='0']").focus()
    page.keyboard.press("Home")
    says(the_map, "Token 0, ")
    page.keyboard.press("ArrowRight")
    says(the_map, "Token 1, ")
    heads.last.focus()
    page.keyboard.press("ArrowLeft")
    chosen = heads.nth(heads.count() - 2)
    expect(chosen).to_have_attribute("aria-checked", "true")
    expect(chosen).to_be_focused()
    the_map.locator(".ae-square").focus()
    page.keyboard.press("ArrowDown")
    says(the_map, "Token 2, ")
    page.keyboard.press("ArrowLeft")
    expect(the_map.locator(".ae-caption")).to_contain_text("token 2 → 0")


def check_that_letters_stay_inside(page, the_map):
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    chosen = the_map.locator(".ae-text [tabindex='0']")
    chosen.focus()
    page.keyboard.type("abj")
    page.wait_for_timeout(300)
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(cells)
    expect(chosen).to_be_focused()


def check_theme(page, lab, the_map):
    light = the_map.evaluate("node => getComputedStyle(node).color")
    lab.choose_from_menu(page, "Settings", "Theme", "JupyterLab Dark")
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    page.wait_for_function(
        "([node, light]) => getComputedStyle(node).color !== light",
        arg=[the_map.element_handle(), light],
    )
    lab.choose_from_menu(page, "Settings", "Theme", "JupyterLab Light")
    page.locator("body[data-jp-theme-light=true]").wait_for(state="attached")
