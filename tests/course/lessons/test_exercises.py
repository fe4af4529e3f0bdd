"""The exercises themselves: solutions pass, stubs say so, and every wrong answer is recognised."""

import inspect
import io
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from minigpt.course.building.assignments import solved, stripped
from minigpt.course.checking import recognising
from minigpt.course.checking.diagnosing import UNWRITTEN, _problem, diagnose, expected_outcomes
from minigpt.course.checking.recognising import recognise
from minigpt.course.checking.seeing import see
from minigpt.course.exercise import KINDS
from minigpt.course.lessons import all_exercises

ROOT = Path(__file__).parents[3]
NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
SEEDS = range(20)
EXERCISES = all_exercises()
MARKED = {name: e for name, e in EXERCISES.items() if e.marking}
CHECKED = {name: e for name, e in EXERCISES.items() if e.kind != "written"}
LESSONS = sorted({exercise.lesson for exercise in EXERCISES.values()})
# Others build on these: the names and what they take.
PROMISED = {
    "count_pairs": "ids",
    "merge": "ids pair new_id",
    "train_bpe": "text vocab_size",
    "encode": "text merges",
    "decode": "ids merges",
    "get_batch": "data block_size batch_size generator",
    "sinusoidal_positions": "T C",
    "causal_mask": "T",
    "attention_weights": "q k",
    "attention": "q k v",
    "split_heads": "x n_head",
    "merge_heads": "x",
    "CausalSelfAttention": "config",
    "layer_norm": "x weight bias eps",
    "gelu": "x",
    "MLP": "config",
    "Block": "config",
    "GPT": "config",
    "count_parameters": "config",
    "cross_entropy": "logits targets",
    "lr_schedule": "step max_lr min_lr warmup_steps max_steps",
    "parameter_groups": "model weight_decay",
    "train_step": "model optimizer batches max_norm",
    "apply_temperature": "logits temperature",
    "top_k_filter": "logits k",
    "top_p_filter": "logits p",
    "generate": "model idx max_new_tokens",
    "load_weights": "model tensors",
}


@pytest.fixture(scope="module")
def cells_run(run_cells):
    """Return what runs the code cells of a lesson's exercises, and returns the names, once."""

    @lru_cache
    def run(lesson: str, text_of) -> dict:
        names = {"__name__": "__main__"}
        for _ in run_cells(lesson, text_of, names):
            pass
        return names

    return run


def see_once():
    """Return a `see` that runs an answer on a case once, and remembers what was seen."""
    remembered = {}

    def see_or_remember(call, obj, case):
        key = id(obj), id(case)
        if key not in remembered:
            remembered[key] = see(call, obj, case)
        return remembered[key]

    return see_or_remember


def problems(exercise, obj, cases) -> list:
    """Return what is wrong with an object on each case, run in this process: quick."""
    expected = expected_outcomes(exercise, cases)
    outcomes = [see(exercise.call, obj, case) for case in cases]
    found = [_problem(exercise, *pair) for pair in zip(outcomes, expected)]
    return [(case["title"], problem) for case, problem in zip(cases, found) if problem]


def test_there_are_as_many_as_promised():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    assert f"exercises, {len(EXERCISES)} in all" in readme
    assert f"and {NUMBERS[len(MARKED)]} to answer in words" in readme
    assert sum(len(e.misconceptions) for e in EXERCISES.values()) >= 100
    assert {e.kind for e in EXERCISES.values()} == set(KINDS)
    assert sorted(p.stem for p in (ROOT / "solutions" / "src").glob("*.py")) == LESSONS


@pytest.mark.parametrize("name", PROMISED)
def test_the_solution_has_the_promised_signature(name, cells_run):
    solution = cells_run(EXERCISES[name].lesson, solved)[name]
    assert list(inspect.signature(solution).parameters) == PROMISED[name].split()


@pytest.mark.parametrize("name", EXERCISES)
def test_it_says_what_it_is_worth(name):
    exercise = EXERCISES[name]
    assert 1 <= exercise.points <= 10
    assert 1 <= exercise.difficulty <= 5
    assert 1 <= exercise.importance <= 5
    assert 1 <= exercise.minutes <= 120
    assert exercise.title


@pytest.mark.parametrize("name", MARKED)
def test_an_answer_in_words_can_be_marked_by_someone_alone(name):
    told = MARKED[name].marking
    assert sum(points for points, _ in told.checklist) == MARKED[name].points
    assert len(told.checklist) >= 3 and told.weak_points < MARKED[name].points / 2
    assert min(len(text.split()) for text in (told.weak, told.lacks, told.good)) > 25


