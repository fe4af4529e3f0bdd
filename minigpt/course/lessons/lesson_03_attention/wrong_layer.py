"""The wrong answers that people give when they write lesson 03's layer, CausalSelfAttention."""

from __future__ import annotations

import math

from torch import nn
from torch.nn import functional as F

from minigpt.course.exercise.definition import Misconception
from minigpt.course.lessons.lesson_03_attention.wrong_attention import (
    HIDING_ZEROS,
    MASK_AFTER,
    OVER_QUERIES,
    UNSCALED,
    by_head_size,
    hiding_zeros,
    mask_after,
    merged_as_it_lies,
    over_queries,
    unmasked,
    unscaled,
)
from minigpt.model import attention_pattern, merge_heads, split_heads

# --- CausalSelfAttention ---


class Layer(nn.Module):
    """The layer in small steps, so that a misconception can do one of them differently."""

    always_bias = False

    def __init__(self, config):
        super().__init__()
        C, bias = config.n_embd, config.bias or self.always_bias
        self.c_attn = nn.Linear(C, 3 * C, bias=bias)
        self.c_proj = nn.Linear(C, C, bias=bias)
        self.drop_weights = nn.Dropout(config.dropout)
        self.drop_mixed = nn.Identity()
        self.drop_result = nn.Dropout(config.dropout)
        self.n_head, self.dropout = config.n_head, config.dropout

    def forward(self, x):
        q, k, v = (self.split(part) for part in self.cut(self.c_attn(x)))
        y = self.drop_mixed(self.merge(self.drop_weights(self.pattern(q, k)) @ v))
        return self.drop_result(self.project(y))

    def cut(self, qkv):
        return qkv.chunk(3, dim=-1)

    def split(self, part):
        return split_heads(part, self.n_head)

    def pattern(self, q, k):
        return attention_pattern(q, k)

    def merge(self, y):
        return merge_heads(y)

    def project(self, y):
        return self.c_proj(y)


class KeyFirst(Layer):
    def cut(self, qkv):
        k, q, v = qkv.chunk(3, dim=-1)
        return q, k, v


class ValueFirst(Layer):
    def cut(self, qkv):
        v, q, k = qkv.chunk(3, dim=-1)
        return q, k, v


class ValueSecond(Layer):
    def cut(self, qkv):
        q, v, k = qkv.chunk(3, dim=-1)
        return q, k, v


class ReshapedAtOnce(Layer):
    def split(self, part):
        B, T, _ = part.shape
        return part.reshape(B, self.n_head, T, -1)


class EveryNthChannel(Layer):
    def split(self, part):
        return part.unflatten(-1, (-1, self.n_head)).permute(0, 3, 1, 2)


class ByHeadSize(Layer):
    def pattern(self, q, k):
        return by_head_size(q, k)


class OverQueries(Layer):
    def pattern(self, q, k):
        return over_queries(q, k)


class HidingZeros(Layer):
    def pattern(self, q, k):
        return hiding_zeros(q, k)


class ThreePerHead(Layer):
    def cut(self, qkv):
        per_head = qkv.unflatten(-1, (self.n_head, 3, -1))
        return [per_head[..., i, :].flatten(-2) for i in range(3)]


class ByWidth(Layer):
    def pattern(self, q, k):
        return attention_pattern(q / math.sqrt(self.n_head), k)


class Unscaled(Layer):
    def pattern(self, q, k):
        return unscaled(q, k)


class Unmasked(Layer):
    def pattern(self, q, k):
        return unmasked(q, k)


class MaskAfter(Layer):
    def pattern(self, q, k):
        return mask_after(q, k)


class OneHead(Layer):
    def __init__(self, config):
        super().__init__(config)
        self.n_head = 1


class MergedAsItLies(Layer):
    def merge(self, y):
        return merged_as_it_lies(y)


class NoProjection(Layer):
    def project(self, y):
        return y


class AddsInput(Layer):
    def forward(self, x):
        return x + super().forward(x)


class AlwaysBias(Layer):
    always_bias = True


class NoDropout(Layer):
    def __init__(self, config):
        super().__init__(config)
        self.drop_weights = self.drop_result = nn.Identity()


class OnlyOnWeights(Layer):
    def __init__(self, config):
        super().__init__(config)
        self.drop_result = nn.Identity()


class OnlyOnResult(Layer):
    def __init__(self, config):
        super().__init__(config)
        self.drop_weights = nn.Identity()


class BeforeProjection(Layer):
    def __init__(self, config):
        super().__init__(config)
        self.drop_mixed, self.drop_weights = nn.Dropout(config.dropout), nn.Identity()


class ResultDropsEarly(Layer):
    def __init__(self, config):
        super().__init__(config)
        self.drop_mixed, self.drop_result = nn.Dropout(config.dropout), nn.Identity()


class AlwaysDrops(Layer):
    def pattern(self, q, k):
        return F.dropout(attention_pattern(q, k), self.dropout, training=True)

    def __init__(self, config):
        super().__init__(config)
        self.drop_weights = nn.Identity()


class ThreeLayers(nn.Module):
    def __init__(self, config):
        super().__init__()
        C = config.n_embd
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(C, C, bias=config.bias) for _ in range(4)
        )


