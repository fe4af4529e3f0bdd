"""Two models are compared place by place, whatever they are made of, and left as they were."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.model import GPT, merge_heads, split_heads
from minigpt.verification import verify
from tests.verification.planting import (
    BLOCK,
    answer,
    attention_with,
    on_each_attention,
    on_each_block,
    on_each_mlp,
    on_features,
    reordered,
    untransposed_projection,
)


def test_a_transformers_model_is_a_reference():
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=97, n_positions=32, n_layer=2, n_head=4, n_embd=32, initializer_range=0.3
    )
    torch.manual_seed(0)
    right = transformers.GPT2LMHeadModel(config).eval()
    from minigpt.pretrained import load_weights

    wrong = GPT(GPTConfig(97, 32, n_layer=2, n_head=4, n_embd=32))
    load_weights(wrong, {name: w.clone() for name, w in right.state_dict().items()})
    assert verify(wrong, right).ok
    untransposed_projection(wrong)
    report = verify(wrong, right)
    assert report.first == f"{BLOCK}.attn.c_proj" and "untransposed" in report.cause
    untransposed_projection(wrong)
    reordered((2, 1, 0))(wrong)
    assert "order value, key, query" in verify(wrong, right).cause


def test_a_learners_model_may_lack_modules_or_flatten_what_they_see(right, wrong):
    def forward(self, x, cache=None):
        B, T, C = x.shape
        q, k, v = (split_heads(part, self.n_head) for part in self.c_attn(x).chunk(3, -1))
        return self.c_proj(merge_heads(attention_with(q, k, v)).view(B * T, C)).view(B, T, C)

    on_each_attention(wrong, forward)
    on_features(  # positions without calling wpe, an in-place sum
        wrong, lambda wte, wpe, idx: wte(idx).add_(wpe.weight[: idx.size(1)])
    )
    for block in wrong.transformer.h:
        norm = block.ln_2
        del block.ln_2
        block.ln_2 = None
        block.norm = norm

    def block_forward(self, x, cache=None):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.norm(x))

    on_each_block(wrong, block_forward)
    report = verify(wrong, right)
    assert report.ok
    not_run = [row.place for row in report.table if row.difference is None]
    assert "transformer.wpe" in not_run and f"{BLOCK} after attention" in not_run
    on_each_mlp(wrong, F.gelu)
    assert "erf" in verify(wrong, right).cause


def test_without_logits_nothing_is_proven(right, wrong):
    answer(lambda logits: {"scores": logits})(wrong)
    report = verify(wrong, right)
    assert not report.ok and "no logits" in str(report)


def test_a_reference_without_the_names_needs_ids(right):
    other = nn.Sequential(nn.Embedding(97, 8), nn.Linear(8, 97))
    with pytest.raises(ValueError, match="give idx"):
        verify(right, other)
    report = verify(right, other, torch.tensor([[1, 2, 3]]))
    assert report.first == "logits" and report.cause is None
    assert verify(other, other, torch.tensor([[1, 2, 3]])).ok


def test_both_models_are_left_as_they_were(right, wrong):
    wrong.train()
    wrong.transformer.h[1].eval()
    modes = [module.training for module in wrong.modules()]
    verify(wrong, right)
    assert [module.training for module in wrong.modules()] == modes
    assert not any(module._forward_hooks for module in wrong.modules())
    assert not any(module._forward_pre_hooks for module in wrong.modules())
    with_gradients = []
    answer(lambda logits: with_gradients.append(torch.is_grad_enabled()) or logits)(wrong)
    assert verify(wrong, right).ok and not any(with_gradients)
    answer(lambda logits: 1 / 0)(wrong)
    with pytest.raises(ZeroDivisionError):
        verify(wrong, right)
    assert [module.training for module in wrong.modules()] == modes
    assert not any(module._forward_hooks for module in wrong.modules())


def test_the_ids_may_be_given(right, wrong):
    with torch.no_grad():
        wrong.transformer.wte.weight[7] += 1
    wrong.lm_head.weight = nn.Parameter(right.lm_head.weight.clone())
    assert verify(wrong, right, torch.tensor([[1, 2, 3]])).ok
    assert verify(wrong, right, torch.tensor([[1, 7, 3]])).first == "transformer.wte"


def test_a_plain_run_is_compared_too(right, wrong):
    answer(lambda logits: logits if wrong._forward_hooks else 1.5 * logits)(wrong)
    before = [module.training for module in wrong.modules()]
    report = verify(wrong, right)
    assert not report.ok and report.first == "logits of a plain run" == report.table[-1].place
    assert all(row.ok for row in report.table[:-1]) and "no hook watches" in report.cause
    assert "Watched, both are the same" in report.message and "DIFF  logits of" in str(report)
    assert [module.training for module in wrong.modules()] == before


def test_the_fast_path_of_pytorch_may_round_otherwise():
    def blocks(activation):
        torch.manual_seed(0)
        made = dict(d_model=32, nhead=4, dim_feedforward=64, batch_first=True, norm_first=True)
        model = nn.Module()
        layers = [nn.TransformerEncoderLayer(activation=activation, **made) for _ in range(3)]
        wte, wpe, h = nn.Embedding(97, 32), nn.Embedding(32, 32), nn.ModuleList(layers)
        model.transformer = nn.ModuleDict({"wte": wte, "wpe": wpe, "h": h})
        model.lm_head = nn.Linear(32, 97, bias=False)

        def forward(idx):
            x = model.transformer.wte(idx) + model.transformer.wpe(torch.arange(idx.size(1)))
            for block in model.transformer.h:
                x = block(x)
            return model.lm_head(x)

        model.forward = forward
        return model

    report = verify(blocks(nn.GELU()), blocks(lambda h: F.gelu(h)))  # the fast path, and not
    assert report.ok, report
