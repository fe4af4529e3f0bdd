"""exercises/ and solutions/: from one source, valid for nbgrader, and no solution leaks."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from minigpt.course.building import assignments
from minigpt.course.building.assignments import ANSWER, TODO, exercise_path
from minigpt.course.building.notebooks import BuildError, notebook_path
from minigpt.course.lessons import all_exercises

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "solutions" / "src").glob("*.py"))
MARKS = re.compile(r"### (BEGIN|END) (SOLUTION|BROKEN)")
REGION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.S)
by_stem = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)


def read(path):
    return nbformat.read(path, as_version=4)


@by_stem
def test_sources_and_notebooks_agree(source):
    assert assignments.check(source) == []


@by_stem
def test_no_solution_leaks_into_the_exercises(source):
    exercises = exercise_path(source).read_text(encoding="utf-8")
    assert not MARKS.search(exercises)
    cells = {cell.id: cell for cell in read(exercise_path(source)).cells}
    for cell in read(notebook_path(source)).cells:
        for region in REGION.findall(cell.source):
            given = "\n".join(other.source for other in cells.values())
            lines = [line.strip() for line in region.splitlines()]
            telling = {line for line in lines if len(line) > 25 and not line.startswith("#")}
            # Broken code shares lines with its repair on purpose.
            if all_exercises()[cell.id].kind != "bug":
                assert not {line for line in telling if line in cells[cell.id].source}, cell.id
            assert region.strip() not in given


@by_stem
def test_exercises_are_not_run_and_solutions_are(source):
    for path, run in ((exercise_path(source), False), (notebook_path(source), True)):
        for cell in read(path).cells:
            if cell.cell_type == "code":
                assert bool(cell.execution_count) == run
                assert run or not cell.outputs


@by_stem
def test_a_marking_waits_below_each_answer_in_words(source):
    cells = read(exercise_path(source)).cells
    solutions = {cell.id: cell.source for cell in read(notebook_path(source)).cells}
    for exercise in all_exercises().values():
        if exercise.marking and exercise.lesson == source.stem:
            [place] = [i for i, cell in enumerate(cells) if cell.id == exercise.name]
            assert (
                cells[place + 1].source.splitlines()[-1].startswith(f'marking("{exercise.name}")')
            )
            for text in (exercise.marking.good, exercise.marking.weak, exercise.marking.lacks):
                assert text in solutions[exercise.name]
                assert text not in "".join(cell.source for cell in cells)


@by_stem
def test_every_learners_cell_is_a_stub(source):
    for cell in read(exercise_path(source)).cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            exercise = all_exercises()[cell.id]
            if exercise.kind == "written":
                assert ANSWER in cell.source
            elif exercise.kind != "bug":
                assert TODO in cell.source


@by_stem
def test_a_graded_cell_is_one_locked_check(source):
    for cell in read(exercise_path(source)).cells:
        data = cell.metadata.get("nbgrader", {})
        if data.get("grade") and not data["solution"]:
            name = cell.id.removesuffix("-check")
            assert cell.source == f'check("{name}", {name})'
            assert data["locked"]
            assert data["points"] == all_exercises()[name].points


@by_stem
def test_no_solution_writes_to_stderr(source):
    for cell in read(notebook_path(source)).cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", cell.source


@by_stem
def test_ids_are_unique(source):
    for path in (exercise_path(source), notebook_path(source)):
        cells = read(path).cells
        assert Counter(cell.id for cell in cells).most_common(1)[0][1] == 1
        ids = [c.metadata.nbgrader.grade_id for c in cells if "nbgrader" in c.metadata]
        assert len(set(ids)) == len(ids)


@by_stem
def test_nbgrader_accepts_both(source):
    validator = pytest.importorskip("nbgrader.nbgraderformat.v3").MetadataValidatorV3()
    for path in (exercise_path(source), notebook_path(source)):
        validator.validate_nb(read(path))


def test_nbgraders_own_check_passes_solutions_and_fails_stubs(tmp_path):
    pytest.importorskip("nbgrader")
    for folder, says in (("solutions", "Success"), ("exercises", "VALIDATION FAILED")):
        path = ROOT / folder / "02_data.ipynb"
        command = [sys.executable, "-m", "nbgrader", "validate", str(path)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert says in done.stdout, done.stdout + done.stderr


def test_an_edited_notebook_is_noticed(tmp_path):
    for place in ("solutions/src", "exercises"):
        (tmp_path / place).mkdir(parents=True)
    source = tmp_path / "solutions" / "src" / "02_data.py"
    source.write_text((ROOT / "solutions/src/02_data.py").read_text("utf-8"), encoding="utf-8")
    for path in ("solutions/02_data.ipynb", "exercises/02_data.ipynb"):
        text = (ROOT / path).read_text(encoding="utf-8")
        (tmp_path / path).write_text(text.replace("NotImplementedError", "ValueError"), "utf-8")
    problems = assignments.check(source)
    assert len(problems) == 1 and "02_data.ipynb" in problems[0] and "source" in problems[0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("### END SOLUTION", "### END SOLUTON", "do not pair"),
        ('check="get_batch"', 'check="embed"', "it should be"),
        ('check="get_batch"', 'check="gelu"', "belongs to lesson"),
        ("# ### BEGIN SOLUTION\n", "# ### BEGIN SOLUTION\n# Words.\n", "leave this empty"),
    ],
)
def test_marks_that_do_not_fit_together_are_refused(tmp_path, old, new, words):
    text = (ROOT / "solutions/src/02_data.py").read_text(encoding="utf-8")
    assert old in text
    source = tmp_path / "02_data.py"
    source.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BuildError, match=words):
        assignments.assemble(source, assignments.stripped)
