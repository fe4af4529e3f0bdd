"""The exercises of lesson 02: vectors, windows and targets, a bigram model and its loss."""

from __future__ import annotations

import math

from minigpt.course.exercise.calls.data import call_batch
from minigpt.course.exercise.kinds import EXACT, Worth, account, bug, function, number, written
from minigpt.course.lessons.lesson_02_data import cases
from minigpt.course.lessons.lesson_02_data import misconceptions as wrong
from minigpt.course.lessons.lesson_02_data.written import BELOW_THE_FLOOR
from minigpt.data import get_batch

EXERCISES = (
    function(
        "embed",
        "Tokens and positions become vectors",
        Worth(points=3, difficulty=2, importance=5, minutes=8),
        (
            "Which table is asked by the id, which by the position? Does the position depend on "
            "the row?",
            "idx (B, T) picks rows of wte: (B, T, C). The first T rows of wpe are (T, C). Added, "
            "the second is the same for every row of the batch: (B, T, C).",
            "Look up all ids in wte at once. Take the rows 0 to T - 1 of wpe. Add: broadcasting "
            "does the rest.",
        ),
        draw=cases.draw_embed,
        reference=cases.embed,
        wrong=wrong.EMBED,
    ),
    function(
        "sinusoidal_positions",
        "Waves for positions",
        Worth(points=4, difficulty=3, importance=3, minutes=12),
        (
            "Which columns share one angle? How many different angles does a position have?",
            "T = 3, C = 4: angles (3, 2), with columns t and t / 100. The sines (3, 2) go to the "
            "columns 0 and 2, the cosines to 1 and 3: together (3, 4).",
            "Make a column of the positions 0 to T - 1 and a row of the divisors "
            "10000 ** (2i / C), i from 0 to C/2 - 1. Divide. Put sin and cos of it into the even "
            "and the odd columns of a (T, C) table.",
        ),
        draw=cases.draw_sinusoidal_positions,
        reference=cases.sinusoidal_positions,
        wrong=wrong.SINUSOIDAL_POSITIONS,
        atol=1e-4,
    ),
    account(
        "embedding_account",
        "What do the two tables cost?",
        Worth(points=2, difficulty=1, importance=3, minutes=6),
        (
            "How many rows has each table, and how long is a row?",
            "V = 8, T = 14, C = 4: wte is (8, 4), wpe is (14, 4). How many numbers is that, "
            "and how many bytes is one number?",
            "wte: vocabulary times width. wpe: block size times width. Bytes: the numbers of both "
            "tables, times the bytes of one float32.",
        ),
        draw=cases.draw_embedding_account,
        reference=cases.embedding_account,
        wrong=wrong.EMBEDDING_ACCOUNT,
        **EXACT,
    ),
    function(
        "get_batch",
        "Windows and their targets",
        Worth(points=4, difficulty=2, importance=5, minutes=12),
        (
            "A window of T inputs and its T targets: how many tokens of data does it touch?",
            "data 0 to 9, T = 3, starts [4, 6]: x is [[4, 5, 6], [6, 7, 8]], y is [[5, 6, 7], "
            "[7, 8, 9]]. The largest start is 6, N - T - 1.",
            "Draw the starts with the one line of the statement. For each start take T ids from "
            "there for x, and T ids from one place further for y. Stack the rows, and make both "
            "int64.",
        ),
        draw=cases.draw_get_batch,
        call=call_batch,
        reference=get_batch,
        wrong=wrong.GET_BATCH,
        **EXACT,
    ),
    function(
        "bigram_counts",
        "A first model: count",
        Worth(points=3, difficulty=2, importance=3, minutes=10),
        (
            "Which is the row, which the column? And what if the same pair comes twice?",
            "[0, 1, 0, 1, 2] has the pairs 0→1, 1→0, 0→1, 1→2. With V = 3 row 0 is [0, 2, 0], row "
            "1 is [1, 0, 1], row 2 is [0, 0, 0].",
            "Start with a (V, V) table of int64 zeros. For each two neighbours add 1 at the row of "
            "the first and the column of the second.",
        ),
        draw=cases.draw_bigram_counts,
        reference=cases.bigram_counts,
        wrong=wrong.BIGRAM_COUNTS,
        **EXACT,
    ),
    function(
        "bigram_loss",
        "How surprised is the model?",
        Worth(points=4, difficulty=3, importance=4, minutes=12),
        (
            "What must each row of the probabilities add up to, and after which step?",
            "counts (V, V) become P (V, V), rows adding up to 1. N ids are N - 1 pairs: N - 1 "
            "probabilities, N - 1 surprises, one mean.",
            "Add extra to every count. Divide each row by its own sum. Pick the probability at "
            "(this id, next id) for every two neighbours. Take minus the natural logarithm of "
            "each, then the mean.",
        ),
        draw=cases.draw_bigram_loss,
        reference=cases.bigram_loss,
        wrong=wrong.BIGRAM_LOSS,
    ),
    number(
        "uniform_loss",
        "The loss of knowing nothing",
        Worth(points=1, difficulty=1, importance=4, minutes=3),
        (
            "What probability does such a model give to the token that comes?",
            "With 2 tokens the loss is ln 2 = 0.69, with 8 tokens it is ln 8 = 2.08.",
            "p is one divided by the size of the vocabulary. The surprise is minus its natural "
            "logarithm. It is the same at every token, so the mean is, too.",
        ),
        answer=math.log(50257),
        within=0.005,
        wrong=wrong.UNIFORM_LOSS,
        case="V = 50,257",
    ),
    bug(
        "batch_loss",
        "Find the bugs: shifted, and shifted again",
        Worth(points=4, difficulty=3, importance=5, minutes=12),
        (
            "x[0, 0] is answered by y[0, 0]. Which element of y does this code compare it with?",
            "x (2, 3) gives logits (2, 3, V), flattened (6, V): row 0, then row 1. y flattened "
            "(6,) must come in the same order. In which order do these come?",
            "Look up the logits of all of x. Put the first two dimensions together, rows one after "
            "the other. Do the same with all of y. Hand both to F.cross_entropy.",
        ),
        draw=cases.draw_batch_loss,
        reference=cases.batch_loss,
        wrong=wrong.BATCH_LOSS,
    ),
    number(
        "story_floor",
        "The floor of a small language",
        Worth(points=2, difficulty=2, importance=4, minutes=6),
        (
            "What does a perfect model pay at a token that is no choice?",
            "Two coins and one die: how many nats does each cost? Then: nats of one story, tokens "
            "of one story.",
            "Add up the natural logarithms of the numbers of options, one for each choice. Divide "
            "by all tokens that are predicted in a story.",
        ),
        answer=(2 * math.log(2) + math.log(6)) / 12,
        within=0.0005,
        wrong=wrong.STORY_FLOOR,
        case="two coins and a die, 12 tokens",
    ),
    written(
        "below_the_floor",
        "Too good to be true",
        Worth(points=3, difficulty=3, importance=4, minutes=10),
        BELOW_THE_FLOOR,
    ),
)
