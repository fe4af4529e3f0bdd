"""A model is looked into without changing it, and what is read out of it is exact."""

import copy
import itertools

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.interpret import (
    attention_patterns,
    attention_rollout,
    hide_first_token,
    logit_lens,
    residual_stream,
    token_surprisal,
)
from minigpt.interpret.patterns import pack_patterns, recorded_attention
from minigpt.model import causal_mask, explicit_attention, fused_attention
from tests.interpret.patterns import random_patterns

CONFIG = GPTConfig(vocab_size=50, block_size=16, n_layer=3, n_head=4, n_embd=32, dropout=0.5)


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


# --- What is read out of patterns ---


def test_hiding_the_first_token_shares_out_what_is_left():
    patterns = random_patterns(2, 3, 9, 9)
    shown, hidden = hide_first_token(patterns)
    assert torch.equal(hidden, patterns[..., 0])
    assert (shown[..., 0] == 0).all()
    torch.testing.assert_close(shown[..., 1:, :].sum(-1), torch.ones(2, 3, 8))
    # What remains keeps its proportions.
    torch.testing.assert_close(shown[..., 1:] * (1 - hidden)[..., None], patterns[..., 1:])


def test_hiding_the_first_token_of_a_row_that_looks_at_nothing_else_leaves_zeros():
    shown, hidden = hide_first_token(torch.tensor([[1.0, 0, 0], [1, 0, 0], [0.5, 0, 0.5]]))
    assert shown.tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert hidden.tolist() == [1, 1, 0.5]


def test_hiding_the_first_token_leaves_the_patterns_given_as_they_were():
    patterns = random_patterns(2, 5, 5)
    before = patterns.clone()
    _, hidden = hide_first_token(patterns)
    hidden.fill_(7)
    assert torch.equal(patterns, before)


def test_rollout_equals_a_sum_over_all_ways_through_the_layers():
    T, patterns = 4, random_patterns(3, 2, 4, 4)  # 3 layers, 2 heads
    rolled = attention_rollout(patterns)
    for start in range(T):
        for end in range(T):
            total = 0.0
            for a, b in itertools.product(range(T), repeat=2):  # where the way is after layers 0, 1
                way = 1.0
                for layer, (into, out) in enumerate([(a, start), (b, a), (end, b)]):
                    mean = sum(float(patterns[layer, head, into, out]) for head in range(2)) / 2
                    way *= (mean + (into == out)) / 2
                total += way
            assert float(rolled[-1, end, start]) == pytest.approx(total, abs=1e-6)


def test_rollout_is_causal_and_its_rows_sum_to_one(model, idx):
    rolled = attention_rollout(attention_patterns(model, idx))
    assert rolled.shape == (3, 2, 11, 11)
    torch.testing.assert_close(rolled.sum(-1), torch.ones(3, 2, 11))
    assert (rolled[..., ~causal_mask(11, 11)] == 0).all()


def test_packed_patterns_are_at_most_two_thousandths_off():
    patterns = torch.linspace(0, 1, 100_001)
    packed = pack_patterns(patterns)
    assert packed.dtype == torch.uint8
    assert (packed.float() / 255 - patterns).abs().max() < 0.002
    assert packed[0] == 0 and packed[-1] == 255


# --- What the model expects ---


def test_surprisal_is_the_negative_log_probability_of_the_token_that_came(model, idx):
    model.eval()
    logits = model(idx).detach()
    nats = token_surprisal(logits, idx)
    assert nats.shape == (2, 10)
    for b, t in itertools.product(range(2), range(10)):
        expected = -logits[b, t].double().softmax(-1)[idx[b, t + 1]].log()
        assert float(nats[b, t]) == pytest.approx(float(expected), abs=1e-4)
    assert torch.equal(token_surprisal(logits[0], idx[0]), nats[0])  # one text alone


def test_the_residual_stream_starts_with_the_embeddings_and_ends_as_the_logits(model, idx):
    model.eval()
    stream = residual_stream(model, idx)
    assert stream.shape == (4, 2, 11, 32)
    embeddings = model.transformer.wte.weight[idx] + model.transformer.wpe.weight[:11]
    torch.testing.assert_close(stream[0], embeddings.detach())
    torch.testing.assert_close(logit_lens(model, stream[-1]), model(idx).detach())


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_the_lens_equals_a_model_that_ends_after_so_many_blocks(model, idx, depth):
    model.eval()
    shorter = copy.deepcopy(model)
    shorter.transformer.h = shorter.transformer.h[:depth]
    expected = shorter(idx).detach()
    lens = logit_lens(model, residual_stream(model, idx)[depth])
    torch.testing.assert_close(lens, expected)


def test_the_lens_without_the_layernorm_is_the_head_alone(model, idx):
    stream = residual_stream(model, idx)
    raw = logit_lens(model, stream, norm=False)
    torch.testing.assert_close(raw, stream @ model.lm_head.weight.T.detach())
    assert not torch.allclose(raw[-1], model.eval()(idx))


def test_reading_the_residual_stream_leaves_the_model_as_it_was(model, idx):
    model.train()
    stream = residual_stream(model, idx)
    assert torch.equal(stream, residual_stream(model, idx))  # no dropout
    assert model.training
    assert not any(b._forward_hooks or b._forward_pre_hooks for b in model.transformer.h)
    with pytest.raises(ValueError, match="17 positions"):
        residual_stream(model, torch.zeros(1, 17, dtype=torch.int64))
    assert not any(b._forward_hooks or b._forward_pre_hooks for b in model.transformer.h)
