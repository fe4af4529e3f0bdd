"""The texts that tokenizers are timed on: what every Python carries, so nothing is downloaded."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from minigpt.data.corpora import python_docs


def library_source(size: int = 10_000_000) -> str:
    """Return the first `size` characters of the standard library's own modules, in fixed order."""
    folder = Path(sysconfig.get_path("stdlib"))
    parts, length = [], 0
    for path in sorted(folder.rglob("*.py")):
        if "site-packages" in path.parts or length >= size:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a test file in another encoding
            continue
        parts.append(text)
        length += len(text)
    return "".join(parts)[:size]


TEXTS = {"Python docs": python_docs, "library source": library_source}
