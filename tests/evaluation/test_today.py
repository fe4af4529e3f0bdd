"""Each change since GPT-2 against PyTorch's own or a slow version; all of them against LLaMA's."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from minigpt.config import GPTConfig
from minigpt.evaluation.designs import Decoder, Today, TodayConfig, TodayGPT, training_flops
from minigpt.evaluation.designs.today_parts import (
    RMSNorm,
    SwiGLU,
    repeat_kv,
    rotate,
    swiglu_width,
)
from minigpt.kv_cache import KVCache
from minigpt.model import GPT, explicit_attention
from minigpt.sampling import generate
from minigpt.sampling.generation import new_cache

BASE = TodayConfig(vocab_size=23, block_size=20, n_layer=2, n_head=4, n_embd=24)
ONE_EACH = {
    "rotary": dict(rotary=True),
    "RMSNorm": dict(rms_norm=True),
    "SwiGLU": dict(swiglu=True),
    "grouped": dict(n_kv_head=2),
    "one for all": dict(n_kv_head=1),
    "untied": dict(tied=False),
    "no biases": dict(bias=False),
}
ALL = dict(rotary=True, rms_norm=True, swiglu=True, n_kv_head=2, tied=False, bias=False)
CHANGES = {"GPT-2": {}, **ONE_EACH, "all": ALL}


def made(**changes):
    """A model in which every weight matters."""
    torch.manual_seed(0)
    model = TodayGPT(replace(BASE, **changes)).eval()
    for weight in model.parameters():
        if weight.requires_grad:
            nn.init.normal_(weight, std=0.3)
    return model


def ids(B, T, seed=1):
    return torch.randint(23, (B, T), generator=torch.Generator().manual_seed(seed))


def test_without_a_change_it_is_gpt2():
    model, reference = made(), GPT(GPTConfig(23, 20, 2, 4, 24)).eval()
    reference.load_state_dict(model.state_dict())
    x = ids(2, 20)
    assert torch.equal(model(x), reference(x))
    assert model.num_parameters() == reference.num_parameters()


def test_rms_norm_is_pytorchs():
    x = torch.randn(3, 5, 24, generator=torch.Generator().manual_seed(1)) * 3 + 1
    norm = RMSNorm(24)
    nn.init.normal_(norm.weight)
    expected = F.rms_norm(x, (24,), norm.weight, 1e-5)
    assert torch.allclose(norm(x), expected, atol=1e-6)
    assert not torch.allclose(norm(x), F.layer_norm(x, (24,), norm.weight, eps=1e-5), atol=1e-2)


def test_rotation_is_multiplication_by_a_complex_number():
    """Su et al. 2021, equation 12: a pair is a complex number, turned by e^(i m theta)."""
    x = torch.randn(2, 3, 7, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    positions = torch.tensor([0, 1, 5, 6, 7, 100, 1000])
    for m, position in enumerate(positions.tolist()):
        for i in range(4):
            theta = position * 10_000 ** (-2 * i / 8)
            turned = torch.complex(x[..., m, i], x[..., m, i + 4]) * complex(
                math.cos(theta), math.sin(theta)
            )
            got = rotate(x, positions)[..., m, [i, i + 4]]
            assert torch.allclose(got, torch.stack([turned.real, turned.imag], -1), atol=1e-4)


def test_a_score_depends_on_the_distance_alone():
    q, k = torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def score(m, n):
        return (rotate(q, torch.tensor([m])) @ rotate(k, torch.tensor([n])).T).item()

    assert score(9, 4) == pytest.approx(score(105, 100), abs=1e-4)
    assert abs(score(9, 4) - score(9, 5)) > 1e-2


def test_grouped_queries_are_pytorchs():
    g = torch.Generator().manual_seed(4)
    q, k, v = (torch.randn(2, heads, 6, 8, generator=g) for heads in (6, 2, 2))
    got = explicit_attention(q, repeat_kv(k, 3), repeat_kv(v, 3))
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    assert torch.allclose(got, expected, atol=1e-5)
    wrong = explicit_attention(q, k.repeat(1, 3, 1, 1), v.repeat(1, 3, 1, 1))
    assert not torch.allclose(wrong, expected, atol=1e-2)


def test_swiglu_is_the_papers_equation():
    torch.manual_seed(5)
    mlp = SwiGLU(replace(BASE, bias=False))
    x, (W, V) = torch.randn(2, 3, 24), mlp.c_fc.weight.chunk(2)
    gate = x @ W.T
    expected = (gate * torch.sigmoid(gate) * (x @ V.T)) @ mlp.c_proj.weight.T
    assert torch.allclose(mlp(x), expected, atol=1e-6)


@pytest.mark.parametrize(("C", "H"), [(96, 256), (768, 2048), (24, 64), (128, 341)])
def test_swiglu_has_as_many_weights_as_the_mlp(C, H):
    assert swiglu_width(C) == H
    assert abs(3 * H - 8 * C) <= 1


@pytest.mark.parametrize("name", list(CHANGES))
def test_the_cache_gives_the_same_logits(name):
    """In steps of one and of several; a rotation that began at 0 each time would not."""
    model, x = made(**CHANGES[name]), ids(2, 20)
    cache = new_cache(model, 2, 20)
    steps = [model(part, cache) for part in x.split([5, 1, 1, 3, 10], dim=1)]
    assert torch.allclose(torch.cat(steps, dim=1), model(x), atol=1e-4)


@pytest.mark.parametrize("name", list(CHANGES))
def test_it_generates_with_the_cache_as_without(name):
    model, x = made(**CHANGES[name]), ids(2, 4)
    with_cache = generate(model, x, 24, temperature=0)  # beyond block_size, too
    assert torch.equal(with_cache, generate(model, x, 24, temperature=0, use_cache=False))


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_later_token_changes_no_earlier_output(name):
    model, x = made(**CHANGES[name]), ids(2, 12)
    changed = x.clone()
    changed[:, 7] = (x[:, 7] + 1) % 23
    before, after = model(x), model(changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7:], after[:, 7:], atol=1e-3)


def test_few_heads_of_keys_and_values_make_a_small_cache():
    for kv in (4, 2, 1):
        cache = KVCache(replace(BASE, n_kv_head=kv), batch_size=3)
        numbers = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
        assert numbers == 2 * 2 * 3 * kv * 20 * 6  # keys, values; layers, texts, heads, room, hs
    assert (
        KVCache(BASE).layers[0].keys.shape
        == KVCache(GPTConfig(23, 20, 2, 4, 24)).layers[0].keys.shape
    )


def counted(design, x):
    """FLOPs of a forward and backward pass, as PyTorch's own counter sees them."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        design.loss(x, torch.roll(x, -1, 1)).backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("name", list(CHANGES))
