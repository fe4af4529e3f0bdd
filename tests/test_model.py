"""The model against transformers, PyTorch's own attention, and slow obvious versions of itself."""

import copy
import io
import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.kv_cache import KVCache
from minigpt.model import (
    GPT,
    MLP,
    CausalSelfAttention,
    attention_pattern,
    causal_mask,
    evaluating,
    explicit_attention,
    fused_attention,
    merge_heads,
    split_heads,
)

TINY = GPTConfig(vocab_size=37, block_size=12, n_layer=3, n_head=4, n_embd=16)
ATTENTIONS = [fused_attention, explicit_attention]


def lively(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give every weight, biases and LayerNorms too, a value large enough to show a mistake."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(0.0, 0.3, generator=generator)
            if ".ln_" in name and name.endswith("weight"):
                weight += 1.0
    return model.eval()


def some_ids(config: GPTConfig, batch: int, time: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(config.vocab_size, (batch, time), generator=generator)


def some_qkv(T: int, S: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(2, 3, T, 8, generator=generator)
    k, v = torch.randn(2, 2, 3, S, 8, generator=generator)
    return q, k, v


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


# --- Attention --------------------------------------------------------------------------------


def slow_attention(q, k, v):
    """One query, one key at a time, as the formula says it."""
    B, nh, T, hs = q.shape
    S = k.size(2)
    y = torch.zeros(B, nh, T, hs)
    for b in range(B):
        for h in range(nh):
            for t in range(T):
                seen = S - T + t + 1
                scores = [float(q[b, h, t] @ k[b, h, s]) / math.sqrt(hs) for s in range(seen)]
                shares = [math.exp(score - max(scores)) for score in scores]
                for s in range(seen):
                    y[b, h, t] += shares[s] / sum(shares) * v[b, h, s]
    return y


EVERY_T_AND_S = [(T, S) for S in range(1, 7) for T in range(1, S + 1)]


@pytest.mark.parametrize("attend", ATTENTIONS)
@pytest.mark.parametrize(("T", "S"), EVERY_T_AND_S)
def test_attention_equals_the_loop_over_single_queries_and_keys(attend, T, S):
    q, k, v = some_qkv(T, S)
    torch.testing.assert_close(attend(q, k, v), slow_attention(q, k, v), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("T", "S"), [(64, 64), (1, 64), (17, 64), (63, 64)])
def test_fused_and_explicit_attention_are_equal_at_larger_sizes(T, S):
    q, k, v = some_qkv(T, S)
    torch.testing.assert_close(
        fused_attention(3 * q, k, v), explicit_attention(3 * q, k, v), atol=1e-5, rtol=0
    )


def test_the_pattern_equals_what_fused_attention_does_to_one_hot_values():
    q, k, _ = some_qkv(5, 8)
    one_hot = torch.eye(8).expand(2, 3, 8, 8)
    torch.testing.assert_close(
        attention_pattern(q, k), fused_attention(q, k, one_hot), atol=1e-6, rtol=0
    )


def test_the_pattern_is_causal_and_each_row_sums_to_one():
    q, k, _ = some_qkv(5, 8)
    pattern = attention_pattern(q, k)
    torch.testing.assert_close(pattern.sum(dim=-1), torch.ones(2, 3, 5))
    assert (pattern[..., ~causal_mask(5, 8)] == 0).all()
    assert (pattern[..., causal_mask(5, 8)] > 0).all()


def test_heads_are_split_and_merged_without_loss():
    x = torch.randn(2, 5, 12)
    heads = split_heads(x, 3)
    assert heads.shape == (2, 3, 5, 4)
    torch.testing.assert_close(heads[:, 1], x[:, :, 4:8], atol=0, rtol=0)
    torch.testing.assert_close(merge_heads(heads), x, atol=0, rtol=0)


@pytest.mark.parametrize("attend", ATTENTIONS)
def test_the_attention_layer_equals_torchs_multihead_attention(attend):
    ours = lively(CausalSelfAttention(TINY))
    ours.attend = attend
    theirs = nn.MultiheadAttention(TINY.n_embd, TINY.n_head, batch_first=True).eval()
    theirs.in_proj_weight, theirs.in_proj_bias = ours.c_attn.weight, ours.c_attn.bias
    theirs.out_proj.weight, theirs.out_proj.bias = ours.c_proj.weight, ours.c_proj.bias
    x = torch.randn(2, 9, TINY.n_embd)
    expected, _ = theirs(x, x, x, attn_mask=~causal_mask(9, 9), need_weights=True)
    torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("attend", ATTENTIONS)
@pytest.mark.parametrize(("T", "S"), [(6, 6), (2, 6), (1, 6)])
def test_attention_dropout_drops_its_share_and_keeps_the_mean(attend, T, S):
    torch.manual_seed(0)
    q, k, _ = some_qkv(T, S)
    one_hot = torch.eye(S).expand(2, 3, S, S)  # the output is the pattern itself
    pattern = attention_pattern(q, k)
    dropped = torch.stack([attend(q, k, one_hot, dropout=0.25) for _ in range(2000)])
    allowed = causal_mask(T, S).expand_as(pattern)
    # 2000 draws of a coin: four standard errors are 0.04.
    share = (dropped == 0).float().mean(dim=0)
    torch.testing.assert_close(
        share[allowed], torch.full_like(share[allowed], 0.25), atol=0.04, rtol=0
    )
    torch.testing.assert_close(dropped.mean(dim=0), pattern, atol=0.06, rtol=0)
    kept = (dropped / pattern)[:, allowed]
    kept = kept[kept > 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / 0.75), atol=1e-3, rtol=0)
    if T > 1:  # each weight has a coin of its own: queries do not lose a key together
        both = (dropped[..., -1, 0] == 0) & (dropped[..., -2, 0] == 0)
        assert both.float().mean().item() == pytest.approx(0.25**2, abs=0.02)


def test_dropout_works_in_training_and_is_silent_in_evaluation():
    model = lively(GPT(replace(TINY, dropout=0.5)))
    idx = some_ids(TINY, 2, 8)
    torch.testing.assert_close(model(idx), model(idx), atol=0, rtol=0)
    torch.testing.assert_close(model(idx), lively(GPT(TINY))(idx), atol=0, rtol=0)
    model.train()
    assert not torch.allclose(model(idx), model(idx))


@pytest.mark.parametrize("attend", ATTENTIONS)
def test_dropout_sits_on_weights_both_projections_and_embeddings(attend, monkeypatch):
    model = GPT(replace(TINY, n_layer=1, dropout=0.5))
    model.use_attention(attend)
    drawn = []
    monkeypatch.setattr(
        nn.Dropout, "forward", lambda self, x: drawn.append((self.p, self.training)) or x
    )
    seen = []
    attn = model.transformer.h[0].attn
    attn.attend = lambda q, k, v, dropout: seen.append(dropout) or attend(q, k, v, dropout)
    model.train()(some_ids(TINY, 1, 4))
    assert drawn == [(0.5, True)] * 3, "after the embeddings and after each output projection"
    model.eval()(some_ids(TINY, 1, 4))
    assert seen == [0.5, 0.0], "on the attention weights, in training only"


def test_use_attention_reaches_every_layer():
    model = GPT(TINY)
    assert [block.attn.attend for block in model.transformer.h] == [fused_attention] * 3
    model.use_attention(explicit_attention)
    assert [block.attn.attend for block in model.transformer.h] == [explicit_attention] * 3


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


# --- The cache --------------------------------------------------------------------------------


@pytest.mark.parametrize("attend", ATTENTIONS)
@pytest.mark.parametrize("pieces", [[12], [1] * 12, [5, 1, 1, 5], [3, 4, 5], [11, 1], [1, 11]])
def test_feeding_pieces_through_the_cache_gives_the_logits_of_the_whole(attend, pieces):
    model = lively(GPT(TINY))
    model.use_attention(attend)
    idx = some_ids(TINY, 4, TINY.block_size)
    cache = KVCache(TINY, batch_size=4)
    parts = [model(piece, cache=cache) for piece in idx.split(pieces, dim=1)]
    assert [part.size(1) for part in parts] == pieces, "logits of the new positions only"
    assert cache.length == TINY.block_size
    torch.testing.assert_close(torch.cat(parts, dim=1), model(idx), atol=1e-5, rtol=0)


def test_a_cleared_cache_starts_over():
    model = lively(GPT(TINY))
    cache = KVCache(TINY, batch_size=2)
    model(some_ids(TINY, 2, 12), cache=cache)
    cache.clear()
    assert cache.length == 0
    idx = some_ids(TINY, 2, 5, seed=1)
    torch.testing.assert_close(model(idx, cache=cache), model(idx), atol=1e-6, rtol=0)


def test_a_cache_holds_exactly_the_memory_it_promises():
    cache = KVCache(TINY, batch_size=2, room=5)
    held = sum(t.nbytes for layer in cache.layers for t in (layer.keys, layer.values))
    assert held == 2 * TINY.n_layer * 2 * 5 * TINY.n_embd * 4  # k and v, rows, room, C, float32


def test_no_gradient_flows_back_through_the_cache_and_training_without_one_is_unharmed():
    model = lively(GPT(TINY))
    cache = KVCache(TINY, batch_size=1)
    model(some_ids(TINY, 1, 3), cache=cache)
    model(some_ids(TINY, 1, 2), cache=cache).sum().backward()  # would fail on a freed graph
    assert not cache.layers[0].keys.requires_grad


def test_a_full_cache_says_what_to_do():
    model, cache = GPT(TINY), KVCache(TINY, room=4)
    model(some_ids(TINY, 1, 3), cache=cache)
    with pytest.raises(ValueError, match=r"5 positions do not fit in 4.*keep the last 4"):
        model(some_ids(TINY, 1, 2), cache=cache)
    assert cache.length == 3, "a refused call leaves the cache as it was"


@pytest.mark.parametrize(("rows", "cached"), [(1, 4), (4, 1), (2, 3)])
def test_a_cache_for_another_batch_size_is_refused_and_not_broadcast(rows, cached):
    with pytest.raises(ValueError, match=rf"{rows} sequences and the cache {cached}"):
        GPT(TINY)(some_ids(TINY, rows, 2), cache=KVCache(TINY, batch_size=cached))


@pytest.mark.parametrize("room", [0, -1, 13, 1.5, "4", True])
def test_a_cache_of_an_impossible_size_is_refused(room):
    with pytest.raises(ValueError, match=f"room is {room!r}"):
        KVCache(TINY, room=room)


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, None])
def test_a_cache_for_an_impossible_batch_is_refused(batch_size):
    with pytest.raises(ValueError, match=f"batch_size is {batch_size!r}"):
        KVCache(TINY, batch_size=batch_size)