@pytest.mark.parametrize("name", MARKED)
def test_an_answer_in_words_is_asked_as_it_is_marked(name):
    """A good answer keeps to the sentences asked for; the points told make up the exercise's."""
    exercise = MARKED[name]
    source = (ROOT / "solutions" / "src" / f"{exercise.lesson}.py").read_text(encoding="utf-8")
    asked = source.split(f'exercise="{name}"')[1].split("# %%")[0].replace("\n#", "")
    asked = re.sub(r"\s+", " ", asked)
    fewest, most = map(NUMBERS.index, re.search(r"in (\w+) to (\w+) sentences", asked).groups())
    good = exercise.marking.good
    assert fewest <= len(re.findall(r"[.?!](?=\s|$)", good)) <= most, good
    told = re.findall(r"\b(half a|one|two) points?\b", asked)
    assert sum({"half a": 0.5, "one": 1, "two": 2}[points] for points in told) == exercise.points
    assert "mark it yourself" in asked


@pytest.mark.parametrize("name", CHECKED)
def test_it_has_hints_and_misconceptions(name):
    exercise = CHECKED[name]
    assert len({*exercise.hints}) == 3 and all(exercise.hints)
    assert len(exercise.misconceptions) >= 2
    for misconception in exercise.misconceptions:
        assert len(misconception.message) > 40, misconception.name


@pytest.mark.parametrize("name", CHECKED)
def test_the_solution_passes(name, cells_run):
    solution = cells_run(CHECKED[name].lesson, solved)[name]
    assert diagnose(name, solution).passed, diagnose(name, solution).message
    for seed in SEEDS:
        assert not problems(CHECKED[name], solution, CHECKED[name].draw(seed)), seed


@pytest.mark.parametrize("name", CHECKED)
def test_the_untouched_stub_is_not_written_yet(name, cells_run):
    stub = cells_run(CHECKED[name].lesson, stripped)[name]
    for seed in SEEDS:
        diagnosis = diagnose(name, stub, seed)
        assert not diagnosis.passed
        assert diagnosis.message.startswith(UNWRITTEN.rstrip(".")), diagnosis.message


@pytest.mark.parametrize("name", CHECKED)
def test_correct_answers_written_otherwise_pass(name, variants):
    others = variants(CHECKED[name].lesson)["VARIANTS"][name]
    assert len(others) >= 3
    for other in others:
        assert diagnose(name, other).passed, diagnose(name, other).message
        for seed in SEEDS:
            assert not problems(CHECKED[name], other, CHECKED[name].draw(seed)), (other, seed)


@pytest.mark.parametrize("name", CHECKED)
def test_every_misconception_is_rejected_and_named_as_itself(name, record_property, monkeypatch):
    exercise, confusion = CHECKED[name], Counter()
    declared = {wrong.name: wrong.same_as or wrong.name for wrong in exercise.misconceptions}
    for seed in SEEDS:
        cases = exercise.draw(seed)
        see = see_once()  # recognise compares with every wrong answer: each is run already
        monkeypatch.setattr(recognising, "see", see)
        expected = expected_outcomes(exercise, cases)
        for misconception in exercise.misconceptions:
            outcomes = [see(exercise.call, misconception.wrong, case) for case in cases]
            rejected = any(_problem(exercise, *pair) for pair in zip(outcomes, expected))
            known = {declared[other.name] for other in recognise(exercise, cases, outcomes)}
            said = " or ".join(sorted(known)) if rejected and known else "no name"
            said = said if rejected else "passed"
            confusion[declared[misconception.name], said] += 1
    # The last lines of the run show all of them (conftest.py).
    record_property("confusion", (name, sorted((*pair, n) for pair, n in confusion.items())))
    assert all(wrong == said for wrong, said in confusion)


@pytest.mark.parametrize("name", CHECKED)
def test_cases_and_outcomes_are_plain_data(name):
    exercise = CHECKED[name]
    cases = exercise.draw(0)
    for data in (cases, expected_outcomes(exercise, cases)):
        buffer = io.BytesIO()
        torch.save(data, buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=True)  # refuses everything that is not


@pytest.mark.parametrize("name", CHECKED)
def test_another_seed_draws_other_cases_and_the_same_seed_the_same(name):
    exercise = CHECKED[name]

    def drawn(seed):
        buffer = io.BytesIO()
        torch.save(exercise.draw(seed), buffer)
        return buffer.getvalue()

    assert drawn(1) == drawn(1)
    if exercise.kind in ("function", "module"):
        assert len({drawn(seed) for seed in SEEDS}) > 1
