"""Draw the cases of lesson 06's exercises; the answers that the package does not have."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from minigpt import training
from minigpt.course.exercise.calls.training import random_weights
from minigpt.course.exercise.drawing import Cases, whole

TINY = dict(vocab_size=7, block_size=4, n_layer=1, n_head=2, n_embd=4)


# --- cross_entropy ---


def draw_cross_entropy(g: Generator) -> list[dict]:
    def logits(*shape, dtype=torch.float32):
        return 2 * torch.randn(shape, generator=g, dtype=dtype)

    def targets(*shape, V):
        return torch.randint(V, shape, generator=g)

    y = targets(2, 3, V=5)
    right, mistaken = F.one_hot(y, 5).float(), F.one_hot((y + 1) % 5, 5).float()
    far_apart = torch.cat([logits(1, 2, 4), torch.tensor([[[0.0, 10_000, 0, 0]] * 2])])
    case = Cases("logits", "targets")
    return [
        case(
            "one text, two positions, three tokens",
            torch.tensor([[[2.0, 1, 0], [0, 0, 3]]]),
            torch.tensor([[0, 1]]),
        ),
        case("two texts, with the gradient", logits(2, 3, 5), y, gradients="logits"),
        case("as many texts as positions", logits(4, 4, 6), targets(4, 4, V=6)),
        case(
            "transposed tensors",
            logits(2, 7, 4).transpose(1, 2),
            targets(4, 2, V=7).T,
            gradients="logits",
        ),
        case(
            "float64",
            logits(3, 2, 4, dtype=torch.float64),
            targets(3, 2, V=4),
            gradients="logits",
        ),
        case("one text, one position", logits(1, 1, 5), targets(1, 1, V=5)),
        case("very sure, and right: logits of 10,000", 10_000 * right, y),
        case("very sure, and wrong: logits of 10,000", 10_000 * mistaken, y),
        case(
            "one text with small logits, one with logits of 10,000",
            far_apart,
            torch.tensor([[0, 1], [1, 1]]),
        ),
        case("all logits near -10,000", logits(2, 3, 5) - 10_000, y),
        case("1,000 tokens", logits(2, 2, 1000), targets(2, 2, V=1000)),
    ]


# --- adamw_step ---


def adamw_step(w, g, m, v, n, lr, weight_decay, betas=(0.9, 0.99), eps=1e-8):
    """The update of the lesson, term by term."""
    m = betas[0] * m + (1 - betas[0]) * g
    v = betas[1] * v + (1 - betas[1]) * g * g
    m_hat, v_hat = m / (1 - betas[0] ** n), v / (1 - betas[1] ** n)
    return w - lr * weight_decay * w - lr * m_hat / (v_hat.sqrt() + eps), m, v


def draw_adamw(g: Generator) -> list[dict]:
    named = Cases("w", "g", "m", "v", "n", "lr", "weight_decay")

    def state(*shape: int, size: float = 1.0, start: bool = False, dtype=None) -> list[Tensor]:
        """Draw weights, their gradient, and both averages: after some steps, or at the start."""
        w, gradient, m = (torch.randn(shape, generator=g, dtype=dtype) for _ in range(3))
        v = torch.rand(shape, generator=g, dtype=dtype) + 0.1
        averages = [torch.zeros_like(w), torch.zeros_like(w)] if start else [m, v]
        return [w, size * gradient, *averages]

    def case(title: str, state: list[Tensor], n: int, lr=0.1, decay=0.1, **kwargs) -> dict:
        return named(title, *state, n, lr, decay, kwargs=kwargs)

    readable = [torch.tensor([1.0, 2, 3]), torch.tensor([0.001, 1, -1000])]
    first = [*readable, *state(3, start=True)[2:]]
    matrix = [part.T for part in state(3, 4, dtype=torch.float64)]
    still = state(2, size=0.0, start=True)
    return [
        case("the first step, without decay", first, 1, decay=0.0),
        case("the first step, with decay", state(4, start=True), 1),
        case("the fifth step", state(4), 5),
        case("a strong decay", state(4), 3, lr=0.3, decay=0.5),
        case("gradients near epsilon", state(4, size=1e-8, start=True, dtype=torch.float64), 1),
        case("other betas, a large epsilon", state(4), 4, betas=(0.7, 0.95), eps=0.05),
        case("a transposed matrix, after 100 steps", matrix, 100),
        case("gradients of a million billions", state(4, size=1e15, start=True), 1),
        case("a beta of 0.9999999", state(4, start=True), 2, betas=(0.999, 0.9999999)),
        case("no gradient at all, only decay", still, 1),
        case("a single weight", state(), 2),
    ]


# --- parameter_groups ---


def draw_groups(g: Generator) -> list[dict]:
    a, b, c = (int(n) for n in torch.randint(2, 6, (3,), generator=g))
    decay = round(0.05 + torch.rand((), generator=g).item(), 2)
    gpt = dict(vocab_size=5 + a, block_size=3, n_layer=1, n_head=2, n_embd=4)
    table = {"table": [a, b], "matrix": [b, c], "gain": [b]}
    frozen = dict(shapes=table | {"other": [c]}, frozen=["table", "other"])
    odd = {"signal": [a, b, 3], "image": [a, b, 2, 2], "scale": [], "gain": [b]}
    readable = {"matrix": [2, 3], "gain": [3], "bias": [3]}
    case = Cases("weight_decay")
    return [
        case("a matrix (2, 3), a gain (3,), a bias (3,)", 0.1, shapes=readable),
        case("a GPT", decay, config=gpt),
        case("a GPT without biases", decay, config=gpt | {"bias": False, "n_layer": 2}),
        case("three and four dimensions, and none", decay, shapes=odd),
        case("a matrix that is called bias", decay, shapes={"bias": [a, a], "weight": [a]}),
        case("a frozen table and a frozen gain", decay, **frozen),
        case("a table tied to a head", decay, shapes=table, tied={"head": "table"}),
        case("no matrix at all", decay, shapes={"gain": [a], "bias": [a]}),
        case("no decay wanted", 0.0, shapes=table),
    ]


# --- lr_schedule ---


def draw_schedule(g: Generator) -> list[dict]:
    warmup, after = whole(g, 10, 60), whole(g, 50, 400)
    end, peak = warmup + after, whole(g, 2, 90) / 10_000
    start = [0, warmup // 2, warmup - 1, warmup, warmup + 1]
    around = [*start, warmup + after // 3, warmup + after // 2]

    def case(title: str, steps, max_lr: float, min_lr: float, warmup_steps: int, max_steps: int):
        plan = dict(max_lr=max_lr, min_lr=min_lr, warmup_steps=warmup_steps, max_steps=max_steps)
        return dict(title=title, steps=list(steps), kwargs=plan)

    real = [*around, end - 1, end, end + 1, 2 * end]
    return [
        case("four steps of warm-up, twelve in all", range(15), 1.0, 0.1, 4, 12),
        case("a real run", real, peak, peak / 10, warmup, end),
        case("down to zero", [*around, end - 2, end, end + after], peak, 0.0, warmup, end),
        case("one step of warm-up", range(6), peak, peak / 4, 1, 4),
        case("warm-up to the last step but one", range(8), peak, peak / 3, 5, 6),
        case("min_lr equals max_lr", range(7), peak, peak, 3, 5),
    ]


# --- train_step, evaluate, resume_training ---


def louder(weights: dict[str, Tensor], factor: float) -> dict[str, Tensor]:
    """Return the weights of a model whose logits are that many times as large."""
    gain = "transformer.ln_f.weight"
    return {**weights, gain: factor * weights[gain]}


def train_step(model, optimizer, batches, max_norm):
    """The package's step returns the gradient's length as well."""
    return training.train_step(model, optimizer, batches, max_norm)[0]


def draw_batches(g: Generator, *sizes: int, T: int = 4) -> list[tuple]:
    drawn = [torch.randint(TINY["vocab_size"], (size, T + 1), generator=g) for size in sizes]
    return [(ids[:, :-1].contiguous(), ids[:, 1:].contiguous()) for ids in drawn]


def draw_train_step(g: Generator) -> list[dict]:
    named = Cases("batches", "max_norm")

    def case(
        title: str, count: int, max_norm: float, size=2, dtype=torch.float32, loud=1.0, **more
    ) -> dict:
        drawn = louder(random_weights(TINY, g), loud)
        weights = {name: weight.to(dtype) for name, weight in drawn.items()}
        model = dict(config=TINY, weights=weights, lr=0.5, **more)
        return named(title, draw_batches(g, *[size] * count), max_norm, **model)

    double = dict(dtype=torch.float64, stale=True)
    return [
        case("one micro-batch, nothing to clip", 1, 1000.0, size=1),
        case("gradients of an earlier step are still there", 1, 1000.0, stale=True),
        case("four micro-batches, nothing to clip", 4, 1000.0),
        case("one micro-batch, a gradient that is too long", 1, 0.1),
        case("four micro-batches, a gradient that is too long", 4, 0.1),
        case("three micro-batches, old gradients, clipped, float64", 3, 0.2, **double),
        case("a gradient a million times too long", 2, 0.1, loud=1e6),
    ]


@torch.no_grad()
def evaluate(model, batches):
    """The sum of all surprises over the number of all targets."""
    was_training = model.training
    model.eval()
    nats = [
        F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="none") for x, y in batches
    ]
    model.train(was_training)
    return torch.cat(nats).mean().item()


def draw_evaluate(g: Generator) -> list[dict]:
    named, config = Cases("batches"), TINY | {"dropout": 0.5}

    def case(title: str, *sizes: int, training: bool, loud=1.0, **more) -> dict:
        weights = louder(random_weights(TINY, g), loud)
        model = dict(config=config, weights=weights, training=training, **more)
        return named(title, draw_batches(g, *sizes), **model)

    cases = [
        case("one batch, a model in evaluation mode", 2, training=False),
        case("one batch, a model in training mode", 2, training=True, stale=True),
        case("three batches, the last one smaller", 3, 3, 1, training=True),
        case("four batches of all sizes", 1, 4, 2, 5, training=False),
        case("a model that is very sure, and wrong", 2, 1, training=False, loud=200.0),
    ]
    short = [*draw_batches(g, 2), *draw_batches(g, 2, T=2)]
    return [*cases, cases[0] | dict(title="windows of different lengths", args=[short])]


def resume_training(model, optimizer, batches, rates, first_step, max_norm):
    """One update for each batch, with the learning rate of its own step."""
    losses = []
    for step, batch in enumerate(batches, start=first_step):
        for group in optimizer.param_groups:
            group["lr"] = rates[step]
        losses.append(train_step(model, optimizer, [batch], max_norm))
    return losses


def draw_resume_training(g: Generator) -> list[dict]:
    named = Cases("batches", "rates", "first_step", "max_norm")

    def case(title: str, count: int, first_step: int, max_norm: float) -> dict:
        rates = [round(0.2 + torch.rand((), generator=g).item(), 2) for _ in range(8)]
        batches = draw_batches(g, *[2] * count)
        # In float64: several unclipped steps would blow up the rounding of float32.
        weights = {name: weight.double() for name, weight in random_weights(TINY, g).items()}
        model = dict(config=TINY, weights=weights, lr=0.9)
        return named(title, batches, rates, first_step, max_norm, **model)

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


def draw_plan_run(g: Generator) -> list[dict]:
    names = ("corpus_tokens", "epochs", "batch_size", "block_size", "accumulation_steps")
    case = Cases(*names).by_name

    def real_run() -> dict:
        ranges = (10**5, 10**7), (2, 6), (8, 64), (64, 512), (2, 9)
        return case("a real run", *(whole(g, low, high) for low, high in ranges))

    return [
        case("100 tokens, four windows of five, twice", 100, 1, 4, 5, 2),
        case("a text that is not a multiple", 107, 1, 4, 5, 2),
        case("three epochs", 107, 3, 2, 8, 1),
        case("less text than one step reads", 50, 1, 8, 16, 4),
        case("one token over a whole number of steps", 20_001, 1, 4, 50, 5),
        case("just a whole number of steps", 6_000, 2, 4, 50, 5),
        case("fifteen trillion tokens and one", 15 * 10**12 + 1, 1, 1_000, 5_000, 4),
        *(real_run() for _ in range(3)),
    ]
