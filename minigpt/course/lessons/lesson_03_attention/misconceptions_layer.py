"""The wrong answers that people give when they write lesson 03's layer, CausalSelfAttention."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import nn
from torch.nn import functional as F

from minigpt.course.exercise.mistakes import changed
from minigpt.course.lessons.lesson_03_attention.misconceptions_attention import (
    ATTENTION_WEIGHTS,
    MERGE_HEADS,
    by_head_size,
    every_nth_channel,
    merged_as_it_lies,
    reshaped_at_once,
    unscaled,
)
from minigpt.model import attention_pattern, causal_mask, merge_heads, split_heads

# --- CausalSelfAttention ---


class Layer(nn.Module):
    """The layer in small steps, so that a misconception can do one of them differently."""

    always_bias = False
    rate = None  # of the dropout, if it is not config.dropout
    thirds = "qkv"  # in which order they lie in c_attn
    dropped = ("weights", "result")
    pattern = staticmethod(attention_pattern)
    merge = staticmethod(merge_heads)

    def __init__(self, config):
        super().__init__()
        C, bias = config.n_embd, config.bias or self.always_bias
        self.c_attn = nn.Linear(C, 3 * C, bias=bias)
        self.c_proj = nn.Linear(C, C, bias=bias)
        self.n_head = config.n_head
        self.dropout = config.dropout if self.rate is None else self.rate

    def forward(self, x):
        q, k, v = (self.split(part) for part in self.cut(self.c_attn(x)))
        y = self.merge(self.drop("weights", self.pattern(q, k)) @ v)
        return self.drop("result", self.project(self.drop("answers", y)))

    def cut(self, qkv):
        named = dict(zip(self.thirds, qkv.chunk(3, dim=-1)))
        return [named[name] for name in "qkv"]

    def split(self, part):
        return split_heads(part, self.n_head)

    def drop(self, what, x):
        return F.dropout(x, self.dropout, self.training) if what in self.dropped else x

    def project(self, y):
        return self.c_proj(y)


def three_per_head(layer, qkv):
    per_head = qkv.unflatten(-1, (layer.n_head, 3, -1))
    return [per_head[..., i, :].flatten(-2) for i in range(3)]


class ByWidth(Layer):
    def pattern(self, q, k):
        return attention_pattern(q / math.sqrt(self.n_head), k)


class MaskNotCut(Layer):
    def __init__(self, config):
        super().__init__(config)
        self.allowed = causal_mask(config.block_size, config.block_size)

    def pattern(self, q, k):
        scores = q @ k.mT / math.sqrt(q.size(-1))
        return scores.masked_fill(~self.allowed, -math.inf).softmax(dim=-1)


class PatternToo(Layer):
    def forward(self, x):
        q, k, _ = (self.split(part) for part in self.cut(self.c_attn(x)))
        return super().forward(x), self.pattern(q, k)


class DropsScores(Layer):
    dropped = ("result",)

    def pattern(self, q, k):
        scores = q @ k.mT / math.sqrt(q.size(-1))
        allowed = causal_mask(q.size(-2), q.size(-2))
        scores = F.dropout(scores, self.dropout, self.training)
        return scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)


class AlwaysDrops(Layer):
    dropped = ("result",)

    def pattern(self, q, k):
        return F.dropout(attention_pattern(q, k), self.dropout, training=True)


def with_pattern(pattern):
    return changed(Layer, pattern=staticmethod(pattern))


class NeverBias(Layer):
    def __init__(self, config):
        super().__init__(replace(config, bias=False))


class ProjectionBias(Layer):
    def __init__(self, config):
        super().__init__(config)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd)


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

CAUSAL_SELF_ATTENTION = {
    "key-before-query": (
        "You take the first third of c_attn as the key and the second as the query. The "
        "checkpoint's order is query, key, value.",
        changed(Layer, thirds="kqv"),
    ),
    "value-first": (
        "You take the first third of c_attn as the value. The checkpoint's order is query, key, "
        "value.",
        changed(Layer, thirds="vqk"),
    ),
    "value-before-key": (
        "You take the second third of c_attn as the value and the last as the key. The "
        "checkpoint's order is query, key, value.",
        changed(Layer, thirds="qvk"),
    ),
    "heads-reshaped-at-once": (
        "You reshape (B, T, C) to (B, nh, T, hs) in one step. The shape fits, but time is cut into "
        "pieces, and words mix. Cut the channels first, (B, T, nh, hs), then swap axes 1 and 2.",
        changed(Layer, split=lambda self, part: reshaped_at_once(part, self.n_head)),
    ),
    "every-nth-channel": (
        "You deal the channels out to the heads in turn. Head 0 gets the first hs channels, head 1 "
        "the next hs: cut C into (nh, hs), in this order.",
        changed(Layer, split=lambda self, part: every_nth_channel(part, self.n_head)),
    ),
    "cut-into-heads-first": (
        "You cut c_attn's channels into heads first, and each head into query, key and value. In "
        "GPT-2's weights it is the other way round: three thirds, then heads in each.",
        changed(Layer, cut=three_per_head),
    ),
    "scale-by-width": (
        "The scores are divided by the root of the whole width C. A score is a sum over the "
        "channels of *one head*: use the head size.",
        ByWidth,
    ),
    **{
        name: (message, with_pattern(pattern))
        for name, (message, pattern) in ATTENTION_WEIGHTS.items()
        if name != "swapped"  # that is key-before-query
    },
    "mask-not-cut": (
        "Your mask has the size of the context, and the scores have the size of the text. Take "
        "the first T rows and columns of it: a text may be shorter than block_size.",
        MaskNotCut,
    ),
    "pattern-too": (
        "You return the pattern as well. The next layer takes one tensor, (B, T, C): return that "
        "alone.",
        PatternToo,
    ),
    "one-head": (
        "You treat all the channels as one head. Cut q, k and v into config.n_head heads before "
        "attending.",
        changed(Layer, split=lambda self, part: split_heads(part, 1)),
    ),
    "merged-without-transposing": (
        MERGE_FIRST,
        changed(Layer, merge=staticmethod(merged_as_it_lies)),
    ),
    "no-projection": (
        "The heads' answers are returned as they are. c_proj exists but is never used: it should "
        "mix them at the end.",
        changed(Layer, project=lambda self, y: y),
    ),
    "input-added": (
        "You add the input to the result. That is the block's affair, in lesson 04; the layer "
        "returns only what it made.",
        changed(Layer, forward=lambda self, x: x + Layer.forward(self, x)),
    ),
    "bias-always": (
        "With config.bias=False the linear layers should have no bias. Yours always have one.",
        changed(Layer, always_bias=True),
    ),
    "bias-always, no-dropout": (
        "Two settings are not used. With config.bias=False the linear layers have no bias; yours "
        "always have one. And config.dropout acts in training, on the weights and on the result.",
        changed(Layer, always_bias=True, dropped=()),
    ),
    "bias-never": (
        "Your linear layers never have a bias. config.bias says whether they do; in GPT-2 they do.",
        NeverBias,
    ),
    "bias-for-c-attn-only": (
        "config.bias holds for both linear layers. Your c_proj has one even where c_attn has none.",
        ProjectionBias,
    ),
    "separate-layers": (
        "You have a layer each for query, key and value. That can work as well, but the "
        "checkpoint's weights lie in one, c_attn, three times as wide, and the last is called "
        "c_proj.",
        ThreeLayers,
    ),
    "no-dropout": (
        "Right without dropout. But config.dropout is never used: in training it acts on the "
        "attention weights and on the result.",
        changed(Layer, dropped=()),
    ),
    "no-dropout-on-result": (
        "One dropout is missing: the one at the end, after c_proj.",
        changed(Layer, dropped=("weights",)),
    ),
    "no-dropout-on-weights": (
        "One dropout is missing: the one on the attention weights, between softmax and values.",
        changed(Layer, dropped=("result",)),
    ),
    "dropout-on-scores": (
        "Your first dropout acts on the scores, before the softmax: a score of 0 is no forgotten "
        "word, it still gets weight. Drop the weights, after the softmax.",
        DropsScores,
        "no-dropout-on-weights",
    ),
    "dropout-on-answers": (
        "Your first dropout acts on the heads' answers. It belongs on the attention weights, "
        "before they meet the values: a word drops a whole look, not single channels.",
        changed(Layer, dropped=("answers", "result")),
    ),
    "dropout-before-projection": (
        "Your second dropout acts before c_proj. It belongs after it, on the result.",
        changed(Layer, dropped=("weights", "answers")),
    ),
    "dropout-of-a-half": (
        "Your dropout is 0.5, nn.Dropout's own default, whatever config.dropout says. Hand it on.",
        changed(Layer, rate=0.5),
    ),
    "dropout-of-a-tenth": (
        "Your dropout is 0.1, GPT-2's, whatever config.dropout says. Use config.dropout.",
        changed(Layer, rate=0.1),
    ),
    "dropout-in-evaluation": (
        "Dropout is still at work after .eval(): the same input gives another result each time. "
        "F.dropout needs training=self.training; nn.Dropout knows by itself.",
        AlwaysDrops,
    ),
}

# --- MendedAttention ---

MEND_ATTENTION = {
    "untouched": (
        "Not written yet: this is still the broken version. It has two mistakes.",
        changed(ByWidth, merge=staticmethod(merged_as_it_lies)),
    ),
    "scale-still-wrong": (
        "One found, one left: look at the number that the scores are divided by. How many products "
        "are summed up in one score?",
        ByWidth,
    ),
    "merge-still-wrong": (
        "One found, one left: follow the axes at the end. What is the order of the axes just "
        "before the heads are merged, and what should it be?",
        changed(Layer, merge=staticmethod(merged_as_it_lies)),
    ),
    "scale-without-root": (
        "Nearly: it is the *root* of the head size.",
        with_pattern(by_head_size),
    ),
    "scale-by-time": (
        "The number is another one now, but not the right one: you divide by the root of T, the "
        "number of words. How many products are summed up in one score?",
        with_pattern(ATTENTION_WEIGHTS["scale-by-time"][1]),
    ),
    "heads-interleaved": (
        "The scale is right. At the end time comes first now, but the heads' channels are mixed "
        "like a pack of cards: (B, T, nh, hs) is the order, then join the last two.",
        changed(Layer, merge=staticmethod(MERGE_HEADS["interleaved"][1])),
    ),
    "no-scale": (
        "The division by the wrong number is gone, but so is the division. The scores need the "
        "root of the head size.",
        with_pattern(unscaled),
    ),
}
