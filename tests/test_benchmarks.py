"""The benches' own machinery: fair turns, honest verdicts, a page that shows what was measured."""

import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import harness, storyteller
from benchmarks.__main__ import BENCHES
from benchmarks.harness import Result, interleave, table
from benchmarks.peers import parse_peers
from benchmarks.report import BEGIN, END, PLOTS, README, read_results

ROOT = Path(__file__).parents[1]


def test_everyone_runs_once_a_round_in_an_order_that_changes():
    calls = []
    contenders = {name: lambda name=name: calls.append(name) for name in "abc"}
    seconds = interleave(contenders, rounds=6, warmup=2)
    assert {name: len(times) for name, times in seconds.items()} == {"a": 6, "b": 6, "c": 6}
    rounds = [tuple(calls[i : i + 3]) for i in range(0, len(calls), 3)]
    assert len(rounds) == 8 and all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert len(set(rounds)) > 1


def test_a_ratio_is_taken_within_its_round_and_the_verdict_on_the_median():
    seconds = {"peer": [2.0, 4.0, 8.0], "ours": [1.0, 1.0, 8.0]}
    result = Result("name", "title", "peer", seconds, goals={"ours": 2.5})
    assert result.ratios("ours") == [2.0, 4.0, 1.0]
    assert "| ours | 1 s | 1 s | 8 s | 2.00 (1.00 to 4.00) | 2.5 NOT met |" in table(result)
    result.goals["ours"] = 2.0
    assert "2 met" in table(result) and "NOT" not in table(result)


@pytest.mark.parametrize("module", [harness, storyteller])
def test_the_examples_in_the_docstrings_are_true(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0 and outcome.failed == 0


def test_every_bench_can_be_loaded_and_an_unknown_one_is_refused_by_name():
    assert all(callable(importlib.import_module(f"benchmarks.{name}").run) for name in BENCHES)
    command = [sys.executable, "-m", "benchmarks", "speed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "there is no bench 'speed'; there are importing" in done.stderr


def test_a_peer_that_is_not_there_is_refused(tmp_path):
    assert parse_peers([f"nanoGPT={tmp_path}"]) == {"nanoGPT": tmp_path}
    for wrong in ("nanoGPT", "nanoGPT=", f"nanoGPT={tmp_path / 'none'}"):
        with pytest.raises(ValueError, match="must be NAME=FOLDER"):
            parse_peers([wrong])


def test_a_bench_writes_what_it_measured_with_the_machine(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    importlib.import_module("benchmarks.importing").run({}, quick=True)
    written = json.loads((tmp_path / "importing.json").read_text(encoding="utf-8"))
    assert written["machine"]["cores"] >= 1 and written["machine"]["versions"]["torch"]
    assert all(len(times) == 3 for times in written["seconds"].values())
    assert "| import torch |" in capsys.readouterr().out


def test_the_page_shows_every_result_and_every_plot():
    page = README.read_text(encoding="utf-8")
    shown = page[page.index(BEGIN) : page.index(END)]
    results = read_results()
    assert len(results) >= 10
    for _, result in results:
        assert f"### {result.title}\n" in shown
        assert not result.seconds or table(result) in shown, result.name
    for plot in PLOTS.glob("*.png"):
        assert f"(plots/{plot.name})" in shown
    assert shown.count("](plots/") == len(list(PLOTS.glob("*.png")))
