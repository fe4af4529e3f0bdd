"""The exercises of lesson 06: the loss, AdamW, the schedule, one step, and what a run costs."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from minigpt import training
from minigpt.course.exercise.calls.functions import call_function, call_value
from minigpt.course.exercise.calls.training import (
    call_evaluation,
    call_groups,
    call_schedule,
    call_training,
    random_weights,
)
from minigpt.course.exercise.definition import Exercise
from minigpt.course.lessons.lesson_06_training import wrong_loss as wrong
from minigpt.course.lessons.lesson_06_training import wrong_steps as wrong_steps
from minigpt.training import optimizers

LESSON = "06_training"
TINY = dict(vocab_size=7, block_size=4, n_layer=1, n_head=2, n_embd=4)


def dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- cross_entropy ---


def draw_cross_entropy(seed: int) -> list[dict]:
    g = dice(seed)

    def logits(*shape, dtype=torch.float32):
        return 2 * torch.randn(shape, generator=g, dtype=dtype)

    def targets(*shape, V):
        return torch.randint(V, shape, generator=g)

    y = targets(2, 3, V=5)
    right, mistaken = F.one_hot(y, 5).float(), F.one_hot((y + 1) % 5, 5).float()
    far_apart = torch.cat([logits(1, 2, 4), torch.tensor([[[0.0, 10_000, 0, 0]] * 2])])
    cases = [
        ("one text, two positions, three tokens",
         torch.tensor([[[2.0, 1, 0], [0, 0, 3]]]), torch.tensor([[0, 1]])),
        ("two texts, with the gradient", logits(2, 3, 5), y),
        ("as many texts as positions", logits(4, 4, 6), targets(4, 4, V=6)),
        ("transposed tensors", logits(2, 7, 4).transpose(1, 2), targets(4, 2, V=7).T),
        ("float64", logits(3, 2, 4, dtype=torch.float64), targets(3, 2, V=4)),
        ("one text, one position", logits(1, 1, 5), targets(1, 1, V=5)),
        ("very sure, and right: logits of 10,000", 10_000 * right, y),
        ("very sure, and wrong: logits of 10,000", 10_000 * mistaken, y),
        ("one text with small logits, one with logits of 10,000",
         far_apart, torch.tensor([[0, 1], [1, 1]])),
        ("all logits near -10,000", logits(2, 3, 5) - 10_000, y),
    ]  # fmt: skip
    drawn = [dict(title=t, args=[x, y], names=("logits", "targets")) for t, x, y in cases]
    for place in (1, 3, 4):
        drawn[place]["gradient_of"] = [0]
    return drawn


# --- adamw_step ---


def adamw_step(w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8):
    """The update of the lesson, term by term."""
    m = betas[0] * m + (1 - betas[0]) * g
    v = betas[1] * v + (1 - betas[1]) * g * g
    m_hat, v_hat = m / (1 - betas[0] ** n), v / (1 - betas[1] ** n)
    return w - lr * weight_decay * w - lr * m_hat / (v_hat.sqrt() + eps), m, v


def draw_adamw(seed: int) -> list[dict]:
    g = dice(seed)

    def case(title, *shape, n, lr=0.1, decay=0.1, start=False, size=1.0, dtype=None, **kwargs):
        w, gradient, m = (torch.randn(shape, generator=g, dtype=dtype) for _ in range(3))
        v = torch.rand(shape, generator=g, dtype=dtype) + 0.1
        if start:
            m, v = torch.zeros_like(w), torch.zeros_like(w)
        args = [w, size * gradient, m, v, n, lr, decay]
        names = ("w", "g", "m", "v", "n", "lr", "weight_decay")
        return dict(title=title, args=args, names=names, kwargs=kwargs)

    first = case("the first step, without decay", 3, n=1, decay=0.0, start=True)
    first["args"][:2] = [torch.tensor([1.0, 2, 3]), torch.tensor([0.001, 1, -1000])]
    matrix = case("a transposed matrix, after 100 steps", 3, 4, n=100, dtype=torch.float64)
    matrix["args"][:4] = [part.T for part in matrix["args"][:4]]
    still = case("no gradient at all, only decay", 2, n=1, start=True, size=0.0)
    return [
        first,
        case("the first step, with decay", 4, n=1, start=True),
        case("the fifth step", 4, n=5),
        case("a strong decay", 4, n=3, lr=0.3, decay=0.5),
        case("gradients near epsilon", 4, n=1, start=True, size=1e-8, dtype=torch.float64),
        case("other betas, a large epsilon", 4, n=4, betas=(0.7, 0.95), eps=0.05),
        matrix,
        still,
        case("a single weight", n=2),
    ]


# --- parameter_groups ---


def draw_groups(seed: int) -> list[dict]:
    g = dice(seed)
    a, b, c = (int(n) for n in torch.randint(2, 6, (3,), generator=g))
    decay = round(0.05 + torch.rand((), generator=g).item(), 2)
    gpt = dict(vocab_size=5 + a, block_size=3, n_layer=1, n_head=2, n_embd=4)
    table = {"table": [a, b], "matrix": [b, c], "gain": [b]}
    cases = [
        ("a matrix (2, 3), a gain (3,), a bias (3,)", 0.1,
         dict(shapes={"matrix": [2, 3], "gain": [3], "bias": [3]})),
        ("a GPT", decay, dict(config=gpt)),
        ("a GPT without biases", decay, dict(config=gpt | {"bias": False, "n_layer": 2})),
        ("three and four dimensions, and none", decay,
         dict(shapes={"signal": [a, b, 3], "image": [a, b, 2, 2], "scale": [], "gain": [b]})),
        ("a matrix that is called bias", decay, dict(shapes={"bias": [a, a], "weight": [a]})),
        ("a frozen table and a frozen gain", decay,
         dict(shapes=table | {"other": [c]}, frozen=["table", "other"])),
        ("a table tied to a head", decay, dict(shapes=table, tied={"head": "table"})),
        ("no matrix at all", decay, dict(shapes={"gain": [a], "bias": [a]})),
        ("no decay wanted", 0.0, dict(shapes=table)),
    ]  # fmt: skip
    return [
        dict(title=title, args=[value], names=("weight_decay",), **model)
        for title, value, model in cases
    ]


# --- lr_schedule ---


def draw_schedule(seed: int) -> list[dict]:
    g = dice(seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=g))

    warmup, after = number(10, 60), number(50, 400)
    end, peak = warmup + after, number(2, 90) / 10_000
    around = [
        0,
        warmup // 2,
        warmup - 1,
        warmup,
        warmup + 1,
        warmup + after // 3,
        warmup + after // 2,
    ]
    plans = [
        ("four steps of warm-up, twelve in all", range(15), 1.0, 0.1, 4, 12),
        ("a real run", [*around, end - 1, end, end + 1, 2 * end], peak, peak / 10, warmup, end),
        ("down to zero", [*around, end - 2, end, end + after], peak, 0.0, warmup, end),
        ("one step of warm-up", range(6), peak, peak / 4, 1, 4),
        ("warm-up to the last step but one", range(8), peak, peak / 3, 5, 6),
        ("min_lr equals max_lr", range(7), peak, peak, 3, 5),
    ]
    names = ("max_lr", "min_lr", "warmup_steps", "max_steps")
    return [
        dict(title=title, steps=list(steps), kwargs=dict(zip(names, plan)))
        for title, steps, *plan in plans
    ]


# --- train_step, evaluate, resume_training ---


def train_step(model, optimizer, batches, max_norm):
    """The package's step returns the gradient's length as well."""
    return training.train_step(model, optimizer, batches, max_norm)[0]


def draw_batches(g: torch.Generator, *sizes: int, T: int = 4) -> list[tuple]:
    drawn = [torch.randint(TINY["vocab_size"], (size, T + 1), generator=g) for size in sizes]
    return [(ids[:, :-1].contiguous(), ids[:, 1:].contiguous()) for ids in drawn]


def draw_train_step(seed: int) -> list[dict]:
    g = dice(seed)

    def case(title, count, max_norm, size=2, dtype=torch.float32, **more):
        weights = random_weights(TINY, g)
        weights = {name: weight.to(dtype) for name, weight in weights.items()}
        args = [draw_batches(g, *[size] * count), max_norm]
        tail = dict(args=args, names=("batches", "max_norm"), lr=0.5, **more)
        return dict(title=title, config=TINY, weights=weights, **tail)

    return [
        case("one micro-batch, nothing to clip", 1, 1000.0, size=1),
        case("gradients of an earlier step are still there", 1, 1000.0, stale=True),
        case("four micro-batches, nothing to clip", 4, 1000.0),
        case("one micro-batch, a gradient that is too long", 1, 0.1),
        case("four micro-batches, a gradient that is too long", 4, 0.1),
        case("three micro-batches, old gradients, clipped, float64", 3, 0.2,
             dtype=torch.float64, stale=True),
    ]  # fmt: skip


@torch.no_grad()
def evaluate(model, batches):
    """The sum of all surprises over the number of all targets."""
    was_training = model.training
    model.eval()
    nats = [F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="none")
            for x, y in batches]  # fmt: skip
    model.train(was_training)
    return torch.cat(nats).mean().item()


def draw_evaluate(seed: int) -> list[dict]:
    g = dice(seed)
    plans = [
        ("one batch, a model in evaluation mode", (2,), False),
        ("one batch, a model in training mode", (2,), True),
        ("three batches, the last one smaller", (3, 3, 1), True),
        ("four batches of all sizes", (1, 4, 2, 5), False),
    ]
    config = TINY | {"dropout": 0.5}
    cases = [
        dict(title=title, config=config, weights=random_weights(TINY, g), training=mode,
             args=[draw_batches(g, *sizes)], names=("batches",))
        for title, sizes, mode in plans
    ]  # fmt: skip
    short = [*draw_batches(g, 2), *draw_batches(g, 2, T=2)]
    cases[1]["stale"] = True
    return [*cases, cases[0] | dict(title="windows of different lengths", args=[short])]


def resume_training(model, optimizer, batches, rates, first_step, max_norm):
    """One update for each batch, with the learning rate of its own step."""
    losses = []
    for step, batch in enumerate(batches, start=first_step):
        for group in optimizer.param_groups:
            group["lr"] = rates[step]
        losses.append(train_step(model, optimizer, [batch], max_norm))
    return losses


def draw_resume_training(seed: int) -> list[dict]:
    g = dice(seed)

    def case(title, count, first_step, max_norm):
        rates = [round(0.2 + torch.rand((), generator=g).item(), 2) for _ in range(8)]
        args = [draw_batches(g, *[2] * count), rates, first_step, max_norm]
        names = ("batches", "rates", "first_step", "max_norm")
        # In float64: several unclipped steps would blow up the rounding of float32.
        weights = {name: weight.double() for name, weight in random_weights(TINY, g).items()}
        return dict(title=title, config=TINY, weights=weights, args=args, names=names, lr=0.9)

    return [
        case("one step from the start, nothing to clip", 1, 0, 1000.0),
        case("three steps from the start, nothing to clip", 3, 0, 1000.0),
        case("the sixth step, nothing to clip", 1, 5, 1000.0),
        case("one step from the start, clipped", 1, 0, 0.1),
        case("four steps from step 3, clipped", 4, 3, 0.2),
    ]


# --- plan_run ---


def plan_run(*, corpus_tokens, epochs, batch_size, block_size, accumulation_steps):
    """Count tokens; the last step may read more than is left."""
    per_step = batch_size * block_size * accumulation_steps
    steps = math.ceil(corpus_tokens * epochs / per_step)
    return per_step, steps, steps * per_step


def draw_plan_run(seed: int) -> list[dict]:
    g = dice(seed)

    def numbers(low, high, count=1):
        return [int(n) for n in torch.randint(low, high, (count,), generator=g)]

    plans = [
        ("100 tokens, four windows of five, twice", 100, 1, 4, 5, 2),
        ("a text that is not a multiple", 107, 1, 4, 5, 2),
        ("three epochs", 107, 3, 2, 8, 1),
        ("less text than one step reads", 50, 1, 8, 16, 4),
        ("one token over a whole number of steps", 20_001, 1, 4, 50, 5),
        ("just a whole number of steps", 6_000, 2, 4, 50, 5),
        *(("a real run", *numbers(10**5, 10**7), *numbers(2, 6), *numbers(8, 64),
           *numbers(64, 512), *numbers(2, 9)) for _ in range(3)),
    ]  # fmt: skip
    names = ("corpus_tokens", "epochs", "batch_size", "block_size", "accumulation_steps")
    return [dict(title=title, args=[], kwargs=dict(zip(names, plan))) for title, *plan in plans]


EXERCISES = (
    Exercise(
        "cross_entropy", LESSON, "function", "How wrong? Cross-entropy",
        points=5, difficulty=3, importance=5, minutes=15,
        hints=(
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
        draw=draw_cross_entropy, call=call_function, reference=training.cross_entropy,
        misconceptions=wrong.CROSS_ENTROPY,
        rtol=1e-3,  # at 10,000 float32 rounds to a thousandth
        keep=True,
    ),
    Exercise(
        "guessing_loss", LESSON, "number", "What guessing costs",
        points=2, difficulty=2, importance=3, minutes=5,
        hints=(
            "What is the surprise at a token that you were sure of? And at one of twelve?",
            "50 surprises: 45 times 0, and 5 times the surprise at a probability of 1/12.",
            "add up minus the natural logarithm of each of the 50 probabilities; divide by 50",
        ),
        draw=lambda seed: [dict(title="45 sure tokens and 5 guesses among 12", args=[])],
        call=call_value,
        reference=math.log(12) / 10,
        misconceptions=wrong.GUESSING_LOSS,
        rtol=0.0, atol=0.001,
    ),
    Exercise(
        "adamw_step", LESSON, "function", "One step of AdamW",
        points=5, difficulty=3, importance=4, minutes=15,
        hints=(
            "Which of the two averages decides the direction of the step, and which its size?",
            "Gradient 1, n = 1, both averages 0: m becomes 0.1 and v 0.01. Divided by 1 - 0.9 and "
            "1 - 0.99 both are 1 again, and the step is lr × 1 / 1.",
            "new m, new v: mix the old with the gradient, and with its square\n"
            "corrected copies: divide each by 1 - beta to the power n\n"
            "new w: the old, shrunk by lr × decay, minus lr × corrected m / (root of corrected v, "
            "plus eps)\n"
            "return new w, new m, new v, the latter two not corrected",
        ),
        draw=draw_adamw, call=call_function, reference=adamw_step,
        misconceptions=wrong.ADAMW,
    ),
    Exercise(
        "parameter_groups", LESSON, "function", "Which weights decay",
        points=3, difficulty=2, importance=4, minutes=8,
        hints=(
            "What do biases and LayerNorm gains have in common, whatever they are called?",
            "matrix (2, 3): two dimensions, decays. gain (3,) and bias (3,): one, they do not.",
            "weights = the model's parameters that want a gradient\n"
            "one dict with those of two or more dimensions and the decay\n"
            "one dict with all others and a decay of 0",
        ),
        draw=draw_groups, call=call_groups, reference=optimizers.parameter_groups,
        misconceptions=wrong.PARAMETER_GROUPS,
        keep=True,
    ),
    Exercise(
        "lr_schedule", LESSON, "function", "Warm-up, then a cosine",
        points=3, difficulty=2, importance=4, minutes=10,
        hints=(
            "There are three stretches. Which is the last step of each?",
            "warmup_steps = 4, max_steps = 12: steps 0 to 3 give 1/4, 2/4, 3/4, 4/4 of max_lr. "
            "Step 4 is the top of the cosine, f = 0; step 8 is half-way, f = 1/2; from step 12 on "
            "f would be 1 or more.",
            "in the warm-up: max_lr × (step + 1) / warmup_steps\n"
            "from max_steps on: min_lr\n"
            "else f = how much of the way from warmup_steps to max_steps is done;\n"
            "min_lr + half of (max_lr - min_lr) × (1 + cosine of pi × f)",
        ),
        draw=draw_schedule, call=call_schedule, reference=training.lr_schedule,
        misconceptions=wrong.LR_SCHEDULE,
        rtol=1e-5, atol=1e-9,
        keep=True,
    ),
    Exercise(
        "train_step", LESSON, "function", "One training step",
        points=6, difficulty=4, importance=5, minutes=20,
        hints=(
            "Four things happen, some once and some for each micro-batch. In which order?",
            "Two micro-batches with the losses 2 and 4: the step returns 3. Each goes backward as "
            "1 and 2, so the gradients add up to that of the mean.",
            "clear the gradients\n"
            "for each (x, y): loss = cross-entropy / number of micro-batches; backward; add it up\n"
            "clip all gradients together at max_norm\n"
            "step; return the sum as a float",
        ),
        draw=draw_train_step, call=call_training, reference=train_step,
        misconceptions=wrong_steps.TRAIN_STEP,
        keep=True,
    ),
    Exercise(
        "evaluate", LESSON, "function", "The loss on held-out text",
        points=4, difficulty=3, importance=4, minutes=12,
        hints=(
            "The model may be in the middle of its training. What must be switched off while you "
            "measure, and how must you leave it?",
            "Batches of 3 and 1 windows of 4 tokens: 12 and 4 targets. With the means 2 and 6 the "
            "answer is (12 × 2 + 4 × 6) / 16 = 3, not 4.",
            "remember the mode; evaluation mode; no record for gradients\n"
            "for each (x, y): add mean loss × number of targets, and count the targets\n"
            "put the mode back; return sum / count",
        ),
        draw=draw_evaluate, call=call_evaluation, reference=evaluate,
        misconceptions=wrong_steps.EVALUATE,
    ),
    Exercise(
        "resume_training", LESSON, "bug", "Mend: a run that goes on",
        points=4, difficulty=3, importance=4, minutes=12,
        hints=(
            "Clear, go backward, clip, step. Read the loop aloud: is each there, and in its place?",
            "first_step = 3 and two batches: the rates should be rates[3] and rates[4]. Which does "
            "the loop take?",
            "for each batch, with its own step number, counted from first_step:\n"
            "set the rate of that step; clear; loss; backward; clip; step; note the loss",
        ),
        draw=draw_resume_training, call=call_training, reference=resume_training,
        misconceptions=wrong_steps.RESUME_TRAINING,
    ),
    Exercise(
        "plan_run", LESSON, "account", "How long is a run?",
        points=3, difficulty=2, importance=3, minutes=8,
        hints=(
            "How many tokens does one update read, all its micro-batches together?",
            "4 windows of 5 tokens, 2 micro-batches: 40 tokens a step. 100 tokens need 2.5 steps, "
            "so 3, and these read 120.",
            "tokens in a step = windows × their length × micro-batches\n"
            "steps = wanted tokens / tokens in a step, rounded up\n"
            "seen = steps × tokens in a step",
        ),
        draw=draw_plan_run, call=call_function, reference=plan_run,
        misconceptions=wrong_steps.PLAN_RUN,
    ),
    Exercise(
        "why_warm_up", LESSON, "written", "Why warm up?",
        points=3, difficulty=2, importance=3, minutes=8,
    ),
)  # fmt: skip
