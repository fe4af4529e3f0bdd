"""Known mistakes of lessons 03 to 05, in a learner's own way of writing: named all the same."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigpt.course.checking import diagnose
from minigpt.course.lessons import find
from minigpt.model import GPT, Block, CausalSelfAttention


def norm_by_powers(x, weight, bias, eps=1e-5):
    mean, power = x.mean(-1, keepdim=True), x.pow(2).mean(-1, keepdim=True)
    return weight * (x - mean) / torch.sqrt(power - mean**2 + eps) + bias


def norm_by_sums(x, weight, bias, eps=1e-5):
    C = x.size(-1)
    mean = x.sum(-1, keepdim=True) / C
    variance = torch.einsum("...c,...c->...", x, x).unsqueeze(-1) / C - mean * mean
    return weight * (x - mean) * torch.rsqrt(variance + eps) + bias


def norm_by_var(x, weight, bias, eps=1e-6):
    mean, var = x.mean(-1, keepdim=True), x.var(-1, keepdim=True)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias


def norm_like_bert(x, weight, bias, eps=1e-12):
    return F.layer_norm(x, weight.shape, weight, bias, eps)


def norm_over_axis_1(x, weight, bias, eps=1e-5):
    return weight * (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(1, keepdim=True) + eps) + bias


def weights_divided_again(q, k):
    weights = torch.softmax(q @ k.mT / math.sqrt(q.size(-1)), dim=-1).tril()
    return weights / weights.sum(-1, keepdim=True)


class Forgetful(nn.Module):
    """The layer without a look at config.bias or config.dropout."""

    def __init__(self, config):
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd)
        self.n_head = config.n_head

    def forward(self, x):
        q, k, v = (
            part.unflatten(-1, (self.n_head, -1)).transpose(1, 2)
            for part in self.c_attn(x).split(x.size(-1), dim=-1)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).flatten(-2))


class StrictlyEarlier(Forgetful):
    def __init__(self, config):
        super().__init__(config)
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x):
        B, T, C = x.shape
        heads = (B, T, self.n_head, C // self.n_head)
        q, k, v = (p.view(heads).transpose(1, 2) for p in self.c_attn(x).split(C, dim=2))
        scores = (q @ k.transpose(-2, -1)) * (C // self.n_head) ** -0.5
        hidden = torch.triu(torch.ones(T, T)) == 1
        weights = self.drop(F.softmax(scores.masked_fill(hidden, -torch.inf), dim=-1))
        y = (weights @ v).transpose(1, 2).reshape(B, T, C)
        return self.drop(self.c_proj(y))


class BendsLast(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x):
        return self.drop(nn.GELU("tanh")(self.c_proj(self.c_fc(x))))


class AddsTwice(Block):
    def forward(self, x):
        y = x + self.attn(self.ln_1(x))
        y = y + self.mlp(self.ln_2(y))
        return x + y


class DropsAlways(GPT):
    def forward(self, idx):
        x = self.transformer.wte(idx) + self.transformer.wpe(torch.arange(idx.size(1)))
        x = F.dropout(x, self.config.dropout)
        for block in self.transformer.h:
            x = block(x)
        return self.lm_head(self.transformer.ln_f(x))


class WithLoss(GPT):
    def forward(self, idx, targets=None):
        logits = super().forward(idx)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def start_of_linear_and_embedding(model):
    def start(module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)

    model.apply(start)


def start_of_matrices(model):
    for parameter in model.parameters():
        if parameter.dim() == 2:
            nn.init.xavier_uniform_(parameter)


def count_tables_and_matrices(config):
    C = config.n_embd
    return 2 * config.vocab_size * C + config.block_size * C + config.n_layer * 12 * C * C


def flops_seen_only(config, T):
    C, L = config.n_embd, config.n_layer
    return 2 * L * 12 * C * C + 2 * L * T * C


OWN = {
    "norm_by_powers": ("layer_norm", norm_by_powers, "mean-of-squares-minus-squared-mean"),
    "norm_by_sums": ("layer_norm", norm_by_sums, "mean-of-squares-minus-squared-mean"),
    "norm_like_bert": ("layer_norm", norm_like_bert, "default-epsilon-1e-12"),
    "norm_over_axis_1": ("layer_norm", norm_over_axis_1, "over-axis-1, unbiased-variance"),
    "divided_again": ("attention_weights", weights_divided_again, "masked-and-renormalised"),
    "strict": ("CausalSelfAttention", StrictlyEarlier, "strict-mask"),
    "bends_last": ("MLP", BendsLast, "bend-after-the-projection"),
    "adds_twice": ("Block", AddsTwice, "input-added-twice"),
    "drops_always": ("GPT", DropsAlways, "dropout-always"),
    "with_loss": ("GPT", WithLoss, "logits-and-loss"),
    "tables": ("count_parameters", count_tables_and_matrices, "head-twice, matrices-only"),
    "seen_only": ("flops_per_token", flops_seen_only, "head-forgotten, scores-only"),
    "first_loss": ("first_loss", 10.82, "all-equal"),
}


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("seed", (0, 7))
def test_it_is_named(own, seed):
    name, answer, mistake = OWN[own]
    diagnosis = diagnose(name, answer, seed)
    assert not diagnosis.passed and diagnosis.certain
    assert diagnosis.misconception == mistake


TWO = {
    "forgetful": ("CausalSelfAttention", Forgetful, {"bias-always", "no-dropout"}),
    "norm_by_var": ("layer_norm", norm_by_var, {"unbiased-variance", "default-epsilon-1e-06"}),
    "start": ("init_weights", start_of_linear_and_embedding, {"norms-left", "not-shrunk"}),
    "xavier": ("init_weights", start_of_matrices, {"matrices-only", "xavier-uniform, not-shrunk"}),
}


@pytest.mark.parametrize("own", TWO)
@pytest.mark.parametrize("seed", (0, 7))
def test_two_mistakes_are_both_named(own, seed):
    name, answer, mistakes = TWO[own]
    diagnosis = diagnose(name, answer, seed)
    assert not diagnosis.passed and diagnosis.certain
    assert {either[0] for either in diagnosis.misconceptions} == mistakes


def test_two_ways_to_one_number_are_both_told():
    told = diagnose("training_bytes", find("training_bytes").misconceptions[2].wrong).message
    assert "one running average" in told and "gradients are missing" in told


def test_what_dropout_does_is_said_plainly():
    class NoDropout(CausalSelfAttention):
        def __init__(self, config):
            super().__init__(config)
            self.dropout, self.resid_dropout = 0.0, nn.Identity()

    told = diagnose("CausalSelfAttention", NoDropout).difference
    assert told.endswith("no number is changed. It should be: it becomes 0 or 4 times itself.")
