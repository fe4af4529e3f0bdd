"""The exercises themselves: solutions pass, stubs say so, and every wrong answer is recognised."""

import importlib.util
import inspect
import io
import linecache
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from minigpt.course import checking
from minigpt.course.building.assignments import assemble, solved, stripped
from minigpt.course.checking.diagnosing import UNWRITTEN, diagnose, expected_outcomes
from minigpt.course.checking.recognising import recognise
from minigpt.course.checking.seeing import see
from minigpt.course.lessons import KINDS, all_exercises

ROOT = Path(__file__).parents[3]
SEEDS = range(20)
EXERCISES = all_exercises()
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


@lru_cache
def cells_run(lesson: str, text_of) -> dict:
    """Run the code cells of a lesson's exercises, but for the checks, and return the names."""
    names = {"__name__": "__main__"}
    for cell in assemble(ROOT / "solutions" / "src" / f"{lesson}.py", text_of).cells:
        if cell.cell_type == "code" and not cell.id.endswith("-check"):
            file = f"<{lesson}, {text_of.__name__}, {cell.id}>"
            linecache.cache[file] = (len(cell.source), None, cell.source.splitlines(True), file)
            exec(compile(cell.source, file, "exec"), names)
    return names


@lru_cache
def variants(lesson: str) -> dict:
    """Return the correct answers, written differently, of one lesson's exercises."""
    path = Path(__file__).parent / "variants" / f"{lesson}.py"
    spec = importlib.util.spec_from_file_location(f"variants_{lesson}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.VARIANTS


def problems(exercise, obj, cases) -> list:
    """Return what is wrong with an object on each case, run in this process: quick."""
    expected = expected_outcomes(exercise, cases)
    outcomes = [see(exercise.call, obj, case) for case in cases]
    found = [checking._problem(exercise, *pair) for pair in zip(outcomes, expected)]
    return [(case["title"], problem) for case, problem in zip(cases, found) if problem]


def test_there_are_as_many_as_promised():
    assert len(EXERCISES) >= 34
    assert sum(len(e.misconceptions) for e in EXERCISES.values()) >= 100
    assert {e.kind for e in EXERCISES.values()} == set(KINDS)
    assert sorted(p.stem for p in (ROOT / "solutions" / "src").glob("*.py")) == LESSONS


@pytest.mark.parametrize("name", PROMISED)
def test_the_solution_has_the_promised_signature(name):
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


@pytest.mark.parametrize("name", CHECKED)
def test_it_has_hints_and_misconceptions(name):
    exercise = CHECKED[name]
    assert len({*exercise.hints}) == 3 and all(exercise.hints)
    assert len(exercise.misconceptions) >= 2
    for misconception in exercise.misconceptions:
        assert len(misconception.message) > 40, misconception.name


@pytest.mark.parametrize("name", CHECKED)
def test_the_solution_passes(name):
    solution = cells_run(CHECKED[name].lesson, solved)[name]
    assert diagnose(name, solution).passed, diagnose(name, solution).message
    for seed in SEEDS:
        assert not problems(CHECKED[name], solution, CHECKED[name].draw(seed)), seed


@pytest.mark.parametrize("name", CHECKED)
def test_the_untouched_stub_is_not_written_yet(name):
    stub = cells_run(CHECKED[name].lesson, stripped)[name]
    for seed in SEEDS:
        diagnosis = diagnose(name, stub, seed)
        assert not diagnosis.passed
        assert diagnosis.message.startswith(UNWRITTEN.rstrip(".")), diagnosis.message


@pytest.mark.parametrize("name", CHECKED)
def test_correct_answers_written_otherwise_pass(name):
    others = variants(CHECKED[name].lesson)[name]
    assert len(others) >= 3
    for other in others:
        assert diagnose(name, other).passed, diagnose(name, other).message
        for seed in SEEDS:
            assert not problems(CHECKED[name], other, CHECKED[name].draw(seed)), (other, seed)


@pytest.mark.parametrize("name", CHECKED)
def test_every_misconception_is_rejected_and_named_as_itself(name, record_property):
    exercise, confusion = CHECKED[name], Counter()
    declared = {wrong.name: wrong.same_as or wrong.name for wrong in exercise.misconceptions}
    for seed in SEEDS:
        cases = exercise.draw(seed)
        expected = expected_outcomes(exercise, cases)
        for misconception in exercise.misconceptions:
            outcomes = [see(exercise.call, misconception.wrong, case) for case in cases]
            rejected = any(checking._problem(exercise, *pair) for pair in zip(outcomes, expected))
            known = recognise(exercise, cases, outcomes)
            said = "passed" if not rejected else declared[known.name] if known else "no name"
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
