"""The explorers' scripts pass their linter, and the linter sees what it is there to see."""

import importlib.util
import shutil
import sysconfig
from pathlib import Path

import pytest

from minigpt.viz.kit.explorer import script

path = Path(__file__).parents[3] / "scripts" / "lint_scripts.py"
spec = importlib.util.spec_from_file_location("lint_scripts", path)
lint = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lint)


@pytest.fixture(autouse=True)
def oxlint():
    if not (shutil.which("oxlint", path=sysconfig.get_path("scripts")) or shutil.which("oxlint")):
        pytest.skip("No oxlint here. Get it with: pip install oxlint")


def test_the_scripts_of_all_explorers_are_clean():
    scripts = lint.all_scripts()
    assert {"AttentionExplorer", "ScoreMap", "TrainingMonitor"} <= set(scripts)
    assert lint.faults(scripts) == []


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """Write a file as an explorer's own, beside a copy of the kit."""
    shutil.copytree(lint.VIZ / "kit", tmp_path / "kit")
    monkeypatch.setattr(lint, "VIZ", tmp_path)

    def write(name, text):
        (tmp_path / "own").mkdir(exist_ok=True)
        file = tmp_path / "own" / name
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("function left() {\n  let unread = 1;\n}\nleft();", "'unread' is declared but never used"),
        ("nobody();", "'nobody' is not defined"),
        ("const long = () => {\n" + "long();\n" * 150 + "};\nlong();", "too many lines (152)"),
        ('if (typeof start === "functoin") start({});', "typeof"),
    ],
)
def test_a_planted_fault_is_found_where_it_stands(plant, planted, found):
    file = plant("planted.js", f"// A comment, which stays behind.\n\n{planted}\n")
    told = [line for line in lint.faults({"Planted": script(file)}) if str(file) in line]
    assert len(told) == 1
    assert found in told[0]


def test_a_fault_is_told_with_its_line(plant):
    file = plant("planted.js", "// One.\n\n// Three.\nnobody();\n")
    assert any(line.startswith(f"{file}:4: ") for line in lint.faults({"Planted": script(file)}))


def test_what_one_explorer_uses_and_another_does_not_is_no_fault(plant):
    both = plant("both.js", "const shared = 1;\nconst lonely = 2;\n")
    one = plant("one.js", "console.log(shared);\n")
    told = lint.faults({"One": script(both, one), "Other": script(both)})
    assert any("'lonely'" in line for line in told)
    assert not any("'shared'" in line for line in told)
