"""Tokens as people can read them: a space is `·`, a line break `⏎`, a broken byte `\\xe5`."""

from __future__ import annotations

from collections.abc import Iterable

from minigpt.tokenizer import Tokenizer

SIGNS = str.maketrans({" ": "·", "\n": "⏎", "\t": "→"})


def visible(text: str) -> str:
    r"""Return the text with its spaces and line breaks made visible, and nothing invisible left.

    >>> visible(" red\n")
    '·red⏎'
    >>> visible("a\x00b")
    'a\\x00b'
    """
    shown = text.translate(SIGNS)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def signed(value: float, digits: int = 3) -> str:
    """Write a change; one that rounds to 0 has no sign.

    >>> signed(0.25), signed(-1.5), signed(-0.0004)
    ('+0.250', '-1.500', '0.000')
    """
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]


def token_labels(tokenizer: Tokenizer, ids: Iterable[int]) -> list[str]:
    """Return a readable label for each token; part of a character is shown as its bytes."""
    pieces = [tokenizer.token_bytes(int(i)) for i in ids]
    # A byte that is no character by itself becomes \xe5.
    return [visible(piece.decode("utf-8", "backslashreplace")) for piece in pieces]


def model_labels(tokenizer: Tokenizer, ids: Iterable[int]) -> list[str]:
    """Return labels of a model's ids: it may know more of them than its tokenizer.

    >>> model_labels(Tokenizer.gpt2(), [2266, 50300])
    ['·red', '(no token 50300)']
    """
    known = tokenizer.vocab_size
    return [token_labels(tokenizer, [i])[0] if i < known else f"(no token {i})" for i in ids]
