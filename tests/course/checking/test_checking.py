"""Whatever a learner hands in, the check says something useful and the notebook goes on."""

import contextlib
import os
import subprocess
import sys
import textwrap
import time
import warnings
from typing import NamedTuple

import numpy as np
import pytest
import torch

from minigpt.course.checking import running
from minigpt.course.checking.comparing import describe_difference
from minigpt.course.checking.diagnosing import CALLS_CHECK, UNWRITTEN, diagnose
from minigpt.course.checking.fork import run_in_fork
from minigpt.course.checking.thread import run_in_thread
from minigpt.course.exercise.calls.functions import call_function
from minigpt.course.learner.reporting import Report, check
from minigpt.model import causal_mask as mask_of

FORKS = sys.platform == "linux"
RUNNERS = [run_in_thread, *([run_in_fork] if FORKS else [])]
CASES = [{"args": [torch.ones(2)]}, {"args": [torch.zeros(2)]}]


def right_mask(T):
    return torch.arange(T)[None] <= torch.arange(T)[:, None]


@pytest.fixture
def torch_settings():
    """What learner's code must not change for the notebook around it."""

    def now():
        return (
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.get_num_threads(),
            torch.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),
            torch.allclose,
        )

    before = now()
    yield
    assert now() == before


# --- What it says ---


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda T: None, "returned None. Is a `return` missing?"),
        (lambda T: torch.ones(T, dtype=torch.bool), "has the shape (3,); it should be (3, 3)"),
        (lambda T: right_mask(T).float(), "is of dtype float32; it should be bool"),
        (lambda T: right_mask(T).numpy(), "is of type ndarray; it should be a tensor"),
        (lambda T: right_mask(T).tolist(), "is a list of 3"),
        (lambda T: right_mask(T).float() * float("nan"), "is of dtype float32"),
        (lambda T: 1 // 0, "raised ZeroDivisionError: integer division or modulo by zero"),
        (lambda: 1, "takes 0 positional arguments but 1 was given"),
        (right_mask(3), "is a tensor; hand in the function itself, without calling it"),
        (None, UNWRITTEN),
        (..., UNWRITTEN),
        (7, "is an int; hand in the function itself"),
    ],
)
def test_a_wrong_answer_is_told_in_words(wrong, words):
    diagnosis = diagnose("causal_mask", wrong)
    assert not diagnosis.passed
    assert words in diagnosis.message
    assert "Traceback" not in diagnosis.message


def test_a_nan_is_called_one():
    with_nan = lambda x: torch.full_like(x, float("nan"))  # noqa: E731
    assert "is NaN (not a number); it should be" in diagnose("gelu", with_nan).message


def test_the_first_differing_element_is_shown():
    got, wanted = torch.zeros(2, 3), torch.zeros(2, 3)
    got[1, 2] = wanted[1, 1] = 0.5
    assert describe_difference(got, wanted, 0, 0, "it") == (
        "it[1, 1] is 0; it should be 0.5. 2 of 6 elements differ."
    )


def test_an_exception_shows_the_learners_own_line():
    def causal_mask(T):
        columns = torch.arange(T)
        return columns[None] <= columns.no_such_thing

    diagnosis = diagnose("causal_mask", causal_mask)
    assert diagnosis.line["text"] == "return columns[None] <= columns.no_such_thing"
    assert diagnosis.line["function"] == "causal_mask"
    assert "no_such_thing" in diagnosis.message


def test_a_known_wrong_answer_is_explained():
    diagnosis = diagnose("causal_mask", lambda T: ~right_mask(T))
    assert diagnosis.misconception
    assert diagnosis.explanation in diagnosis.message


@pytest.mark.parametrize("gpu", [False, True], ids=["forked", "in a thread"])
def test_an_answer_that_calls_check_is_told_so_and_nothing_else(gpu, monkeypatch):
    def load_weights(model, tensors):
        check(model, tensors)  # a helper of the learner's own, in another notebook

    def causal_mask(T):
        check("causal_mask", right_mask)
        return right_mask(T)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    for answer in (load_weights, causal_mask):
        diagnosis = diagnose(answer.__name__, answer)
        assert diagnosis.difference == CALLS_CHECK and diagnosis.explanation is None
        assert diagnosis.line["text"].startswith("check(")
    check("causal_mask", right_mask)  # and afterwards it runs as before


