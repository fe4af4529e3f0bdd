"""check(): what is checked when only a name is given."""

import sys

import pytest
import torch

from minigpt.course import check


@pytest.fixture(autouse=True)
def nobodys(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGPT_MYGPT", str(tmp_path / "mygpt"))


def mask(T):
    return torch.ones(T, T, dtype=torch.bool).tril()


def test_a_name_alone_checks_what_the_notebook_calls_so(monkeypatch, capsys):
    monkeypatch.setattr(sys.modules["__main__"], "causal_mask", mask, raising=False)
    check("causal_mask")
    assert "Right in all" in capsys.readouterr().out
    monkeypatch.setattr(sys.modules["__main__"], "causal_mask", lambda T: mask(T).T)
    with pytest.raises(AssertionError, match="upper|future|triangle"):
        check("causal_mask")


def test_a_number_is_found_too(monkeypatch, capsys):
    monkeypatch.setattr(sys.modules["__main__"], "first_token_weight", 0.75, raising=False)
    check("first_token_weight")
    assert "Right" in capsys.readouterr().out


def test_what_is_not_there_yet_is_told_with_the_cell_to_run():
    with pytest.raises(ValueError, match=r"no causal_mask here yet.*'Who may look at whom'") as it:
        check("causal_mask")
    assert it.value._render_traceback_() == [f"ValueError: {it.value}"]


def test_none_is_an_answer_that_was_given_and_is_not_written_yet():
    with pytest.raises(AssertionError, match="Not written yet"):
        check("causal_mask", None)


def test_an_unknown_name_says_what_comes_near():
    with pytest.raises(ValueError, match="causal_mask"):
        check("causal_masks")