# --- Initialisation ---------------------------------------------------------------------------


def test_weights_start_as_gpt2s_do():
    torch.manual_seed(0)
    config = GPTConfig(vocab_size=500, block_size=256, n_layer=8, n_head=4, n_embd=128)
    for name, weight in GPT(config).named_parameters():
        if name.endswith("bias"):
            assert (weight == 0).all(), name
        elif ".ln_" in name:
            assert (weight == 1).all(), name
        else:
            residual = name.endswith("c_proj.weight")
            std = 0.02 / math.sqrt(2 * 8) if residual else 0.02
            # The spread of n draws is known to about std / sqrt(2n): six of those.
            tolerance = 6 * std / math.sqrt(2 * weight.numel())
            assert abs(weight.std().item() - std) < tolerance, name
            assert abs(weight.mean().item()) < 6 * std / math.sqrt(weight.numel()), name
            kurtosis = ((weight / weight.std()) ** 4).mean().item()
            assert abs(kurtosis - 3) < 0.3, f"{name} is not normal (uniform would give 1.8)"


def test_the_first_loss_is_that_of_guessing():
    torch.manual_seed(0)
    config = GPTConfig(vocab_size=500, block_size=64, n_layer=4, n_head=4, n_embd=64)
    idx, targets = some_ids(config, 8, 64), some_ids(config, 8, 64, seed=1)
    loss = F.cross_entropy(GPT(config)(idx).flatten(0, 1), targets.flatten()).item()
    assert abs(loss - math.log(500)) < 0.05