def test_an_unknown_exercise_names_those_that_come_near():
    with pytest.raises(ValueError, match="no exercise 'casual_mask'; there is: causal_mask"):
        diagnose("casual_mask", right_mask)


def test_check_raises_assertion_error_with_the_whole_message(capsys):
    with pytest.raises(AssertionError, match="Is a `return` missing"):
        check("causal_mask", lambda T: None)
    check("causal_mask", right_mask)
    assert capsys.readouterr().err == ""


def test_a_check_takes_less_than_a_second_of_computing():
    diagnose("causal_mask", right_mask)
    start = time.process_time()
    diagnose("causal_mask", right_mask)
    assert time.process_time() - start < 1


# --- What it survives ---


def endless(x):
    while True:
        pass


def endless_and_deaf(x):
    while True:
        with contextlib.suppress(BaseException):
            x = x + 1


def chatty(x):
    for line in range(1_000_000):
        print(line)
    return x


def meddling(x):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(1)
    np.random.seed(1)
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    return x


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("loop", [endless, endless_and_deaf])
def test_an_endless_loop_is_stopped_and_its_line_shown(runner, loop, torch_settings):
    outcomes, _ = runner(call_function, loop, CASES)
    assert len(outcomes) == 1
    assert outcomes[0]["error"]["type"] == "TooLong"
    assert outcomes[0]["error"]["line"]["function"] == loop.__name__


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_million_lines_are_cut_and_counted(runner, torch_settings):
    outcomes, printed = runner(call_function, chatty, CASES[:1])
    assert torch.equal(outcomes[0]["seen"]["result"], torch.ones(2))
    assert printed.startswith("0\n1\n2\n")
    assert "more lines" in printed
    assert len(printed) < 3_000


@pytest.mark.parametrize("runner", RUNNERS)
def test_torch_is_afterwards_as_it_was(runner, torch_settings):
    seen = runner(call_function, meddling, CASES)[0]
    assert all("seen" in outcome for outcome in seen)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, RecursionError, GeneratorExit])
def test_any_exception_becomes_an_outcome(runner, error, torch_settings):
    def raises(x):
        raise error("stop")

    outcomes, _ = runner(call_function, raises, CASES)
    assert [outcome["error"]["type"] for outcome in outcomes] == [error.__name__] * 2


@pytest.mark.parametrize("runner", RUNNERS)
def test_inputs_changed_in_place_are_noticed(runner):
    def doubles(x):
        x *= 2
        return x

    seen = runner(call_function, doubles, CASES)[0][0]["seen"]
    assert seen["your inputs, afterwards"] == "argument 0 was changed in place"
    assert torch.equal(CASES[0]["args"][0], torch.ones(2))


def test_changed_inputs_fail_the_check():
    def top_k_filter(logits, k):
        if k < logits.size(-1):
            logits[logits < logits.topk(k).values[..., -1:]] = float("-inf")
        return logits

    assert "changes its inputs" in diagnose("top_k_filter", top_k_filter).message


@pytest.mark.skipif(not FORKS, reason="only a process of its own survives this; Linux has one")
@pytest.mark.elsewhere
@pytest.mark.parametrize(
    "end", [lambda x: os._exit(0), lambda x: os.kill(os.getpid(), 11), lambda x: os.abort()]
)
def test_code_that_ends_the_process_ends_only_its_own(end):
    outcomes, _ = running.run(call_function, end, CASES)
    assert outcomes[-1]["error"]["type"] == "Crash"


@pytest.mark.skipif(not FORKS, reason="only a process of its own survives this; Linux has one")
@pytest.mark.elsewhere
def test_a_loop_inside_python_itself_is_stopped():
    outcomes, _ = running.run(call_function, lambda x: sum(range(10**12)), CASES)
    assert outcomes[0]["error"]["type"] == "TooLong"


