"""The exercises of lesson 04: LayerNorm, GELU, the MLP and the block."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minigpt import model
from minigpt.course.exercise.calls.functions import call_function, call_value
from minigpt.course.exercise.calls.layers import call_layer
from minigpt.course.exercise.definition import Exercise
from minigpt.course.exercise.drawing import (
    normal,
    not_contiguous,
    readable,
    seeded,
    uniform,
    weights_for,
)
from minigpt.course.lessons.lesson_04_block import wrong_functions as wrong
from minigpt.course.lessons.lesson_04_block import wrong_modules as wrong_modules

LESSON = "04_block"


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each row along the channels: (..., C) -> (..., C)."""
    return F.layer_norm(x, weight.shape, weight, bias, eps)


def draw_layer_norm(seed: int) -> list[dict]:
    g = seeded(seed)

    def case(title: str, x: Tensor, **more) -> dict:
        learned = [normal(g, x.size(-1), dtype=x.dtype) for _ in range(2)]
        return dict(title=title, args=[x, *learned], names=["x", "weight", "bias"], **more)

    plain = dict(args=[10 * readable(g, 2, 4), torch.ones(4), torch.zeros(4)])
    # Halves, eight times: every way to take their mean is exact, so no rounding is blown up.
    constant = torch.randint(-8, 9, (3, 1), generator=g).expand(3, 8) / 2
    return [
        case("two rows of four, weight 1, bias 0", torch.zeros(2, 4)) | plain,
        case("2 texts of 5 words, 6 channels", normal(g, 2, 5, 6), gradient_of=[0, 1, 2]),
        case("a single row", normal(g, 6)),
        case("quiet rows: epsilon matters", normal(g, 3, 6) * 1e-3),
        case("rows of equal numbers", constant),
        case("eps=0.1", normal(g, 2, 6), kwargs={"eps": 0.1}),
        case("loud rows", normal(g, 2, 3, 6) * 1e4),
        case("two leading axes", normal(g, 2, 2, 3, 8)),
        case("float64", normal(g, 2, 3, 6, dtype=torch.float64)),
        case("not contiguous in memory", not_contiguous(normal(g, 2, 5, 4))),
    ]


def draw_number(seed: int) -> list[dict]:
    return [dict(title="your number")]


def gelu(x: Tensor) -> Tensor:
    """GELU in its tanh form."""
    return F.gelu(x, approximate="tanh")


def draw_gelu(seed: int) -> list[dict]:
    g = seeded(seed)
    shift = uniform(g, -0.1, 0.1, 1)
    cases = [
        dict(title="five numbers from -2 to 2", args=[torch.arange(-2.0, 3.0)]),
        dict(title="from -5 to 5", args=[torch.linspace(-5, 5, 41) + shift], gradient_of=[0]),
        dict(title="a batch", args=[2 * normal(g, 2, 3, 4)], gradient_of=[0]),
        dict(title="very large and very small", args=[torch.tensor([-1e4, -50.0, 50.0, 1e4])]),
        dict(title="a single number", args=[normal(g)]),
        dict(title="float64", args=[2 * normal(g, 3, 4, dtype=torch.float64)]),
        dict(title="not contiguous in memory", args=[not_contiguous(normal(g, 3, 5))]),
    ]
    return [{**case, "names": ["x"]} for case in cases]


def config(n_embd: int, n_head: int, **more) -> dict:
    """Return the arguments of a small GPTConfig."""
    return dict(vocab_size=16, block_size=8, n_layer=2, n_embd=n_embd, n_head=n_head) | more


def layer_cases(g: torch.Generator, module_class: type[nn.Module]) -> list[dict]:
    """Draw the cases that the MLP and the block have in common."""

    def case(title: str, x: Tensor, shape: dict, **more) -> dict:
        weights = weights_for(module_class, shape, g, x.dtype)
        return dict(title=title, config=shape, weights=weights, args=[x], **more)

    return [
        case("one text of 3 words, 4 channels", readable(g, 1, 3, 4), config(4, 2)),
        case("2 texts of 5 words", normal(g, 2, 5, 12), config(12, 3), gradient_of=[0]),
        case("no biases", normal(g, 2, 4, 8), config(8, 2, bias=False)),
        case("quiet rows", normal(g, 2, 4, 8) * 1e-3, config(8, 2)),
        case("as many words as the context holds", normal(g, 1, 8, 8), config(8, 4)),
        case("one word", normal(g, 3, 1, 8), config(8, 2)),
        case("float64", normal(g, 2, 4, 8, dtype=torch.float64), config(8, 2)),
        case("not contiguous in memory", not_contiguous(normal(g, 2, 4, 8)), config(8, 2)),
        case("training, but without dropout", normal(g, 2, 4, 8), config(8, 2), training=True),
    ]


