"""Attention patterns are taken out of a model without changing it."""

import copy

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.interpret import attention_patterns, recorded_attention
from minigpt.model import GPT, causal_mask, explicit_attention, fused_attention

CONFIG = GPTConfig(vocab_size=50, block_size=16, n_layer=3, n_head=4, n_embd=32, dropout=0.5)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = GPT(CONFIG)
    for parameter in model.parameters():  # far from uniform patterns
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture
def idx():
    return torch.randint(50, (2, 11), generator=torch.Generator().manual_seed(1))


def test_patterns_have_a_place_for_every_layer_row_and_head(model, idx):
    assert attention_patterns(model, idx).shape == (3, 2, 4, 11, 11)


def test_rows_sum_to_one_and_the_future_gets_nothing(model, idx):
    patterns = attention_patterns(model, idx)
    torch.testing.assert_close(patterns.sum(-1), torch.ones(3, 2, 4, 11))
    assert (patterns[..., ~causal_mask(11, 11)] == 0).all()
    assert (patterns[..., causal_mask(11, 11)] > 0).all()


def test_patterns_equal_those_of_the_reference_implementation(model, idx):
    from transformers import GPT2Config, GPT2LMHeadModel

    reference = GPT2LMHeadModel(
        GPT2Config(vocab_size=50, n_positions=16, n_embd=32, n_layer=3, n_head=4),
    ).eval()
    reference.set_attn_implementation("eager")
    weights = {
        # The reference stores these matrices the other way round.
        name: weight.t()
        if name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
        else weight
        for name, weight in model.state_dict().items()
    }
    reference.load_state_dict(weights)
    with torch.no_grad():
        expected = torch.stack(reference(idx, output_attentions=True).attentions)
    torch.testing.assert_close(attention_patterns(model, idx), expected, atol=1e-5, rtol=0)


def test_the_output_is_the_same_while_patterns_are_recorded(model, idx):
    model.eval()
    plain = model(idx)
    with recorded_attention(model):
        torch.testing.assert_close(model(idx), plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(model, idx, training):
    model.train(training)
    model.use_attention(explicit_attention)
    model.transformer.h[1].attn.attend = fused_attention  # each layer has its own
    before = copy.deepcopy(model.state_dict())

    attention_patterns(model, idx)

    assert model.training is training and model.transformer.h[0].training is training
    assert [block.attn.attend for block in model.transformer.h] == [
        explicit_attention,
        fused_attention,
        explicit_attention,
    ]
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name])


def test_dropout_is_silent_even_when_the_model_is_training(model, idx):
    model.train()
    assert torch.equal(attention_patterns(model, idx), attention_patterns(model, idx))


def test_an_exception_inside_leaves_the_model_as_it_was(model, idx):
    model.train()

    def fail(*_):
        raise RuntimeError("in the middle")

    hook = model.transformer.h[1].mlp.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        attention_patterns(model, idx)
    hook.remove()
    assert model.training
    assert all(block.attn.attend is fused_attention for block in model.transformer.h)
    attention_patterns(model, idx)  # and works again


def test_ids_that_the_model_cannot_read_are_refused(model):
    with pytest.raises(ValueError, match="17 positions do not fit"):
        attention_patterns(model, torch.zeros(1, 17, dtype=torch.int64))


def test_patterns_carry_no_gradient(model, idx):
    assert not attention_patterns(model, idx).requires_grad
