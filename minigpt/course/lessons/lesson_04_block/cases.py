"""Draw the cases of lesson 04's exercises; the answers that the package does not have."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from minigpt.course.exercise.drawing import (
    Cases,
    layer_cases,
    normal,
    not_contiguous,
    readable,
    small,
    uniform,
    weights_for,
    whole,
)
from minigpt.model import MLP, Block

# --- layer_norm, gelu ---


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each row along the channels: (..., C) -> (..., C)."""
    centred = x - x.mean(dim=-1, keepdim=True)  # F.layer_norm rounds more far away from 0
    return weight * centred / (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt() + bias


def far_from_zero(g: Generator) -> list[Tensor]:
    """Draw rows near 4,096, close together, with their weight and bias.

    Their means, distances and variances are exact, but their squares, near 2**24, are whole
    numbers in float32: a mean of squares minus a square of the mean is 0. The bias lets through
    what PyTorch's own LayerNorm rounds away.
    """
    eighths = torch.randint(-4, 5, (3, 8), generator=g)
    eighths[:, :2] = torch.tensor([-5, 5])
    return [4096 + eighths / 8, uniform(g, 0.5, 1.5, 8), torch.full((8,), 100.0)]


def draw_rows(g: Generator) -> list[dict]:
    named = Cases("x", "weight", "bias")

    def case(title: str, x: Tensor, **more) -> dict:
        learned = [normal(g, x.size(-1), dtype=x.dtype) for _ in range(2)]
        return named(title, x, *learned, **more)

    plain = named(
        "two rows of four, weight 1, bias 0", 10 * readable(g, 2, 4), torch.ones(4), torch.zeros(4)
    )
    # Halves, eight times: every way to take their mean is exact, so no rounding is blown up.
    constant = torch.randint(-8, 9, (3, 1), generator=g).expand(3, 8) / 2
    normal(g, 2, 4)  # skipped: a seed's other cases stay what they always were
    return [
        plain,
        case("2 texts of 5 words, 6 channels", normal(g, 2, 5, 6), gradients="x weight bias"),
        case("a single row", normal(g, 6)),
        case("quiet rows: epsilon matters", normal(g, 3, 6) * 1e-3),
        case("rows of equal numbers", constant),
        case("eps=0.1", normal(g, 2, 6), kwargs={"eps": 0.1}),
        case("loud rows", normal(g, 2, 3, 6) * 1e4),
        case("two leading axes", normal(g, 2, 2, 3, 8)),
        case("float64", normal(g, 2, 3, 6, dtype=torch.float64)),
        case("not contiguous in memory", not_contiguous(normal(g, 2, 5, 4))),
        case("three axes of the same size", normal(g, 4, 4, 4)),
        named("rows near 4,096, weight near 1, bias 100", *far_from_zero(g)),
    ]


def gelu(x: Tensor) -> Tensor:
    """GELU in its tanh form."""
    return F.gelu(x, approximate="tanh")


def draw_numbers(g: Generator) -> list[dict]:
    case, shift = Cases("x"), uniform(g, -0.1, 0.1, 1)
    return [
        case("five numbers from -2 to 2", torch.arange(-2.0, 3.0)),
        case("from -5 to 5", torch.linspace(-5, 5, 41) + shift, gradients="x"),
        case("a batch", 2 * normal(g, 2, 3, 4), gradients="x"),
        case("very large and very small", torch.tensor([-1e4, -50.0, 50.0, 1e4])),
        case("a single number", normal(g)),
        case("float64", 2 * normal(g, 3, 4, dtype=torch.float64)),
        case("not contiguous in memory", not_contiguous(normal(g, 3, 5))),
    ]


# --- MLP, Block ---


def layers(g: Generator, module_class: type[nn.Module]) -> list[dict]:
    """Draw the cases that the MLP and the block have in common."""
    case = layer_cases(module_class, g)
    return [
        case("one text of 3 words, 4 channels", readable(g, 1, 3, 4), small(4, 2)),
        case("2 texts of 5 words", normal(g, 2, 5, 12), small(12, 3), gradients="x"),
        case("no biases", normal(g, 2, 4, 8), small(8, 2, bias=False)),
        case("quiet rows", normal(g, 2, 4, 8) * 1e-3, small(8, 2)),
        case("as many words as the context holds", normal(g, 1, 8, 8), small(8, 4)),
        case("one word", normal(g, 3, 1, 8), small(8, 2)),
        case("float64", normal(g, 2, 4, 8, dtype=torch.float64), small(8, 2)),
        case("not contiguous in memory", not_contiguous(normal(g, 2, 4, 8)), small(8, 2)),
        case("training, but without dropout", normal(g, 2, 4, 8), small(8, 2), training=True),
    ]


def dropout_case(g: Generator, config: dict, weights: dict[str, Tensor], **more) -> dict:
    p = config["dropout"]
    title = f"dropout of {p}, which divides what it keeps by {1 - p:g}: one word, 256 times"
    x = uniform(g, 0.5, 1.5, 1, 1, config["n_embd"])
    return Cases("x")(title, x, config=config, weights=weights, copies=256, **more)


def paired(weights: dict[str, Tensor], C: int, prefix: str = "") -> None:
    """Set an MLP's weights so that its result is GELU of its input, by two hidden numbers each.

    A dropout on the hidden row then shows: it can silence one of the two.
    """
    weights[f"{prefix}c_fc.weight"] = torch.eye(C).repeat(4, 1)
    weights[f"{prefix}c_fc.bias"] = torch.zeros(4 * C)
    halves = torch.cat([torch.eye(C), torch.eye(C)], dim=1) / 2
    weights[f"{prefix}c_proj.weight"] = torch.cat([halves, torch.zeros(C, 2 * C)], dim=1)
    weights[f"{prefix}c_proj.bias"] = torch.zeros(C)


def mlp_dropout(g: Generator, dropout: float) -> dict:
    config = small(16, 2, dropout=dropout)
    weights = weights_for(MLP, config, g)
    paired(weights, 16)
    return dropout_case(g, config, weights)


def block_dropout(g: Generator, dropout: float) -> dict:
    """Draw a case in which attention writes to the first eight channels, the MLP to the others.

    Both LayerNorms have weight 0, so that what the parts read is known and does not depend on
    what was dropped before.
    """
    C, config = 16, small(16, 2, dropout=dropout)
    first = torch.diag((torch.arange(C) < C // 2).float())
    weights = weights_for(Block, config, g)
    for name in ("ln_1", "ln_2"):
        weights[f"{name}.weight"] = torch.zeros(C)
        weights[f"{name}.bias"] = uniform(g, 0.5, 1.5, C)
    weights["attn.c_attn.weight"][2 * C :] = torch.eye(C)
    weights["attn.c_attn.bias"], weights["attn.c_proj.bias"] = torch.zeros(3 * C), torch.zeros(C)
    weights["attn.c_proj.weight"] = first
    paired(weights, C, "mlp.")
    weights["mlp.c_proj.weight"] = (torch.eye(C) - first) @ weights["mlp.c_proj.weight"]
    return dropout_case(g, config, weights, adds_to_input=True)


def loud_mlp(g: Generator) -> dict:
    """Draw an MLP for numbers in the thousands: whole ones, so that no order of sums matters."""
    config = small(8, 2)
    shapes = {name: weight.shape for name, weight in weights_for(MLP, config, g).items()}
    weights = {
        name: torch.randint(-2, 3, shape, generator=g).float() for name, shape in shapes.items()
    }
    x = 1000.0 * torch.randint(-5, 6, (2, 3, 8), generator=g)
    return Cases("x")("numbers in the thousands", x, config=config, weights=weights)


def draw_mlp(g: Generator) -> list[dict]:
    dropout = [mlp_dropout(g, dropout) for dropout in (0.5, 0.4)]
    return [*layers(g, MLP), *dropout, loud_mlp(g)]


def draw_block(g: Generator) -> list[dict]:
    dropout = [block_dropout(g, dropout) for dropout in (0.5, 0.4)]
    same = torch.randint(-8, 9, (1, 4, 1), generator=g).expand(1, 4, 8) / 2
    level = layer_cases(Block, g)("rows of equal numbers", same, small(8, 2))
    return [*layers(g, Block), *dropout, level]


# --- The accounts ---


def block_parameters(n_embd: int, bias: bool) -> int:
    """Count the parameters of one block."""
    return 12 * n_embd**2 + (13 if bias else 2) * n_embd


def draw_widths(g: Generator) -> list[dict]:
    case, any_width = Cases("n_embd", "bias"), whole(g, 3, 1000)
    sizes = [(6, True), (6, False), (768, True), (1600, True), (any_width, True)]
    return [
        case(f"width {C}, {'with' if bias else 'without'} biases", C, bias)
        for C, bias in [*sizes, (any_width, False)]
    ]


def block_multiplications(T: int, n_embd: int, n_head: int) -> int:
    """Count the multiplications in one block's matrix products."""
    return 12 * T * n_embd**2 + 2 * T**2 * n_embd


def draw_texts(g: Generator) -> list[dict]:
    case = Cases("T", "n_embd", "n_head")
    T, hs, nh = (whole(g, 2, 40) for _ in range(3))
    sizes = [(6, 8, 2), (1, 8, 2), (1024, 768, 12), (2048, 768, 12), (T, nh * hs, nh)]
    return [case(f"{T} tokens, width {C}, {nh} heads", T, C, nh) for T, C, nh in sizes]
