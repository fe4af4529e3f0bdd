"""Lint the scripts of the explorers, each as the module that a browser gets.

Their files share one scope: what one defines another uses, so a file by itself says little. What
the kit offers and only some explorers use is no fault of the others.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import minigpt.viz
from minigpt.viz.kit.explorer import Explorer, lines_of

ROOT = Path(__file__).parents[1]
VIZ = Path(minigpt.viz.__file__).parent
UNUSED = "no-unused-vars"


def places(script: str) -> list[str]:
    """Return for each line of a joined script where it comes from, as file:line."""
    found, lines = [], iter(())
    for line in script.splitlines():
        if line.startswith("// "):  # here a file begins
            file = VIZ / line.removeprefix("// ")
            lines = iter(lines_of(file))
            found.append(str(file))
        else:
            found.append(f"{file}:{next(lines)[0]}")
    return found


def faults(scripts: dict[str, str]) -> list[str]:
    """Return what the linter finds in the scripts, name -> text, as lines to print."""
    command = shutil.which("oxlint", path=sysconfig.get_path("scripts")) or "oxlint"
    seen: dict[tuple[str, str, str], set[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in scripts.items():
            Path(folder, f"{name}.js").write_text(text, encoding="utf-8", newline="\n")
        options = ["--config", str(ROOT / ".oxlintrc.json"), "--format", "json", folder]
        done = subprocess.run([command, *options], capture_output=True, check=False)
    if not done.stdout.startswith(b"{"):  # it could not begin, and says why
        sys.exit((done.stdout + done.stderr).decode())
    for fault in json.loads(done.stdout)["diagnostics"]:
        name, line = Path(fault["filename"]).stem, fault["labels"][0]["span"]["line"]
        place = places(scripts[name])[line - 1]
        seen.setdefault((place, fault["code"], fault["message"]), set()).add(name)
    return [
        f"{place}: {message} ({code})"
        for (place, code, message), names in sorted(seen.items())
        if UNUSED not in code or names == having(place, scripts)
    ]


def having(place: str, scripts: dict[str, str]) -> set[str]:
    """Return the names of the scripts that a place is in."""
    return {name for name, text in scripts.items() if place in places(text)}


def all_scripts() -> dict[str, str]:
    """Return the script of every explorer, by the explorer's name."""
    for name in minigpt.viz.__all__:
        getattr(minigpt.viz, name)  # faces are lazy
    return {kind.__name__: kind._esm for kind in Explorer.__subclasses__()}


if __name__ == "__main__":
    found = faults(all_scripts())
    print("\n".join(found), end="\n" if found else "")
    sys.exit(bool(found))
