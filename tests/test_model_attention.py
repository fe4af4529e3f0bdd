"""Attention against PyTorch's own, and the slow obvious version of itself."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from minigpt.model import (
    GPT,
    CausalSelfAttention,
    attention_pattern,
    causal_mask,
    explicit_attention,
    fused_attention,
    merge_heads,
    split_heads,
)
from tests.models import ATTENTIONS, TINY, lively, some_ids


def some_qkv(T: int, S: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(2, 3, T, 8, generator=generator)
    k, v = torch.randn(2, 2, 3, S, 8, generator=generator)
    return q, k, v


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