@pytest.mark.skipif(not FORKS, reason="only a process of its own survives this; Linux has one")
@pytest.mark.elsewhere
def test_too_much_memory_is_an_error_in_words():
    outcomes, _ = running.run(call_function, lambda x: bytearray(10 * 2**30), CASES)
    assert outcomes[0]["error"]["type"] == "MemoryError"


def test_replacing_what_compares_fools_nothing():
    def cheats(T):
        torch.allclose = torch.equal = lambda *args, **kwargs: True
        torch.testing.assert_close = lambda *args, **kwargs: None
        return torch.zeros(T, T, dtype=torch.bool)

    kept = torch.allclose, torch.equal, torch.testing.assert_close
    try:
        assert not diagnose("causal_mask", cheats).passed
        cheats(1)
        assert not diagnose("causal_mask", cheats).passed
        assert diagnose("causal_mask", right_mask).passed
    finally:
        torch.allclose, torch.equal, torch.testing.assert_close = kept


def test_nothing_is_written_to_stderr_and_nothing_warned(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diagnose("causal_mask", right_mask)
    assert capfd.readouterr().err == ""


def test_what_is_printed_is_shown_with_a_wrong_answer():
    def causal_mask(T):
        print("T is", T)
        return right_mask(T).T

    diagnosis = diagnose("causal_mask", causal_mask)
    assert "T is 3" in diagnosis.printed
    assert "Your code printed:\n    T is 3" in diagnosis.message


def test_torchs_not_implemented_is_told_and_not_taken_for_a_stub():
    def causal_mask(T):
        return torch.ones(T, T, dtype=torch.long).softmax(-1)

    message = diagnose("causal_mask", causal_mask).message
    assert message != UNWRITTEN
    assert "not implemented for 'Long'" in message


class MyTensor(torch.Tensor):
    pass


class Pair(NamedTuple):
    one: object
    other: object


class Unreadable(Exception):
    def __str__(self):
        raise ValueError


def raises_unreadable(T):
    raise Unreadable


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        (lambda T: Pair(right_mask(T), object()), "is a tuple of 2"),
        (lambda T: right_mask(T).float().to_sparse(), "sparse"),
        (lambda T: torch.nested.nested_tensor([torch.ones(T)]), "nested"),
        (lambda T: {frozenset([T]): object()}, "<frozenset>"),
        (lambda T: 2**20_000, "int, with over 300 digits"),
        (raises_unreadable, "It raised Unreadable: (its __str__ raises ValueError)"),
    ],
)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_strange_result_is_told_in_words(strange, words):
    assert words in diagnose("causal_mask", strange).message


def test_a_number_beyond_all_floats_is_wrong_and_no_error():
    assert "over 300 digits" in diagnose("uniform_loss", 10**400).message


def test_a_tensor_of_a_class_of_its_own_is_a_tensor():
    assert diagnose("causal_mask", lambda T: right_mask(T).as_subclass(MyTensor)).passed


@pytest.mark.parametrize("runner", RUNNERS)
def test_more_threads_do_not_hang(runner):
    numbers = torch.ones(1_000, 1_000)
    numbers @ numbers  # starts the threads of OpenMP, which no child has

    def threaded(x):
        torch.set_num_threads(4)
        return (numbers @ numbers)[0, :2]

    outcomes, _ = runner(call_function, threaded, CASES)
    assert [outcome["seen"]["result"].tolist() for outcome in outcomes] == [[1000, 1000]] * 2


@pytest.mark.skipif(not FORKS, reason="only Linux forks here")
@pytest.mark.elsewhere
def test_code_that_forks_speaks_once():
    def forks(x):
        os.fork()
        return x

    outcomes, _ = running.run(call_function, forks, CASES)
    assert [outcome["seen"]["result"].tolist() for outcome in outcomes] == [[1, 1], [0, 0]]


