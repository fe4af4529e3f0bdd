"""README and lesson 00 show every lesson there is, and none that is not."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
STEMS = sorted(path.stem for path in (ROOT / "notebooks/src").glob("*.py"))


def test_the_readme_links_every_lesson():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[.*?\]\(notebooks/(\w+)\.ipynb\) \|", text, re.M) == STEMS


def test_lesson_00_has_a_row_for_every_lesson():
    text = (ROOT / "notebooks/src/00_start_here.py").read_text(encoding="utf-8")
    rows = re.findall(r"^# \| (\d\d [a-z ]+?) \|", text, re.M)
    assert [row.replace(" ", "_") for row in rows] == STEMS
