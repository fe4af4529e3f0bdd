"""The model against transformers, at every size, in every precision; what it refuses."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.kv_cache import KVCache
from minigpt.model import GPT, MLP, evaluating, fused_attention
from tests.models import ATTENTIONS, TINY, lively, some_ids

# --- The accounts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gpt2", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
    ],
)
def test_the_four_sizes_have_the_released_parameter_counts(name, parameters):
    with torch.device("meta"):  # shapes only: the largest would need 6 GB
        assert GPT(GPTConfig.preset(name)).num_parameters() == parameters


def test_without_biases_only_matrices_and_norm_weights_are_left():
    model = GPT(replace(TINY, bias=False))
    assert not [name for name, _ in model.named_parameters() if name.endswith("bias")]
    C, V, T, L = TINY.n_embd, TINY.vocab_size, TINY.block_size, TINY.n_layer
    assert model.num_parameters() == V * C + T * C + L * (12 * C * C + 2 * C) + C


def test_parameter_names_are_the_checkpoints():
    names = [name for name, _ in GPT(replace(TINY, n_layer=1)).named_parameters()]
    block = [
        f"transformer.h.0.{part}.{kind}"
        for part in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
        for kind in ("weight", "bias")
    ]
    assert names == [
        "transformer.wte.weight",
        "transformer.wpe.weight",
        *block,
        "transformer.ln_f.weight",
        "transformer.ln_f.bias",
    ]
    assert "lm_head.weight" in GPT(TINY).state_dict()


# --- Equal to transformers --------------------------------------------------------------------


@pytest.fixture(scope="module")
def twins():
    """One random GPT-2 of transformers' and ours, with the same weights."""
    transformers = pytest.importorskip("transformers", reason="pip install transformers")
    theirs = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=TINY.vocab_size,
            n_positions=TINY.block_size,
            n_layer=TINY.n_layer,
            n_head=TINY.n_head,
            n_embd=TINY.n_embd,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    lively(theirs)
    ours = GPT(TINY).eval()
    with torch.no_grad():
        tensors = dict(theirs.named_parameters())
        for name, weight in ours.named_parameters():
            is_conv1d = name.endswith("weight") and ("attn." in name or "mlp." in name)
            weight.copy_(tensors[name].t() if is_conv1d else tensors[name])
    return ours, theirs


@pytest.mark.parametrize("attend", ATTENTIONS)
def test_logits_equal_those_of_transformers(twins, attend):
    ours, theirs = twins
    ours.use_attention(attend)
    idx = some_ids(TINY, 3, TINY.block_size)
    with torch.no_grad():
        expected = theirs(idx).logits
        assert expected.std() > 1, "the weights are large enough for a mistake to show"
        torch.testing.assert_close(ours(idx), expected, atol=2e-5, rtol=0)
    ours.use_attention(fused_attention)


@pytest.mark.parametrize(
    ("path", "broken"),
    [
        ("mlp", lambda m, x: m.c_proj(F.gelu(m.c_fc(x)))),  # the exact GELU
        ("ln_1", lambda m, x: F.layer_norm(x, x.shape[-1:], m.weight, m.bias, eps=1e-2)),
        ("attn", lambda m, x: m.c_proj(m.c_attn(x).chunk(3, dim=-1)[2])),  # no attending
    ],
)
def test_the_comparison_with_transformers_would_see_a_mistake(twins, monkeypatch, path, broken):
    ours, theirs = twins
    part = ours.transformer.h[1].get_submodule(path)
    monkeypatch.setattr(part, "forward", lambda x, cache=None: broken(part, x))
    idx = some_ids(TINY, 3, TINY.block_size)
    with torch.no_grad():
        assert (ours(idx) - theirs(idx).logits).abs().max() > 2e-4


def test_gradients_equal_those_of_transformers(twins):
    ours, theirs = copy.deepcopy(twins[0]), copy.deepcopy(twins[1])
    idx = some_ids(TINY, 2, 7)
    targets = some_ids(TINY, 2, 7, seed=1)
    for model, logits in ((ours, ours(idx)), (theirs, theirs(idx).logits)):
        model.zero_grad()
        F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    expected = dict(theirs.named_parameters())
    for name, weight in ours.named_parameters():
        gradient = expected[name].grad
        is_conv1d = name.endswith("weight") and ("attn." in name or "mlp." in name)
        torch.testing.assert_close(
            weight.grad, gradient.t() if is_conv1d else gradient, atol=1e-5, rtol=1e-4
        )


# --- Dropout and GELU -------------------------------------------------------------------------


def test_dropout_works_in_training_and_is_silent_in_evaluation():
    model = lively(GPT(replace(TINY, dropout=0.5)))
    idx = some_ids(TINY, 2, 8)
    torch.testing.assert_close(model(idx), model(idx), atol=0, rtol=0)
    torch.testing.assert_close(model(idx), lively(GPT(TINY))(idx), atol=0, rtol=0)
    model.train()
    assert not torch.allclose(model(idx), model(idx))


def test_gelu_is_the_tanh_form():
    mlp = MLP(replace(TINY, n_embd=1, n_head=1))
    with torch.no_grad():
        for weight in mlp.parameters():
            weight.zero_()
        mlp.c_fc.weight[0] = mlp.c_proj.weight[0, 0] = 1.0
    x = torch.linspace(-4, 4, 101)[:, None]
    tanh_form = 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    torch.testing.assert_close(mlp(x), tanh_form, atol=1e-6, rtol=0)
    assert (mlp(x) - F.gelu(x)).abs().max() > 1e-4, "the exact form differs visibly"


