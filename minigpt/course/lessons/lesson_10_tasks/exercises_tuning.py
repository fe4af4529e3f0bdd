"""The exercises on fine-tuning: what is learned from, and with how few new numbers."""

from __future__ import annotations

from minigpt.course.exercise.calls.adapters import call_adapter
from minigpt.course.exercise.kinds import Worth, account, function, module
from minigpt.course.lessons.lesson_10_tasks import cases_tuning as cases
from minigpt.course.lessons.lesson_10_tasks import misconceptions_tuning as wrong

TUNING = (
    function(
        "target_loss",
        "Learn the answer, not the question",
        Worth(points=4, difficulty=3, importance=5, minutes=12),
        (
            "Which places hold target tokens? And which logits predict the first of them?",
            "A prompt of 2 and a target of 2: places 2 and 3 count, predicted by the logits at 1 "
            "and 2. Logits without the last place (B, T - 1, V), tokens without the first "
            "(B, T - 1), surprises (B, T - 1), a mask of that shape.",
            "nats = surprise at places 1, 2, ..., from the logits one place before\n"
            "counts = place is at least prompt_length, and less than length\n"
            "the mean of nats where counts",
        ),
        draw=cases.draw_target_loss,
        reference=cases.target_loss,
        wrong=wrong.TARGET_LOSS,
        keep=False,
    ),
    function(
        "last_real",
        "Where a text ends",
        Worth(points=3, difficulty=3, importance=4, minutes=10),
        (
            "The mark is both the beginning and the padding. What is true of the last place that "
            "holds something else?",
            "idx 9 4 5 9 9 with the mark 9: not a mark at places 1 and 2; the last one is 2. "
            "Places (B,), rows 0 to B - 1: from (B, T, C) they pick (B, C).",
            "real = is the token no mark? (B, T)\n"
            "ends = the largest place where real (B,)\n"
            "from each text, the row of its end",
        ),
        draw=cases.draw_last_real,
        reference=cases.last_real,
        wrong=wrong.LAST_REAL,
        keep=False,
    ),
    module(
        "LoRAQueryValue",
        "A small addition to query and value",
        Worth(points=5, difficulty=4, importance=4, minutes=20),
        (
            "What may the new matrices change before the first step? Which of the two has to be 0 "
            "for that, and why not both?",
            "x (..., C); A_q (r, C) takes it to (..., r), B_q (C, r) back to (..., C). The layer "
            "gives (..., 3C): query, key and value, C channels each.",
            "keep the layer, switch its gradients off; two pairs of parameters\n"
            "forward: query, key, value = thirds of what the layer gives\n"
            "query += alpha / rank × (x through A_q, then B_q); the value the same with its pair\n"
            "put the three together again",
        ),
        draw=cases.draw_lora,
        call=call_adapter,
        reference=cases.LoRAQueryValue,
        wrong=wrong.LORA,
        keep=False,
    ),
    function(
        "merge_adapters",
        "Into the file, and gone",
        Worth(points=3, difficulty=3, importance=3, minutes=10),
        (
            "Which shape has B A, and which the tensor of the file?",
            "A (1, 2), B (3, 1): B A is (3, 2), (out, in). The file's tensor is (2, 3).",
            "for each adapter: add alpha / rank × (B A, turned on its side)",
        ),
        draw=cases.draw_merge,
        reference=cases.merge_adapters,
        wrong=wrong.MERGE,
        keep=False,
    ),
    account(
        "trained_parameters",
        "How little learns",
        Worth(points=2, difficulty=2, importance=3, minutes=6),
        (
            "Which matrices have a gradient? What are their shapes?",
            "1 layer, 4 channels, rank 1: A is (1, 4) and B (4, 1), 8 numbers. Query and value: "
            "16. The head: (2, 4) and a bias (2,), 10. In all 26.",
            "a pair: two matrices of rank × n_embd\n"
            "two pairs in each layer\n"
            "the head: a weight for each class and channel, a bias for each class",
        ),
        draw=cases.draw_trained,
        reference=cases.trained_parameters,
        wrong=wrong.TRAINED,
    ),
)
