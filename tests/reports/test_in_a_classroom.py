"""Submissions keep apart, and a check that a student made is not the check that counts."""

from pathlib import Path

import nbformat
import pytest

from minigpt.course.building.assignments import assemble, exercise_path, stripped
from minigpt.course.learner.home import home
from minigpt.course.learner.reporting import check
from minigpt.course.lessons import all_exercises

SOURCES = Path(__file__).parents[2] / "solutions" / "src"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A course's root, as a clone has it, which is also a teacher's folder."""
    monkeypatch.delenv("MINIGPT_MYGPT", raising=False)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    for folder in ("notebooks", "exercises"):
        (tmp_path / folder).mkdir()
    return tmp_path


@pytest.mark.parametrize("stage", ["submitted", "autograded", "feedback"])
def test_each_submission_has_a_mygpt_of_its_own(checkout, monkeypatch, stage):
    homes = set()
    for student in ("anna", "ben"):
        folder = checkout / stage / student / "03_attention"
        folder.mkdir(parents=True)
        monkeypatch.chdir(folder)
        homes.add(home())
    assert len(homes) == 2 and checkout / "mygpt" not in homes


def test_nbgraders_own_run_never_climbs(checkout, monkeypatch):
    folder = checkout / "tmp" / "run"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert home() == checkout / "mygpt"
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert home() == folder / "mygpt"
    monkeypatch.setenv("MINIGPT_MYGPT", str(checkout / "chosen"))
    assert home() == checkout / "chosen"  # a teacher's word counts more


def test_a_learner_in_the_clone_still_has_one_folder_for_all(checkout, monkeypatch):
    for folder in ("exercises", "notebooks"):
        monkeypatch.chdir(checkout / folder)
        assert home() == checkout / "mygpt"


FOOLED = "def check(*args, **kwargs):\n    print('Right in all 9 cases.')\n"


@pytest.mark.parametrize(
    "how", [FOOLED, "check = print\n", "from builtins import print as check\n"]
)
def test_a_check_that_a_student_made_does_not_fool_the_locked_cell(how, monkeypatch, tmp_path):
    monkeypatch.setenv("MINIGPT_MYGPT", str(tmp_path))
    names = {"__name__": "__main__"}
    cells = {c.id: c.source for c in assemble(SOURCES / "02_data.py", stripped).cells}
    exec(f"{how}\ndef embed(idx, wte, wpe):\n    return wte[idx]\n", names)
    with pytest.raises(AssertionError, match="You look up the tokens, but add no positions"):
        exec(cells["embed-check"], names)
    assert names["check"] is check


@pytest.mark.parametrize("source", sorted(SOURCES.glob("*.py")), ids=lambda source: source.stem)
def test_every_locked_check_takes_its_check_afresh(source):
    names = [e.name for e in all_exercises().values() if e.lesson == source.stem and e.draw]
    cells = {c.id: c for c in nbformat.read(exercise_path(source), as_version=4).cells}
    for name in names:
        assert cells[f"{name}-check"].source.startswith("from minigpt.course import check\n")