@pytest.mark.elsewhere
def test_beside_a_gpu_nothing_is_forked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    outcomes, _ = running.run(lambda obj, case: {"process": os.getpid()}, None, [{}])
    assert outcomes == [{"seen": {"process": os.getpid()}}]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_notebooks_dtype_and_device_change_no_case(dtype):
    torch.set_default_dtype(dtype)
    torch.set_default_device("meta")
    try:
        message = diagnose("gelu", lambda x: x * torch.sigmoid(1.702 * x)).message
        diagnosis = diagnose("gelu", torch.nn.GELU(approximate="tanh"))
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert "x = float32 (5,) [-2, -1, 0, 1, 2]" in message
    assert diagnosis.passed


def test_in_a_terminal_of_ipython_the_report_is_in_the_error():
    with pytest.raises(AssertionError) as caught:
        check("causal_mask", lambda T: None)
    assert "Is a `return` missing" in "".join(caught.value._render_traceback_())


def test_text_that_is_no_unicode_can_be_sent_to_a_notebook():
    def causal_mask(T):
        print("\udc80 and \ud800")

    report = Report(diagnose("causal_mask", causal_mask), [])
    assert "\\udc80 and \\ud800" in report._repr_html_()
    report._repr_html_().encode("utf-8")


# --- The same definition, in a process that does not know the answer ---


def test_cases_run_where_no_reference_can_be_seen(tmp_path):
    from minigpt.course.lessons import find

    exercise = find("attention_weights")
    torch.save(exercise.draw(5), tmp_path / "cases.pt")
    (tmp_path / "mine.py").write_text(
        textwrap.dedent("""
        import torch
        def attention_weights(q, k):
            scores = q @ k.transpose(-2, -1) / q.size(-1) ** 0.5
            future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
            return scores.masked_fill(future, float("-inf")).softmax(-1)
        """),
        encoding="utf-8",
    )
    home, function = exercise.call.__module__, exercise.call.__name__
    code = f"""
import sys, torch
from {home} import {function} as call
from minigpt.course.checking.seeing import see
from mine import attention_weights
cases = torch.load("cases.pt", weights_only=True)
torch.save([see(call, attention_weights, case) for case in cases], "seen.pt")
assert not [name for name in sys.modules if name.startswith("minigpt.course.lessons")]
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    from minigpt.course.checking.diagnosing import expected_outcomes
    from minigpt.course.checking.recognising import alike

    seen = torch.load(tmp_path / "seen.pt", weights_only=True)
    expected = expected_outcomes(exercise, exercise.draw(5))
    assert len(seen) == len(expected)
    assert all(alike(exercise, one, other) for one, other in zip(seen, expected))


def test_the_package_has_the_same_mask():
    assert torch.equal(right_mask(4), mask_of(4, 4))


def test_a_wrong_number_does_not_give_the_right_one_away():
    diagnosis = diagnose("uniform_loss", 1.25)
    assert "1.25 is not right." in diagnosis.message
    assert "should be" not in diagnosis.message
    assert "should be a float" in diagnose("uniform_loss", "ln V").message


def test_a_known_mistake_made_in_another_way_is_still_recognised():
    """Masked after the softmax, as one misconception does, and float64 not kept besides."""

    def attention_weights(q, k):
        scores = q.float() @ k.float().transpose(-2, -1) / q.size(-1) ** 0.5
        return scores.softmax(-1).tril()

    diagnosis = diagnose("attention_weights", attention_weights)
    assert diagnosis.misconception
    assert not diagnosis.certain
    assert "after the softmax" in diagnosis.message
    assert "This looks like a known mistake" in diagnosis.message


def test_empty_bytes_come_through():
    outcomes, _ = running.run(call_function, lambda x: b"", CASES)
    assert [outcome["seen"]["result"] for outcome in outcomes] == [b"", b""]


def test_changed_inputs_are_noticed_by_who_replaced_torch_equal():
    def doubles(x):
        torch.equal = lambda *tensors: True
        x *= 2
        return x

    kept = torch.equal
    try:
        seen = run_in_thread(call_function, doubles, CASES[:1])[0][0]["seen"]
    finally:
        torch.equal = kept
    assert seen["your inputs, afterwards"] == "argument 0 was changed in place"
