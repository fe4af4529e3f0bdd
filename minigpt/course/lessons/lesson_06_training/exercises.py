"""The exercises of lesson 06: the loss, AdamW, the schedule, one step, and what a run costs."""

from __future__ import annotations

import math

from minigpt import training
from minigpt.course.exercise.calls.training import (
    call_evaluation,
    call_groups,
    call_schedule,
    call_training,
)
from minigpt.course.exercise.kinds import Worth, account, bug, function, number, written
from minigpt.course.lessons.lesson_06_training import cases
from minigpt.course.lessons.lesson_06_training import misconceptions_loss as wrong
from minigpt.course.lessons.lesson_06_training import misconceptions_optimizer as wrong_optimizer
from minigpt.course.lessons.lesson_06_training import misconceptions_steps as wrong_steps
from minigpt.course.lessons.lesson_06_training.written import WHY_WARM_UP

EXERCISES = (
    function(
        "cross_entropy",
        "How wrong? Cross-entropy",
        Worth(points=5, difficulty=3, importance=5, minutes=15),
        (
            "What is the exponential of 10,000? Can you avoid taking it, and still get the same "
            "quotient?",
            "m (B, T, 1) is the largest logit of each row; the log of the sum is (B, T, 1); the "
            "target's logit, picked with the targets as (B, T, 1), as well. Their difference: one "
            "surprise for each place.",
            "m = largest along the vocabulary\n"
            "log_sum = m + log of the sum of e^(logit - m) along the vocabulary\n"
            "right = the logit at the target's place\n"
            "return the mean of log_sum - right",
        ),
        draw=cases.draw_cross_entropy,
        reference=training.cross_entropy,
        wrong=wrong.CROSS_ENTROPY,
        rtol=1e-3,  # at 10,000 float32 rounds to a thousandth
    ),
    number(
        "guessing_loss",
        "What guessing costs",
        Worth(points=2, difficulty=2, importance=3, minutes=5),
        (
            "What is the surprise at a token that you were sure of? And at one of twelve?",
            "50 surprises: 45 times 0, and 5 times the surprise at a probability of 1/12.",
            "add up minus the natural logarithm of each of the 50 probabilities; divide by 50",
        ),
        answer=math.log(12) / 10,
        within=0.001,
        wrong=wrong.GUESSING_LOSS,
        case="45 sure tokens and 5 guesses among 12",
    ),
    function(
        "adamw_step",
        "One step of AdamW",
        Worth(points=5, difficulty=3, importance=4, minutes=15),
        (
            "Which of the two averages decides the direction of the step, and which its size?",
            "Gradient 1, n = 1, both averages 0: m becomes 0.1 and v 0.01. Divided by 1 - 0.9 and "
            "1 - 0.99 both are 1 again, and the step is lr × 1 / 1.",
            "new m, new v: mix the old with the gradient, and with its square\n"
            "corrected copies: divide each by 1 - beta to the power n\n"
            "new w: the old, shrunk by lr × decay, minus lr × corrected m / (root of corrected v, "
            "plus eps)\n"
            "return new w, new m, new v, the latter two not corrected",
        ),
        draw=cases.draw_adamw,
        reference=cases.adamw_step,
        wrong=wrong_optimizer.ADAMW,
        keep=False,
    ),
    function(
        "parameter_groups",
        "Which weights decay",
        Worth(points=3, difficulty=2, importance=4, minutes=8),
        (
            "What do biases and LayerNorm gains have in common, whatever they are called?",
            "matrix (2, 3): two dimensions, decays. gain (3,) and bias (3,): one, they do not.",
            "weights = the model's parameters that want a gradient\n"
            "one dict with those of two or more dimensions and the decay\n"
            "one dict with all others and a decay of 0",
        ),
        draw=cases.draw_groups,
        call=call_groups,
        reference=training.optimizers.parameter_groups,
        wrong=wrong_optimizer.PARAMETER_GROUPS,
    ),
    function(
        "lr_schedule",
        "Warm-up, then a cosine",
        Worth(points=3, difficulty=2, importance=4, minutes=10),
        (
            "There are three stretches. Which is the last step of each?",
            "warmup_steps = 4, max_steps = 12: steps 0 to 3 give 1/4, 2/4, 3/4, 4/4 of max_lr. "
            "Step 4 is the top of the cosine, f = 0; step 8 is half-way, f = 1/2; from step 12 on "
            "f would be 1 or more.",
            "in the warm-up: max_lr × (step + 1) / warmup_steps\n"
            "from max_steps on: min_lr\n"
            "else f = how much of the way from warmup_steps to max_steps is done;\n"
            "min_lr + half of (max_lr - min_lr) × (1 + cosine of pi × f)",
        ),
        draw=cases.draw_schedule,
        call=call_schedule,
        reference=training.lr_schedule,
        wrong=wrong_optimizer.LR_SCHEDULE,
        rtol=1e-5,
        atol=1e-9,
    ),
    function(
        "train_step",
        "One training step",
        Worth(points=6, difficulty=4, importance=5, minutes=20),
        (
            "Four things happen, some once and some for each micro-batch. In which order?",
            "Two micro-batches with the losses 2 and 4: the step returns 3. Each goes backward as "
            "1 and 2, so the gradients add up to that of the mean.",
            "clear the gradients\n"
            "for each (x, y): loss = cross-entropy / number of micro-batches; backward; add it up\n"
            "clip all gradients together at max_norm\n"
            "step; return the sum as a float",
        ),
        draw=cases.draw_train_step,
        call=call_training,
        reference=cases.train_step,
        wrong=wrong_steps.TRAIN_STEP,
    ),
    function(
        "evaluate",
        "The loss on held-out text",
        Worth(points=4, difficulty=3, importance=4, minutes=12),
        (
            "The model may be in the middle of its training. What must be switched off while you "
            "measure, and how must you leave it?",
            "Batches of 3 and 1 windows of 4 tokens: 12 and 4 targets. With the means 2 and 6 the "
            "answer is (12 × 2 + 4 × 6) / 16 = 3, not 4.",
            "remember the mode; evaluation mode; no record for gradients\n"
            "for each (x, y): add mean loss × number of targets, and count the targets\n"
            "put the mode back; return sum / count",
        ),
        draw=cases.draw_evaluate,
        call=call_evaluation,
        reference=cases.evaluate,
        wrong=wrong_steps.EVALUATE,
        keep=False,
    ),
    bug(
        "resume_training",
        "Mend: a run that goes on",
        Worth(points=4, difficulty=3, importance=4, minutes=12),
        (
            "Clear, go backward, clip, step. Read the loop aloud: is each there, and in its place?",
            "first_step = 3 and two batches: the rates should be rates[3] and rates[4]. Which does "
            "the loop take?",
            "for each batch, with its own step number, counted from first_step:\n"
            "set the rate of that step; clear; loss; backward; clip; step; note the loss",
        ),
        draw=cases.draw_resume_training,
        call=call_training,
        reference=cases.resume_training,
        wrong=wrong_steps.RESUME_TRAINING,
    ),
    account(
        "plan_run",
        "How long is a run?",
        Worth(points=3, difficulty=2, importance=3, minutes=8),
        (
            "How many tokens does one update read, all its micro-batches together?",
            "4 windows of 5 tokens, 2 micro-batches: 40 tokens a step. 100 tokens need 2.5 steps, "
            "so 3, and these read 120.",
            "tokens in a step = windows × their length × micro-batches\n"
            "steps = wanted tokens / tokens in a step, rounded up\n"
            "seen = steps × tokens in a step",
        ),
        draw=cases.draw_plan_run,
        reference=cases.plan_run,
        wrong=wrong_steps.PLAN_RUN,
    ),
    written(
        "why_warm_up",
        "Why warm up?",
        Worth(points=3, difficulty=2, importance=3, minutes=8),
        WHY_WARM_UP,
    ),
)
