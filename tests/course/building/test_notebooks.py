"""The notebook builder, and the agreement of every committed notebook with its source."""

import base64
import io
import json
from pathlib import Path

import matplotlib.image
import nbformat
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_output

from minigpt.course.building import notebooks
from minigpt.course.building.notebooks import build, check, read_source
from minigpt.course.building.outputs import (
    VARIES,
    WIDGET_NOTE,
    WIDGET_VIEW,
    settle,
    strip_png_text,
)
from minigpt.course.building.reading import BuildError, find_sources

ROOT = Path(__file__).parents[3]
COMMITTED = sorted((ROOT / "notebooks").glob("*.ipynb"))

LESSON = """\
# %% [markdown]
# # A lesson

# %%
import sys, time
from pathlib import Path
import matplotlib.pyplot as plt
print("out"); print("err", file=sys.stderr); print("again: ü 狐")

# %%
plt.plot([1, 2])
plt.show()

# %% tags=["nbval-ignore-output"]
time.time_ns()

# %% tags=["nbval-ignore-output"]
from ipywidgets import IntSlider
IntSlider()

# %%
Path.cwd().name
"""


def write_lesson(root, text=LESSON, name="00_lesson"):
    source = root / "notebooks" / "src" / f"{name}.py"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(text, encoding="utf-8", newline="\n")
    return source


def png_with_text(text):
    file = io.BytesIO()
    Figure(figsize=(0.1, 0.1)).savefig(file, metadata={"Software": text})
    return file.getvalue()


def code_cell(*outputs, tags=()):
    return nbformat.v4.new_code_cell("x", metadata={"tags": list(tags)}, outputs=list(outputs))


def shows(**data):
    named = {key.replace("_", "/"): value for key, value in data.items()}
    return nbformat.v4.new_output("display_data", named)


