"""What a committed notebook may show: the same bytes in every run, and never a blank.

A widget's view is a random id that points into the state of a kernel. Without that kernel Jupyter
shows an error in its place and a code host shows nothing, and to save the state would put a large,
ever-changing blob into the file. So the view is dropped. What the widget brings beside it stays: a
picture or HTML is what code hosts show, and what Jupyter shows until the learner runs the cell and
gets the living widget.
"""

import base64
import hashlib
import re
from collections.abc import Iterator

from nbformat import NotebookNode

VARIES = "nbval-ignore-output"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_NOTE = "(Something to play with: run this cell to see it.)"
BAR = re.compile(r"\d+%\|")  # as tqdm writes it
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"tIME")


def varies(cell: NotebookNode) -> bool:
    """Say whether a cell is tagged as showing something else in every run, such as a timing."""
    return VARIES in cell.metadata.get("tags", ())


def is_progress_bar(output: NotebookNode) -> bool:
    """Say whether an output is a widget of tqdm's."""
    data = output.get("data", {})
    return WIDGET_VIEW in data and BAR.search(data.get("text/plain", "")) is not None


def settle(cell: NotebookNode) -> None:
    """Take out of a cell's outputs, in place, what would differ in the next run.

    Raises ValueError for what no committed notebook may show: an error, a memory address, or a
    widget without a picture in a cell that is not tagged. A progress bar has had its day: it goes.
    """
    cell.outputs = [output for output in cell.outputs if not is_progress_bar(output)]
    for output in cell.outputs:
        if output.output_type == "error":
            raise ValueError(f"it shows an error: {output.ename}: {output.evalue}")
        data = output.get("data", {})
        if "image/png" in data:
            data["image/png"] = _in_base64(data["image/png"], strip_png_text)
        if data.pop(WIDGET_VIEW, None) and not data.keys() - {"text/plain"}:
            if not varies(cell):
                raise ValueError(
                    "it shows a widget without a picture, so without a kernel there is nothing to "
                    f'see: give the widget an image/png or text/html, or tag the cell "{VARIES}"'
                )
            data["text/plain"] = WIDGET_NOTE
        if address := ADDRESS.search(output.get("text", "") + data.get("text/plain", "")):
            raise ValueError(
                f"it shows a memory address ({address[0]}), which is another one in every run: "
                "end its last line with a semicolon, or show something else"
            )


def strip_png_text(png: bytes) -> bytes:
    """Return a PNG without its text chunks, where matplotlib writes its own version."""
    kept, start = [png[:8]], 8  # the signature; then chunks: length, name, content, checksum
    while start < len(png):
        end = start + 12 + int.from_bytes(png[start : start + 4], "big")
        if png[start + 4 : start + 8] not in TEXT_CHUNKS:
            kept.append(png[start:end])
        start = end
    return b"".join(kept)


def keep_varying_outputs(notebook: NotebookNode, committed: NotebookNode) -> None:
    """Put the committed outputs back into varying cells whose code so far is unchanged.

    A rebuild then makes no noise. "So far" means the cell's code and all code before it.
    """
    old = {history: cell.outputs for history, cell in _with_history(committed) if cell.outputs}
    for history, cell in _with_history(notebook):
        if varies(cell) and history in old:
            cell.outputs = old[history]


def digest(*parts: str) -> str:
    """Return a hash that is the same for the same texts on every machine."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _in_base64(text: str, change) -> str:
    return base64.b64encode(change(base64.b64decode(text))).decode("ascii")


def _with_history(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    """Yield each code cell behind a hash over its code and all code before it."""
    history = ""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            history = digest(history, cell.source)
            yield history, cell
