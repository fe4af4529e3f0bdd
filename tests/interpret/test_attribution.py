"""A logit is the sum of what the parts of a model add to it, each measured independently."""

import copy
from dataclasses import replace

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.interpret import ablated, direct_attribution, residual_stream, without
from minigpt.model import GPT
from tests.models import lively

CONFIG = GPTConfig(vocab_size=50, block_size=64, n_layer=3, n_head=4, n_embd=32, dropout=0.5)
ANSWERS, AGAINST = torch.tensor([7, 31]), torch.tensor([8, 7])


@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_the_terms_sum_to_the_logit(idx, bias):
    model = lively(GPT(replace(CONFIG, bias=bias))).eval()
    found = direct_attribution(model, idx, ANSWERS)
    logits = model(idx)[:, -1]
    torch.testing.assert_close(found.total, logits[[0, 1], ANSWERS], atol=1e-4, rtol=0)
    assert torch.stack([*found.rows().values()]).sum(0).allclose(found.total, atol=1e-4)
    assert len(found.rows()) == 2 + 3 * (4 + 2) + 1
    assert found.total.abs().min() > 0.01
    assert (found.ln_f_bias != 0).all() == bias


@torch.no_grad()
def test_the_terms_sum_to_the_difference_of_two_logits(model, idx):
    found = direct_attribution(model, idx, ANSWERS, AGAINST)
    logits = model.eval()(idx)[:, -1]
    wanted = logits[[0, 1], ANSWERS] - logits[[0, 1], AGAINST]
    torch.testing.assert_close(found.total, wanted, atol=1e-4, rtol=0)


def frozen_logits(model, stream, spread):
    """The logits of a stream (B, C), divided by a spread that is given and not its own."""
    ln_f = model.transformer.ln_f
    normed = (stream - stream.mean(-1, keepdim=True)) / spread
    return model.lm_head(ln_f.weight * normed + ln_f.bias)


@torch.no_grad()
@pytest.mark.parametrize("head", range(4))
def test_a_head_of_the_last_layer_adds_what_its_removal_takes_off(model, idx, head):
    model.eval()  # with the last MLP silent, nothing after the head reads it
    with without(model, ["mlp 2"]):
        found = direct_attribution(model, idx, ANSWERS)
        stream = residual_stream(model, idx)[-1, :, -1]
        with ablated(model, [(2, head)]):
            less = residual_stream(model, idx)[-1, :, -1]
    spread = (stream.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    drop = frozen_logits(model, stream, spread) - frozen_logits(model, less, spread)
    wanted = drop[[0, 1], ANSWERS]
    torch.testing.assert_close(found.heads[:, 2, head], wanted, atol=1e-4, rtol=0)
    assert (found.mlps[:, 2] == 0).all()


@torch.no_grad()
def test_the_start_adds_what_the_embeddings_alone_would(model, idx):
    model.eval()
    stream = residual_stream(model, idx)[:, :, -1]
    spread = (stream[-1].var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    found = direct_attribution(model, idx, ANSWERS)
    wanted = frozen_logits(model, stream[0], spread)[[0, 1], ANSWERS]
    start = found.token + found.position + found.ln_f_bias
    torch.testing.assert_close(start, wanted, atol=1e-4, rtol=0)


def test_the_model_is_left_as_it_was(model, idx):
    before = copy.deepcopy(model.state_dict())
    direct_attribution(model, idx, ANSWERS)
    assert model.training and all(torch.equal(w, before[n]) for n, w in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_answers_that_do_not_match_the_texts_are_refused(model, idx):
    with pytest.raises(ValueError, match=r"answers is \(1,\); there are 2 texts"):
        direct_attribution(model, idx, ANSWERS[:1])
    with pytest.raises(ValueError, match=r"against is \(3,\)"):
        direct_attribution(model, idx, ANSWERS, torch.tensor([1, 2, 3]))
