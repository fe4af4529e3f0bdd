"""Where two models first part is found, and what is no difference is not called one."""

import copy
import math

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.model import GPT, explicit_attention
from minigpt.verification import verify
from tests.models import lively
from tests.verification.planting import CONFIG, answer


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bias", [True, False])
def test_equal_models_agree_everywhere(seed, bias):
    config = GPTConfig(101, 40, n_layer=4, n_head=3, n_embd=24, bias=bias)
    right = lively(GPT(config), 0.2, seed=seed)
    other = copy.deepcopy(right)
    other.use_attention(explicit_attention)  # the same in another order of rounding
    report = verify(other, right)
    assert report.ok and report.first is None and report.cause is None
    assert len(report.table) == 3 + 10 * 4 + 3 and all(row.ok for row in report.table)


def test_nan_is_a_difference(right, wrong):
    with torch.no_grad():
        wrong.transformer.h[1].ln_1.weight[0] = math.nan
    report = verify(wrong, right)
    assert not report.ok and report.first == "transformer.h.1.ln_1" and "NaN" in str(report)


def test_a_model_of_another_size_is_a_difference(right):
    for sizes in ({"n_embd": 40}, {"vocab_size": 98}, {"n_layer": 2}, {"n_layer": 4}):
        other = lively(GPT(GPTConfig(**({**vars(CONFIG)} | sizes))), 0.2)
        report = verify(other, right)
        assert not report.ok and report.first and str(report)


def test_another_shape_is_a_difference(right, wrong):
    answer(lambda logits: logits[:, :5])(wrong)
    report = verify(wrong, right)
    assert report.first == "logits" and "shape is (2, 5, 97), the reference's (2, 17, 97)" in str(
        report
    )


def test_dropout_of_a_model_in_training_mode_is_no_difference(right):
    config = GPTConfig(97, 32, n_layer=3, n_head=4, n_embd=32, dropout=0.5)
    model = lively(GPT(config), 0.2).train()
    assert verify(model, right).ok and model.training
