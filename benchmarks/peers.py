"""Peers that live in a checkout of their own: timed by a path, never copied."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType


def parse_peers(given: list[str]) -> dict[str, Path]:
    """Turn ["nanoGPT=/path", ...] into a dictionary; raises ValueError for a missing folder.

    >>> parse_peers([])
    {}
    """
    peers = {}
    for entry in given:
        name, _, path = entry.partition("=")
        if not Path(path).is_dir() or not path:
            raise ValueError(f"{entry!r} must be NAME=FOLDER, and the folder must exist")
        peers[name] = Path(path)
    return peers


def load_file(folder: Path, file: str, name: str) -> ModuleType:
    """Import a module from a peer's checkout."""
    if not (folder / file).is_file():
        raise ValueError(f"{folder} has no {file}: is it the right checkout?")
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