def paired(weights: dict[str, Tensor], C: int, prefix: str = "") -> None:
    """Set an MLP's weights so that its result is GELU of its input, by two hidden numbers each.

    A dropout on the hidden row then shows: it can silence one of the two.
    """
    weights[f"{prefix}c_fc.weight"] = torch.eye(C).repeat(4, 1)
    weights[f"{prefix}c_fc.bias"] = torch.zeros(4 * C)
    halves = torch.cat([torch.eye(C), torch.eye(C)], dim=1) / 2
    weights[f"{prefix}c_proj.weight"] = torch.cat([halves, torch.zeros(C, 2 * C)], dim=1)
    weights[f"{prefix}c_proj.bias"] = torch.zeros(C)


def dropout_case(title: str, shape: dict, weights: dict, x: Tensor, **more) -> dict:
    title = f"dropout of {shape['dropout']}: {title}, 256 times"
    return dict(title=title, config=shape, weights=weights, args=[x], copies=256, **more)


def draw_mlp(seed: int) -> list[dict]:
    g = seeded(seed)
    cases = layer_cases(g, model.MLP)
    for dropout in (0.5, 0.4):
        shape = config(16, 2, dropout=dropout)
        weights = weights_for(model.MLP, shape, g)
        paired(weights, 16)
        x = uniform(g, 0.5, 1.5, 1, 1, 16)
        cases.append(dropout_case("one word", shape, weights, x))
    return [{**case, "names": ["x"]} for case in cases]


