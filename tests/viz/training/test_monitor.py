"""The training monitor in Python: what it keeps, prints, shows and leaves in a notebook."""

import base64
import math

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

from minigpt import GPT, GPTConfig, Stories, Tokenizer, load_data, train
from minigpt.course.building.outputs import settle
from minigpt.training import Record
from minigpt.viz import TrainingMonitor
from minigpt.viz.training import monitor as module
from minigpt.viz.training.monitoring import COLUMNS, row_of


def record(step, loss=2.0, val_loss=None):
    return Record(step, loss, 0.001, 0.5, 1000.0, val_loss)


RUN = [record(0, 6.9), record(1, 3.0, val_loss=2.9), record(2, 1.5), record(3, 0.8, val_loss=0.75)]
HOSTILE = ["<script>alert(1)</script>", "\u202eabc", "x" * 10_000, "🦊\n\n", "a\x00b", "$x_$", ""]


class Shell:
    """A notebook's shell, as far as the monitor needs one."""

    kernel = "there"

    def __init__(self):
        self.events, self.callbacks = self, []

    def register(self, event, callback):
        assert event == "post_run_cell"
        self.callbacks.append(callback)

    def unregister(self, event, callback):
        self.callbacks.remove(callback)

    def end_cell(self):
        for callback in list(self.callbacks):
            callback("result")


class Place:
    """Where something is shown in a notebook."""

    def __init__(self, shown):
        self.shown = [shown.sentence()]

    def update(self, shown):
        self.shown.append(shown.sentence())


@pytest.fixture
def notebook(monkeypatch):
    """A shell, and the places where something was displayed."""
    shell, places = Shell(), []

    def display(shown, display_id):
        places.append(Place(shown))
        return places[-1]

    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr(module, "display", display)
    return shell, places


def rows_of(monitor):
    return np.frombuffer(monitor.rows, dtype=np.float32).reshape(-1, len(COLUMNS))


def feed(monitor, run=RUN):
    for each in run:
        monitor(each)
    return monitor


def test_what_is_sent_are_the_steps_and_the_looks_at_held_out_text():
    monitor = feed(TrainingMonitor(4, {"floor": 0.5}))
    assert np.allclose(rows_of(monitor), [row_of(each) for each in RUN])
    assert monitor.looks == [[2, 2.9], [4, 0.75]]
    assert monitor.records == RUN
    assert repr(monitor) == (
        "Training, step 4 of 4: loss 0.800, held out 0.750 at step 4 (1.50 × floor), lr 0.001, "
        "gradient 0.5, 1,000 tokens/s."
    )


def test_without_a_notebook_it_prints_about_twenty_lines_and_the_last_step(capsys):
    feed(TrainingMonitor(101), [record(step) for step in range(101)])
    said = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert said == [f"step {step} of 101" for step in [*range(6, 101, 6), 101]]


def test_a_terminal_with_ipython_gets_lines_as_well(monkeypatch, capsys):
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    feed(TrainingMonitor(4))
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_in_a_notebook_it_shows_itself_once_and_once_more_when_the_cell_has_ended(notebook, capsys):
    shell, places = notebook
    monitor = feed(TrainingMonitor(10))
    (place,) = places
    assert place.shown[0].startswith("Training, step 0 of 10") and len(place.shown) == 1
    shell.end_cell()
    assert place.shown[1].startswith("Training, step 4 of 10: loss 0.800")
    assert shell.callbacks == []
    feed(monitor, [record(4)])  # another cell
    assert len(places) == 2
    assert capsys.readouterr().out == ""


