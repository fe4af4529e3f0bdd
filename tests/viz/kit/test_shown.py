"""A cell that is run again: the explorer that it showed before leaves the notebook's file."""

import json

import pytest
import torch

from minigpt.viz import PatternMap
from minigpt.viz.kit import explorer as kit
from minigpt.viz.kit import shown

CELLS = (
    "import torch\nfrom minigpt.viz import PatternMap\npattern = torch.eye(100)",
    "made = PatternMap(pattern, 'a' * 100)\nmade",
    "PatternMap(pattern[:9, :9], 'b' * 9)",
    "made",
)


@pytest.fixture
def run(monkeypatch):
    """Show a widget as a run of a cell does."""
    monkeypatch.setattr(kit, "SHOWN", shown.Shown())

    def show(widget, cell, number):
        monkeypatch.setattr(shown, "cell_and_run", lambda: (cell, f"{cell} {number}"))
        return widget._repr_mimebundle_()

    return show


def new():
    return PatternMap(torch.eye(3), "abc")


def test_a_cell_that_runs_again_closes_what_it_showed(run):
    first, beside, second, third = new(), new(), new(), new()
    run(first, "a", 1)
    run(beside, "a", 1)  # two in one run
    assert first.comm and beside.comm
    run(second, "a", 2)
    assert first.comm is beside.comm is first.layout.comm is None
    run(third, "b", 1)
    assert second.comm and third.comm


def test_what_another_cell_shows_too_stays_until_that_runs_again(run):
    first, second = new(), new()
    run(first, "a", 1)
    run(first, "b", 1)
    run(second, "a", 2)
    assert first.comm
    run(second, "b", 2)
    assert first.comm is None
    assert second.comm


def test_the_same_one_shown_again_stays_and_a_closed_one_comes_back(run):
    first, second = new(), new()
    run(first, "a", 1)
    run(first, "a", 2)
    assert first.comm
    run(second, "a", 3)
    data, _ = run(first, "b", 1)  # somebody has kept it in a variable
    assert first.comm and first.layout.comm
    name = "application/vnd.jupyter.widget-view+json"
    assert data[name]["model_id"] == first.model_id
    first.row = 1
    assert "token 1 (b) looks most at token 1" in first.sentence()


def test_outside_of_a_notebook_nothing_is_closed():
    first, second = new(), new()
    assert shown.cell_and_run() is None
    first._repr_mimebundle_()
    second._repr_mimebundle_()
    assert first.comm and second.comm


def states_in(notebook):
    """The sizes of the explorers' states in a notebook's file."""
    state = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    return sorted(len(json.dumps(s)) for s in state.values() if s["model_name"] == "AnyModel")


def test_a_saved_notebook_holds_one_state_however_often_it_ran(page, lab, request):
    expect = pytest.importorskip("playwright.sync_api").expect
    name = request.node.name
    lab.write(name, *CELLS)
    lab.open(page, name)
    first = lab.run_all(page, name)
    sizes = states_in(first)
    assert len(sizes) == 2
    for _ in range(3):
        lab.choose_from_menu(page, "Run", "Run All Cells")
        expect(page.locator(".jp-CodeCell .jp-InputPrompt", has_text="*")).to_have_count(0)
        expect(page.locator(".attention-map")).to_have_count(3)  # one of them in two cells
        page.wait_for_timeout(500)
    again = lab.save(page, name)
    assert states_in(again) == sizes
    assert len(json.dumps(again)) < 1.01 * len(json.dumps(first))
