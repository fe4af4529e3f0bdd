"""The exercises of lesson 09: scores of heads, ablation, patching, attribution, the lens."""

from __future__ import annotations

from minigpt.course.exercise.kinds import EXACT, Worth, function
from minigpt.course.lessons.lesson_09_heads import cases
from minigpt.course.lessons.lesson_09_heads import misconceptions_scores as wrong_scores

EXERCISES = (
    function(
        "repeat_pieces",
        "A text that repeats itself",
        Worth(points=3, difficulty=2, importance=4, minutes=10),
        (
            "Write one row on paper: a b c, said until there are seven tokens. Where can you know "
            "what comes next, and how?",
            "T = 5, a piece of 2: positions 0 to 5 hold a b a b a b. x is the first five, y the "
            "last five; x is a repeated token from position 2 on.",
            "for each piece of n tokens:\n"
            "    ids = the token of piece at (position modulo n), for positions 0 to T\n"
            "    x = all but the last; y = all but the first\n"
            "    the first n of y become -100\n"
            "stack the rows",
        ),
        draw=cases.draw_pieces,
        reference=cases.repeat_pieces,
        wrong=wrong_scores.REPEAT_PIECES,
        keep=False,
        **EXACT,
    ),
    function(
        "offset_score",
        "How often does a head look so far back?",
        Worth(points=3, difficulty=2, importance=4, minutes=8),
        (
            "Draw a (4, 4) pattern. Which entries say how much a token looks at the one before? "
            "Which of them must not count?",
            "T = 4, offset 1: the entries (1, 0), (2, 1) and (3, 2). The first looks at the first "
            "token. Two are left, for each head.",
            "entries = the diagonal that lies offset below the main one, of the last two axes\n"
            "leave out its first entry\nreturn the mean of the rest",
        ),
        draw=cases.draw_offsets,
        reference=cases.offset_score,
        wrong=wrong_scores.OFFSET_SCORE,
        keep=False,
    ),
    function(
        "induction_score",
        "Induction, over a batch",
        Worth(points=6, difficulty=4, importance=5, minutes=20),
        (
            "For one token of one text: which earlier tokens are targets? If it looked anywhere "
            "alike, how much of its weight would they get?",
            "idx (B, T) -> is token s - 1 the same as token t: (B, T, T), column 0 all False, only "
            "s < t. Rows with a target (B, T) choose from the weights (B, nh, T): move nh to the "
            "front first.",
            "targets[b, t, s] = idx[b, s - 1] is idx[b, t], and 1 <= s < t\n"
            "rows = those with a target, in all texts together\n"
            "chance = mean over rows of (number of targets / (t + 1))\n"
            "weight = for each head, mean over rows of the weight on all targets\n"
            "return (weight - chance) / (1 - chance)",
        ),
        draw=cases.draw_induction,
        reference=cases.induction_score,
        wrong=wrong_scores.INDUCTION_SCORE,
        keep=False,
    ),
)
