"""The exercises of lesson 04: LayerNorm, GELU, the MLP and the block."""

from __future__ import annotations

from minigpt import model
from minigpt.course.exercise.calls.layers import call_layer
from minigpt.course.exercise.kinds import Worth, account, bug, function, module, number
from minigpt.course.lessons.lesson_04_block import cases
from minigpt.course.lessons.lesson_04_block import misconceptions_accounts as wrong_accounts
from minigpt.course.lessons.lesson_04_block import misconceptions_block as wrong_block
from minigpt.course.lessons.lesson_04_block import misconceptions_functions as wrong
from minigpt.course.lessons.lesson_04_block import misconceptions_mlp as wrong_mlp

EXERCISES = (
    function(
        "layer_norm",
        "The same volume for everyone",
        Worth(points=4, difficulty=2, importance=5, minutes=12),
        (
            "Take one row of five numbers. What do you subtract, and by what do you divide? Now: "
            "along which axis is that, for a whole batch?",
            "x (B, T, C): the mean along the last axis is (B, T, 1) if you keep that axis, and so "
            "is the variance. weight and bias are (C,) and broadcast.",
            "mean = mean of x along the last axis, axis kept\n"
            "variance = mean of (x minus mean) squared, axis kept\n"
            "normalised = (x minus mean) / root of (variance plus eps)\n"
            "return weight times normalised, plus bias",
        ),
        draw=cases.draw_rows,
        reference=cases.layer_norm,
        wrong=wrong.LAYER_NORM,
    ),
    number(
        "last_of_five",
        "Predict: one loud number among zeros",
        Worth(points=2, difficulty=2, importance=2, minutes=5),
        (
            "What is the mean of the five?",
            "The mean is 200. The distances from it are -200, four times, and 800. Square them, "
            "take their mean, take the root.",
            "sigma = root of the mean of the squared distances\nanswer = last distance / sigma",
        ),
        answer=2.0,
        within=0.002,
        wrong=wrong.LAST_OF_FIVE,
    ),
    function(
        "gelu",
        "A smooth bend",
        Worth(points=2, difficulty=1, importance=4, minutes=6),
        (
            "Which of the two forms did OpenAI use? Look at the formula once more, bracket by "
            "bracket.",
            "Everything works element by element: any shape in, the same shape out. At 2 the inner "
            "sum is 2 + 0.044715 times 8 = 2.35772.",
            "inner = root of (2 / pi) times (x plus 0.044715 times x cubed)\n"
            "return half of x, times (1 plus tanh of inner)",
        ),
        draw=cases.draw_numbers,
        reference=cases.gelu,
        wrong=wrong.GELU,
    ),
    module(
        "MLP",
        "Each word thinks for itself",
        Worth(points=4, difficulty=2, importance=5, minutes=10),
        (
            "How wide is the row in the middle? What stands between the two layers, and what comes "
            "last?",
            "x (B, T, C) -> c_fc: (B, T, 4C) -> GELU: the same -> c_proj: (B, T, C) -> dropout: "
            "the same.",
            "c_fc: linear from C to 4C; c_proj: linear from 4C to C; a dropout\n"
            "return dropout of c_proj of GELU of c_fc of x",
        ),
        draw=cases.draw_mlp,
        reference=model.MLP,
        wrong=wrong_mlp.MLP,
    ),
    module(
        "Block",
        "The block",
        Worth(points=6, difficulty=3, importance=5, minutes=12),
        (
            "Draw the stream as a line. What stands on it, and what beside it?",
            "x (B, T, C) -> ln_1 -> attn: (B, T, C), added to x. The new x -> ln_2 -> mlp: "
            "(B, T, C), added to the new x.",
            "x = x plus attn of ln_1 of x\nx = x plus mlp of ln_2 of x\nreturn x",
        ),
        draw=cases.draw_block,
        reference=model.Block,
        wrong=wrong_block.BLOCK,
    ),
    bug(
        "MendedBlock",
        "Mend a block",
        Worth(points=4, difficulty=3, importance=4, minutes=12),
        (
            "One mistake is in each class. Compare each with something independent: for the "
            "LayerNorm, PyTorch has one.",
            "For a row of C numbers, what does var divide by? And follow x through forward: after "
            "its first line, where is the stream?",
            "the variance divides by C, not by C minus 1\n"
            "attention reads a normalised copy, and adds to the stream itself",
        ),
        draw=cases.draw_block,
        call=call_layer,
        reference=model.Block,
        wrong=wrong_block.MEND_BLOCK,
    ),
    account(
        "block_parameters",
        "The weights of a block",
        Worth(points=3, difficulty=2, importance=4, minutes=10),
        (
            "List everything in a block that is learned, with its shape. How many lines has your "
            "list, with and without biases?",
            "Matrices: (3C, C), (C, C), (4C, C), (C, 4C). Their biases: 3C, C, 4C, C. Two "
            "LayerNorms: C each, and C more each for their bias.",
            "matrices = (3 + 1 + 4 + 4) times C squared\nnorms = 2 times C\n"
            "if bias: add the outputs of the four layers, and 2 times C for the norms",
        ),
        draw=cases.draw_widths,
        reference=cases.block_parameters,
        wrong=wrong_accounts.BLOCK_PARAMETERS,
    ),
    account(
        "block_multiplications",
        "The work of a block",
        Worth(points=4, difficulty=4, importance=3, minutes=15),
        (
            "There are six matrix products in a block. Four are with weights. Which are the other "
            "two?",
            "With weights, for T tokens: C to 3C, C to C, C to 4C, 4C to C. Without, in each head: "
            "(T, hs) by (hs, T), and (T, T) by (T, hs).",
            "weights = T times C times (3C + C + 4C + 4C)\n"
            "attention = heads times 2 times T times T times the head size\nreturn their sum",
        ),
        draw=cases.draw_texts,
        reference=cases.block_multiplications,
        wrong=wrong_accounts.BLOCK_MULTIPLICATIONS,
    ),
)
