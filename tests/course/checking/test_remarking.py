"""What passes with a word: borrowed answers, and buffers that no file of weights has."""

import functools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigpt import model, sampling
from minigpt.course.checking.borrowing import borrowed
from minigpt.course.checking.diagnosing import diagnose
from minigpt.course.checking.remarking import BORROWED, BUFFERS
from minigpt.course.learner.home import events
from minigpt.course.learner.progress import my_progress
from minigpt.course.learner.reporting import check
from minigpt.course.lessons import find


def calls_it(x):
    return F.gelu(x, approximate="tanh")


def imports_it_inside(x):
    from torch.nn.functional import gelu as bend

    return bend(x, approximate="tanh")


def names_it_first(x):
    its_name = torch.nn.functional
    return its_name.gelu(x, approximate="tanh")


def asks_a_helper(x):
    return torch.stack([calls_it(row) for row in x]) if x.dim() else calls_it(x)


@pytest.mark.parametrize(
    "answer",
    [
        calls_it,
        imports_it_inside,
        names_it_first,
        asks_a_helper,
        functools.partial(F.gelu, approximate="tanh"),
        nn.GELU(approximate="tanh"),
    ],
)
def test_pytorchs_own_passes_with_a_word(answer):
    diagnosis = diagnose("gelu", answer)
    assert diagnosis.passed
    [remark] = diagnosis.remarks
    assert remark.mark == BORROWED and remark.about.lower().endswith("gelu")
    assert "which is what you were to write" in diagnosis.message


class Thin(model.CausalSelfAttention):
    pass


class ThinnerStill(Thin):
    """Not even a name of its own inside."""

    size = 3


@pytest.mark.parametrize("name", ["CausalSelfAttention", "MendedAttention"])
@pytest.mark.parametrize("answer", [Thin, ThinnerStill, model.CausalSelfAttention])
def test_a_subclass_that_adds_nothing_passes_with_a_word(name, answer):
    assert borrowed(find(name), answer) == "minigpt.model.CausalSelfAttention"
    assert diagnose(name, answer).passed


def test_the_packages_own_function_passes_with_a_word():
    assert borrowed(find("top_k_filter"), lambda logits, k: sampling.top_k_filter(logits, k))


def test_what_an_exercise_may_use_is_no_borrowing():
    def gelu(x):
        return 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))

    def recursive(text, merges):
        return recursive(text, merges) if text.encode() else []

    assert not diagnose("gelu", gelu).remarks
    assert borrowed(find("encode"), recursive) is None  # str.encode has only the same name
    assert borrowed(find("MLP"), model.CausalSelfAttention) is None


class WithMask(model.MLP):
    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("bias", torch.ones(2, 2).tril())
        self.register_buffer("unseen", torch.ones(2), persistent=False)


def test_a_buffer_that_would_stand_in_the_file_is_told():
    marks = {remark.mark: remark.about for remark in diagnose("MLP", WithMask).remarks}
    assert marks[BUFFERS] == "bias"
    assert BUFFERS not in {remark.mark for remark in diagnose("MLP", model.MLP).remarks}


def test_the_log_and_the_progress_say_what_passed_with_a_word(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MINIGPT_MYGPT", str(tmp_path / "mygpt"))
    check("gelu", calls_it)
    assert events()[-1]["remarks"] == {BORROWED: "torch.nn.functional.gelu"}
    assert "gelu" in (tmp_path / "mygpt" / "gelu.py").read_text()


def test_a_borrowed_answer_does_not_replace_one_that_was_written(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MINIGPT_MYGPT", str(tmp_path / "mygpt"))

    def gelu(x):
        return 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))

    check("gelu", gelu)
    written = (tmp_path / "mygpt" / "gelu.py").read_text()
    assert "kept" not in events()[-1] and "not kept" not in repr(my_progress())
    check("gelu", calls_it)
    assert (tmp_path / "mygpt" / "gelu.py").read_text() == written
    assert "the one that you kept before stays" in capsys.readouterr().out
    assert events()[-1]["kept"] is False
    assert "✓ passed, not kept" in repr(my_progress())
    assert "gelu (not kept)" in my_progress()._repr_html_()
