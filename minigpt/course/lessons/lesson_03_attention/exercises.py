"""The exercises of lesson 03: from the causal average to GPT-2's attention layer."""

from __future__ import annotations

import torch
from torch import Tensor

from minigpt import model
from minigpt.course.exercise.calls.functions import call_function, call_value
from minigpt.course.exercise.calls.layers import call_layer
from minigpt.course.exercise.definition import Exercise
from minigpt.course.exercise.drawing import (
    normal,
    not_contiguous,
    readable,
    seeded,
    uniform,
    weights_for,
)
from minigpt.course.lessons.lesson_03_attention import wrong_attention as wrong
from minigpt.course.lessons.lesson_03_attention import wrong_layer as wrong_layer

LESSON = "03_attention"
QK, QKV = ["q", "k"], ["q", "k", "v"]


def causal_average(x: Tensor) -> Tensor:
    """Average each row with the rows before it: (..., T, C) -> (..., T, C)."""
    counts = torch.arange(1, x.size(-2) + 1, dtype=x.dtype).unsqueeze(-1)
    return x.cumsum(dim=-2) / counts


def draw_average(seed: int) -> list[dict]:
    g = seeded(seed)
    cases = [
        dict(title="three words, two numbers each", args=[10 * readable(g, 3, 2)]),
        dict(title="a batch: 2 texts of 5 words", args=[normal(g, 2, 5, 4)], gradient_of=[0]),
        dict(title="one word", args=[normal(g, 1, 3)]),
        dict(title="two leading axes", args=[normal(g, 2, 3, 4, 2)]),
        dict(title="float64", args=[normal(g, 2, 4, 3, dtype=torch.float64)]),
        dict(title="not contiguous in memory", args=[not_contiguous(normal(g, 2, 6, 3))]),
    ]
    return [{**case, "names": ["x"]} for case in cases]


def causal_mask(T: int) -> Tensor:
    """Return the (T, T) mask, True where attending is allowed."""
    return model.causal_mask(T, T)


def draw_mask(seed: int) -> list[dict]:
    more = int(torch.randint(5, 12, (), generator=seeded(seed)))
    titles = {3: "three words", 1: "one word", 2: "two words", more: f"{more} words"}
    return [dict(title=title, args=[T], names=["T"]) for T, title in titles.items()]


def draw_number(seed: int) -> list[dict]:
    return [dict(title="your number")]


def loud(g: torch.Generator, sign: int) -> list[Tensor]:
    """Draw q and k with scores beyond 10,000, all of one sign and far from one another.

    They are whole numbers: every order of the computation gives the same.
    """
    q = 100.0 * torch.randint(1, 5, (5, 4), generator=g)
    k = 100.0 * (1 + torch.randperm(5, generator=g)).unsqueeze(-1).expand(5, 4)
    return [q, sign * k.contiguous()]


def as_split(x: Tensor) -> Tensor:
    return x.transpose(1, 2)  # (B, T, nh, hs) -> (B, nh, T, hs), as it lies in memory


