"""The exercises of lesson 03: from the causal average to GPT-2's attention layer."""

from __future__ import annotations

from minigpt import model
from minigpt.course.exercise.calls.layers import call_layer
from minigpt.course.exercise.kinds import EXACT, Worth, bug, function, module, number, written
from minigpt.course.lessons.lesson_03_attention import cases
from minigpt.course.lessons.lesson_03_attention import misconceptions_attention as wrong
from minigpt.course.lessons.lesson_03_attention import misconceptions_layer as wrong_layer
from minigpt.course.lessons.lesson_03_attention.written import WHY_SCALE

EXERCISES = (
    function(
        "causal_average",
        "Look back blindly",
        Worth(points=2, difficulty=1, importance=3, minutes=8),
        (
            "How many rows make up row 0? Row 1? Row t?",
            "x is (..., T, C). A running sum along the axis before the last is (..., T, C) too. "
            "The counts are 1, 2, ..., T: as a column, (T, 1), they divide row by row.",
            "sums = running sum of x along time\ncounts = a column 1, 2, ..., T\n"
            "return sums divided by counts",
        ),
        draw=cases.draw_average,
        reference=cases.causal_average,
        wrong=wrong.CAUSAL_AVERAGE,
        keep=False,
    ),
    function(
        "causal_mask",
        "Who may look at whom",
        Worth(points=2, difficulty=1, importance=5, minutes=5),
        (
            "Which columns may row 0 look at? Row 1? Draw the square for T = 3.",
            "T = 3: row 0 is yes no no, row 1 yes yes no, row 2 yes yes yes. The diagonal is yes.",
            "start with a (T, T) square of True\nkeep what is on and below the diagonal",
        ),
        draw=cases.draw_mask,
        reference=lambda T: model.causal_mask(T, T),
        wrong=wrong.CAUSAL_MASK,
    ),
    number(
        "first_token_weight",
        "Predict: how much does the first word get?",
        Worth(points=2, difficulty=2, importance=3, minutes=6),
        (
            "How many of the three words can the second word see?",
            "Three raw scores, then divided by 2, then one of them hidden: two are left. e to the "
            "power ln 3 is 3, e to the power 0 is 1.",
            "scaled = score / root of the head size, for the words that can be seen\n"
            "powers = e to each of them\nanswer = first power / sum of the powers",
        ),
        answer=0.75,
        within=0.005,
        wrong=wrong.FIRST_TOKEN_WEIGHT,
    ),
    function(
        "attention_weights",
        "The pattern",
        Worth(points=5, difficulty=3, importance=5, minutes=15),
        (
            "In which order do these come: softmax, mask, division, product? What must each row "
            "sum to?",
            "q (..., T, hs) times k with its last two axes swapped, (..., hs, T), is (..., T, T). "
            "Dividing, masking and softmax keep that shape. The softmax runs along the last axis.",
            "scores = q times k, its last two axes swapped\ndivide by the root of hs\n"
            "where the causal mask says no: minus infinity\nsoftmax along the last axis",
        ),
        draw=cases.attention_of("q", "k"),
        reference=model.attention_pattern,
        wrong=wrong.ATTENTION_WEIGHTS,
    ),
    function(
        "attention",
        "One head",
        Worth(points=3, difficulty=2, importance=5, minutes=6),
        (
            "You have the weights. Whose vectors do they average?",
            "weights (..., T, T) times v (..., T, hs) is (..., T, hs).",
            "weights = the pattern of q and k\nreturn weights times v, a matrix product",
        ),
        draw=cases.attention_of("q", "k", "v"),
        reference=model.explicit_attention,
        wrong=wrong.ATTENTION,
    ),
    function(
        "split_heads",
        "Cut the channels into heads",
        Worth(points=3, difficulty=3, importance=4, minutes=8),
        (
            "Which of the three axes is cut into two? Do that first, and nothing else.",
            "(B, T, C) -> cut the last axis: (B, T, nh, hs) -> swap axes 1 and 2: (B, nh, T, hs).",
            "hs = C divided by n_head\ngive x the shape (B, T, n_head, hs)\nswap axes 1 and 2",
        ),
        draw=cases.draw_split,
        reference=model.split_heads,
        wrong=wrong.SPLIT_HEADS,
        **EXACT,
    ),
    function(
        "merge_heads",
        "Lay the heads side by side again",
        Worth(points=3, difficulty=3, importance=4, minutes=6),
        (
            "Splitting did two things. In which order are they undone?",
            "(B, nh, T, hs) -> swap axes 1 and 2: (B, T, nh, hs) -> join the last two: (B, T, C). "
            "If view complains, reshape will do.",
            "swap axes 1 and 2\nreshape to (B, T, nh times hs)",
        ),
        draw=cases.draw_merge,
        reference=model.merge_heads,
        wrong=wrong.MERGE_HEADS,
        **EXACT,
    ),
    module(
        "CausalSelfAttention",
        "The layer, with GPT-2's names",
        Worth(points=8, difficulty=4, importance=5, minutes=25),
        (
            "Write the shape of every step on paper first. Where do the heads begin, and where do "
            "they end?",
            "x (B, T, C) -> c_attn: (B, T, 3C) -> three thirds, each (B, T, C) -> heads, each "
            "(B, nh, T, hs) -> pattern (B, nh, T, T) -> answers (B, nh, T, hs) -> merged (B, T, C) "
            "-> c_proj: (B, T, C).",
            "q, k, v = the three thirds of c_attn(x), each split into heads\n"
            "weights = dropout of the pattern of q and k\n"
            "y = the heads of (weights times v), merged\nreturn dropout of c_proj(y)",
        ),
        draw=cases.draw_layer,
        reference=model.CausalSelfAttention,
        wrong=wrong_layer.CAUSAL_SELF_ATTENTION,
    ),
    bug(
        "MendedAttention",
        "Mend a layer",
        Worth(points=4, difficulty=3, importance=4, minutes=12),
        (
            "Go through it line by line and write the shape beside each. Two lines do not do what "
            "their author believed.",
            "The score of two words is a sum over hs products. And just before the end the answers "
            "are (B, nh, T, hs): what does reshaping that to (B, T, C) put into the first row?",
            "divide by the root of the head size, not of the width\n"
            "before the heads are joined, bring the head axis behind time",
        ),
        draw=cases.draw_layer,
        call=call_layer,
        reference=model.CausalSelfAttention,
        wrong=wrong_layer.MEND_ATTENTION,
    ),
    number(
        "pattern_bytes",
        "What do the patterns weigh?",
        Worth(points=2, difficulty=2, importance=3, minutes=5),
        (
            "What is the shape of one layer's patterns, for one text?",
            "One layer: (1, 12, 1024, 1024). There are 12 layers. A float32 number has 32 bits.",
            "numbers = layers times heads times T times T\nanswer = numbers times bytes per number",
        ),
        answer=wrong.GPT2_PATTERNS * 4,
        kind="account",
        wrong=wrong.PATTERN_BYTES,
    ),
    written(
        "why_scale",
        "Why the root of the head size?",
        Worth(points=3, difficulty=3, importance=3, minutes=10),
        WHY_SCALE,
    ),
)