def test_it_sends_a_few_times_a_second_and_at_the_end_of_the_cell(notebook, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monitor, seen = TrainingMonitor(1000), []
    monitor.observe(lambda change: seen.append(len(rows_of(monitor))), "rows")
    for step in range(100):
        clock[0] += 0.1
        monitor(record(step))
    assert 30 <= len(seen) <= 40 and seen[-1] < 100
    notebook[0].end_cell()
    assert seen[-1] == 100
    assert monitor.left == "1 min 30 s"  # 900 steps of 0.1 s
    assert monitor.words.endswith("1 min 30 s left")


def test_the_time_left_counts_the_steps_of_this_session_only(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monitor = TrainingMonitor(100, records=[record(step) for step in range(50)])
    assert monitor.left == ""
    for step in range(50, 53):
        clock[0] += 2
        monitor(record(step))
    monitor.draw()
    assert monitor.left == "1 min 34 s"  # 47 steps of 2 s


def test_records_of_a_run_that_goes_on_come_first_and_are_left_alone():
    before = list(RUN)
    monitor = TrainingMonitor(10, records=RUN)
    monitor(record(4))
    monitor.draw()
    assert before == RUN and list(rows_of(monitor)[:, 0]) == [1, 2, 3, 4, 5]


def test_samples_are_asked_for_every_so_often_and_at_the_end():
    texts = iter(["a", "b", "c"])
    monitor = TrainingMonitor(5, sample=lambda: next(texts), sample_every=2)
    feed(monitor, [record(step) for step in range(5)])
    assert monitor.samples == [[2, "a"], [4, "b"], [5, "c"]]


def test_samples_do_not_grow_for_ever():
    monitor = TrainingMonitor(1000, sample=lambda: "kite", sample_every=1)
    feed(monitor, [record(step) for step in range(150)])
    assert [step for step, _ in monitor.samples] == list(range(51, 151))


@pytest.mark.parametrize("text", HOSTILE)
def test_any_sample_is_kept_legible_and_drawn(text, tmp_path):
    monitor = TrainingMonitor(1, {"<b>$": 0.5}, sample=lambda: text)
    monitor(record(0))
    ((_, kept),) = monitor.samples
    assert len(kept) <= 2000 and all(c.isprintable() or c == "\n" for c in kept)
    monitor.to_html(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.count("<script") == 2 and "://" not in page.replace("http://www.w3.org/", "")
    assert monitor.picture().startswith(b"\x89PNG")


def test_a_run_has_a_picture_before_during_and_after_it():
    monitor = TrainingMonitor(4, {"floor": 0.5})
    pictures = [monitor.picture()]
    for each in RUN[:2], RUN[2:]:
        feed(monitor, each)
        pictures.append(monitor.picture())
    assert len(set(pictures)) == 3


def test_losses_that_are_no_numbers_are_left_out_of_the_picture():
    monitor = feed(
        TrainingMonitor(4), [record(0, math.nan, val_loss=math.inf), record(1, math.inf)]
    )
    assert monitor.looks == []
    assert monitor.picture().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (dict(max_steps=0), "max_steps"),
        (dict(max_steps=4, sample_every=0), "sample_every"),
        (dict(max_steps=4, levels={"floor": math.nan}), "floor"),
        (dict(max_steps=4, levels={1: 0.5}), "level 1"),
    ],
)
def test_what_is_no_level_and_no_number_of_steps_is_refused(arguments, name):
    with pytest.raises(ValueError, match=name):
        TrainingMonitor(**arguments)


def test_names_of_levels_are_one_legible_line():
    levels = TrainingMonitor(4, {"knowing\n nothing\u202e": 7, "floor": np.float64(0.5)}).levels
    assert levels == {"knowing nothing\\u202e": 7.0, "floor": 0.5}
    assert list(levels) == ["knowing nothing\\u202e", "floor"]


def test_watching_a_run_does_not_change_it(tmp_path):
    path = tmp_path / "stories.txt"
    path.write_text("\n".join(next(Stories(seed)) for seed in range(40)), encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    data = load_data(path, Tokenizer.train(text, 280))
    weights, told = [], []

    def sample():
        told.append(str(torch.rand(3)))
        return told[-1]

    for watched in (True, False):
        torch.manual_seed(0)
        model = GPT(GPTConfig(vocab_size=280, block_size=16, n_layer=1, n_head=2, n_embd=16))
        monitor = TrainingMonitor(4, sample=sample, sample_every=1)
        quick = dict(batch_size=2, warmup_steps=1, eval_batches=1, precision="fp32", device="cpu")
        on_step = monitor if watched else None
        train(model, data, max_steps=4, on_step=on_step, progress=False, **quick)
        weights.append(torch.cat([w.detach().flatten() for w in model.parameters()]))
    assert len(told) == 4 and torch.equal(*weights)


CELL = """
import random
from minigpt.training import Record
from minigpt.viz import TrainingMonitor
monitor = TrainingMonitor(30, {"floor": 0.5})
for step in range(20):
    monitor(Record(step, 3.0 - 0.1 * step, 0.001, 0.5, 1000.0, None))
"""


def test_a_notebook_built_without_a_front_end_shows_the_picture_of_the_end():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, kernel_name="python3", timeout=100).execute()
    (cell,) = notebook.cells
    settle(cell)
    (output,) = cell.outputs
    assert output.data["text/plain"].startswith("Training, step 20 of 30: loss 1.100")
    assert set(output.data) == {"text/plain", "image/png"}
    monitor = feed(TrainingMonitor(30, {"floor": 0.5}), [])
    assert base64.b64decode(output.data["image/png"]) != monitor.picture()


def test_the_script_fits_in_40_kilobytes():
    assert len(TrainingMonitor._esm.encode()) <= 40_000


def test_measures_are_asked_in_time_and_drawn():
    told = iter(range(100))
    monitor = TrainingMonitor(25, measures={"colours (%)": lambda: next(told)}, measure_every=10)
    without = TrainingMonitor(25)
    for step in range(25):
        monitor(record(step))
        without(record(step))
    assert monitor.measured == {"colours (%)": [[10, 0.0], [20, 1.0], [25, 2.0]]}
    assert without.measured == {}
    assert monitor.picture() != without.picture()
    with pytest.raises(ValueError, match="measure_every is 0"):
        TrainingMonitor(25, measure_every=0)


def test_the_page_draws_a_measure_and_says_what_smoothing_is(played):
    expect = pytest.importorskip("playwright.sync_api").expect
    monitor = TrainingMonitor(20, measures={"<b>recalled</b>": lambda: 25.0}, measure_every=5)
    for step in range(20):
        monitor(record(step))
    root = played(monitor)
    box = root.locator(".tm-measures")
    expect(box).to_contain_text("<b>recalled</b>: 25 at step 20")
    expect(box.locator("circle")).to_have_count(4)
    expect(root.locator(".tm-means")).to_have_text("0.60: the mean of about the last 3 points")
    root.get_by_label("smoothing").fill("0.98")
    expect(root.locator(".tm-means")).to_have_text("0.98: the mean of about the last 50 points")
    root.get_by_role("slider", name="Step of the run").focus()
    root.page.keyboard.press("Home")
    expect(box).not_to_contain_text("at step")  # nothing was measured by then
    root.get_by_label("smoothing").fill("0")
    expect(root.locator(".tm-means")).to_have_text("off")
