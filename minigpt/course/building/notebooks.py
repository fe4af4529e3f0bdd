"""Build the committed notebooks from their text sources: the same bytes every time.

    python -m minigpt.course.building.notebooks build                # every lesson
    python -m minigpt.course.building.notebooks build 03_attention   # one of them
    python -m minigpt.course.building.notebooks check                # do they agree?

The source `notebooks/src/03_attention.py` (jupytext's py:percent format) becomes
`notebooks/03_attention.ipynb`, run from top to bottom in its own folder, as JupyterLab runs it, so
that a reader on a code host sees every output. Nothing that differs from run to run is written: no
timestamps, no versions, no random ids (outputs.py has the details).

Two kinds of cell cannot show the same twice: one that measures time, and one whose widget has no
picture of its own. They carry the one tag, which nbval knows too:

    # %% tags=["nbval-ignore-output"]

Such a cell keeps the output that is already in the notebook as long as its code and all code before
it stay as they are. `build --fresh` renews it.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat import NotebookNode

from minigpt.course.building.command import command
from minigpt.course.building.outputs import VARIES, digest, keep_varying_outputs, settle
from minigpt.course.building.reading import BuildError, read_notebook, read_text
from minigpt.course.learner.home import VARIABLE
from minigpt.files import atomic_write

KNOWN_TAGS = {VARIES}
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    # Without a version: the file must not depend on which Python built it.
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}
CELL_TIMEOUT = 600  # seconds; a whole lesson takes less
TERMINAL_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def notebook_path(source: Path) -> Path:
    """Return where the notebook of a source belongs: one folder up, under the same name.

    >>> notebook_path(Path("notebooks/src/03_attention.py")).as_posix()
    'notebooks/03_attention.ipynb'
    """
    return source.parent.parent / f"{source.stem}.ipynb"


def read_source(source: Path) -> NotebookNode:
    """Read a py:percent source as a notebook without outputs.

    A cell's id is the hash of its content: it stays when other cells come and go.
    """
    notebook = nbformat.v4.new_notebook(metadata=METADATA)
    seen = Counter()
    text = read_text(source)
    for number, cell in enumerate(jupytext.reads(text, fmt="py:percent").cells):
        # jupytext notes here how many blank lines followed the cell.
        for key in [key for key in cell.metadata if key.startswith("lines_to_")]:
            del cell.metadata[key]
        if unknown := set(cell.metadata.get("tags", ())) - KNOWN_TAGS:
            raise BuildError(f"{source}, cell {number}: tags {unknown}, known: {KNOWN_TAGS}")
        cell.id = digest(cell.cell_type, cell.source)[:12]
        seen[cell.id] += 1
        if seen[cell.id] > 1:
            cell.id += f"-{seen[cell.id]}"
        notebook.cells.append(cell)
    nbformat.validate(notebook)
    return notebook


def build(source: Path, fresh: bool = False) -> Path:
    """Build and run the notebook of `source`, and return its path.

    Raises BuildError when a cell fails or shows what may not be shown. The notebook that was there
    before then stays as it was.
    """
    target = notebook_path(source)
    notebook = read_source(source)
    run_notebook(notebook, target)
    keep_what_varies(notebook, target, fresh)
    write_notebook(notebook, target)
    return target


def keep_what_varies(notebook: NotebookNode, target: Path, fresh: bool) -> None:
    """Take over the outputs that vary from the notebook that was there, if one is."""
    if target.exists() and not fresh:
        try:
            keep_varying_outputs(notebook, read_notebook(target))
        except BuildError as error:
            print(f"{error}; it is built anew", file=sys.stderr)


def write_notebook(notebook: NotebookNode, target: Path) -> None:
    """Write a notebook in one go: what was there before is replaced by all of it or by nothing."""
    nbformat.validate(notebook)
    with atomic_write(target) as unfinished:
        text = nbformat.writes(notebook) + "\n"
        unfinished.write_text(text, encoding="utf-8", newline="\n")


def check(source: Path) -> list[str]:
    """Return what differs between a source and its committed notebook; nothing is run."""
    return differences(read_source(source), notebook_path(source), was_run=True)


def differences(wanted: NotebookNode, target: Path, was_run: bool) -> list[str]:
    """Return what differs between a wanted notebook and the one on disk, outputs aside."""
    if not target.exists():
        return [f"{target} is missing"]
    try:
        committed = read_notebook(target)
    except BuildError as error:
        return [str(error)]
    problems = []
    if committed.metadata != wanted.metadata:
        problems.append(f"{target}: the notebook's metadata is not the builder's")
    if len(committed.cells) != len(wanted.cells):
        problems.append(f"{target}: {len(committed.cells)} cells, its source {len(wanted.cells)}")
    for number, (ours, theirs) in enumerate(zip(wanted.cells, committed.cells)):
        parts = [p for p in ("cell_type", "source", "metadata", "id") if ours[p] != theirs.get(p)]
        if parts:
            problems.append(f"{target}, cell {number}: not as in its source ({', '.join(parts)})")
            break  # one cell more or less shifts all that follow
        elif ours.cell_type == "code" and ours.source and bool(theirs.execution_count) != was_run:
            problems.append(f"{target}, cell {number}: {'never' if was_run else 'was'} run")
    return problems


def run_notebook(notebook: NotebookNode, target: Path) -> None:
    """Run every code cell in a fresh kernel, in the folder where the notebook will lie."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_TIMEOUT,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(target.parent)}},
    )
    # Whoever builds may have IPython start-up files of their own; a learner has none.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as nobody:
        mygpt = {VARIABLE: str(Path(nobody, "mygpt"))}  # nobody's parts, nobody's progress
        environment = {**os.environ, "IPYTHONDIR": nobody, **mygpt}
        # What cells write to stderr comes through the kernel; this is the kernel's own talk.
        with client.setup_kernel(env=environment, stderr=subprocess.DEVNULL):
            for number, cell in enumerate(notebook.cells):
                if cell.cell_type == "code":
                    _run_cell(client, cell, number, f"{target.stem}, cell {number}")


def _run_cell(client: NotebookClient, cell: NotebookNode, number: int, where: str) -> None:
    try:
        client.execute_cell(cell, number)
        settle(cell)
    except (CellControlSignal, DeadKernelError) as error:
        raise BuildError(f"{where} failed.\n{TERMINAL_COLOUR.sub('', str(error))}") from None
    except ValueError as error:
        raise BuildError(f"{where}: {error}\n\n{cell.source}") from None


def main(arguments: list[str] | None = None) -> int:
    """Build or check the lessons below the current folder, and return the exit status."""
    return command("minigpt.course.building.notebooks", "notebooks", build, check, arguments)


if __name__ == "__main__":
    sys.exit(main())
