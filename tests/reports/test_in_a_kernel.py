"""What only a kernel shows: displays in a check, warnings beside it, a check that is not ours."""

import os

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Return what runs a cell and gives its output as text, and what its terminal got so far."""
    folder = tmp_path_factory.mktemp("lab")
    terminal = folder / "terminal.txt"
    notebook = nbformat.v4.new_notebook()
    client = NotebookClient(notebook, kernel_name="python3", timeout=120)
    environment = {**os.environ, "MINIGPT_MYGPT": str(folder / "mygpt")}

    def run(source):
        notebook.cells.append(nbformat.v4.new_code_cell(source))
        try:
            client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1)
        except CellExecutionError as error:
            return f"{error.ename}: {error.evalue}"
        outputs = notebook.cells[-1].outputs
        return "".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)

    with (
        open(terminal, "w", encoding="utf-8") as file,
        client.setup_kernel(env=environment, stdout=file, stderr=file),
    ):
        run("import torch\nfrom minigpt.course import check, diagnose")
        yield run, lambda: terminal.read_text(encoding="utf-8"), folder / "mygpt"


DISPLAYS = {
    "display": "from IPython.display import display, HTML\ndisplay(HTML('<b>hello</b>'))",
    "a plot": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "a progress bar": "from tqdm.auto import tqdm\nlist(tqdm(range(3)))",
    "a widget": "import ipywidgets\nfrom IPython.display import display\n"
    "display(ipywidgets.IntSlider())",
    "print": "print('hello')",
    "clear_output": "from IPython.display import clear_output\nclear_output()\nprint('cleared')",
}


@pytest.mark.parametrize("name", DISPLAYS)
def test_what_a_checked_function_displays_is_counted_as_printed(kernel, name):
    run, terminal, _ = kernel
    body = "\n".join(f"    {line}" for line in DISPLAYS[name].splitlines())
    before = len(terminal())
    shown = run(
        f"def causal_mask(T):\n{body}\n    return torch.ones(T, T).tril().bool()\n"
        "found = diagnose('causal_mask', causal_mask)\nprint(found.passed, bool(found.printed))"
    )
    assert shown == "True True\n"
    assert len(terminal()) - before < 200, terminal()[before:]


KEPT = {
    "a comparison that Python warns of": "def causal_mask(T):\n    assert not T is 'a'\n"
    "    return torch.ones(T, T).tril().bool()\n",
    "a dataclass": "from dataclasses import dataclass\n@dataclass\nclass Size:\n    T: int\n"
    "def causal_mask(T):\n    return torch.ones(Size(T).T, T).tril().bool()\n",
    "a lambda": "causal_mask = lambda T: torch.ones(T, T).tril().bool()\n",
    "a pattern": "import re\nDIGITS = re.compile('[0-9]')\n"
    "def causal_mask(T):\n    assert DIGITS.match(str(T))\n"
    "    return torch.ones(T, T).tril().bool()\n",
}


@pytest.mark.parametrize("name", KEPT)
def test_keeping_an_answer_says_nothing_but_that_it_was_kept(kernel, name):
    run, terminal, mygpt = kernel
    (mygpt / "causal_mask.py").unlink(missing_ok=True)
    before = len(terminal())
    run(KEPT[name])
    shown = run("check('causal_mask', causal_mask)")
    assert "It is a part of your own GPT" in shown and "Warning" not in shown
    assert (mygpt / "causal_mask.py").exists() and len(terminal()) - before < 200
