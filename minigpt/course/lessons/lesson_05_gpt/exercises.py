"""The exercises of lesson 05: the assembled GPT, its start, and what it costs."""

from __future__ import annotations

import math

import torch
from torch import nn

from minigpt.config import GPTConfig
from minigpt.course.exercise.calls.functions import call_value
from minigpt.course.exercise.calls.gpt import call_gpt, call_start, dropout_weights
from minigpt.course.exercise.definition import Exercise, Misconception
from minigpt.course.exercise.drawing import seeded
from minigpt.course.exercise.drawing_gpt import gpt_weights
from minigpt.course.lessons.lesson_05_gpt.accounts import (
    COUNT_PARAMETERS,
    FLOPS_PER_TOKEN,
    TRAINING_BYTES,
    number,
)
from minigpt.course.lessons.lesson_05_gpt.wrong_model import GPT_WRONG, MENDED_WRONG
from minigpt.course.lessons.lesson_05_gpt.wrong_start import START_WRONG
from minigpt.model import GPT, Linear

LESSON = "05_gpt"


# --- The model ---


def gpt_case(title: str, sizes: dict, shape: tuple, generator: torch.Generator, **more) -> dict:
    """Draw a case for a GPT: random weights, random ids of shape (B, T)."""
    sizes = {**vars(GPTConfig(**sizes))}
    ids = torch.randint(sizes["vocab_size"], shape, generator=generator)
    weights = gpt_weights(sizes, generator)
    case = {"title": title, "config": sizes, "weights": weights, "args": [ids], "names": ["idx"]}
    return case | more


def draw_gpt(seed: int) -> list[dict]:
    """Draw models and texts, the simplest first."""
    g = seeded(seed)
    tiny = dict(vocab_size=6, block_size=8, n_layer=1, n_head=2, n_embd=4)
    small = dict(vocab_size=number(g, 9, 12), block_size=7, n_layer=2, n_head=2, n_embd=8)
    wide = dict(vocab_size=129, block_size=4, n_layer=1, n_head=2, n_embd=128, dropout=0.5)
    cases = [
        gpt_case("one text of three words, one layer", tiny, (1, 3), g),
        gpt_case("two texts, two layers, and the gradients", small, (2, 5), g, gradients=True),
        gpt_case("texts as long as the context", small, (3, 7), g),
        gpt_case("a single word", small, (1, 1), g),
        gpt_case("as many texts as words", small, (4, 4), g),
        gpt_case("no biases (bias=False)", small | {"bias": False}, (2, 5), g, gradients=True),
        gpt_case("dropout 0.5, in evaluation", small | {"dropout": 0.5}, (2, 5), g),
    ]
    double = gpt_case("float64", small, (2, 5), g)
    double["weights"] = {name: tensor.double() for name, tensor in double["weights"].items()}
    training = [
        {
            "title": f"dropout 0.5, in training, in a model whose block adds {what}",
            "config": {**vars(GPTConfig(**wide))},
            "weights": dropout_weights(GPTConfig(**wide), added),
            "args": [torch.tensor([[128]])],
            "names": ["idx"],
            "training": True,
        }
        for what, added in (("nothing", 0), ("a constant", 5))
    ]
    return [*cases, double, *training]


GPT_EXERCISE = Exercise(
    name="GPT",
    lesson=LESSON,
    kind="module",
    title="The whole model",
    points=10,
    difficulty=4,
    importance=5,
    minutes=30,
    hints=(
        "Which two tables does a word look into, and by what number in each? What has the stream "
        "gone through when the head reads it?",
        "idx (B, T) -> wte (B, T, C), wpe of 0 ... T-1 (T, C) -> their sum (B, T, C) -> dropout, "
        "each block, ln_f: always (B, T, C) -> head (B, T, V). For three words and C = 4, V = 6: "
        "(1, 3) -> (1, 3, 4) -> (1, 3, 6).",
        "build: transformer = a module dictionary of wte (V rows), wpe (block_size rows), drop, "
        "h (a module list of n_layer new blocks), ln_f; lm_head without bias; then let lm_head's "
        "weight BE the weight of wte\n"
        "run: x = row of each id + row of each place; x = drop of x; for each block: x = block of "
        "x; return head of (ln_f of x)",
    ),
    draw=draw_gpt,
    call=call_gpt,
    reference=GPT,
    misconceptions=GPT_WRONG,
    keep=True,
)

MENDED = Exercise(
    name="MendedGPT",
    lesson=LESSON,
    kind="bug",
    title="Mend a broken GPT",
    points=5,
    difficulty=3,
    importance=3,
    minutes=15,
    hints=(
        "Nothing here raises an error on one text. Which lines would still look right if you read "
        "only the shapes? There is one mistake in the layers, one in the places, one in the head.",
        "Print model.transformer.h[0] is model.transformer.h[1]. Print the shape of the places for "
        "idx of shape (2, 5). Print the number of parameters, and compare with count_parameters.",
        "layers: build a new block n_layer times instead of repeating one\n"
        "places: count from 0 to T - 1; T is the second size of idx, the first is the batch\n"
        "head: let it have the very parameter of wte, not a copy of its numbers",
    ),
    draw=draw_gpt,
    call=call_gpt,
    reference=GPT,
    misconceptions=MENDED_WRONG,
)


