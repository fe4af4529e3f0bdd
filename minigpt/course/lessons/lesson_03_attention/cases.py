"""Draw the cases of lesson 03's exercises; the answers that the package does not have."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

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
from minigpt.model import CausalSelfAttention


def causal_average(x: Tensor) -> Tensor:
    """Average each row with the rows before it: (..., T, C) -> (..., T, C)."""
    counts = torch.arange(1, x.size(-2) + 1, dtype=x.dtype).unsqueeze(-1)
    return x.cumsum(dim=-2) / counts


def draw_average(g: Generator) -> list[dict]:
    case = Cases("x")
    return [
        case("three words, two numbers each", 10 * readable(g, 3, 2)),
        case("a batch: 2 texts of 5 words", normal(g, 2, 5, 4), gradients="x"),
        case("one word", normal(g, 1, 3)),
        case("two leading axes", normal(g, 2, 3, 4, 2)),
        case("float64", normal(g, 2, 4, 3, dtype=torch.float64)),
        case("not contiguous in memory", not_contiguous(normal(g, 2, 6, 3))),
        case("300 words near 10,000", 10_000 + normal(g, 300, 2)),
    ]


def draw_mask(g: Generator) -> list[dict]:
    case, more = Cases("T"), whole(g, 5, 12)
    titles = {3: "three words", 1: "one word", 2: "two words", more: f"{more} words"}
    return [case(title, T) for T, title in titles.items()]


def middle_first(g: Generator, T: int) -> Tensor:
    """Draw 1 to T in any order, but a middle one first: a later word outbids the first word."""
    order = torch.randperm(T, generator=g)
    place = int((order == T // 2).nonzero())
    order[[0, place]] = order[[place, 0]]
    return 1.0 + order


def loud(g: Generator, sign: int) -> list[Tensor]:
    """Draw q and k with scores beyond 10,000, all of one sign and far from one another.

    They are whole numbers: every order of the computation gives the same.
    """
    q = 100.0 * torch.randint(1, 5, (5, 4), generator=g)
    k = 100.0 * middle_first(g, 5).unsqueeze(-1).expand(5, 4)
    return [q, sign * k.contiguous()]


def as_split(x: Tensor) -> Tensor:
    return x.transpose(1, 2)  # (B, T, nh, hs) -> (B, nh, T, hs), as it lies in memory


def attention_of(*names: str) -> Callable[[Generator], list[dict]]:
    """Return what draws the cases for a function of q and k, or of q, k and v."""
    case, every = Cases(*names), " ".join(names)

    def draw(g: Generator) -> list[dict]:
        def several(*shape: int, draw=normal, **kwargs) -> list[Tensor]:
            return [draw(g, *shape, **kwargs) for _ in names]

        values = [normal(g, 5, 4)] * (len(names) - 2)
        wide_values = [normal(g, 2, 4, 7)] * (len(names) - 2)
        return [
            case("three words, head size 2", *several(3, 2, draw=readable)),
            case("five words, head size 8", *several(5, 8), gradients=every),
            case("2 texts, 3 heads, 4 words, hs 6", *several(2, 3, 4, 6), gradients=every),
            case("one word", *several(1, 4)),
            case("one leading axis", *several(2, 4, 3)[:2], *wide_values),
            case("float64", *several(2, 5, 4, dtype=torch.float64)),
            case("not contiguous in memory", *map(not_contiguous, several(2, 5, 3))),
            case("scores above 10,000", *loud(g, 1), *values),
            case("scores below -10,000", *loud(g, -1), *values),
            case("all scores are 0", torch.zeros(3, 2), *several(3, 2)[1:]),
            case("as split_heads leaves it", *map(as_split, several(2, 4, 3, 6))),
        ]

    return draw


def numbered(g: Generator, *shape: int) -> Tensor:
    """Number twelve places, from anywhere."""
    return torch.arange(12.0).reshape(shape) + whole(g, 0, 50)


def draw_split(g: Generator) -> list[dict]:
    case = Cases("x", "n_head")
    return [
        case("numbered: B=1, T=3, C=4, two heads", numbered(g, 1, 3, 4), 2),
        case("2 texts, 5 words, 12 channels, 3 heads", normal(g, 2, 5, 12), 3),
        case("T = nh = 4", normal(g, 3, 4, 8), 4, gradients="x"),
        case("one head", normal(g, 2, 3, 4), 1),
        case("heads of one channel", normal(g, 2, 3, 4), 4),
        case("one word, float64", normal(g, 2, 1, 6, dtype=torch.float64), 2),
        case("not contiguous in memory", not_contiguous(normal(g, 2, 3, 6)), 2),
        case("whole numbers", torch.arange(24).reshape(2, 2, 6), 3),
    ]


def draw_merge(g: Generator) -> list[dict]:
    case, first = Cases("x"), numbered(g, 1, 2, 3, 2)
    apart = as_split(normal(g, 2, 4, 3, 2))
    return [
        case("numbered: two heads, T=3, hs=2", first),
        case("2 texts, 3 heads, 5 words, hs 4", normal(g, 2, 3, 5, 4)),
        case("as many heads as words", normal(g, 2, 4, 4, 2), gradients="x"),
        case("one head", normal(g, 2, 1, 3, 4)),
        case("heads of one channel", normal(g, 2, 3, 4, 1)),
        case("one word, float64", normal(g, 2, 3, 1, 2, dtype=torch.float64)),
        case("not contiguous in memory", apart),
        case("whole numbers", torch.arange(24).reshape(2, 3, 2, 2)),
    ]


def dropout_case(g: Generator, dropout: float) -> dict:
    """Draw a case that shows where dropout acts: one word, which looks at itself.

    The value is the input, and the projection mixes channels of one head only, so that every
    number of the result shows the factors it was multiplied by, and dropout before it shows too.
    """
    C = 16
    config = small(C, 2, dropout=dropout)
    weights = weights_for(CausalSelfAttention, config, g)
    weights["c_attn.bias"], weights["c_proj.bias"] = torch.zeros(3 * C), torch.zeros(C)
    weights["c_attn.weight"][2 * C :] = torch.eye(C)
    weights["c_proj.weight"] = torch.eye(C) + torch.block_diag(*torch.ones(2, C // 2, C // 2))
    kept = f"dropout of {dropout}, which divides what it keeps by {1 - dropout:g}"
    title = f"{kept}: one word, 2,048 times"
    x = uniform(g, 0.5, 1.5, 1, 1, C)
    return Cases("x")(title, x, config=config, weights=weights, copies=2048, heads=2)


def loud_layer(g: Generator) -> dict:
    """Draw a layer with scores of thousands and more: above 0 in one head, below it in the other.

    Queries and keys are whole numbers, and no two scores of a row are near one another.
    """
    C, T, config = 8, 5, small(8, 2)
    weights, x = weights_for(CausalSelfAttention, config, g), normal(g, 1, T, C)
    x[0, :, 0] = middle_first(g, T)
    weights["c_attn.weight"][: 2 * C] = 0
    weights["c_attn.weight"][C : 2 * C, 0] = 100
    signs = torch.tensor([1.0, -1.0]).repeat_interleave(C // 2)
    weights["c_attn.bias"][:C] = 100.0 * torch.randint(1, 5, (C,), generator=g) * signs
    weights["c_attn.bias"][C : 2 * C] = 0
    return Cases("x")("scores far beyond 10,000", x, config=config, weights=weights)


def draw_layer(g: Generator) -> list[dict]:
    case = layer_cases(CausalSelfAttention, g)
    return [
        case("one text of 3 words, 4 channels, 2 heads", readable(g, 1, 3, 4), small(4, 2)),
        case("2 texts of 5 words, 3 heads", normal(g, 2, 5, 12), small(12, 3), gradients="x"),
        case("as many words as the context holds", normal(g, 1, 8, 8), small(8, 4)),
        case("no biases", normal(g, 2, 4, 8), small(8, 2, bias=False)),
        case("one head", normal(g, 2, 4, 4), small(4, 1)),
        case("one word", normal(g, 3, 1, 8), small(8, 2)),
        case("float64", normal(g, 2, 4, 8, dtype=torch.float64), small(8, 2)),
        case("not contiguous in memory", not_contiguous(normal(g, 2, 4, 8)), small(8, 2)),
        case("training, but without dropout", normal(g, 2, 4, 8), small(8, 2), training=True),
        case("zeros, no biases", torch.zeros(1, 3, 8), small(8, 2, bias=False)),
        *(dropout_case(g, dropout) for dropout in (0.5, 0.4)),
        loud_layer(g),
    ]