def test_the_cost_of_a_batch_is_what_pytorch_counts(name):
    design = Today(replace(BASE, **CHANGES[name]))
    x = ids(2, 20)
    assert training_flops(design, x) == pytest.approx(counted(design, x), rel=0.001)
    grouped = replace(BASE, **CHANGES[name]).kv_heads < 4
    same = training_flops(design, x) == training_flops(Decoder(GPTConfig(23, 20, 2, 4, 24)), x)
    assert same != grouped  # only grouped queries change what a token costs


def test_a_table_that_is_not_there_has_no_weights():
    learned, turned = made(), made(rotary=True)
    assert learned.num_parameters() - turned.num_parameters() == 20 * 24
    assert turned.device == torch.device("cpu")
    assert made(tied=False).num_parameters() - learned.num_parameters() == 23 * 24


def test_rotary_reads_on_where_a_table_ends():
    """The same weights in a longer context: nothing is missing, and the beginning is the same."""
    model = made(**ALL)
    longer = TodayGPT(replace(model.config, block_size=50)).eval()
    longer.load_state_dict(model.state_dict())
    x = ids(1, 50)
    assert torch.allclose(longer(x)[:, :20], model(x[:, :20]), atol=1e-4)
    with pytest.raises(ValueError, match="50 positions do not fit in 20"):
        model(x)