# --- The start ---


@torch.no_grad()
def reference_start(model: nn.Module) -> None:
    """Give a GPT its first weights."""
    shrunk = 0.02 / math.sqrt(2 * model.config.n_layer)
    for name, module in model.named_modules():
        if isinstance(module, Linear):
            module.weight.normal_(std=shrunk if name.endswith("c_proj") else 0.02)
        elif isinstance(module, nn.Embedding):
            module.weight.normal_(std=0.02)
        elif isinstance(module, nn.LayerNorm):
            module.weight.fill_(1)
        if getattr(module, "bias", None) is not None:
            module.bias.zero_()


def draw_start(seed: int) -> list[dict]:
    """Draw models to start; their tensors are large enough for a spread to be sure."""
    sizes = dict(vocab_size=256, block_size=64, n_head=4, n_embd=64)
    return [
        {"title": title, "config": {**sizes, "n_layer": layers, "bias": bias}, "seed": seed + add}
        for title, layers, bias, add in [
            ("one layer", 1, True, 0),
            ("three layers", 3, True, 100),
            ("two layers without biases", 2, False, 200),
        ]
    ]


INIT_WEIGHTS = Exercise(
    name="init_weights",
    lesson=LESSON,
    kind="function",
    title="A start that can learn",
    points=5,
    difficulty=3,
    importance=4,
    minutes=15,
    hints=(
        "Which matrices write their result into the residual stream, and by what name can you "
        "tell them?",
        "With 2 layers: wte, wpe, c_attn, c_fc spread 0.02; both c_proj spread 0.02 / 2 = 0.01, "
        "because 2L is 4; every bias 0; every LayerNorm's weight 1.",
        "without recording gradients, for each name and parameter of the model:\n"
        "  a bias: fill with 0; the weight of an ln_: fill with 1\n"
        "  the weight of a c_proj: normal, spread 0.02 / root of (2 * number of layers)\n"
        "  any other: normal, spread 0.02",
    ),
    draw=draw_start,
    call=call_start,
    reference=reference_start,
    misconceptions=START_WRONG,
    rtol=0.1,  # of a spread measured on 4,096 random numbers: nine times its own spread
    atol=0.1,
    keep=True,
)


# --- A number, and words ---

FIRST_LOSS = Exercise(
    name="first_loss",
    lesson=LESSON,
    kind="number",
    title="The first loss",
    points=2,
    difficulty=1,
    importance=4,
    minutes=4,
    hints=(
        "Which probability does each token get? How surprised are you by something that likely?",
        "With 4 tokens each gets 1/4, and the surprise is -ln(1/4) = ln 4 = 1.39 nats. The mean of "
        "equal surprises is that surprise.",
        "probability = 1 / size of the vocabulary; loss = minus the natural logarithm of it",
    ),
    draw=lambda seed: [{"title": "GPT-2's vocabulary, all tokens equally likely"}],
    call=call_value,
    reference=math.log(50257),
    misconceptions=(
        Misconception(
            "bits",
            "That is the surprise in bits, the logarithm to base 2. A nat belongs to base e.",
            math.log2(50257),
        ),
        Misconception(
            "decimal",
            "You took the logarithm to base 10. Nats come from the natural logarithm, to base e.",
            math.log10(50257),
        ),
        Misconception(
            "probability",
            "That is the probability of a token, not the surprise: take minus its logarithm.",
            # Within the tolerance this is zero.
            1 / 50257,
        ),
        Misconception(
            "vocabulary",
            "That is the size of the vocabulary. It goes into the answer; the loss is a logarithm.",
            50257,
        ),
        Misconception(
            "sign",
            "A surprise is never negative: the probability is below 1, its logarithm below 0, and "
            "the loss is minus that.",
            -math.log(50257),
        ),
        Misconception(
            "storyteller",
            "That is right for the storyteller's 1,024 tokens. GPT-2 has 50,257.",
            math.log(1024),
        ),
        Misconception(
            "with-the-lift",
            "That is what a new GPT-2 really shows: its logits are not quite equal, which lifts "
            "the loss. The question is about exactly equal ones.",
            math.log(50257) + 768 * 0.02**2 / 2,
        ),
    ),
    rtol=0,
    atol=0.006,  # two decimals were asked for
)

WHY_TIED = Exercise(
    name="why_tied",
    lesson=LESSON,
    kind="written",
    title="Why tie the head?",
    points=4,
    difficulty=3,
    importance=3,
    minutes=10,
)

EXERCISES = (
    GPT_EXERCISE,
    MENDED,
    WHY_TIED,
    FIRST_LOSS,
    INIT_WEIGHTS,
    COUNT_PARAMETERS,
    TRAINING_BYTES,
    FLOPS_PER_TOKEN,
)
