"""The mistakes that people make in a GPT-2, each as they make it, to be planted in a right one."""

import math
import types

import torch
from torch import nn

from minigpt.config import GPTConfig
from minigpt.model import explicit_attention

CONFIG = GPTConfig(vocab_size=97, block_size=32, n_layer=3, n_head=4, n_embd=32)
BLOCK = "transformer.h.0"


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
