"""From the spaced-out text of old data sets back to English: GPT-2 was trained on the latter.

These sets were cut up for models whose tokens were words: `it 's`, `1 @,@ 000`, `( see below )`. To
GPT-2 that is a foreign spelling, and the paper undid it with "invertible de-tokenizers" (section
3.1), worth 2.5 to 5 of perplexity. Only that for LAMBADA is public (openai/gpt-2, issue 131); the
others here are our own, in the same spirit. So figures differ, and each line below can be why.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# Each is a pattern and what takes its place, in order.
CLOSING = (r" +([.,;:!?%)\]])", r"\1")
OPENING = (r"([(\[$£]) +", r"\1")
CONTRACTIONS = (r" +(n't|'s|'re|'ve|'ll|'d|'m)\b", r"\1")
QUOTED = (r'" ([^"\n]*?) "', r'"\1"')

WIKITEXT = (
    (r" @([-,.])@ ", r"\1"),  # 1 @,@ 000 and well @-@ known
    QUOTED,
    OPENING,
    CLOSING,
    CONTRACTIONS,
    (r"(?<=s) '(?= )", "'"),  # the kings ' hats
    (r"= = =", "==="),
    (r"= =", "=="),
    (r" +(?=\n)", ""),
    (r"(?<=\n) +", ""),
)
PENN = (
    CONTRACTIONS,
    (r"(?<=\$) +", ""),
    (r" +(?=\n)", ""),
    (r"(?<=\n) +", ""),
)
BOOKS = (
    (r"`` ?", '"'),  # the Children's Book Test was cut up as the Penn Treebank
    (r" ?''", '"'),
    CONTRACTIONS,
    OPENING,
    CLOSING,
    (r" -LRB- ", " ("),
    (r" -RRB-", ")"),
)
QUOTES = (("[“”]", '"'),)


def rewrite(rules: tuple[tuple[str, str], ...], text: str) -> str:
    """Apply rules to a text, one after another."""
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text)
    return text


def wikitext(text: str) -> str:
    """Return WikiText as English is written.

    >>> wikitext("the game 's 1 @,@ 000 well @-@ known songs ( and more ) .")
    "the game's 1,000 well-known songs (and more)."
    """
    return rewrite(WIKITEXT, text)


def penn_treebank(text: str) -> str:
    """Return the Penn Treebank's text with its contractions joined; its <unk> and N stay.

    >>> penn_treebank("it 's $ N and is n't more")
    "it's $N and isn't more"
    """
    return rewrite(PENN, text)


def childrens_books(text: str) -> str:
    """Return text of the Children's Book Test as it is printed.

    >>> childrens_books("`` Is n't it red ? '' said Leo .")
    '"Isn\\'t it red?" said Leo.'
    """
    return rewrite(BOOKS, text)


def lambada(text: str) -> str:
    r"""Return a text of LAMBADA with straight quotes and a newline before it, as OpenAI did.

    >>> lambada("“ yes ” ")
    '\n" yes "'
    """
    return "\n" + rewrite(QUOTES, text).strip()


def unchanged(text: str) -> str:
    """Return the text as it is."""
    return text


DETOKENIZERS: dict[str, Callable[[str], str]] = {
    "lambada": lambada,
    "cbt-cn": childrens_books,
    "cbt-ne": childrens_books,
    "wikitext-2": wikitext,
    "ptb": penn_treebank,
}
