"""A damaged source or notebook is named with its kind of damage, and the others are built."""

import json
from pathlib import Path

import nbformat
import pytest

from minigpt.course.building import notebooks, rhythm

CONFLICT = b"# %%\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> other\n"
DAMAGE = {
    "a merge conflict": (CONFLICT, "line 2: a merge conflict was left there: <<<<<<< HEAD"),
    "the end of a conflict": (b"# %%\n1\n>>>>>>> other\n", "line 3: a merge conflict was left"),
    "nothing": (b"", "is empty"),
    "blank lines": (b"\n \n", "is empty"),
    "Latin-1": ("# %%\n1\n# caf\xe9\n".encode("latin-1"), "line 3: no UTF-8 (byte 0xe9)"),
    "UTF-16": ("# %%\n1\n".encode("utf-16"), "line 1: no UTF-8 (byte 0xff)"),
}
NOTEBOOK_DAMAGE = {
    "a merge conflict": (b'{"cells": [\n<<<<<<< HEAD\n', "a merge conflict was left there"),
    "nothing": (b"", "is empty"),
    "no cells": (nbformat.writes(nbformat.v4.new_notebook()).encode(), "it has no cells"),
    "half a file": (b'{"cells": [', "is no notebook"),
    "JSON of another kind": (json.dumps({"a": 1}).encode(), "is no notebook"),
    "Latin-1": (b'{"cells": ["\xe9"]}', "no UTF-8"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    (tmp_path / "notebooks" / "src" / "02_sound.py").write_text("# %%\n1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "notebooks"


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_source_is_named_and_the_next_one_is_built(folder, kind, capsys):
    data, words = DAMAGE[kind]
    (folder / "src" / "01_damaged.py").write_bytes(data)
    assert notebooks.main(["build"]) == 1
    told = capsys.readouterr()
    assert f"{Path('notebooks/src/01_damaged.py')}" in told.err and words in told.err
    assert "02_sound.ipynb" in told.out and (folder / "02_sound.ipynb").exists()
    assert notebooks.main(["check"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 1 and words in told[0]
    assert rhythm.main([]) == 1
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("kind", NOTEBOOK_DAMAGE)
def test_a_damaged_notebook_is_named_and_built_anew(folder, kind, capsys):
    data, words = NOTEBOOK_DAMAGE[kind]
    (folder / "02_sound.ipynb").write_bytes(data)
    assert notebooks.main(["check"]) == 1
    told = capsys.readouterr().out
    assert f"{Path('notebooks/02_sound.ipynb')}" in told and words in told
    assert notebooks.main(["build"]) == 0
    assert words in capsys.readouterr().err
    assert notebooks.main(["check"]) == 0
