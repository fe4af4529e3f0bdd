"""README's hours are the sum of what the lessons and their exercises say of themselves."""

import re
from pathlib import Path

import pytest

from minigpt.course.lessons import all_exercises

ROOT = Path(__file__).parents[2]
HOURS = {"an": 1, "one": 1, "two": 2, "three": 3}
PARTS = {"": 0, "a quarter": 15, "a half": 30, "three quarters": 45}
TIME = re.compile(
    r"(\d+) minutes|\b(an|one|two|three) hours?(?: and (a quarter|a half|three quarters))?", re.I
)


def minutes(opening):
    """The first time that an opening names, in minutes."""
    found = TIME.search(re.sub(r"\s*\n# ", " ", opening))
    assert found, f"no time in {opening!r}"
    number, hours, part = found.groups()
    return int(number) if number else 60 * HOURS[hours.lower()] + PARTS[part or ""]


def total(folder):
    """The hours of all the notebooks in a folder of sources."""
    openings = [path.read_text(encoding="utf-8")[:900] for path in sorted(folder.glob("[0-9]*.py"))]
    assert len(openings) >= 8
    return sum(map(minutes, openings)) / 60


@pytest.mark.parametrize(
    ("opening", "wanted"),
    [
        ("about 45 minutes.", 45),
        ("An hour and three\n# quarters", 105),
        ("not quite two hours", 120),
        ("an hour and a half", 90),
    ],
)
def test_a_time_is_read(opening, wanted):
    assert minutes(opening) == wanted


@pytest.mark.parametrize(
    "path", sorted((ROOT / "solutions/src").glob("[0-9]*.py")), ids=lambda p: p.stem
)
def test_an_opening_has_the_sum_of_its_exercises(path):
    parts = sum(e.minutes for e in all_exercises().values() if e.lesson == path.stem)
    told = minutes(path.read_text(encoding="utf-8")[:900])
    assert abs(told - parts) <= 0.1 * parts, (told, parts)


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("notebooks/src", r"lessons 00 to 13 take about (\d+) hours"),
        ("solutions/src", r"their exercises about (\d+)"),
    ],
)
def test_the_readme_has_the_sum(folder, sentence):
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    (told,) = re.findall(sentence, text, re.I)
    assert abs(int(told) - total(ROOT / folder)) <= 0.6
