"""The exercises of lesson 05: the assembled GPT, its start, and what it costs."""

from __future__ import annotations

import math

from minigpt.course.exercise.calls.gpt import call_gpt, call_start, call_with_config
from minigpt.course.exercise.kinds import Worth, account, bug, function, module, number, written
from minigpt.course.lessons.lesson_05_gpt import cases
from minigpt.course.lessons.lesson_05_gpt import misconceptions_accounts as wrong_accounts
from minigpt.course.lessons.lesson_05_gpt import misconceptions_model as wrong_model
from minigpt.course.lessons.lesson_05_gpt import misconceptions_start as wrong_start
from minigpt.course.lessons.lesson_05_gpt.written import WHY_TIED
from minigpt.model import GPT

EXERCISES = (
    module(
        "GPT",
        "The whole model",
        Worth(points=10, difficulty=4, importance=5, minutes=30),
        (
            "Which two tables does a word look into, and by what number in each? What has the "
            "stream gone through when the head reads it?",
            "idx (B, T) -> wte (B, T, C), wpe of 0 ... T-1 (T, C) -> their sum (B, T, C) -> "
            "dropout, each block, ln_f: always (B, T, C) -> head (B, T, V). For three words and C "
            "= 4, V = 6: (1, 3) -> (1, 3, 4) -> (1, 3, 6).",
            "build: transformer = a module dictionary of wte (V rows), wpe (block_size rows), "
            "drop, h (a module list of n_layer new blocks), ln_f; lm_head without bias; then let "
            "lm_head's weight BE the weight of wte\n"
            "run: x = row of each id + row of each position; x = drop of x; for each block: x = "
            "block of x; return head of (ln_f of x)",
        ),
        draw=cases.draw_gpt,
        call=call_gpt,
        reference=GPT,
        wrong=wrong_model.GPT_WRONG,
    ),
    bug(
        "MendedGPT",
        "Mend a broken GPT",
        Worth(points=5, difficulty=3, importance=3, minutes=15),
        (
            "Nothing here raises an error on one text. Which lines would still look right if you "
            "read only the shapes? There is one mistake in the layers, one in the positions, one "
            "in the head.",
            "Print model.transformer.h[0] is model.transformer.h[1]. Print the shape of the "
            "positions for idx of shape (2, 5). Print the number of parameters, and compare with "
            "count_parameters.",
            "layers: build a new block n_layer times instead of repeating one\n"
            "positions: count from 0 to T - 1; T is the second size of idx, the first is the "
            "batch\n"
            "head: let it have the very parameter of wte, not a copy of its numbers",
        ),
        draw=cases.draw_gpt,
        call=call_gpt,
        reference=GPT,
        wrong=wrong_model.MENDED_WRONG,
    ),
    written(
        "why_tied",
        "Why tie the head?",
        Worth(points=4, difficulty=3, importance=3, minutes=10),
        WHY_TIED,
    ),
    number(
        "first_loss",
        "The first loss",
        Worth(points=2, difficulty=2, importance=4, minutes=5),
        (
            "The logarithm of a quotient is a difference. What is the mean of each of its two "
            "parts?",
            "With V = 1,024 and s² = 0.08: the right token's logit is 0 on average, the sum is "
            "1,024 times e^0.04, and its logarithm is 6.93 + 0.04 = 6.97.",
            "loss = the natural logarithm of V, plus half the variance",
        ),
        answer=math.log(50257) + 0.31 / 2,
        within=0.005,
        wrong=wrong_accounts.FIRST_LOSS,
        case="GPT-2's vocabulary, logits of variance 0.31",
    ),
    function(
        "init_weights",
        "A start that can learn",
        Worth(points=5, difficulty=3, importance=4, minutes=15),
        (
            "Which matrices write their result into the residual stream, and by what name can you "
            "tell them?",
            "With 2 layers: wte, wpe, c_attn, c_fc spread 0.02; both c_proj spread 0.02 / 2 = "
            "0.01, because 2L is 4; every bias 0; every LayerNorm's weight 1.",
            "without recording gradients, for each name and parameter of the model:\n"
            "  a bias: fill with 0; the weight of an ln_: fill with 1\n"
            "  the weight of a c_proj: normal, spread 0.02 / root of (2 * number of layers)\n"
            "  any other: normal, spread 0.02",
        ),
        draw=cases.draw_start,
        call=call_start,
        reference=cases.init_weights,
        wrong=wrong_start.START_WRONG,
        rtol=0.1,  # of a spread measured on 4,096 random numbers: nine times its own spread
        atol=0.1,
    ),
    account(
        "count_parameters",
        "How many parameters?",
        Worth(points=5, difficulty=2, importance=4, minutes=12),
        (
            "Go through the model from the ids to the logits. At every part: how many numbers does "
            "it learn, and is any of them the same as one counted before?",
            "The tiny model: wte 6 x 4 = 24, wpe 8 x 4 = 32, each block 12 x 16 = 192 weights, 36 "
            "biases and two LayerNorms of 8, then ln_f with 8. Two blocks: 24 + 32 + 2 x 244 + 8 = "
            "552.",
            "block = (C x 3C + C x C) + (C x 4C + 4C x C) + two LayerNorm weights of C\n"
            "if biases: block += 3C + C + 4C + C + two LayerNorm biases of C\n"
            "total = V x C + block_size x C + L x block + ln_f (C, and C more if biases)",
        ),
        draw=cases.draw_sizes,
        call=call_with_config,
        reference=wrong_accounts.parameters,
        wrong=wrong_accounts.COUNT_PARAMETERS,
        keep=True,
    ),
    account(
        "training_bytes",
        "What training takes",
        Worth(points=4, difficulty=3, importance=3, minutes=10),
        (
            "Two things fill the memory. One depends on the model only, the other on the model and "
            "the text. What belongs to each?",
            "The tiny model has 552 parameters: 4 numbers each are 2,208. A position keeps 2 x (64 "
            "+ 2 + 4) + 8 + 2 + 6 = 156 numbers, seven of them 1,092. Together 3,300 numbers.",
            "per parameter: weight, gradient, two averages\n"
            "per position: for each layer the table's sum; once ln_f, head and loss\n"
            "bytes = 4 x (numbers per parameter x parameters + T x numbers per position)",
        ),
        draw=cases.draw_with_text,
        call=call_with_config,
        reference=wrong_accounts.training_bytes,
        wrong=wrong_accounts.TRAINING_BYTES,
    ),
    account(
        "flops_per_token",
        "What reading takes",
        Worth(points=4, difficulty=3, importance=3, minutes=10),
        (
            "Which matrices does a token go through, and which tables are only looked up? What "
            "does attention multiply that is no weight?",
            "The tiny model: a block has 12 x 16 = 192 weights, two blocks 384, the head 6 x 4 = "
            "24: 408 weights, 816 FLOPs. With T = 7 attention adds 2 layers x 4 x 7 x 4 = 224.",
            "matrices = weights of all blocks' matrices, and of the head, times 2\n"
            "attention, in each layer = T keys of C numbers in all, times 2; T values the same\n"
            "return the sum",
        ),
        draw=cases.draw_with_text,
        call=call_with_config,
        reference=wrong_accounts.flops_per_token,
        wrong=wrong_accounts.FLOPS_PER_TOKEN,
    ),
)