def draw_attention(seed: int, inputs: int) -> list[dict]:
    """Draw cases for a function of q, k (inputs=2) and v (inputs=3)."""
    g = seeded(seed)

    def several(*shape: int, draw=normal, **kwargs) -> list[Tensor]:
        return [draw(g, *shape, **kwargs) for _ in range(inputs)]

    values = [normal(g, 5, 4)] * (inputs - 2)
    wide_values = [normal(g, 2, 4, 7)] * (inputs - 2)
    every = list(range(inputs))
    cases = [
        dict(title="three words, head size 2", args=several(3, 2, draw=readable)),
        dict(title="five words, head size 8", args=several(5, 8), gradient_of=every),
        dict(title="2 texts, 3 heads, 4 words, hs 6", args=several(2, 3, 4, 6), gradient_of=every),
        dict(title="one word", args=several(1, 4)),
        dict(title="one leading axis", args=[*several(2, 4, 3)[:2], *wide_values]),
        dict(title="float64", args=several(2, 5, 4, dtype=torch.float64)),
        dict(title="not contiguous in memory", args=[*map(not_contiguous, several(2, 5, 3))]),
        dict(title="scores above 10,000", args=[*loud(g, 1), *values]),
        dict(title="scores below -10,000", args=[*loud(g, -1), *values]),
        dict(title="all scores are 0", args=[torch.zeros(3, 2), *several(3, 2)[1:]]),
        dict(title="as split_heads leaves it", args=[*map(as_split, several(2, 4, 3, 6))]),
    ]
    return [{**case, "names": QKV[:inputs]} for case in cases]


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Average the values by the pattern: (..., T, hs)."""
    return model.attention_pattern(q, k) @ v


def split_heads(x: Tensor, n_head: int) -> Tensor:
    """Cut the channels into heads: (B, T, C) -> (B, nh, T, hs)."""
    return x.unflatten(-1, (n_head, -1)).transpose(1, 2)


def draw_split(seed: int) -> list[dict]:
    g = seeded(seed)
    numbered = torch.arange(12.0).reshape(1, 3, 4)
    numbered = numbered + int(torch.randint(0, 50, (), generator=g))
    cases = [
        dict(title="numbered: B=1, T=3, C=4, two heads", args=[numbered, 2]),
        dict(title="2 texts, 5 words, 12 channels, 3 heads", args=[normal(g, 2, 5, 12), 3]),
        dict(title="T = nh = 4", args=[normal(g, 3, 4, 8), 4], gradient_of=[0]),
        dict(title="one head", args=[normal(g, 2, 3, 4), 1]),
        dict(title="heads of one channel", args=[normal(g, 2, 3, 4), 4]),
        dict(title="one word, float64", args=[normal(g, 2, 1, 6, dtype=torch.float64), 2]),
        dict(title="not contiguous in memory", args=[not_contiguous(normal(g, 2, 3, 6)), 2]),
        dict(title="whole numbers", args=[torch.arange(24).reshape(2, 2, 6), 3]),
    ]
    return [{**case, "names": ["x", "n_head"]} for case in cases]


def draw_merge(seed: int) -> list[dict]:
    g = seeded(seed)
    numbered = torch.arange(12.0).reshape(1, 2, 3, 2)
    numbered = numbered + int(torch.randint(0, 50, (), generator=g))
    split = normal(g, 2, 4, 3, 2).transpose(1, 2)  # as split_heads leaves it
    cases = [
        dict(title="numbered: two heads, T=3, hs=2", args=[numbered]),
        dict(title="2 texts, 3 heads, 5 words, hs 4", args=[normal(g, 2, 3, 5, 4)]),
        dict(title="as many heads as words", args=[normal(g, 2, 4, 4, 2)], gradient_of=[0]),
        dict(title="one head", args=[normal(g, 2, 1, 3, 4)]),
        dict(title="heads of one channel", args=[normal(g, 2, 3, 4, 1)]),
        dict(title="one word, float64", args=[normal(g, 2, 3, 1, 2, dtype=torch.float64)]),
        dict(title="not contiguous in memory", args=[split]),
        dict(title="whole numbers", args=[torch.arange(24).reshape(2, 3, 2, 2)]),
    ]
    return [{**case, "names": ["x"]} for case in cases]


def config(n_embd: int, n_head: int, **more) -> dict:
    """Return the arguments of a small GPTConfig."""
    return dict(vocab_size=16, block_size=8, n_layer=2, n_embd=n_embd, n_head=n_head) | more


def dropout_case(g: torch.Generator, dropout: float) -> dict:
    """Draw a case that shows where dropout acts: one word, which looks at itself.

    The value is the input, and the projection mixes channels of one head only, so that every
    number of the result shows the factors it was multiplied by, and dropout before it shows too.
    """
    C = 16
    shape = config(C, 2, dropout=dropout)
    weights = weights_for(model.CausalSelfAttention, shape, g)
    weights["c_attn.bias"], weights["c_proj.bias"] = torch.zeros(3 * C), torch.zeros(C)
    weights["c_attn.weight"][2 * C :] = torch.eye(C)
    weights["c_proj.weight"] = torch.eye(C) + torch.block_diag(*torch.ones(2, C // 2, C // 2))
    title = f"dropout of {dropout}: one word, 2,048 times"
    x = uniform(g, 0.5, 1.5, 1, 1, C)
    return dict(title=title, config=shape, weights=weights, args=[x], copies=2048, heads=2)


def draw_layer(seed: int) -> list[dict]:
    g = seeded(seed)
    wide = config(12, 3)

    def case(title: str, x: Tensor, shape: dict, **more) -> dict:
        weights = weights_for(model.CausalSelfAttention, shape, g, x.dtype)
        return dict(title=title, config=shape, weights=weights, args=[x], **more)

    cases = [
        case("one text of 3 words, 4 channels, 2 heads", readable(g, 1, 3, 4), config(4, 2)),
        case("2 texts of 5 words, 3 heads", normal(g, 2, 5, 12), wide, gradient_of=[0]),
        case("as many words as the context holds", normal(g, 1, 8, 8), config(8, 4)),
        case("no biases", normal(g, 2, 4, 8), config(8, 2, bias=False)),
        case("one head", normal(g, 2, 4, 4), config(4, 1)),
        case("one word", normal(g, 3, 1, 8), config(8, 2)),
        case("float64", normal(g, 2, 4, 8, dtype=torch.float64), config(8, 2)),
        case("not contiguous in memory", not_contiguous(normal(g, 2, 4, 8)), config(8, 2)),
        case("training, but without dropout", normal(g, 2, 4, 8), config(8, 2), training=True),
        case("zeros, no biases", torch.zeros(1, 3, 8), config(8, 2, bias=False)),
    ]
    cases += [dropout_case(g, dropout) for dropout in (0.5, 0.4)]
    return [{**case, "names": ["x"]} for case in cases]


EXERCISES = (
    Exercise(
        name="causal_average",
        lesson=LESSON,
        kind="function",
        title="Look back blindly",
        points=2,
        difficulty=1,
        importance=3,
        minutes=8,
        hints=(
            "How many rows make up row 0? Row 1? Row t?",
            "x is (..., T, C). A running sum along the axis before the last is (..., T, C) too. "
            "The counts are 1, 2, ..., T: as a column, (T, 1), they divide row by row.",
            "sums = running sum of x along time\ncounts = a column 1, 2, ..., T\n"
            "return sums divided by counts",
        ),
        draw=draw_average,
        call=call_function,
        reference=causal_average,
        misconceptions=wrong.CAUSAL_AVERAGE,
    ),
    Exercise(
        name="causal_mask",
        lesson=LESSON,
        kind="function",
        title="Who may look at whom",
        points=2,
        difficulty=1,
        importance=5,
        minutes=5,
        hints=(
            "Which columns may row 0 look at? Row 1? Draw the square for T = 3.",
            "T = 3: row 0 is yes no no, row 1 yes yes no, row 2 yes yes yes. The diagonal is yes.",
            "start with a (T, T) square of True\nkeep what is on and below the diagonal",
        ),
        draw=draw_mask,
        call=call_function,
        reference=causal_mask,
        misconceptions=wrong.CAUSAL_MASK,
        keep=True,
    ),
    Exercise(
        name="first_token_weight",
        lesson=LESSON,
        kind="number",
        title="Predict: how much does the first word get?",
        points=2,
        difficulty=2,
        importance=3,
        minutes=6,
        hints=(
            "How many of the three words can the second word see?",
            "Three raw scores, then divided by 2, then one of them hidden: two are left. e to the "
            "power ln 3 is 3, e to the power 0 is 1.",
            "scaled = score / root of the head size, for the words that can be seen\n"
            "powers = e to each of them\nanswer = first power / sum of the powers",
        ),
        draw=draw_number,
        call=call_value,
        reference=0.75,
        misconceptions=wrong.FIRST_TOKEN_WEIGHT,
        rtol=0,
        atol=0.005,  # two digits will do
    ),
    Exercise(
        name="attention_weights",
        lesson=LESSON,
        kind="function",
        title="The pattern",
        points=5,
        difficulty=3,
        importance=5,
        minutes=15,
        hints=(
            "In which order do these come: softmax, mask, division, product? What must each row "
            "sum to?",
            "q (..., T, hs) times k with its last two axes swapped, (..., hs, T), is (..., T, T). "
            "Dividing, masking and softmax keep that shape. The softmax runs along the last axis.",
            "scores = q times k, its last two axes swapped\ndivide by the root of hs\n"
            "where the causal mask says no: minus infinity\nsoftmax along the last axis",
        ),
        draw=lambda seed: draw_attention(seed, 2),
        call=call_function,
        reference=model.attention_pattern,
        misconceptions=wrong.ATTENTION_WEIGHTS,
        keep=True,
    ),
    Exercise(
        name="attention",
        lesson=LESSON,
        kind="function",
        title="One head",
        points=3,
        difficulty=2,
        importance=5,
        minutes=6,
        hints=(
            "You have the weights. Whose vectors do they average?",
            "weights (..., T, T) times v (..., T, hs) is (..., T, hs).",
            "weights = the pattern of q and k\nreturn weights times v, a matrix product",
        ),
        draw=lambda seed: draw_attention(seed, 3),
        call=call_function,
        reference=attention,
        misconceptions=wrong.ATTENTION,
        keep=True,
    ),
    Exercise(
        name="split_heads",
        lesson=LESSON,
        kind="function",
        title="Cut the channels into heads",
        points=3,
        difficulty=3,
        importance=4,
        minutes=8,
        hints=(
            "Which of the three axes is cut into two? Do that first, and nothing else.",
            "(B, T, C) -> cut the last axis: (B, T, nh, hs) -> swap axes 1 and 2: (B, nh, T, hs).",
            "hs = C divided by n_head\ngive x the shape (B, T, n_head, hs)\nswap axes 1 and 2",
        ),
        draw=draw_split,
        call=call_function,
        reference=split_heads,
        misconceptions=wrong.SPLIT_HEADS,
        rtol=0,
        atol=0,
        keep=True,
    ),
    Exercise(
        name="merge_heads",
        lesson=LESSON,
        kind="function",
        title="Lay the heads side by side again",
        points=3,
        difficulty=3,
        importance=4,
        minutes=6,
        hints=(
            "Splitting did two things. In which order are they undone?",
            "(B, nh, T, hs) -> swap axes 1 and 2: (B, T, nh, hs) -> join the last two: (B, T, C). "
            "If view complains, reshape will do.",
            "swap axes 1 and 2\nreshape to (B, T, nh times hs)",
        ),
        draw=draw_merge,
        call=call_function,
        reference=model.merge_heads,
        misconceptions=wrong.MERGE_HEADS,
        rtol=0,
        atol=0,
        keep=True,
    ),
    Exercise(
        name="CausalSelfAttention",
        lesson=LESSON,
        kind="module",
        title="The layer, with GPT-2's names",
        points=8,
        difficulty=4,
        importance=5,
        minutes=25,
        hints=(
            "Write the shape of every step on paper first. Where do the heads begin, and where do "
            "they end?",
            "x (B, T, C) -> c_attn: (B, T, 3C) -> three thirds, each (B, T, C) -> heads, each "
            "(B, nh, T, hs) -> pattern (B, nh, T, T) -> answers (B, nh, T, hs) -> merged (B, T, C) "
            "-> c_proj: (B, T, C).",
            "q, k, v = the three thirds of c_attn(x), each split into heads\n"
            "weights = dropout of the pattern of q and k\n"
            "y = the heads of (weights times v), merged\nreturn dropout of c_proj(y)",
        ),
        draw=draw_layer,
        call=call_layer,
        reference=model.CausalSelfAttention,
        misconceptions=wrong_layer.CAUSAL_SELF_ATTENTION,
        keep=True,
    ),
    Exercise(
        name="MendedAttention",
        lesson=LESSON,
        kind="bug",
        title="Mend a layer",
        points=4,
        difficulty=3,
        importance=4,
        minutes=12,
        hints=(
            "Go through it line by line and write the shape beside each. Two lines do not do what "
            "their author believed.",
            "The score of two words is a sum over hs products. And just before the end the answers "
            "are (B, nh, T, hs): what does reshaping that to (B, T, C) put into the first row?",
            "divide by the root of the head size, not of the width\n"
            "before the heads are joined, bring the head axis behind time",
        ),
        draw=draw_layer,
        call=call_layer,
        reference=model.CausalSelfAttention,
        misconceptions=wrong_layer.MEND_ATTENTION,
    ),
    Exercise(
        name="pattern_bytes",
        lesson=LESSON,
        kind="account",
        title="What do the patterns weigh?",
        points=2,
        difficulty=2,
        importance=3,
        minutes=5,
        hints=(
            "What is the shape of one layer's patterns, for one text?",
            "One layer: (1, 12, 1024, 1024). There are 12 layers. A float32 number has 32 bits.",
            "numbers = layers times heads times T times T\nanswer = numbers times bytes per number",
        ),
        draw=draw_number,
        call=call_value,
        reference=wrong.GPT2_PATTERNS * 4,
        misconceptions=wrong.PATTERN_BYTES,
    ),
    Exercise(
        name="why_scale",
        lesson=LESSON,
        kind="written",
        title="Why the root of the head size?",
        points=3,
        difficulty=3,
        importance=3,
        minutes=10,
    ),
)
