"""Each known mistake is planted in a right model; `verify` must name it, and where it is."""

import copy
import math
import types

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigpt.config import GPTConfig
from minigpt.model import GPT, explicit_attention, merge_heads, split_heads
from minigpt.verification import verify

CONFIG = GPTConfig(vocab_size=97, block_size=32, n_layer=3, n_head=4, n_embd=32)
BLOCK = "transformer.h.0"


def random_model(config=CONFIG, seed=0):
    """A model in which no two weights are alike, so that no mistake can hide."""
    model = GPT(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(0, 0.2, generator=generator)
            if ".ln_" in name and name.endswith("weight"):
                weight.add_(1)
    return model.eval()


@pytest.fixture(scope="module")
def right():
    return random_model()


@pytest.fixture
def wrong(right):
    return copy.deepcopy(right)


def on_each_block(model, forward):
    for block in model.transformer.h:
        block.forward = types.MethodType(forward, block)


def on_each_attention(model, forward):
    for block in model.transformer.h:
        block.attn.forward = types.MethodType(forward, block.attn)


def on_each_mlp(model, activation):
    def forward(self, x):
        return self.c_proj(activation(self.c_fc(x)))

    for block in model.transformer.h:
        block.mlp.forward = types.MethodType(forward, block.mlp)


def on_features(model, embed):
    def features(self, idx, cache=None):
        x = embed(self.transformer.wte, self.transformer.wpe, idx)
        for block in self.transformer.h:
            x = block(x)
        return self.transformer.ln_f(x)

    model.features = types.MethodType(features, model)


# How each mistake is made, as people make it


def attention_with(q, k, v, scale=None, allowed=None, hidden=float("-inf"), axis=-1):
    T, hs = q.shape[-2:]
    scores = q @ k.mT * (hs**-0.5 if scale is None else scale)
    allowed = torch.ones(T, T).tril().bool() if allowed is None else allowed
    return scores.masked_fill(~allowed, hidden).softmax(axis) @ v


def attend(**wrongly):
    def plant(model):
        T = 17
        options = dict(wrongly)
        if "allowed" in options:
            options["allowed"] = options["allowed"](torch.ones(T, T)).bool()
        model.use_attention(lambda q, k, v, dropout: attention_with(q, k, v, **options))

    return plant


def mask_after_softmax(model):
    def attend(q, k, v, dropout):
        weights = (q @ k.mT * q.size(-1) ** -0.5).softmax(-1)
        return weights.tril() @ v

    model.use_attention(attend)


def scaled_by_width(model):
    model.use_attention(
        lambda q, k, v, dropout: attention_with(q, k, v, (q.size(1) * q.size(-1)) ** -0.5)
    )


def dropout_left_on(model):
    model.use_attention(lambda q, k, v, dropout: explicit_attention(q, k, v, 0.1))


def parts_taken_as(order):
    def plant(model):
        model.use_attention(lambda q, k, v, dropout: attention_with(*[(q, k, v)[i] for i in order]))

    return plant


def heads_by(split, merge):
    def plant(model):
        def forward(self, x, cache=None):
            q, k, v = (split(part, self.n_head) for part in self.c_attn(x).chunk(3, -1))
            return self.c_proj(merge(attention_with(q, k, v)))

        on_each_attention(model, forward)

    return plant


def split_unturned(x, n_head):
    B, T, C = x.shape
    return x.reshape(B, n_head, T, C // n_head)


def merge_unturned(y):
    B, nh, T, hs = y.shape
    return y.reshape(B, T, nh * hs)


def split_apart(x, n_head):
    B, T, C = x.shape
    return x.reshape(B, T, C // n_head, n_head).permute(0, 3, 1, 2)


def merge_apart(y):
    return y.permute(0, 2, 3, 1).flatten(-2)


def other_number_of_heads(model):
    for block in model.transformer.h:
        block.attn.n_head = 2


def untransposed_projection(model):
    for block in model.transformer.h:
        block.attn.c_proj.weight = nn.Parameter(block.attn.c_proj.weight.t().contiguous())


def reshaped_instead_of_transposed(model):
    for block in model.transformer.h:
        weight = block.mlp.c_fc.weight
        block.mlp.c_fc.weight = nn.Parameter(weight.t().reshape(weight.shape))


def untransposed_in_thirds(model):
    for block in model.transformer.h:
        thirds = block.attn.c_attn.weight.chunk(3)
        block.attn.c_attn.weight = nn.Parameter(torch.cat([part.t() for part in thirds]))


def reordered(order):
    def plant(model):
        for block in model.transformer.h:
            linear = block.attn.c_attn
            for name in ("weight", "bias"):
                thirds = getattr(linear, name).chunk(3)
                setattr(linear, name, nn.Parameter(torch.cat([thirds[i] for i in order])))

    return plant


def interleaved(model):
    for block in model.transformer.h:
        linear = block.attn.c_attn
        for name in ("weight", "bias"):
            rows = getattr(linear, name).unflatten(0, (3, CONFIG.n_head, -1))
            setattr(linear, name, nn.Parameter(rows.transpose(0, 1).flatten(0, 2)))


def without_bias(path):
    return lambda model: nn.init.zeros_(model.get_submodule(path).bias)


def doubled_bias(model):
    with torch.no_grad():
        model.transformer.h[0].mlp.c_proj.bias.mul_(2)


def weights_of_another_layer(model):
    blocks = model.transformer.h
    blocks[1].load_state_dict(blocks[2].state_dict())


def swapped_norms(model):
    for block in model.transformer.h:
        block.ln_1, block.ln_2 = block.ln_2, block.ln_1


def shared_norm(model):
    for block in model.transformer.h:
        block.ln_2 = block.ln_1


def norm_by(compute, names=("ln_1", "ln_2")):
    def plant(model):
        for block in model.transformer.h:
            for name in names:
                norm = getattr(block, name)
                norm.forward = types.MethodType(compute, norm)

    return plant


def unbiased(self, x):
    variance = x.var(-1, keepdim=True)
    return (x - x.mean(-1, keepdim=True)) / (variance + self.eps).sqrt() * self.weight + self.bias


def epsilon_beside(self, x):
    deviation = x.std(-1, keepdim=True, correction=0)
    return (x - x.mean(-1, keepdim=True)) / (deviation + self.eps) * self.weight + self.bias


def root_mean_square(self, x):
    return x / (x.square().mean(-1, keepdim=True) + self.eps).sqrt() * self.weight + self.bias


def over(axis):
    def compute(self, x):
        variance, mean = torch.var_mean(x, axis, correction=0, keepdim=True)
        return (x - mean) / (variance + self.eps).sqrt() * self.weight + self.bias

    return compute


def eps(value):
    def plant(model):
        for module in model.modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = value

    return plant


def never_loaded_norms(model):
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.reset_parameters()


def missing(name):
    def plant(model):
        for block in model.transformer.h:
            setattr(block, name, nn.Identity())

    return plant


def missing_last_norm(model):
    model.transformer.ln_f = nn.Identity()


def fewer_blocks(model):
    del model.transformer.h[2]


def post_norm(model):
    def forward(self, x, cache=None):
        x = self.ln_1(x + self.attn(x))
        return self.ln_2(x + self.mlp(x))

    on_each_block(model, forward)


def block_that(forward):
    return lambda model: on_each_block(model, forward)


def no_first_residual(self, x, cache=None):
    x = self.attn(self.ln_1(x))
    return x + self.mlp(self.ln_2(x))


def no_second_residual(self, x, cache=None):
    x = x + self.attn(self.ln_1(x))
    return self.mlp(self.ln_2(x))


def residual_from_the_norm(self, x, cache=None):
    x = self.ln_1(x)
    x = x + self.attn(x)
    return x + self.mlp(self.ln_2(x))


def second_residual_from_the_norm(self, x, cache=None):
    x = x + self.attn(self.ln_1(x))
    x = self.ln_2(x)
    return x + self.mlp(x)


def attention_is_lost(self, x, cache=None):
    self.attn(self.ln_1(x))
    return x + self.mlp(self.ln_2(x))


def attention_is_lost_at_the_end(self, x, cache=None):
    return x + self.mlp(self.ln_2(x + self.attn(self.ln_1(x))))


def embeddings_by(embed):
    return lambda model: on_features(model, embed)


def positions(idx, first=0):
    return torch.arange(first, first + idx.size(1))


def scale_of(table):
    return math.sqrt(table.embedding_dim)


def untied(model):
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn(model.lm_head.weight.shape, generator=generator)
    model.lm_head.weight = nn.Parameter(weight)


def answer(change):
    def plant(model):
        model.forward = types.MethodType(
            lambda self, idx, cache=None: change(self.lm_head(self.features(idx))), model
        )

    return plant


def tril(diagonal):
    return lambda ones: ones.tril(diagonal)


def triu(diagonal):
    return lambda ones: ones.triu(diagonal)


ATTN, MLP, SUM = f"{BLOCK}.attn", f"{BLOCK}.mlp", "transformer.wte + wpe"
MISTAKES = {
    "unscaled": (attend(scale=1.0), ATTN, "not divided by sqrt(head size)"),
    "scaled by width": (scaled_by_width, ATTN, "divided by sqrt(width)"),
    "scaled by head size": (attend(scale=1 / 8), ATTN, "divided by the head size"),
    "softmax over queries": (attend(axis=-2), ATTN, "softmax runs over the queries"),
    "no mask": (attend(allowed=tril(16)), ATTN, "no causal mask"),
    "strict mask": (attend(allowed=tril(-1)), ATTN, "off by one: no position may see itself"),
    "strict finite mask": (
        attend(allowed=tril(-1), hidden=-1e10),
        ATTN,
        "off by one: no position may see itself",
    ),
    "mask one ahead": (attend(allowed=tril(1)), ATTN, "off by one: the next token is visible"),
    "upper mask": (attend(allowed=triu(0)), ATTN, "upside down: only itself and the future"),
    "inverted mask": (attend(allowed=triu(1)), ATTN, "upside down: only the future"),
    "mask with 0": (attend(hidden=0.0), ATTN, "set to 0, not to -inf"),
    "mask after softmax": (mask_after_softmax, ATTN, "after the softmax"),
    "q and k exchanged": (parts_taken_as((1, 0, 2)), ATTN, "taken as key, query, value"),
    "k and v exchanged": (parts_taken_as((0, 2, 1)), ATTN, "taken as query, value, key"),
    "merge unturned": (
        heads_by(split_heads, merge_unturned),
        ATTN,
        "merged without transposing them back",
    ),
    "split unturned": (
        heads_by(split_unturned, merge_heads),
        ATTN,
        "heads are split without transposing",
    ),
    "split and merge unturned": (
        heads_by(split_unturned, merge_unturned),
        ATTN,
        "split and merged without transposing",
    ),
    "split on the wrong axis": (
        heads_by(split_apart, merge_heads),
        ATTN,
        "heads are split on the wrong axis",
    ),
    "both on the wrong axis": (
        heads_by(split_apart, merge_apart),
        ATTN,
        "split and merged on the wrong axis",
    ),
    "2 heads": (other_number_of_heads, ATTN, "there are 2 heads, not 4"),
    "dropout left on": (dropout_left_on, ATTN, "dropout is active in evaluation"),
    "untransposed c_proj": (untransposed_projection, f"{ATTN}.c_proj", "untransposed"),
    "reshaped c_fc": (reshaped_instead_of_transposed, f"{MLP}.c_fc", "untransposed"),
    "untransposed thirds": (untransposed_in_thirds, f"{ATTN}.c_attn", "untransposed: each of"),
    "order k, q, v": (reordered((1, 0, 2)), f"{ATTN}.c_attn", "order key, query, value"),
    "order v, q, k": (reordered((2, 0, 1)), f"{ATTN}.c_attn", "order value, query, key"),
    "interleaved": (interleaved, f"{ATTN}.c_attn", "interleaved"),
    "c_attn without bias": (without_bias(f"{ATTN}.c_attn"), f"{ATTN}.c_attn", "bias is missing"),
    "c_proj without bias": (without_bias(f"{MLP}.c_proj"), f"{MLP}.c_proj", "bias is missing"),
    "bias twice": (doubled_bias, f"{MLP}.c_proj", "bias is added twice"),
    "another layer": (
        weights_of_another_layer,
        "transformer.h.1.ln_1",
        "the weights of transformer.h.2.ln_1",
    ),
    "norms swapped": (swapped_norms, f"{BLOCK}.ln_1", "the weights of transformer.h.0.ln_2"),
    "norm shared": (shared_norm, f"{BLOCK}.ln_2", "the weights of transformer.h.0.ln_1"),
    "unbiased": (norm_by(unbiased), f"{BLOCK}.ln_1", "unbiased variance"),
    "epsilon beside": (norm_by(epsilon_beside), f"{BLOCK}.ln_1", "added to the standard deviation"),
    "RMSNorm": (norm_by(root_mean_square), f"{BLOCK}.ln_1", "RMSNorm"),
    "norm over time": (norm_by(over(1)), f"{BLOCK}.ln_1", "over time"),
    "norm over batch": (norm_by(over(0)), f"{BLOCK}.ln_1", "over the batch"),
    "only ln_2 wrong": (norm_by(unbiased, ["ln_2"]), f"{BLOCK}.ln_2", "unbiased variance"),
    "epsilon 1e-3": (eps(1e-3), f"{BLOCK}.ln_1", "epsilon is 0.001"),
    "norms never loaded": (never_loaded_norms, f"{BLOCK}.ln_1", "were not loaded"),
    "norm without bias": (without_bias(f"{BLOCK}.ln_1"), f"{BLOCK}.ln_1", "bias is missing"),
    "norm without weight": (
        lambda model: nn.init.ones_(model.transformer.h[0].ln_1.weight),
        f"{BLOCK}.ln_1",
        "weight is missing",
    ),
    "ln_1 missing": (missing("ln_1"), f"{BLOCK}.ln_1", "is missing"),
    "ln_2 missing": (missing("ln_2"), f"{BLOCK}.ln_2", "is missing"),
    "ln_f missing": (missing_last_norm, "transformer.ln_f", "LayerNorm is missing"),
    "block missing": (fewer_blocks, "transformer.ln_f", "blocks after transformer.h.1 are not run"),
    "post-norm": (post_norm, f"{BLOCK}.ln_1", "post-norm"),
    "no first residual": (
        block_that(no_first_residual),
        f"{BLOCK} after attention",
        "the residual is missing",
    ),
    "no second residual": (block_that(no_second_residual), BLOCK, "the residual is missing"),
    "residual from ln_1": (
        block_that(residual_from_the_norm),
        f"{BLOCK} after attention",
        "to the normalised input",
    ),
    "residual from ln_2": (
        block_that(second_residual_from_the_norm),
        BLOCK,
        "to the normalised input",
    ),
    "attention lost": (block_that(attention_is_lost), f"{BLOCK} after attention", "is not added"),
    "attention lost at the end": (
        block_that(attention_is_lost_at_the_end),
        BLOCK,
        "attention's part of the stream is lost",
    ),
    "exact GELU": (lambda model: on_each_mlp(model, F.gelu), MLP, "exact (erf)"),
    "ReLU": (lambda model: on_each_mlp(model, F.relu), MLP, "ReLU"),
    "SiLU": (lambda model: on_each_mlp(model, F.silu), MLP, "SiLU"),
    "sigmoid GELU": (
        lambda model: on_each_mlp(model, lambda h: h * torch.sigmoid(1.702 * h)),
        MLP,
        "sigmoid form",
    ),
    "no activation": (lambda model: on_each_mlp(model, lambda h: h), MLP, "activation is missing"),
    "no positions": (embeddings_by(lambda wte, wpe, idx: wte(idx)), SUM, "not added"),
    "the same position": (
        embeddings_by(lambda wte, wpe, idx: wte(idx) + wpe(positions(idx) * 0 + 3)),
        "transformer.wpe",
        "every position gets the same",
    ),
    "positions from 1": (
        embeddings_by(lambda wte, wpe, idx: wte(idx) + wpe(positions(idx, 1))),
        "transformer.wpe",
        "start at 1",
    ),
    "positions from 1, by hand": (
        embeddings_by(lambda wte, wpe, idx: wte(idx) + wpe.weight[1 : idx.size(1) + 1]),
        SUM,
        "start at 1",
    ),
    "first position twice": (
        embeddings_by(lambda wte, wpe, idx: wte(idx) + wpe(positions(idx, -1).clamp(min=0))),
        "transformer.wpe",
        "the first is used twice",
    ),
    "positions backwards": (
        embeddings_by(lambda wte, wpe, idx: wte(idx) + wpe(positions(idx).flip(0))),
        "transformer.wpe",
        "backwards",
    ),
    "tokens scaled in the table": (
        lambda model: model.transformer.wte.register_forward_hook(
            lambda wte, ids, out: out * scale_of(wte)
        ),
        "transformer.wte",
        "token embeddings are scaled",
    ),
    "tokens scaled": (
        embeddings_by(lambda wte, wpe, idx: wte(idx) * scale_of(wte) + wpe(positions(idx))),
        SUM,
        "token embeddings are scaled by sqrt(width)",
    ),
    "sum scaled": (
        embeddings_by(lambda wte, wpe, idx: (wte(idx) + wpe(positions(idx))) * scale_of(wte)),
        SUM,
        "the sum is scaled by sqrt(width)",
    ),
    "rounded weights": (lambda model: model.bfloat16().float(), "transformer.wte", "rounded to"),
    "untied head": (untied, "lm_head", "not tied"),
    "softmax in the model": (answer(lambda x: x.softmax(-1)), "logits", "probabilities"),
    "log_softmax in the model": (answer(lambda x: x.log_softmax(-1)), "logits", "log-prob"),
    "scaled logits": (
        lambda model: model.lm_head.register_forward_hook(lambda head, x, out: out / 32**0.5),
        "lm_head",
        "scaled by 1/sqrt(width)",
    ),
    "last position only": (answer(lambda x: x[:, -1]), "logits", "last position only"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_named_where_it_is(name, right, wrong):
    plant, place, words = MISTAKES[name]
    plant(wrong)
    report = verify(wrong, right)
    assert not report.ok
    assert report.first == place
    assert report.cause and words in report.cause
    assert place in str(report) and words in str(report)


@pytest.mark.parametrize(
    ("value", "size", "words"),
    [
        (1e-6, 0.1, "epsilon is 1e-06"),
        (0.0, 0.1, "far too small"),
        (0.0, 1.0, "far too small"),  # 1e-6 would do here too, but not as well
    ],
)
def test_a_small_epsilon_shows_where_the_variance_is_small(value, size, words):
    right = random_model()
    with torch.no_grad():  # as in GPT-2, whose embeddings are small
        right.transformer.wte.weight.mul_(size)
        right.transformer.wpe.weight.mul_(size)
    wrong = copy.deepcopy(right)
    eps(value)(wrong)
    report = verify(wrong, right)
    assert report.first == f"{BLOCK}.ln_1" and words in report.cause


def test_two_mistakes_are_met_one_after_the_other(right):
    wrong = copy.deepcopy(right)
    missing_last_norm(wrong)
    on_each_mlp(wrong, F.relu)
    assert "ReLU" in verify(wrong, right).cause
    wrong = copy.deepcopy(right)
    missing_last_norm(wrong)
    assert verify(wrong, right).first == "transformer.ln_f"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bias", [True, False])
def test_equal_models_agree_everywhere(seed, bias):
    config = GPTConfig(101, 40, n_layer=4, n_head=3, n_embd=24, bias=bias)
    right = random_model(config, seed)
    other = copy.deepcopy(right)
    other.use_attention(explicit_attention)  # the same in another order of rounding
    report = verify(other, right)
    assert report.ok and report.first is None and report.cause is None
    assert len(report.table) == 3 + 10 * 4 + 3 and all(row.ok for row in report.table)


def test_an_unknown_mistake_is_called_unknown(right, wrong):
    with torch.no_grad():
        wrong.transformer.h[1].mlp.c_fc.weight[3, 4] += 1.0
    report = verify(wrong, right)
    assert not report.ok and report.first == "transformer.h.1.mlp.c_fc" and report.cause is None
    assert "No known mistake" in str(report) and "weights are not the same" in str(report)
    wrong = copy.deepcopy(right)
    on_each_mlp(wrong, torch.sin)
    assert verify(wrong, right).cause is None


def test_a_mistake_that_is_only_nearly_a_known_one_is_not_called_that(right, wrong):
    attend(scale=1.0005)(wrong)
    report = verify(wrong, right)
    assert report.first == ATTN and report.cause is None


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


def test_nan_is_a_difference(right, wrong):
    with torch.no_grad():
        wrong.transformer.h[1].ln_1.weight[0] = math.nan
    report = verify(wrong, right)
    assert not report.ok and report.first == "transformer.h.1.ln_1" and "NaN" in str(report)


def test_a_model_of_another_size_is_a_difference(right):
    for sizes in ({"n_embd": 40}, {"vocab_size": 98}, {"n_layer": 2}, {"n_layer": 4}):
        other = random_model(GPTConfig(**({**vars(CONFIG)} | sizes)))
        report = verify(other, right)
        assert not report.ok and report.first and str(report)


def test_another_shape_is_a_difference(right, wrong):
    answer(lambda logits: logits[:, :5])(wrong)
    report = verify(wrong, right)
    assert report.first == "logits" and "shape is (2, 5, 97), the reference's (2, 17, 97)" in str(
        report
    )


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


def test_dropout_of_a_model_in_training_mode_is_no_difference(right):
    model = random_model(GPTConfig(97, 32, n_layer=3, n_head=4, n_embd=32, dropout=0.5)).train()
    assert verify(model, right).ok and model.training


def test_the_ids_may_be_given(right, wrong):
    with torch.no_grad():
        wrong.transformer.wte.weight[7] += 1
    wrong.lm_head.weight = nn.Parameter(right.lm_head.weight.clone())
    assert verify(wrong, right, torch.tensor([[1, 2, 3]])).ok
    assert verify(wrong, right, torch.tensor([[1, 7, 3]])).first == "transformer.wte"


def test_a_looser_tolerance_accepts_bfloat16(right):
    rounded = copy.deepcopy(right).bfloat16()
    assert "bfloat16" in verify(rounded, right).cause
    assert verify(rounded, right, tolerance=0.05).ok
