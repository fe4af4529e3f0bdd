"""The rhythm of the lessons: each rule fails where it is broken, and every lesson keeps them."""

import ast
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from minigpt.course.building import rhythm
from minigpt.course.building.notebooks import read_source
from minigpt.course.building.reading import find_sources

ROOT = Path(__file__).parents[3]
SOURCES = find_sources(ROOT / "notebooks")
OPENING = "# 00 · A lesson\n**Afterwards you can** count. **Takes** a minute. **Needs** fingers."


def prose(text="One short sentence."):
    return new_markdown_cell(text)


def code(lines=1, html=None):
    data = {"text/plain": "1"} | ({"text/html": html} if html else {})
    return new_code_cell("\n".join(["x"] * lines), outputs=[new_output("display_data", data)])


def lesson():
    """A lesson that keeps all rules: an opening, then twelve cells with a table in the middle."""
    cells = [new_markdown_cell(OPENING), prose("**Predict:** how many fingers?"), code()]
    for html in (None, "<table></table>", None):
        cells += [prose(), prose(), code(html=html)]
    return cells


def test_a_lesson_in_good_rhythm_has_no_fault():
    assert rhythm.find_faults(lesson()) == []


@pytest.mark.parametrize("part", ["**Afterwards you can**", "**Takes**", "**Needs**"])
def test_an_opening_that_lacks_a_part_is_a_fault(part):
    cells = lesson()
    cells[0].source = OPENING.replace(part, "")
    assert rhythm.find_faults(cells) == [f"the opening lacks {part}"]


def test_a_median_of_40_words_is_a_fault_and_names_the_longest_cells():
    cells = lesson()
    for cell in cells[3:]:
        if cell.cell_type == "markdown":
            cell.source = "word " * 39
    assert rhythm.find_faults(cells) == []
    for cell in cells[3:]:
        if cell.cell_type == "markdown":
            cell.source = "word " * 40
    (fault,) = rhythm.find_faults(cells)
    assert "median 40" in fault and "cell 10 (word" in fault


def test_rows_of_a_table_are_no_words():
    assert rhythm.count_words("# Two words\n\n| a | b |\n| --- | --- |\n| 1 | 2 |") == 3


def test_a_median_of_9_lines_is_a_fault():
    faults = {}
    for lines in (8, 9):
        cells = lesson()
        for cell in cells:
            if cell.cell_type == "code":
                cell.source = "\n".join(["x"] * lines)
        faults[lines] = rhythm.find_faults(cells)
    assert faults[8] == []
    assert len(faults[9]) == 1 and "median 9.0 lines" in faults[9][0]


def test_a_code_cell_of_26_lines_is_a_fault():
    for lines, expected in ((25, []), (26, ["cell 2 (x) has 26 lines, over 25"])):
        cells = lesson()
        cells[2] = code(lines)
        assert rhythm.find_faults(cells) == expected


def test_three_code_cells_in_a_row_are_a_fault():
    assert rhythm.find_faults([*lesson(), code(), prose(), prose()]) == []
    (fault,) = rhythm.find_faults([*lesson(), code(), code(), *[prose()] * 4])
    assert fault.startswith("3 code cells in a row from cell 11")


def test_too_little_and_too_much_prose_are_faults():
    for extra in ([prose()] * 3, [code(), prose(), code(), code()]):
        (fault,) = rhythm.find_faults([*lesson(), *extra])
        assert "prose cells to a code cell" in fault


@pytest.mark.parametrize("html", [None, "<b>bold</b>"])
def test_ten_cells_with_nothing_to_look_at_are_a_fault(html):
    cells = lesson()
    cells[8] = code(html=html)
    (fault,) = rhythm.find_faults(cells)
    assert fault.startswith("12 cells without figure or table from cell 0")


def test_pictures_and_tables_count_as_figures_and_text_does_not():
    picture = new_code_cell(outputs=[new_output("display_data", {"image/png": "..."})])
    assert rhythm.shows_figure(picture)
    assert rhythm.shows_figure(code(html='<span style="background:#fff">token</span>'))
    assert rhythm.shows_figure(prose("| a | b |\n| --- | --- |\n| 1 | 2 |"))
    assert not rhythm.shows_figure(prose("a | b"))
    assert not rhythm.shows_figure(new_code_cell(outputs=[new_output("stream", text="<table>")]))


def test_a_lesson_that_asks_for_no_prediction_is_a_fault():
    cells = lesson()
    cells[1] = prose()
    assert rhythm.find_faults(cells) == ["no prose cell asks for a prediction (**Predict)"]


def test_the_command_names_a_notebook_that_is_not_built(tmp_path, monkeypatch, capsys):
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    source = tmp_path / "notebooks" / "src" / "00_new.py"
    source.write_text("# %%\n1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert rhythm.main([]) == 1
    assert "00_new: build it first" in capsys.readouterr().out
    assert rhythm.main(["99_none"]) == 1
    assert "99_none" in capsys.readouterr().err


def test_the_command_prints_a_row_a_lesson_and_its_faults(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rhythm, "check", lambda source: [])
    monkeypatch.setattr(rhythm, "find_sources", lambda folder, names: [tmp_path / "src" / "a.py"])
    for cells, status in ((lesson(), 0), ([*lesson()[:-1], code(26)], 1)):
        notebook = nbformat.v4.new_notebook(cells=cells)
        (tmp_path / "a.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
        assert rhythm.main([]) == status
        assert capsys.readouterr().out.count("\n") == 2 + status


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_lesson_keeps_the_rhythm(source):
    _, faults = rhythm.report([source])
    assert not faults, "\n".join(faults)


def unseen_tables(code):
    """Return the calls of viz.table that a cell makes and does not show: only its last value is."""
    *before, _ = ast.parse(code).body or [None]
    calls = [each.value for each in before if isinstance(each, ast.Expr)]
    return [found for call in calls if (found := ast.unparse(call)).startswith("viz.table(")]


def test_a_table_that_is_not_a_cells_last_value_is_found():
    assert unseen_tables("viz.table(rows)\nprint(1)") == ["viz.table(rows)"]
    assert not unseen_tables("display(viz.table(rows))\nviz.table(rows)")
    assert not unseen_tables("# nothing")


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_every_table_of_a_lesson_is_shown(source):
    for cell in read_source(source).cells:
        if cell.cell_type == "code":
            assert not unseen_tables(cell.source), cell.source
