"""Each known mistake is planted in a right model; `verify` must name it, and where it is."""

import copy

import pytest
import torch
from torch.nn import functional as F

from minigpt.model import GPT
from minigpt.verification import verify
from tests.models import lively
from tests.verification.mistakes import ATTN, MISTAKES
from tests.verification.planting import BLOCK, CONFIG, attend, eps, missing_last_norm, on_each_mlp


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_named_where_it_is(name, right, wrong):
    plant, place, words = MISTAKES[name]
    plant(wrong)
    report = verify(wrong, right)
    assert not report.ok
    assert report.first == place
    assert report.cause and words in report.cause
    assert place in str(report) and words in str(report)


@pytest.mark.parametrize(
    ("value", "size", "words"),
    [
        (1e-6, 0.1, "epsilon is 1e-06"),
        (0.0, 0.1, "far too small"),
        (0.0, 1.0, "far too small"),  # 1e-6 would do here too, but not as well
    ],
)
def test_a_small_epsilon_shows_where_the_variance_is_small(value, size, words):
    right = lively(GPT(CONFIG), 0.2)
    with torch.no_grad():  # as in GPT-2, whose embeddings are small
        right.transformer.wte.weight.mul_(size)
        right.transformer.wpe.weight.mul_(size)
    wrong = copy.deepcopy(right)
    eps(value)(wrong)
    report = verify(wrong, right)
    assert report.first == f"{BLOCK}.ln_1" and words in report.cause


def test_two_mistakes_are_met_one_after_the_other(right):
    wrong = copy.deepcopy(right)
    missing_last_norm(wrong)
    on_each_mlp(wrong, F.relu)
    assert "ReLU" in verify(wrong, right).cause
    wrong = copy.deepcopy(right)
    missing_last_norm(wrong)
    assert verify(wrong, right).first == "transformer.ln_f"


def test_an_unknown_mistake_is_called_unknown(right, wrong):
    with torch.no_grad():
        wrong.transformer.h[1].mlp.c_fc.weight[3, 4] += 1.0
    report = verify(wrong, right)
    assert not report.ok and report.first == "transformer.h.1.mlp.c_fc" and report.cause is None
    assert "No known mistake" in str(report) and "weights are not the same" in str(report)
    wrong = copy.deepcopy(right)
    on_each_mlp(wrong, torch.sin)
    assert verify(wrong, right).cause is None


def test_a_mistake_that_is_only_nearly_a_known_one_is_not_called_that(right, wrong):
    attend(scale=1.0005)(wrong)
    report = verify(wrong, right)
    assert report.first == ATTN and report.cause is None


def test_a_looser_tolerance_accepts_bfloat16(right):
    rounded = copy.deepcopy(right).bfloat16()
    assert "bfloat16" in verify(rounded, right).cause
    assert verify(rounded, right, tolerance=0.05).ok