def test_every_source_agrees_with_its_committed_notebook():
    sources = find_sources(ROOT / "notebooks")
    problems = [problem for source in sources for problem in check(source)]
    told = "To rebuild: make notebooks. To drop what JupyterLab saved: git checkout notebooks"
    assert not problems, "\n".join([*problems, told])
    assert [path.stem for path in COMMITTED] == [source.stem for source in sources]


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_notebook_names_its_kernel_and_shows_no_error_and_no_blank(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec.name == "python3"
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    assert outputs
    assert not [out.evalue for out in outputs if out.output_type == "error"]
    assert not [out for out in outputs if WIDGET_VIEW in out.get("data", {})]


def test_a_built_notebook_holds_its_outputs_and_a_rebuild_is_the_same_to_the_byte(tmp_path):
    source = write_lesson(tmp_path)
    first = build(source).read_bytes()
    cells = nbformat.reads(first.decode("utf-8"), as_version=4).cells
    assert [out.text for out in cells[1].outputs] == ["out\nagain: ü 狐\n", "err\n"]
    assert "image/png" in cells[2].outputs[0].data
    assert cells[4].outputs[0].data == {"text/plain": WIDGET_NOTE}
    assert cells[5].outputs[0].data["text/plain"] == "'notebooks'"
    assert check(source) == []

    assert build(source).read_bytes() == first  # the varying cell kept its output
    again = nbformat.read(build(source, fresh=True), as_version=4)
    assert again.cells[3].outputs != cells[3].outputs  # and can be renewed
    assert again.cells[2].outputs == cells[2].outputs


def test_a_varying_output_is_renewed_when_code_before_it_changes(tmp_path):
    text = '# %%\na = 1\n\n# %% tags=["nbval-ignore-output"]\nimport time; print(time.time_ns())\n'
    old = nbformat.read(build(write_lesson(tmp_path, text)), as_version=4)
    new = nbformat.read(build(write_lesson(tmp_path, text.replace("1", "2"))), as_version=4)
    assert old.cells[1].outputs != new.cells[1].outputs


def test_a_failing_cell_is_named_with_its_traceback_and_the_old_notebook_stays(tmp_path):
    source = write_lesson(tmp_path, "# %%\nx = 1\n")
    before = build(source).read_bytes()
    write_lesson(tmp_path, "# %%\nx = 1\n\n# %% [markdown]\n# text\n\n# %%\nx / (x - 1)\n")
    with pytest.raises(BuildError, match=r"00_lesson, cell 2 failed(.|\n)*ZeroDivisionError"):
        build(source)
    assert notebooks.notebook_path(source).read_bytes() == before
    assert {path.name for path in source.parents[1].iterdir()} == {"src", "00_lesson.ipynb"}


def test_a_kernel_that_dies_is_told_as_such(tmp_path):
    source = write_lesson(tmp_path, "# %%\nimport os\nos._exit(1)\n")
    with pytest.raises(BuildError, match="00_lesson, cell 0 failed.*\n.*died"):
        build(source)


def test_check_names_what_differs_and_a_cell_that_never_ran(tmp_path):
    source = write_lesson(tmp_path, "# %%\n1\n\n# %% [markdown]\n# text\n")
    assert check(source) == [f"{notebooks.notebook_path(source)} is missing"]
    notebook = read_source(source)
    target = notebooks.notebook_path(source)
    nbformat.write(notebook, target)
    assert check(source) == [f"{target}, cell 0: never run"]
    notebook.cells[0].execution_count = 1
    nbformat.write(notebook, target)
    assert check(source) == []
    notebook.metadata.language_info.version = "3.11.7"
    notebook.cells[1].source = "other text"
    nbformat.write(notebook, target)
    assert check(source) == [
        f"{target}: the notebook's metadata is not the builder's",
        f"{target}, cell 1: not as in its source (source)",
    ]


def test_cell_ids_are_unique_and_stay_when_a_cell_is_put_before_them(tmp_path):
    text = "# %%\n1\n\n# %%\n1\n\n# %% [markdown]\n# 1\n"
    ids = [cell.id for cell in read_source(write_lesson(tmp_path, text)).cells]
    longer = [cell.id for cell in read_source(write_lesson(tmp_path, "# %%\n0\n\n" + text)).cells]
    assert len(set(ids)) == 3
    assert longer[1:] == ids


def test_cell_metadata_of_the_source_is_kept(tmp_path):
    text = '# %% nbgrader={"grade": true} tags=["nbval-ignore-output"]\n1\n\n\n\n# %%\n2\n'
    cells = read_source(write_lesson(tmp_path, text)).cells
    assert cells[0].metadata == {"nbgrader": {"grade": True}, "tags": ["nbval-ignore-output"]}
    assert cells[1].metadata == {}


def test_an_unknown_tag_is_refused_so_that_a_typing_error_is_found(tmp_path):
    source = write_lesson(tmp_path, '# %% tags=["nbval-ignore-outputs"]\n1\n')
    with pytest.raises(BuildError, match=r"cell 0.*nbval-ignore-outputs.*known"):
        read_source(source)


def test_find_sources_names_the_lessons_there_are(tmp_path):
    for name in ("01_b", "00_a"):
        write_lesson(tmp_path, name=name)
    folder = tmp_path / "notebooks"
    assert [path.stem for path in find_sources(folder)] == ["00_a", "01_b"]
    assert [path.stem for path in find_sources(folder, ["01_b"])] == ["01_b"]
    with pytest.raises(ValueError, match="no lesson '02_c' in .*00_a, 01_b"):
        find_sources(folder, ["02_c"])


def test_png_text_is_dropped_and_the_picture_is_not():
    one, other = png_with_text("version 1"), png_with_text("version 2 or so")
    assert one != other
    assert strip_png_text(one) == strip_png_text(other)

    before, after = (matplotlib.image.imread(io.BytesIO(p)) for p in (one, strip_png_text(one)))
    assert (before == after).all()


def test_a_widget_with_a_picture_becomes_the_picture():
    picture = base64.b64encode(png_with_text("1")).decode("ascii")
    view = {WIDGET_VIEW: {"model_id": "b1946"}, "image/png": picture, "text/plain": "Explorer()"}
    cell = code_cell(nbformat.v4.new_output("display_data", view))
    settle(cell)
    assert cell.outputs[0].data.keys() == {"image/png", "text/plain"}


def test_a_widget_without_a_picture_is_refused_unless_the_cell_is_tagged():
    view = {WIDGET_VIEW: {"model_id": "b1946"}, "text/plain": "IntSlider(value=0)"}
    cell = code_cell(nbformat.v4.new_output("display_data", view))
    with pytest.raises(ValueError, match="widget without a picture"):
        settle(cell)


@pytest.mark.parametrize(
    "output",
    [
        shows(text_plain="<Axes object at 0x7f3a5c1b2d90>"),
        nbformat.v4.new_output("stream", name="stdout", text="at 0x7f3a5c1b2d90\n"),
    ],
)
def test_a_memory_address_is_refused(output):
    with pytest.raises(ValueError, match="memory address .at 0x7f3a5c1b2d90.*semicolon"):
        settle(code_cell(output))


def test_a_hexadecimal_number_is_no_memory_address():
    cell = code_cell(shows(text_plain="'0x1F98A' is a fox, 0xdeadbeef is not"))
    before = json.dumps(cell)
    settle(cell)
    assert json.dumps(cell) == before


def test_an_error_output_is_refused():
    error = nbformat.v4.new_output("error", ename="KeyError", evalue="'fox'", traceback=[])
    with pytest.raises(ValueError, match="KeyError: 'fox'"):
        settle(code_cell(error))


def test_the_command_tells_what_is_wrong_and_fails(tmp_path, monkeypatch, capsys):
    write_lesson(tmp_path, "# %%\n1\n")
    monkeypatch.chdir(tmp_path)

    assert notebooks.main(["check"]) == 1
    assert "00_lesson.ipynb is missing" in capsys.readouterr().out
    assert notebooks.main(["build", "99_nothing"]) == 1
    assert "no lesson '99_nothing'" in capsys.readouterr().err
    assert notebooks.main(["build", "00_lesson"]) == 0
    assert "00_lesson.ipynb" in capsys.readouterr().out
    assert notebooks.main(["check"]) == 0
    assert capsys.readouterr().out == "1 sources and their notebooks agree.\n"


@pytest.mark.parametrize("bar", ["  0%|    | 0/50 [00:00<?, ?step/s]", "100%|████| 3/3"])
def test_a_progress_bar_leaves_nothing_and_other_widgets_a_note(bar):
    def shown(text):
        return new_output("display_data", {WIDGET_VIEW: {"model_id": "1"}, "text/plain": text})

    told = new_output("stream", text="Training\n")
    cell = new_code_cell(
        "train()", outputs=[shown(bar), told, shown("Slider()")], metadata={"tags": [VARIES]}
    )
    settle(cell)
    assert cell.outputs[0] == told
    assert [out.data for out in cell.outputs[1:]] == [{"text/plain": WIDGET_NOTE}]