def block_dropout_case(g: torch.Generator, dropout: float) -> dict:
    """Draw a case in which attention writes to the first eight channels, the MLP to the others.

    Both LayerNorms have weight 0, so that what the parts read is known and does not depend on
    what was dropped before.
    """
    C, shape = 16, config(16, 2, dropout=dropout)
    first = torch.diag((torch.arange(C) < C // 2).float())
    weights = weights_for(model.Block, shape, g)
    for name in ("ln_1", "ln_2"):
        weights[f"{name}.weight"], weights[f"{name}.bias"] = (
            torch.zeros(C),
            uniform(g, 0.5, 1.5, C),
        )
    weights["attn.c_attn.weight"][2 * C :] = torch.eye(C)
    weights["attn.c_attn.bias"], weights["attn.c_proj.bias"] = torch.zeros(3 * C), torch.zeros(C)
    weights["attn.c_proj.weight"] = first
    paired(weights, C, "mlp.")
    weights["mlp.c_proj.weight"] = (torch.eye(C) - first) @ weights["mlp.c_proj.weight"]
    x = uniform(g, 0.5, 1.5, 1, 1, C)
    return dropout_case("one word", shape, weights, x, adds_to_input=True)


def draw_block(seed: int) -> list[dict]:
    g = seeded(seed)
    cases = layer_cases(g, model.Block)
    cases += [block_dropout_case(g, dropout) for dropout in (0.5, 0.4)]
    return [{**case, "names": ["x"]} for case in cases]


def block_parameters(n_embd: int, bias: bool) -> int:
    """Count the parameters of one block."""
    return 12 * n_embd**2 + (13 if bias else 2) * n_embd


def draw_parameters(seed: int) -> list[dict]:
    random = int(torch.randint(3, 1000, (), generator=seeded(seed)))
    sizes = [(6, True), (6, False), (768, True), (1600, True), (random, True), (random, False)]
    return [
        dict(title=f"width {C}, {'with' if bias else 'without'} biases", args=[C, bias])
        | {"names": ["n_embd", "bias"]}
        for C, bias in sizes
    ]


def block_multiplications(T: int, n_embd: int, n_head: int) -> int:
    """Count the multiplications in one block's matrix products."""
    return 12 * T * n_embd**2 + 2 * T**2 * n_embd


def draw_multiplications(seed: int) -> list[dict]:
    g = seeded(seed)
    T, hs, nh = (int(torch.randint(2, 40, (), generator=g)) for _ in range(3))
    sizes = [(6, 8, 2), (1, 8, 2), (1024, 768, 12), (2048, 768, 12), (T, nh * hs, nh)]
    return [
        dict(title=f"{T} tokens, width {C}, {nh} heads", args=[T, C, nh])
        | {"names": ["T", "n_embd", "n_head"]}
        for T, C, nh in sizes
    ]


EXERCISES = (
    Exercise(
        name="layer_norm",
        lesson=LESSON,
        kind="function",
        title="The same volume for everyone",
        points=4,
        difficulty=2,
        importance=5,
        minutes=12,
        hints=(
            "Take one row of five numbers. What do you subtract, and by what do you divide? Now: "
            "along which axis is that, for a whole batch?",
            "x (B, T, C): the mean along the last axis is (B, T, 1) if you keep that axis, and so "
            "is the variance. weight and bias are (C,) and broadcast.",
            "mean = mean of x along the last axis, axis kept\n"
            "variance = mean of (x minus mean) squared, axis kept\n"
            "normalised = (x minus mean) / root of (variance plus eps)\n"
            "return weight times normalised, plus bias",
        ),
        draw=draw_layer_norm,
        call=call_function,
        reference=layer_norm,
        misconceptions=wrong.LAYER_NORM,
        keep=True,
    ),
    Exercise(
        name="last_of_five",
        lesson=LESSON,
        kind="number",
        title="Predict: one loud number among zeros",
        points=2,
        difficulty=2,
        importance=2,
        minutes=5,
        hints=(
            "What is the mean of the five?",
            "The mean is 200. The distances from it are -200, four times, and 800. Square them, "
            "take their mean, take the root.",
            "sigma = root of the mean of the squared distances\nanswer = last distance / sigma",
        ),
        draw=draw_number,
        call=call_value,
        reference=2.0,
        misconceptions=wrong.LAST_OF_FIVE,
        rtol=0,
        atol=0.002,
    ),
    Exercise(
        name="gelu",
        lesson=LESSON,
        kind="function",
        title="A smooth bend",
        points=2,
        difficulty=1,
        importance=4,
        minutes=6,
        hints=(
            "Which of the two forms did OpenAI use? Look at the formula once more, bracket by "
            "bracket.",
            "Everything works element by element: any shape in, the same shape out. At 2 the inner "
            "sum is 2 + 0.044715 times 8 = 2.35772.",
            "inner = root of (2 / pi) times (x plus 0.044715 times x cubed)\n"
            "return half of x, times (1 plus tanh of inner)",
        ),
        draw=draw_gelu,
        call=call_function,
        reference=gelu,
        misconceptions=wrong.GELU,
        keep=True,
    ),
    Exercise(
        name="MLP",
        lesson=LESSON,
        kind="module",
        title="Each word thinks for itself",
        points=4,
        difficulty=2,
        importance=5,
        minutes=10,
        hints=(
            "How wide is the row in the middle? What stands between the two layers, and what comes "
            "last?",
            "x (B, T, C) -> c_fc: (B, T, 4C) -> GELU: the same -> c_proj: (B, T, C) -> dropout: "
            "the same.",
            "c_fc: linear from C to 4C; c_proj: linear from 4C to C; a dropout\n"
            "return dropout of c_proj of GELU of c_fc of x",
        ),
        draw=draw_mlp,
        call=call_layer,
        reference=model.MLP,
        misconceptions=wrong_modules.MLP,
        keep=True,
    ),
    Exercise(
        name="Block",
        lesson=LESSON,
        kind="module",
        title="The block",
        points=6,
        difficulty=3,
        importance=5,
        minutes=12,
        hints=(
            "Draw the stream as a line. What stands on it, and what beside it?",
            "x (B, T, C) -> ln_1 -> attn: (B, T, C), added to x. The new x -> ln_2 -> mlp: "
            "(B, T, C), added to the new x.",
            "x = x plus attn of ln_1 of x\nx = x plus mlp of ln_2 of x\nreturn x",
        ),
        draw=draw_block,
        call=call_layer,
        reference=model.Block,
        misconceptions=wrong_modules.BLOCK,
        keep=True,
    ),
    Exercise(
        name="MendedBlock",
        lesson=LESSON,
        kind="bug",
        title="Mend a block",
        points=4,
        difficulty=3,
        importance=4,
        minutes=12,
        hints=(
            "One mistake is in each class. Compare each with something independent: for the "
            "LayerNorm, PyTorch has one.",
            "For a row of C numbers, what does var divide by? And follow x through forward: after "
            "its first line, where is the stream?",
            "the variance divides by C, not by C minus 1\n"
            "attention reads a normalised copy, and adds to the stream itself",
        ),
        draw=draw_block,
        call=call_layer,
        reference=model.Block,
        misconceptions=wrong_modules.MEND_BLOCK,
    ),
    Exercise(
        name="block_parameters",
        lesson=LESSON,
        kind="account",
        title="The weights of a block",
        points=3,
        difficulty=2,
        importance=4,
        minutes=10,
        hints=(
            "List everything in a block that is learned, with its shape. How many lines has your "
            "list, with and without biases?",
            "Matrices: (3C, C), (C, C), (4C, C), (C, 4C). Their biases: 3C, C, 4C, C. Two "
            "LayerNorms: C each, and C more each for their bias.",
            "matrices = (3 + 1 + 4 + 4) times C squared\nnorms = 2 times C\n"
            "if bias: add the outputs of the four layers, and 2 times C for the norms",
        ),
        draw=draw_parameters,
        call=call_function,
        reference=block_parameters,
        misconceptions=wrong.BLOCK_PARAMETERS,
    ),
    Exercise(
        name="block_multiplications",
        lesson=LESSON,
        kind="account",
        title="The work of a block",
        points=4,
        difficulty=4,
        importance=3,
        minutes=15,
        hints=(
            "There are six matrix products in a block. Four are with weights. Which are the other "
            "two?",
            "With weights, for T tokens: C to 3C, C to C, C to 4C, 4C to C. Without, in each head: "
            "(T, hs) by (hs, T), and (T, T) by (T, hs).",
            "weights = T times C times (3C + C + 4C + 4C)\n"
            "attention = heads times 2 times T times T times the head size\nreturn their sum",
        ),
        draw=draw_multiplications,
        call=call_function,
        reference=block_multiplications,
        misconceptions=wrong.BLOCK_MULTIPLICATIONS,
    ),
)