MERGE_FIRST = (
    "The heads are merged as they lie in memory, without swapping the head axis back behind time. "
    "So rows mix several words, and the first words get channels of later ones. "
    "merge_heads knows how."
)

CAUSAL_SELF_ATTENTION = (
    Misconception(
        "key-before-query",
        "You take the first third of c_attn as the key and the second as the query. The "
        "checkpoint's order is query, key, value.",
        KeyFirst,
    ),
    Misconception(
        "value-first",
        "You take the first third of c_attn as the value. The checkpoint's order is query, key, "
        "value.",
        ValueFirst,
    ),
    Misconception(
        "value-before-key",
        "You take the second third of c_attn as the value and the last as the key. The "
        "checkpoint's order is query, key, value.",
        ValueSecond,
    ),
    Misconception(
        "heads-reshaped-at-once",
        "You reshape (B, T, C) to (B, nh, T, hs) in one step. The shape fits, but time is cut into "
        "pieces, and words mix. Cut the channels first, (B, T, nh, hs), then swap axes 1 and 2.",
        ReshapedAtOnce,
    ),
    Misconception(
        "every-nth-channel",
        "You deal the channels out to the heads in turn. Head 0 gets the first hs channels, head 1 "
        "the next hs: cut C into (nh, hs), in this order.",
        EveryNthChannel,
    ),
    Misconception(
        "scale-without-root",
        "You divide by the head size itself. It is the root of the head size.",
        ByHeadSize,
    ),
    Misconception("softmax-over-queries", OVER_QUERIES, OverQueries),
    Misconception("zero-scores-hidden", HIDING_ZEROS, HidingZeros),
    Misconception(
        "cut-into-heads-first",
        "You cut c_attn's channels into heads first, and each head into query, key and value. In "
        "GPT-2's weights it is the other way round: three thirds, then heads in each.",
        ThreePerHead,
    ),
    Misconception(
        "scale-by-width",
        "The scores are divided by the root of the whole width C. A score is a sum over the "
        "channels of *one head*: use the head size.",
        ByWidth,
    ),
    Misconception("no-scale", UNSCALED, Unscaled),
    Misconception(
        "no-mask",
        "Your layer sees the future: change the last word and the first word's answer moves. The "
        "causal mask is missing.",
        Unmasked,
    ),
    Misconception("mask-after-softmax", MASK_AFTER, MaskAfter),
    Misconception(
        "one-head",
        "You treat all the channels as one head. Cut q, k and v into config.n_head heads before "
        "attending.",
        OneHead,
    ),
    Misconception("merged-without-transposing", MERGE_FIRST, MergedAsItLies),
    Misconception(
        "no-projection",
        "The heads' answers are returned as they are. c_proj exists but is never used: it should "
        "mix them at the end.",
        NoProjection,
    ),
    Misconception(
        "input-added",
        "You add the input to the result. That is the block's affair, in lesson 04; the layer "
        "returns only what it made.",
        AddsInput,
    ),
    Misconception(
        "bias-always",
        "With config.bias=False the linear layers should have no bias. Yours always have one.",
        AlwaysBias,
    ),
    Misconception(
        "separate-layers",
        "You have a layer each for query, key and value. That can work as well, but the "
        "checkpoint's weights lie in one, c_attn, three times as wide, and the last is called "
        "c_proj.",
        ThreeLayers,
    ),
    Misconception(
        "no-dropout",
        "Right without dropout. But config.dropout is never used: in training it acts on the "
        "attention weights and on the result.",
        NoDropout,
    ),
    Misconception(
        "no-dropout-on-result",
        "One dropout is missing: the one at the end, after c_proj.",
        OnlyOnWeights,
    ),
    Misconception(
        "no-dropout-on-weights",
        "One dropout is missing: the one on the attention weights, between softmax and values.",
        OnlyOnResult,
    ),
    Misconception(
        "dropout-on-answers",
        "Your first dropout acts on the heads' answers. It belongs on the attention weights, "
        "before they meet the values: a word drops a whole look, not single channels.",
        BeforeProjection,
    ),
    Misconception(
        "dropout-before-projection",
        "Your second dropout acts before c_proj. It belongs after it, on the result.",
        ResultDropsEarly,
    ),
    Misconception(
        "dropout-in-evaluation",
        "Dropout is still at work after .eval(): the same input gives another result each time. "
        "F.dropout needs training=self.training; nn.Dropout knows by itself.",
        AlwaysDrops,
    ),
)

# --- MendedAttention ---


class Untouched(ByWidth):
    def merge(self, y):
        return merged_as_it_lies(y)


MEND_ATTENTION = (
    Misconception(
        "untouched",
        "Not written yet: this is still the broken version. It has two mistakes.",
        Untouched,
    ),
    Misconception(
        "scale-still-wrong",
        "One found, one left: look at the number that the scores are divided by. How many products "
        "are summed up in one score?",
        ByWidth,
    ),
    Misconception(
        "merge-still-wrong",
        "One found, one left: follow the axes at the end. What is the order of the axes just "
        "before the heads are merged, and what should it be?",
        MergedAsItLies,
    ),
    Misconception(
        "scale-without-root",
        "Nearly: it is the *root* of the head size.",
        ByHeadSize,
    ),
    Misconception(
        "no-scale",
        "The division by the wrong number is gone, but so is the division. The scores need the "
        "root of the head size.",
        Unscaled,
    ),
)
