"""The paper's data sets as items and texts: from the form in which they are published."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from minigpt.evaluation.choice import Choice, LastWord
from minigpt.evaluation.detokenizers import DETOKENIZERS, unchanged

GAP = "XXXXX"  # where the Children's Book Test has taken a word out
WIKIPEDIA_TEST = 95_000_000  # enwik8 and text8: the last 5 of 100 million bytes, by custom


def lambada_items(text: str) -> list[LastWord]:
    """Return the passages of LAMBADA, a JSON object with `text` in each line, as last words."""
    items = []
    for line in text.splitlines():
        before, space, word = DETOKENIZERS["lambada"](json.loads(line)["text"]).rpartition(" ")
        items.append(LastWord(before, space + word))
    return items


def book_items(text: str) -> list[Choice]:
    """Return the questions of the Children's Book Test: 20 sentences, and a 21st with a gap.

    Behind the question stand the answer and ten candidates, parted by tabs.
    """
    items, tidy = [], DETOKENIZERS["cbt-cn"]
    for block in re.split(r"\n\s*\n", text.strip()):
        *lines, asked = (re.sub(r"^\d+ ", "", line) for line in block.splitlines())
        question, answer, _, options = asked.split("\t")[:4]
        candidates = [option for option in options.split("|") if option]
        context = tidy(" ".join(lines)) + " "
        texts = [tidy(question.replace(GAP, candidate)) for candidate in candidates]
        items.append(gap_item(context, texts, candidates.index(answer)))
    return items


def gap_item(context: str, texts: Sequence[str], right: int) -> Choice:
    """Return whole sentences as a choice: what they begin with in common counts as context.

    The cut is made at a space, so that no word is cut in two.
    """
    columns = zip(*texts)
    length = next((i for i, letters in enumerate(columns) if len({*letters}) > 1), len(texts[0]))
    same = texts[0][: texts[0].rfind(" ", 0, length) + 1]
    before = context + same
    bare = before.rstrip()
    gap = before[len(bare) :]
    return Choice(bare, tuple(gap + text[len(same) :] for text in texts), right)


def read_text_set(name: str, text: str, limit: int | None = None) -> tuple[str, int]:
    """Return the part of a text that is measured, as English is written, and its original words.

    Of enwik8 and text8 the last 5 million bytes; with a `limit` only so many characters.

    Perplexities of these sets are per word of the text as it was published, line ends included, as
    the paper's are (openai/gpt-2, issue 78).
    """
    if name in ("enwik8", "text8"):
        text = text.encode()[WIKIPEDIA_TEST:].decode("utf-8", "ignore")
    text = text[:limit]
    words = len(text.split()) + text.count("\n")
    return DETOKENIZERS.get(name, unchanged)(text), words