# --- Causality --------------------------------------------------------------------------------


@pytest.mark.parametrize("attend", ATTENTIONS)
def test_a_later_token_changes_nothing_before_it(attend):
    model = lively(GPT(TINY))
    model.use_attention(attend)
    idx = some_ids(TINY, 2, TINY.block_size)
    before = model(idx)
    for t in range(TINY.block_size):
        changed = idx.clone()
        changed[:, t] = (changed[:, t] + 1) % TINY.vocab_size
        difference = (model(changed) - before).abs().amax(dim=(0, 2))
        assert (difference[:t] == 0).all(), f"position {t} leaked into the past"
        assert (difference[t:] > 1e-4).all(), f"position {t} does not reach every later one"


def test_a_batch_row_does_not_see_the_others():
    model = lively(GPT(TINY))
    idx = some_ids(TINY, 4, 9)
    alone = torch.cat([model(row[None]) for row in idx])
    torch.testing.assert_close(model(idx), alone, atol=1e-5, rtol=0)


# --- Other settings ---------------------------------------------------------------------------


def test_without_biases_the_logits_equal_those_with_biases_of_zero():
    with_biases, without = lively(GPT(TINY)), GPT(replace(TINY, bias=False)).eval()
    with torch.no_grad():
        for name, weight in with_biases.named_parameters():
            if name.endswith("bias"):
                weight.zero_()
    missing = without.load_state_dict(with_biases.state_dict(), strict=False)
    assert missing.missing_keys == []
    idx = some_ids(TINY, 2, 9)
    torch.testing.assert_close(without(idx), with_biases(idx), atol=1e-6, rtol=0)


@pytest.mark.parametrize("attend", ATTENTIONS)
def test_a_bf16_model_runs_and_decodes_close_to_fp32(attend):
    exact = lively(GPT(TINY))
    model = copy.deepcopy(exact).to(torch.bfloat16)
    model.use_attention(attend)
    idx = some_ids(TINY, 4, TINY.block_size)
    logits = model(idx)
    assert logits.dtype == torch.bfloat16
    expected = exact(idx)
    scale = expected.std()
    assert (logits - expected).abs().mean() < 0.05 * scale
    cache = KVCache(TINY, batch_size=4, dtype=torch.bfloat16)
    parts = [model(piece, cache=cache) for piece in idx.split([5, 1, 1, 5], dim=1)]
    assert (torch.cat(parts, dim=1) - expected).abs().mean() < 0.05 * scale


def test_float64_is_kept():
    model = lively(GPT(TINY)).double()
    assert model(some_ids(TINY, 1, 3)).dtype == torch.float64


def test_int32_ids_are_as_good_as_int64():
    model, idx = lively(GPT(TINY)), some_ids(TINY, 2, 5)
    torch.testing.assert_close(model(idx.int()), model(idx), atol=0, rtol=0)


def test_ids_may_be_a_view_with_gaps():
    model, idx = lively(GPT(TINY)), some_ids(TINY, 5, 4)
    torch.testing.assert_close(model(idx.t()), model(idx.t().contiguous()), atol=0, rtol=0)


def test_features_are_what_the_head_reads():
    model, idx = lively(GPT(TINY)), some_ids(TINY, 2, 5)
    features = model.features(idx)
    assert features.shape == (2, 5, TINY.n_embd)
    torch.testing.assert_close(features @ model.transformer.wte.weight.t(), model(idx))


def test_the_smallest_possible_model_runs():
    config = GPTConfig(vocab_size=1, block_size=1, n_layer=1, n_head=1, n_embd=1)
    assert GPT(config)(torch.zeros(1, 1, dtype=torch.int64)).shape == (1, 1, 1)


def test_evaluating_switches_dropout_off_and_restores_the_mode():
    model = GPT(TINY)
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert all(module.training for module in model.modules())
    model.eval()
    with pytest.raises(RuntimeError), evaluating(model):
        raise RuntimeError
    assert not model.training
    model.train()
    with pytest.raises(RuntimeError), evaluating(model):
        raise RuntimeError
    assert model.training


# --- Bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("idx", "words"),
    [
        (torch.zeros(3, dtype=torch.int64), r"torch.int64 \(3,\)"),
        (torch.zeros(1, 2, 3, dtype=torch.int64), r"\(1, 2, 3\)"),
        (torch.zeros(1, 3), "torch.float32"),
        (torch.zeros(1, 3, dtype=torch.bool), "torch.bool"),
        (torch.zeros(1, 3, dtype=torch.uint8), "torch.uint8"),
        ([[1, 2, 3]], "not list"),
        (None, "not NoneType"),
        ("text", "not str"),
        (torch.zeros(1, 0, dtype=torch.int64), r"empty, \(1, 0\).*at least one token"),
        (torch.zeros(0, 3, dtype=torch.int64), r"empty, \(0, 3\)"),
        (torch.tensor([[0, 37]]), "the id 37; ids of this model are 0 to 36"),
        (torch.tensor([[0, -1]]), "the id -1; ids of this model are 0 to 36"),
        (torch.zeros(1, 13, dtype=torch.int64), "13 positions do not fit in 12; keep the last 12"),
    ],
)
def test_bad_ids_are_refused_with_what_was_given_and_what_is_accepted(idx, words):
    with pytest.raises(ValueError, match=words):
        GPT(TINY)(idx)


def test_the_ids_are_left_as_they_were():
    idx = some_ids(TINY, 2, 5)
    before = idx.clone()
    model = lively(GPT(TINY))
    model(idx)
    model(idx, cache=KVCache(TINY, batch_size=2))
    assert torch.equal(idx, before)
