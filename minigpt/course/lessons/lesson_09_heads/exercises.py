"""The exercises of lesson 09: scores of heads, ablation, patching, attribution, the lens."""

from __future__ import annotations

from minigpt.course.exercise.calls.heads import call_intervention
from minigpt.course.exercise.kinds import EXACT, Worth, bug, function, number, written
from minigpt.course.lessons.lesson_09_heads import cases
from minigpt.course.lessons.lesson_09_heads import misconceptions_ablation as wrong_ablation
from minigpt.course.lessons.lesson_09_heads import misconceptions_intervals as wrong_intervals
from minigpt.course.lessons.lesson_09_heads import misconceptions_patching as wrong_patching
from minigpt.course.lessons.lesson_09_heads import misconceptions_reading as wrong_reading
from minigpt.course.lessons.lesson_09_heads import misconceptions_scores as wrong_scores
from minigpt.course.lessons.lesson_09_heads.written import WHY_INTERVENE

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
    function(
        "fold_means",
        "An ablation written into the weights",
        Worth(points=5, difficulty=3, importance=4, minutes=15),
        (
            "The layer's last step is weight @ gathered + bias. Which columns of the weight meet "
            "what head h gathered?",
            "C = 6, hs = 2, head 1: columns 2 and 3 of weight (6, 6), so (6, 2). Times the mean "
            "(2,) that is (6,): what the layer would add at every position.",
            "copy weight and bias\n"
            "for each head and its mean:\n"
            "    columns = those of the head, hs of them, from head times hs on\n"
            "    bias += weight[:, columns] @ mean\n"
            "    the copied weight's columns become 0",
        ),
        draw=cases.draw_fold,
        reference=cases.fold_means,
        wrong=wrong_ablation.FOLD_MEANS,
        keep=False,
    ),
    function(
        "mean_ablation",
        "What it always says, in place of what it says now",
        Worth(points=3, difficulty=2, importance=4, minutes=8),
        (
            "What should be forgotten, and what should stay: what the head says of this text, or "
            "what it says at this position of any text?",
            "others (N, nh, T, hs) -> one head: (N, T, hs) -> over the texts: (T, hs). In z "
            "(B, nh, T, hs) it takes the place of (B, T, hs).",
            "mean = others of that head, averaged over the texts\n"
            "copy z; its head becomes mean, in every text",
        ),
        draw=cases.draw_mean,
        reference=cases.mean_ablation,
        wrong=wrong_ablation.MEAN_ABLATION,
        keep=False,
    ),
    bug(
        "cost_of_head",
        "Mend: what does a head cost?",
        Worth(points=4, difficulty=3, importance=4, minutes=12),
        (
            "Follow one number of the head from where it is gathered to where it is silenced. And "
            "what is in the model when the function has returned?",
            "gathered (B, T, C): heads side by side -> c_proj mixes them -> (B, T, C). Logits of "
            "position t are for the token at t + 1: (B, T - 1, V) against (B, T - 1).",
            "silence what c_proj is *given*: a forward pre-hook, which returns the new input\n"
            "compare logits without the last position with ids without the first\n"
            "remove the hook when the loss is known",
        ),
        draw=cases.draw_cost,
        call=call_intervention,
        reference=cases.cost_of_head,
        wrong=wrong_ablation.COST_OF_HEAD,
    ),
    function(
        "paired_interval",
        "Is it more than chance?",
        Worth(points=3, difficulty=2, importance=4, minutes=8),
        (
            "The same story, with the head and without it: why is that more than two stories?",
            "rises (..., n) -> mean (...), standard deviation (...). Its n stories make the mean "
            "surer by the root of n. Two ends, stacked last: (..., 2).",
            "rise = after less before, story by story\n"
            "error = standard deviation of the rises / root of n\n"
            "return mean - 1.96 error and mean + 1.96 error",
        ),
        draw=cases.draw_interval,
        reference=cases.paired_interval,
        wrong=wrong_intervals.PAIRED_INTERVAL,
        keep=False,
    ),
    function(
        "patch_residual",
        "One vector of another run",
        Worth(points=6, difficulty=4, importance=5, minutes=20),
        (
            "Both texts have to run. When is the moment at which the vector is put over, for "
            "layer 0? For the last?",
            "Both streams (B, T, C): embeddings, then block by block. At `layer` one vector a "
            "text, (B, C), goes over. Then LayerNorm and head: (B, T, V), of which the last "
            "position is returned, (B, V).",
            "x, y = token plus position embeddings of idx and of other\n"
            "for n from 0 to n_layer:\n"
            "    if n is layer: x at position = y at position\n"
            "    if a block is left: x, y = block n of x, of y\n"
            "return the head of the final LayerNorm of x, at the last position",
        ),
        draw=cases.draw_patch,
        call=call_intervention,
        reference=cases.patch_residual,
        wrong=wrong_patching.PATCH_RESIDUAL,
        keep=False,
    ),
    number(
        "share_restored",
        "What a patch brings back",
        Worth(points=2, difficulty=2, importance=3, minutes=5),
        (
            "Draw a line with the corrupt run on the left and the clean one on the right. Where "
            "does the patched one stand?",
            "From -3 to 5 the line is 8 long. The patched run stands at 3.",
            "(patched - corrupt) / (clean - corrupt), each a difference of two logits",
        ),
        answer=0.75,
        within=0.004,
        wrong=wrong_intervals.SHARE_RESTORED,
    ),
    function(
        "direct_attribution",
        "Who made this logit?",
        Worth(points=6, difficulty=4, importance=4, minutes=18),
        (
            "The LayerNorm subtracts, divides and multiplies. Which of these can be done part by "
            "part, so that the results still add up?",
            "parts (n, C): each less its own mean over C, divided by one number, times weight "
            "(C,), along direction (C,): (n,). And one entry more for the bias: (n + 1,).",
            "stream = sum of the parts\n"
            "spread = root of (variance of the stream, divided by C, plus eps)\n"
            "each part: (part - its mean) / spread * weight, dot product with direction\n"
            "at the end: bias, dot product with direction",
        ),
        draw=cases.draw_attribution,
        reference=cases.direct_attribution,
        wrong=wrong_reading.DIRECT_ATTRIBUTION,
        keep=False,
    ),
    function(
        "lens_rank",
        "When does the answer come up?",
        Worth(points=4, difficulty=3, importance=4, minutes=12),
        (
            "What would the head say if no block were left? And how many tokens would it put above "
            "the answer?",
            "stream (depth, T, C) -> final LayerNorm -> head: (depth, T, V). The answer's own "
            "logit: (depth, T, 1). How many of the V are larger: (depth, T).",
            "logits = head of the final LayerNorm of the stream\n"
            "own = the answer's logit at each depth and position, an axis kept\n"
            "return how many logits are larger than own",
        ),
        draw=cases.draw_lens,
        call=call_intervention,
        reference=cases.lens_rank,
        wrong=wrong_reading.LENS_RANK,
        keep=False,
    ),
    written(
        "why_intervene",
        "Why is a clean pattern no explanation?",
        Worth(points=3, difficulty=3, importance=4, minutes=12),
        WHY_INTERVENE,
    ),
)