def test_a_seed_fixes_the_weights():
    def weights(seed):
        torch.manual_seed(seed)
        return torch.cat([weight.flatten() for weight in GPT(TINY).parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


# --- Weight tying -----------------------------------------------------------------------------


def is_tied(model: GPT) -> bool:
    return model.lm_head.weight is model.transformer.wte.weight


def test_the_head_is_the_token_embedding():
    model = GPT(TINY)
    assert is_tied(model)
    with torch.no_grad():
        model.transformer.wte.weight.zero_()
    assert (model(some_ids(TINY, 1, 3)) == 0).all()


@pytest.mark.parametrize(
    "move",
    [
        copy.deepcopy,
        lambda model: model.to(torch.float64),
        lambda model: model.to(torch.bfloat16).float(),
        lambda model: model.to("cpu"),
        lambda model: model.half().float(),
    ],
)
def test_tying_survives_copies_and_moves(move):
    assert is_tied(move(GPT(TINY)))


def test_tying_survives_a_state_dict_on_disk():
    source, target = lively(GPT(TINY)), GPT(TINY).eval()
    file = io.BytesIO()
    torch.save(source.state_dict(), file)
    file.seek(0)
    target.load_state_dict(torch.load(file, weights_only=True))
    assert is_tied(target)
    idx = some_ids(TINY, 2, 5)
    torch.testing.assert_close(target(idx), source(idx), atol=0, rtol=0)


def test_tying_survives_training_and_both_uses_give_gradient():
    model = lively(GPT(TINY))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert sum(1 for w in model.parameters() if w.shape == model.lm_head.weight.shape) == 1
    before = model.lm_head.weight.clone()
    idx = torch.zeros(1, 4, dtype=torch.int64)
    F.cross_entropy(model(idx)[:, -1], torch.tensor([5])).backward()
    gradient = model.transformer.wte.weight.grad
    assert (gradient[0] != 0).any(), "as an embedding: only id 0 was read"
    assert (gradient[7] != 0).any(), "as a head: every id was scored"
    optimizer.step()
    assert is_tied(model)
    assert not torch.equal(model.lm_head.weight, before)


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


@pytest.mark.parametrize("attend", ATTENTIONS)
def test_autocast_works_with_a_cache_too(attend):
    model = lively(GPT(TINY))
    model.use_attention(attend)
    idx = some_ids(TINY, 2, 8)
    cache = KVCache(TINY, batch_size=2)
    expected = model(idx)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        parts = [model(piece, cache=cache) for piece in idx.split([5, 1, 2], dim=1)]
    assert (torch.cat(parts, dim=1) - expected).abs().mean() < 0.05 * expected.std()


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