def llama(config):
    """A LLaMA of transformers of these sizes, with its names for our weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.n_embd,
            intermediate_size=swiglu_width(config.n_embd),
            num_hidden_layers=config.n_layer,
            num_attention_heads=config.n_head,
            num_key_value_heads=config.kv_heads,
            max_position_embeddings=config.block_size,
            rms_norm_eps=1e-5,
            tie_word_embeddings=False,
            attn_implementation="eager",
        )
    ).eval()


def give_weights(model, theirs):
    """Copy LLaMA's weights into ours."""
    parts, heads = model.transformer, theirs.model
    with torch.no_grad():
        parts.wte.weight.copy_(heads.embed_tokens.weight)
        model.lm_head.weight.copy_(theirs.lm_head.weight)
        parts.ln_f.weight.copy_(heads.norm.weight)
        for ours, their in zip(parts.h, heads.layers):
            attn, mlp = their.self_attn, their.mlp
            qkv = [each.weight for each in (attn.q_proj, attn.k_proj, attn.v_proj)]
            ours.attn.c_attn.weight.copy_(torch.cat(qkv))
            ours.attn.c_proj.weight.copy_(attn.o_proj.weight)
            ours.mlp.c_fc.weight.copy_(torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]))
            ours.mlp.c_proj.weight.copy_(mlp.down_proj.weight)
            ours.ln_1.weight.copy_(their.input_layernorm.weight)
            ours.ln_2.weight.copy_(their.post_attention_layernorm.weight)


def test_with_all_six_it_is_llama():
    config = replace(BASE, block_size=40, **ALL)
    torch.manual_seed(6)
    theirs = llama(config)
    for weight in theirs.parameters():
        nn.init.normal_(weight, 1.0 if weight.dim() == 1 else 0.0, 0.2)
    model = TodayGPT(config).eval()
    give_weights(model, theirs)
    assert model.num_parameters() == sum(weight.numel() for weight in theirs.parameters())
    x = ids(2, 40)
    with torch.no_grad():
        expected, got = theirs(x).logits, model(x)
    assert expected.std() > 0.5
    assert (got - expected).abs().max() < 1e-5
    greedy = theirs.generate(
        x[:, :5],
        attention_mask=torch.ones(2, 5, dtype=torch.long),
        max_new_tokens=30,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    assert torch.equal(generate(model, x[:, :5], 30, temperature=0), greedy)


@pytest.mark.thorough
def test_every_change_learns():
    from minigpt.evaluation.designs import train_at

    class Rows:
        def batch(self, split, block_size, batch_size, generator):
            row = torch.arange(21).repeat(batch_size, 1)
            return row[:, :-1].clone(), row[:, 1:].clone()

    for changes in CHANGES.values():
        torch.manual_seed(0)
        design = Today(replace(BASE, **changes))
        x = Rows().batch("train", 20, 4, None)[0]
        losses = train_at(design, Rows(), 60 * training_flops(design, x), batch_size=4, max_lr=3e-2)
        assert losses[0] == pytest.approx(math.log(23), abs=0.8) and losses[-1] < 0.5


def test_the_training_loop_of_lesson_06_takes_them(tmp_path):
    from minigpt.data import load_data
    from minigpt.training import train

    torch.manual_seed(0)
    data = load_data("stories", stories=50)
    model = TodayGPT(replace(BASE, vocab_size=1024, block_size=128, **ALL))
    records = train(model, data, max_steps=3, warmup_steps=1, batch_size=2, optimizer="muon")
    assert len(records) == 3
    broken = TodayGPT(BASE)
    broken.lm_head.weight = nn.Parameter(broken.lm_head.weight.clone())
    with pytest.raises(ValueError, match="no longer transformer.wte.weight"):
        broken.check_tied()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(n_kv_head=3), "n_kv_head is 3; it must be a divisor of n_head=4"),
        (dict(n_kv_head=0), "n_kv_head is 0; it must be a whole number of at least 1, or None"),
        (dict(rotary=1), "rotary is 1; it must be True or False"),
        (dict(rotary=True, n_head=8), "a head has 3 channels; rotary needs an even number"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(BASE, **changes)
