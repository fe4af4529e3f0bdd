"""docs/glossary.md: each term is introduced in bold where it says, before it is used."""

import re
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "notebooks/src").glob("*.py"))
# What is no prose: code, formulas, addresses, tables, titles.
NO_PROSE = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)|^[|#][^\n]*", re.S | re.M)
BOLD = re.compile(r"\*\*(.+?)\*\*")
ENTRY = re.compile(r"^- \*\*(.+?)\*\*(?: \((.+?)\))?: (.+)$")


def prose(lesson):
    cells = jupytext.read(lesson, fmt="py:percent").cells[1:]  # the opening says what will come
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return NO_PROSE.sub(" ", text)


def glossary(text):
    """Yield (lesson, term, other spellings, sentence) for each line under a lesson."""
    lesson = None
    for line in text.splitlines():
        if line.startswith("## "):
            lesson = line[3:]
        elif lesson and line:
            found = ENTRY.match(line)
            assert found, f"not `- **term** (other, spellings): Sentence.`: {line}"
            term, others, sentence = found.groups()
            yield lesson, term, (others or "").split(", ") if others else [], sentence


def fault(lesson, term, texts):
    """What is wrong with where a term is introduced, or None. `texts`: prose by lesson."""
    word = rf"(?<![\w-]){re.sub(r'[ -]', '[- ]', term)}(?:e?s)?(?![\w-])"
    for name, text in texts.items():
        text = text.replace("\n", " ")
        used = re.search(word, text, re.I)
        introduced = next((b for b in BOLD.finditer(text) if re.search(word, b[1], re.I)), None)
        if name != lesson:
            if used:
                return f"{term!r} is used in {name} already, before {lesson}"
        elif not used:
            return f"{term!r} is nowhere in {lesson}"
        elif not introduced or used.start() < introduced.start():
            return f"{term!r} is used in {lesson} before it stands there in bold"
        else:
            return None
    return f"there is no lesson {lesson}"


TEXTS = {path.stem: prose(path) for path in LESSONS}
assert all(len(text.split()) > 500 for text in TEXTS.values())  # a lesson's prose, not nothing
ENTRIES = [*glossary((ROOT / "docs/glossary.md").read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    ("lesson", "term", "others", "sentence"), ENTRIES, ids=lambda x: str(x)[:30]
)
def test_a_term_is_introduced_where_the_glossary_says(lesson, term, others, sentence):
    assert fault(lesson, term, TEXTS) is None
    assert sentence.endswith(".")


def test_no_term_stands_twice():
    terms = [term.lower() for _, term, others, _ in ENTRIES for term in (term, *others)]
    assert len(terms) == len(set(terms))


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"01_a": "A skip connection.", "02_b": "A **skip connection**."}, "used in 01_a already"),
        ({"01_a": "", "02_b": "Skip connections; a **skip connection**."}, "before it stands"),
        ({"01_a": "", "02_b": "A skip\nconnection."}, "before it stands"),
        ({"01_a": "", "02_b": "Nothing."}, "nowhere"),
        ({"01_a": "", "02_b": "**One** skip connection, **two**."}, "before it stands"),
        ({"01_a": "", "02_b": "A\n**skip\nconnection** here, skip connections there."}, None),
    ],
)
def test_the_test_finds_what_is_wrong(texts, words):
    found = fault("02_b", "skip connection", texts)
    assert found is None if words is None else words in found
