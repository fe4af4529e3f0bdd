"""Read a source or a notebook, or name the file and the kind of damage it has."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

CONFLICT = re.compile(r"^(<{7}|>{7}|\|{7})( .*)?$", re.MULTILINE)  # what git leaves in a file


class BuildError(Exception):
    """A notebook that cannot be built; the message names the notebook, the cell and the reason."""


def read_text(path: Path) -> str:
    """Return the text of a file. Raises BuildError if it is empty, no UTF-8, or half merged."""
    data = path.read_bytes()
    if not data.strip():
        raise BuildError(f"{path} is empty")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BuildError(f"{path}, line {line}: no UTF-8 (byte {data[error.start]:#x})") from None
    if mark := CONFLICT.search(text):
        line = text[: mark.start()].count("\n") + 1
        raise BuildError(f"{path}, line {line}: a merge conflict was left there: {mark[0]}")
    return text


def read_notebook(path: Path) -> NotebookNode:
    """Return a notebook. Raises BuildError for what read_text does, or one that is no notebook."""
    text = read_text(path)
    try:
        notebook = nbformat.reads(text, as_version=4)
    except Exception as error:  # nbformat has many
        reason = str(error).strip().partition("\n")[0][:200]
        raise BuildError(f"{path} is no notebook: {reason}") from None
    if not notebook.cells:
        raise BuildError(f"{path} is empty: it has no cells")
    return notebook


def find_sources(folder: Path, names: list[str] | None = None) -> list[Path]:
    """Return the sources below `folder` in order, or only those with the given names.

    Raises ValueError for a name that has no source.
    """
    found = {path.stem: path for path in sorted((folder / "src").glob("*.py"))}
    for name in names or []:
        if name not in found:
            raise ValueError(f"no lesson {name!r} in {folder / 'src'}; it has: {', '.join(found)}")
    return [found[name] for name in names or found]
