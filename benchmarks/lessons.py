"""What each lesson takes: seconds from top to bottom in its own kernel, and its peak memory."""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks.harness import Result, publish

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SECONDS = {"06_training": 300, "09_heads": 240, "12_myths": 240}  # all others: 180
SECONDS |= dict.fromkeys(("10_tasks", "11_scaling", "13_today"), 360)
MIB = 2048
# Linux keeps the highest mark of each process.
PEAK = """
import re, pathlib
status = pathlib.Path("/proc/self/status")
print(int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) // 1024 if status.exists() else 0)
"""


def measure(path: Path) -> tuple[float, int]:
    """Run a notebook; return its seconds, the kernel's start included, and its peak in MiB."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": path.parent}})
    started = time.perf_counter()
    client.execute()
    seconds = time.perf_counter() - started
    return seconds, int(notebook.cells[-1].outputs[0].text)


def run(peers: dict[str, Path], quick: bool) -> None:
    """Run every lesson once, in order, and hold it against its budget."""
    notes = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb"))[: 2 if quick else None]:
        took, peak = measure(path)
        limit = SECONDS.get(path.stem, 180)
        within = "within" if took <= limit and peak <= MIB else "OVER"
        notes[path.stem] = f"{took:.0f} s of {limit}, {peak} MiB of {MIB}: {within} its budget"
        print(f"{path.stem}: {notes[path.stem]}", flush=True)
    title = "Every lesson, top to bottom: time and peak memory"
    publish(Result("lessons", title, "", {}, notes=notes))
