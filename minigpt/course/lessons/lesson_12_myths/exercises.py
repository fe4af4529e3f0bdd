"""The exercises of lesson 12: a short GPT that is none, and a paragraph put to the test."""

from __future__ import annotations

from minigpt.course.exercise.calls.short_gpt import call_short_gpt
from minigpt.course.exercise.kinds import Worth, bug, written
from minigpt.course.lessons.lesson_12_myths import cases
from minigpt.course.lessons.lesson_12_myths import misconceptions as wrong
from minigpt.course.lessons.lesson_12_myths.written import CLAIMS_OF_A_PARAGRAPH

EXERCISES = (
    bug(
        "ShortGPT",
        "Mend: a short GPT",
        Worth(points=6, difficulty=4, importance=4, minutes=25),
        (
            "Change the last token: which logits change? Then compare block by block with the "
            "block of lesson 04. And help(nn.MultiheadAttention) says what it takes, in which "
            "order, and what a mask means to it.",
            "n_embd 6, n_head 2: two heads of 3 channels. Three tokens: a mask of (3, 3), and in "
            "its first row two places that must not be seen. Three blocks: three tensors for "
            "each name, such as attn.in_proj_weight, and no two of them the same object.",
            "a new block for each layer, its attention with n_head heads\n"
            "h = normalised x; x = x + attention with query, key and value from h\n"
            "h = normalised x; x = x + MLP of h\n"
            "the mask says of each pair (position, other) whether it must *not* look there:\n"
            "    True, or -inf, where the other comes later",
        ),
        draw=cases.draw_short_gpts,
        call=call_short_gpt,
        reference=cases.ShortGPT,
        wrong=wrong.SHORT,
    ),
    written(
        "claims_of_a_paragraph",
        "What would show it false?",
        Worth(points=4, difficulty=3, importance=5, minutes=25),
        CLAIMS_OF_A_PARAGRAPH,
    ),
)
