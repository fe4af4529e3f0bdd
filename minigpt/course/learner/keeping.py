"""Your code becomes the model: what passed its check is kept in mygpt/, a file for each part.

Each file, such as mygpt/causal_mask.py, stands alone. Older versions go to mygpt/older/.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minigpt.course.checking.diagnosing import diagnose
from minigpt.course.learner.home import home
from minigpt.course.learner.sources import CannotKeep
from minigpt.course.learner.standalone import standalone_source
from minigpt.course.learner.using import load
from minigpt.files import atomic_write

PACKAGE = '"""My own GPT, part by part: each of these files passed its check."""\n'


def keep(name: str, obj: Any) -> str:
    """Keep a learner's answer as mygpt/<name>.py, and say so in a sentence.

    The file is checked as it stands before it takes its place. Raises CannotKeep when the source
    cannot be had, or does not pass without the notebook around it.
    """
    source = standalone_source(name, obj)
    path = home() / f"{name}.py"
    place = f"{home().name}/{path.name}"
    if path.exists() and _body(path) == source:
        return f"It is a part of your own GPT: {place}"
    trial = home() / f".trial.{os.getpid()}.py"  # two notebooks may keep at the same time
    _write(trial, source)
    try:
        if not (diagnosis := diagnose(name, _loaded_there(name, trial))).passed:
            raise CannotKeep(f"on its own, outside this notebook, it fails: {diagnosis.message}")
    finally:
        trial.unlink(missing_ok=True)
    version = _put_away(path) + 1
    head = f"# {name}, version {version}: passed its check on {time.strftime('%Y-%m-%d')}.\n"
    _write(path, head + source)
    if not (package := home() / "__init__.py").exists():
        _write(package, PACKAGE)
    return f"It is a part of your own GPT: {place}"


def _loaded_there(name: str, path: Path) -> Callable:
    """Return what stands for a part and loads it where it is first called: in the check's process.

    So what its file prints or warns of comes to nobody, and it may do anything but keep us waiting.
    """
    loaded: list[Any] = []

    def part(*args: Any, **kwargs: Any) -> Any:
        if not loaded:
            loaded.append(load(name, path))
        return loaded[0](*args, **kwargs)

    return part


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _body(path: Path) -> str:
    """Return the source of a kept part without its first line, which tells its version."""
    return path.read_text(encoding="utf-8", errors="replace").partition("\n")[2]


def _put_away(path: Path) -> int:
    """Copy the present version of a part to older/, and return how many versions there were."""
    older = path.parent / "older"
    count = len(list(older.glob(f"{path.stem}.*.py")))
    if path.exists():
        count += 1
        older.mkdir(exist_ok=True)
        shutil.copyfile(path, older / f"{path.stem}.{count}.py")  # a full disk loses neither
    return count
